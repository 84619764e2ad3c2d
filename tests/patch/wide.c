/* SPDX-License-Identifier: MIT
 *
 * Wide streams on pipes whose other side is slow, users and groups, and _Fork. See scenario.h.
 */
#include "streams.h"

#include <fcntl.h>
#include <grp.h>
#include <locale.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <wchar.h>

#define MUCH (1 << 17)

/* Characters are cut in two, too. */
static void in_bits(int fd)
{
    put(fd, "one l\xc3");
    put(fd, "\xadne\nhalf a ");
    put(fd, "line\n12 -7 ");
    put(fd, "0x1f w\xe2\x82");
    put(fd, "\xacrd\nabcdefgh");
    put(fd, "ijk\nlast");
    close(fd);
}

static void say_line(const wchar_t *line)
{
    say(" ");
    for (; line && *line; line++)
        say(" %x", (unsigned)*line);
    say("\n");
}

static void reading(void)
{
    wchar_t line[64] = L"", word[8] = L"";
    int first, second, items;
    unsigned third;
    struct peer *peer;
    FILE *stream = from_peer(&peer, in_bits, "r");

    say_line(fgetws(line, 64, stream));
    TELL(fwide(stream, 0) > 0);
    say_line(fgetws(line, 64, stream));
    items = fwscanf(stream, L"%d %d %x %7ls", &first, &second, &third, word);
    say("  %d items: %d %d %u\n", items, first, second, third);
    say_line(word);
    TELL(fgetwc(stream));
    TELL(getwc(stream));
    TELL(ungetwc(L'A', stream));
    TELL(fgetwc(stream));
    TELL(getwc_unlocked(stream));
    say_line(fgetws(line, 4, stream));
    say_line(fgetws(line, 64, stream));
    say_line(fgetws(line, 64, stream));
    TELL(feof(stream) != 0);
    TELL(ferror(stream));
    say("  %d\n", fgetwc(stream) == WEOF);
    say("  %d\n", fgetws(line, 64, stream) == NULL);
    errno = 0; /* an end is no error */
    TELL(fwscanf(stream, L"%d", &first));
    TELL(fclose(stream));
    peer_end(peer);
}

static void writing(void)
{
    static wchar_t many[MUCH + 1];
    struct peer *peer;
    FILE *stream = from_peer(&peer, drains, "w");
    int count = 0;

    for (int i = 0; i < MUCH; i++)
        many[i] = i % 5 ? L'a' + i % 23 : L'\x20ac';
    TELL(fputws(many, stream) >= 0);
    TELL(fwprintf(stream, L"%ls %d\n", many, 42));
    for (int i = 0; i < 3000; i++)
        count += fwprintf(stream, L"line %d\n", i);
    say("  %d\n", count);
    TELL(fputwc(L'x', stream));
    TELL(putwc(L'\x20ac', stream));
    for (int i = 0; i < 70000; i++)
        putwc_unlocked(L'z', stream);
    errno = ENOENT;
    TELL(fwprintf(stream, L"%m\n"));
    TELL(fflush(stream));
    TELL(fputws(L"the end", stream) >= 0);
    TELL(fclose(stream));
    peer_end(peer);
    say("  %lu bytes, %lu\n", drained, checksum);
    stream = from_peer(&peer, drains, "w");
    setvbuf(stream, NULL, _IONBF, 0);
    TELL(fputwc(L'\x20ac', stream));
    TELL(fputws(L"unbuffered", stream) >= 0);
    TELL(fclose(stream));
    peer_end(peer);
    say("  %lu bytes, %lu\n", drained, checksum);
}

/* A stream that is full when it is flushed: what it has are characters. */
static void flushing(void)
{
    struct peer *peer;
    int fds[2], flags;
    char block[4096] = "";
    FILE *stream;

    if (pipe(fds))
        abort();
    flags = fcntl(fds[1], F_GETFL);
    fcntl(fds[1], F_SETFL, flags | O_NONBLOCK);
    while (write(fds[1], block, sizeof block) > 0)
        ;
    fcntl(fds[1], F_SETFL, flags);
    stream = fdopen(fds[1], "w");
    TELL(fputws(L"some", stream) >= 0);
    peer = peer_start(drains, fds[0]);
    TELL(fflush(stream));
    TELL(fclose(stream));
    peer_end(peer);
    say("  %lu\n", drained % 4096);
}

static void nonblocking(void)
{
    wchar_t line[16];
    FILE *stream;
    int fds[2];

    if (pipe2(fds, O_NONBLOCK))
        abort();
    stream = fdopen(fds[0], "r");
    say("  %d", fgetws(line, 16, stream) == NULL);
    say(" %s\n", strerrorname_np(errno));
    say("  %d\n", fgetwc(stream) == WEOF);
    TELL(ferror(stream) != 0);
    fclose(stream);
    close(fds[1]);
}

static void users(void)
{
    struct passwd entry, *found = NULL;
    struct group group, *group_found = NULL;
    char buffer[4096], tiny[1];
    gid_t groups[64];
    int count = 64;

    say("  %s\n", getpwuid(0) ? getpwuid(0)->pw_name : "none");
    say("  %ld\n", getpwnam("root") ? (long)getpwnam("root")->pw_uid : -1l);
    say("  %s\n", getgrgid(0) ? getgrgid(0)->gr_name : "none");
    say("  %ld\n", getgrnam("root") ? (long)getgrnam("root")->gr_gid : -1l);
    say("  %d %d\n", getpwnam("no such user") == NULL, getgrnam("no such group") == NULL);
    TELL(getpwnam_r("root", &entry, buffer, sizeof buffer, &found));
    say("  %d %s\n", found == &entry, found ? found->pw_dir : "");
    TELL(getpwuid_r(0, &entry, tiny, sizeof tiny, &found) == ERANGE);
    say("  %d\n", found == NULL);
    TELL(getgrgid_r(0, &group, buffer, sizeof buffer, &group_found));
    say("  %d\n", group_found == &group);
    TELL(getgrnam_r("no such group", &group, buffer, sizeof buffer, &group_found));
    say("  %d\n", group_found == NULL);
    TELL(getgrouplist("root", 0, groups, &count) == count && count > 0);
}

/* Its child may only do what signal handlers may. */
static void forks(void)
{
    char byte = 0;
    int fds[2], status = 0;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        abort();
    pid = _Fork();
    if (!pid) {
        struct timespec time = {0, 1000000};
        nanosleep(&time, NULL);
        _exit(read(fds[1], &byte, 1) == 1 && write(fds[1], "y", 1) == 1 ? 7 : 8);
    }
    TELL(write(fds[0], "x", 1));
    TELL(read(fds[0], &byte, 1));
    TELL(waitpid(pid, &status, 0) == pid);
    say("  %c %d\n", byte, WEXITSTATUS(status));
    close(fds[0]);
    close(fds[1]);
}

static void set_locale(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        say("  no C.UTF-8\n");
}

const struct scenario scenarios[] = {
    {"the locale", set_locale},  {"reading wide", reading},   {"writing wide", writing}, {"flushing wide", flushing},
    {"O_NONBLOCK", nonblocking}, {"users and groups", users}, {"_Fork", forks},          {NULL, NULL},
};
