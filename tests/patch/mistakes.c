/* SPDX-License-Identifier: MIT
 *
 * What other libraries that hook libc's blocking calls have got wrong, and shipped: one scenario each, named by what it
 * must be like. See scenario.h.
 */
#include "scenario.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#define MS             1000000
#define SAME_NUMBER    IP_RECVORIGDSTADDR /* as SO_RCVTIMEO, at another level */
#define TIMEOUT_64_BIT 66                 /* SO_RCVTIMEO_NEW */

_Static_assert(SAME_NUMBER == SO_RCVTIMEO, "the numbers are to be the same");

static void pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        abort();
}

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void writes_after(int fd, long ms)
{
    pause_ms(ms);
    if (write(fd, "x", 1) != 1)
        abort();
}

static void writes_soon(int fd)
{
    writes_after(fd, 30);
}

static void writes_late(int fd)
{
    writes_after(fd, 1100);
}

/* libco: every read ended after a second. */
static void no_timeout_is_none(void)
{
    int fds[2];
    char byte;
    struct peer *peer;

    pair(fds);
    peer = peer_start(writes_late, fds[1]);
    TELL(read(fds[0], &byte, 1));
    peer_end(peer);
    close_both(fds);
}

/* libco: what it knew of descriptors was an array of fixed size. */
static void any_descriptor_will_do(void)
{
    struct rlimit old, limit;
    int fds[2], high;
    char byte;
    struct peer *peer;
    struct pollfd look;

    if (getrlimit(RLIMIT_NOFILE, &old))
        abort();
    limit = old;
    limit.rlim_cur = limit.rlim_max < 200000 ? limit.rlim_max : 200000;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        abort();
    pair(fds);
    high = fcntl(fds[0], F_DUPFD, (int)limit.rlim_cur - 10);
    close(fds[0]);
    say("  %d\n", high >= (int)limit.rlim_cur - 10);
    look = (struct pollfd){.fd = high, .events = POLLIN};
    TELL(poll(&look, 1, 1));
    peer = peer_start(writes_soon, fds[1]);
    TELL(read(high, &byte, 1));
    peer_end(peer);
    TELL(write(high, "y", 1));
    TELL(fcntl(high, F_SETFL, O_NONBLOCK));
    TELL(read(high, &byte, 1));
    TELL(close(high));
    TELL(read(high, &byte, 1));
    close(fds[1]);
    setrlimit(RLIMIT_NOFILE, &old);
}

static void told_timeout(int fd)
{
    struct timeval time = {7, 7};
    socklen_t size = sizeof time;

    TELL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &size));
    say("  %ld s %ld us\n", (long)time.tv_sec, (long)time.tv_usec);
}

/* acl: a timeout was cut to whole seconds, and any option of that number was taken for one. */
static void timeouts_are_to_the_letter(void)
{
    struct timeval time = {0, 12000}, bad = {0, 2000000};
    const int64_t wide[2] = {0, 8000};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), fds[2];
    char byte;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct peer *peer;
    int64_t start;

    if (bind(fd, (struct sockaddr *)&address, size) || getsockname(fd, (struct sockaddr *)&address, &size) ||
        connect(fd, (struct sockaddr *)&address, size)) /* it talks to itself */
        abort();
    TELL(setsockopt(fd, IPPROTO_IP, SAME_NUMBER, &time, sizeof time));
    told_timeout(fd);
    peer = peer_start(writes_soon, fd);
    TELL(recv(fd, &byte, 1, 0));
    peer_end(peer);
    close(fd);
    pair(fds);
    TELL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    told_timeout(fds[0]);
    start = now();
    TELL(read(fds[0], &byte, 1));
    say("  in its time: %d\n", now() - start >= 12 * MS && now() - start < 1000 * MS);
    TELL(setsockopt(fds[0], SOL_SOCKET, TIMEOUT_64_BIT, wide, sizeof wide));
    told_timeout(fds[0]);
    TELL(read(fds[0], &byte, 1));
    TELL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof bad));
    TELL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, 3));
    told_timeout(fds[0]);
    close_both(fds);
}

/* acl: commands that the hook did not know failed. */
static void every_command_passes(void)
{
    int fds[2], file = memfd_create("mistakes", MFD_ALLOW_SEALING);
    struct f_owner_ex owner = {F_OWNER_PID, 0};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    uint64_t hint = 99;

    if (pipe(fds))
        abort();
    TELL(fcntl(fds[1], F_SETPIPE_SZ, 65536));
    TELL(fcntl(fds[1], F_GETPIPE_SZ));
    TELL(fcntl(fds[0], F_SETOWN_EX, &owner));
    TELL(fcntl(fds[0], F_GETOWN_EX, &owner));
    TELL(fcntl(fds[0], F_SETSIG, SIGUSR1));
    TELL(fcntl(fds[0], F_GETSIG));
    TELL(fcntl(file, F_OFD_GETLK, &lock));
    say("  %d\n", lock.l_type == F_UNLCK);
    TELL(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    TELL(fcntl(file, F_GET_SEALS));
    TELL(fcntl(file, F_GET_RW_HINT, &hint));
    TELL(fcntl(file, F_GETLEASE));
    TELL(fcntl(file, 424242, &hint));
    close_both(fds);
    close(file);
}

#define TELL_NAME(call) say("  %s: %d\n", #call, call) /* errno says nothing of these */

/* acl: whatever failed in the resolver was "no data". */
static void failures_of_names_differ(void)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;
    char node[4];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    TELL_NAME(getaddrinfo("no number", NULL, &hints, &found));
    TELL_NAME(getaddrinfo("127.0.0.1", "no service", &hints, &found));
    hints.ai_family = 4711;
    TELL_NAME(getaddrinfo("127.0.0.1", NULL, &hints, &found));
    hints.ai_family = AF_INET6;
    TELL_NAME(getaddrinfo("127.0.0.1", NULL, &hints, &found));
    hints = (struct addrinfo){.ai_flags = 1 << 30};
    TELL_NAME(getaddrinfo("127.0.0.1", NULL, &hints, &found));
    hints = (struct addrinfo){.ai_flags = AI_NUMERICHOST, .ai_socktype = 4711};
    TELL_NAME(getaddrinfo("127.0.0.1", "80", &hints, &found));
    hints = (struct addrinfo){.ai_flags = AI_CANONNAME};
    TELL_NAME(getaddrinfo(NULL, "80", &hints, &found));
    TELL_NAME(getnameinfo((struct sockaddr *)&address, sizeof address, node, sizeof node, NULL, 0, NI_NUMERICHOST));
    address.sin_family = 4711;
    TELL_NAME(getnameinfo((struct sockaddr *)&address, sizeof address, node, sizeof node, NULL, 0, NI_NUMERICHOST));
}

/* acl: a poll that had timed out was still registered; the next one reported what had been read long ago, and a
 * database server turned round and round on EAGAIN. */
static void a_poll_leaves_nothing(void)
{
    int fds[2];
    char bytes[8];
    struct pollfd look;
    struct timeval none = {0, 2000};
    fd_set set;

    pair(fds);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    look = (struct pollfd){.fd = fds[0], .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        TELL(poll(&look, 1, 2));
        TELL(write(fds[1], "x", 1)); /* after its time, and taken without a poll */
        TELL(read(fds[0], bytes, sizeof bytes));
        TELL(poll(&look, 1, 2));
        say("  revents %d\n", look.revents);
        FD_ZERO(&set);
        FD_SET(fds[0], &set);
        TELL(select(fds[0] + 1, &set, NULL, NULL, &none));
        none.tv_usec = 2000;
        TELL(read(fds[0], bytes, sizeof bytes));
        look.events = i ? POLLIN : POLLIN | POLLPRI; /* registered for more, and for less again */
    }
    look.events = POLLIN;
    TELL(write(fds[1], "x", 1));
    TELL(poll(&look, 1, -1));
    TELL(poll(&look, 1, -1));
    close_both(fds);
}

static void told_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    TELL(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    say("  %s\n", error ? strerrorname_np(error) : "none");
}

/* libco: a connect that had failed was said to have succeeded, and one that was under way to have failed. */
static void connects_say_what_happened(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client, flags[2] = {0, SOCK_NONBLOCK};
    struct pollfd look;

    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        abort();
    for (int refused = 0; refused < 2; refused++) {
        for (int i = 0; i < 2; i++) {
            client = socket(AF_INET, SOCK_STREAM | flags[i], 0);
            TELL(connect(client, (struct sockaddr *)&address, size));
            look = (struct pollfd){.fd = client, .events = POLLOUT};
            TELL(poll(&look, 1, 1000));
            say("  revents %d\n", look.revents);
            told_error(client);
            told_error(client);
            TELL(connect(client, (struct sockaddr *)&address, size));
            close(client);
        }
        if (!refused)
            close(listener);
    }
}

const struct scenario scenarios[] = {
    {"no timeout is none", no_timeout_is_none},
    {"any descriptor will do", any_descriptor_will_do},
    {"timeouts are to the letter", timeouts_are_to_the_letter},
    {"every command passes", every_command_passes},
    {"failures of names differ", failures_of_names_differ},
    {"a poll leaves nothing", a_poll_leaves_nothing},
    {"connects say what happened", connects_say_what_happened},
    {NULL, NULL},
};
