/* SPDX-License-Identifier: MIT
 *
 * libc's streams on pipes, whose other side is slow: what each call says, to the letter. See scenario.h.
 */
#include "streams.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <syslog.h>

#define MUCH (1 << 20)

static char many[MUCH + 1];

static void in_bits(int fd)
{
    put(fd, "one line\nhalf a ");
    put(fd, "line");
    put(fd, "\n12 -7 ");
    put(fd, "0x1f w");
    put(fd, "ord\nabcdefgh");
    put(fd, "ijk\nlast");
    close(fd);
}

static void reading(void)
{
    char line[64] = "", word[8] = "", *whole = NULL;
    size_t size = 0;
    int first, second, third, items;
    struct peer *peer;
    FILE *stream = from_peer(&peer, in_bits, "r");

    say("  %s", fgets(line, sizeof line, stream));
    say("  %s", fgets(line, sizeof line, stream));
    items = fscanf(stream, "%d %d %x %7s", &first, &second, (unsigned *)&third, word);
    say("  %d items: %d %d %d %s\n", items, first, second, third, word);
    TELL(fgetc(stream));
    TELL(getc(stream));
    TELL(ungetc('A', stream));
    TELL(fgetc(stream));
    TELL(fread(line, 2, 4, stream));
    say("  %.8s\n", line);
    TELL(getline(&whole, &size, stream));
    say("  %s", whole);
    TELL(getdelim(&whole, &size, 's', stream));
    say("  %s\n", whole);
    TELL(fread(line, 1, 100, stream));
    TELL(feof(stream) != 0);
    TELL(ferror(stream));
    TELL(fgetc(stream));
    say("  %d\n", fgets(line, sizeof line, stream) == NULL);
    TELL(getline(&whole, &size, stream));
    TELL(fscanf(stream, "%d", &first));
    TELL(fclose(stream));
    peer_end(peer);
    free(whole);
}

static void unlocked(void)
{
    struct peer *peer;
    FILE *stream = from_peer(&peer, in_bits, "r");
    int sum = 0, byte;

    while ((byte = getc_unlocked(stream)) != EOF)
        sum += byte;
    say("  %d\n", sum);
    fclose(stream);
    peer_end(peer);
    stream = from_peer(&peer, in_bits, "r");
    flockfile(stream);
    sum = 0;
    while ((byte = getc(stream)) != EOF)
        sum += byte;
    funlockfile(stream);
    say("  %d\n", sum);
    fclose(stream);
    peer_end(peer);
}

static void writing(void)
{
    struct peer *peer;
    FILE *stream = from_peer(&peer, drains, "w");
    int count = 0;

    for (int i = 0; i < MUCH; i++)
        many[i] = (char)('a' + i % 23);
    TELL(fwrite(many, 1, MUCH, stream));
    TELL(fputs(many, stream) >= 0);
    TELL(fprintf(stream, "%s %d\n", many, 42));
    for (int i = 0; i < 5000; i++)
        count += fprintf(stream, "line %d\n", i);
    say("  %d\n", count);
    TELL(fputc('x', stream));
    TELL(putc('y', stream));
    for (int i = 0; i < 70000; i++)
        putc_unlocked('z', stream);
    TELL(fflush(stream));
    TELL(fflush(NULL));
    TELL(fclose(stream));
    peer_end(peer);
    say("  %lu bytes, %lu\n", drained, checksum);
}

static void by_descriptor(void)
{
    struct peer *peer;
    int fds[2];

    if (pipe(fds))
        abort();
    peer = peer_start(drains, fds[0]);
    TELL(dprintf(fds[1], "%s %d\n", many, 42));
    close(fds[1]);
    peer_end(peer);
    say("  %lu bytes, %lu\n", drained, checksum);
    fds[0] = open("/dev/null", O_RDONLY); /* of a number that is not open libc loses its buffer */
    TELL(dprintf(fds[0], "x"));
    close(fds[0]);
    syslog(LOG_DEBUG, "a test of liblinuxmt");
}

static void modes(void)
{
    struct peer *peer;
    FILE *stream = from_peer(&peer, drains, "w");

    setvbuf(stream, NULL, _IONBF, 0);
    TELL(fprintf(stream, "%d unbuffered\n", 1));
    TELL(fputs("more\n", stream) >= 0);
    TELL(fclose(stream));
    peer_end(peer);
    say("  %lu bytes, %lu\n", drained, checksum);
    stream = from_peer(&peer, drains, "w");
    setvbuf(stream, NULL, _IOLBF, 1024);
    for (int i = 0; i < 100; i++)
        fprintf(stream, "line %d of a stream that is flushed at each\n", i);
    TELL(fclose(stream));
    peer_end(peer);
    say("  %lu bytes, %lu\n", drained, checksum);
}

static void nonblocking(void)
{
    char line[16];
    FILE *stream;
    int fds[2];

    if (pipe2(fds, O_NONBLOCK))
        abort();
    stream = fdopen(fds[0], "r");
    say("  %d", fgets(line, sizeof line, stream) == NULL);
    say(" %s\n", strerrorname_np(errno));
    TELL(fgetc(stream));
    TELL(ferror(stream) != 0);
    fclose(stream);
    stream = fdopen(fds[1], "w");
    signal(SIGPIPE, SIG_IGN);
    TELL(fputs("x", stream) >= 0);
    TELL(fflush(stream));
    TELL(fclose(stream));
}

static void memory(void)
{
    char text[] = "in memory 17\n", line[32];
    FILE *stream = fmemopen(text, sizeof text - 1, "r");
    int number = 0;

    say("  %s", fgets(line, sizeof line, stream));
    rewind(stream);
    TELL(fscanf(stream, "%*s %*s %d", &number));
    say("  %d\n", number);
    TELL(fclose(stream));
    say("  %d\n", fopen("/nonexistent/file", "r") == NULL);
    errno = EXDEV;
    fprintf(stderr, "%s", "");
    say("  errno: %s\n", strerrorname_np(errno));
}

const struct scenario scenarios[] = {
    {"reading", reading},
    {"one byte at a time", unlocked},
    {"writing", writing},
    {"by descriptor", by_descriptor},
    {"modes of buffering", modes},
    {"O_NONBLOCK", nonblocking},
    {"memory", memory},
    {NULL, NULL},
};
