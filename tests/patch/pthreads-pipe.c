/* SPDX-License-Identifier: MIT
 *
 * The signal for a write that nobody reads: the writer's, whatever writes, and wherever that is done. See pthreads.h.
 */
#include "pthreads.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static __thread int broken;

static void count(int signal)
{
    broken++;
}

static ssize_t by_stream(int fd, const char *bytes, size_t size, int mode)
{
    FILE *stream = fdopen(dup(fd), "w");
    size_t done;

    setvbuf(stream, NULL, mode, mode == _IONBF ? 0 : BUFSIZ);
    done = fwrite(bytes, 1, size, stream);
    if (!fflush(stream) && done == size)
        done = 0;
    fclose(stream);
    return done ? -1 : 0;
}

static ssize_t by_file(int fd)
{
    int file = memfd_create("", 0);
    ssize_t result;

    if (write(file, "x", 1) != 1)
        abort();
    lseek(file, 0, SEEK_SET);
    result = sendfile(fd, file, NULL, 1);
    close(file);
    return result;
}

static ssize_t by_pipe(int fd)
{
    int ends[2];
    ssize_t result;

    if (pipe(ends) || write(ends[1], "x", 1) != 1)
        abort();
    result = splice(ends[0], NULL, fd, NULL, 1, 0);
    close(ends[0]);
    close(ends[1]);
    return result;
}

#define WAYS 10

static ssize_t write_by(int way, int fd)
{
    static const char large[100000];
    struct iovec vector = {(void *)large, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    switch (way) {
    case 0:
        return write(fd, "x", 1);
    case 1:
        return write(fd, large, sizeof large);
    case 2:
        return writev(fd, &vector, 1);
    case 3:
        return send(fd, "x", 1, 0);
    case 4:
        return sendmsg(fd, &message, 0);
    case 5:
        return by_file(fd);
    case 6:
        return by_pipe(fd);
    case 7:
        return by_stream(fd, "x", 1, _IOFBF);
    case 8:
        return by_stream(fd, large, sizeof large, _IONBF);
    default:
        return dprintf(fd, "%d", 1);
    }
}

static int is_pending(void)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, SIGPIPE);
}

static void write_in_vain(int way, int is_socket, int blocks)
{
    sigset_t set;
    int ends[2], got;
    ssize_t result;

    broken = 0;
    if (is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends))
        abort();
    close(ends[0]);
    result = write_by(way, ends[1]);
    usleep(100); /* others have a turn */
    printf("%s, way %d: %d, handled: %d, pending: %d\n", is_socket ? "socket" : "pipe", way, (int)result, broken > 0,
           is_pending());
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    if (blocks && is_pending())
        SAY(sigwait(&set, &got));
    close(ends[1]);
}

static void *writes(void *blocks)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    if (blocks)
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int way = 0; way < WAYS; way++) {
        write_in_vain(way, 0, blocks != NULL);
        write_in_vain(way, 1, blocks != NULL);
    }
    return NULL;
}

/* Those that block it do so beside a main that would end by it. */
void pipes(void)
{
    struct sigaction action = {.sa_handler = count}, before;

    finish(start(writes, &action));
    sigaction(SIGPIPE, &action, &before);
    finish(start(writes, NULL));
    sigaction(SIGPIPE, &before, NULL);
}
