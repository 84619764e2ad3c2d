/* SPDX-License-Identifier: MIT
 *
 * Several processes take connections from one socket that blocks. All hear of each and one gets it: the others' hubs
 * (and threads whose deadline has come) go on, as each has to say before the next connection is made. Speaks TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 4
#define ROUNDS  150
#define PATIENT 60000 /* ms */

static int failures;

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                       \
        }                                                                     \
    } while (0)

static int listener, lines[WORKERS]; /* to each worker */
static union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
} where;
static socklen_t where_size;

static void begin_to_listen(int family)
{
    where_size = sizeof where;
    memset(&where, 0, sizeof where);
    where.any.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        where.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(family, SOCK_STREAM, 0);
    /* Without a name of its own a Unix socket gets one that is in no folder. */
    if (listener < 0 || bind(listener, &where.any, family == AF_INET ? sizeof where.in : sizeof(sa_family_t)) ||
        listen(listener, 100) || getsockname(listener, &where.any, &where_size))
        abort();
}

/* -- The workers -------------------------------------------------------------------------------------------------- */

static int line; /* to the one who started it */

static void serve(int fd)
{
    if (write(fd, "x", 1) != 1)
        _exit(3);
    close(fd);
}

static int accepts_patched(void *arg)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    for (;;) {
        int fd = accept(listener, (struct sockaddr *)&address, &size);
        if (fd < 0)
            _exit(4);
        serve(fd);
        size = sizeof address;
    }
}

static int accepts(void *arg)
{
    for (;;) {
        int fd = mt_accept(listener, NULL, NULL, SOCK_CLOEXEC, mt_after(MT_MS(500)));
        if (fd >= 0)
            serve(fd);
        else if (fd != -ETIMEDOUT)
            _exit(5);
    }
}

/* Until the line is closed. */
static int answers(void *arg)
{
    char byte;

    while (mt_read(line, &byte, 1, MT_FOREVER) == 1)
        if (mt_write(line, &byte, 1, MT_FOREVER) != 1)
            _exit(6);
    _exit(0);
}

static void in_hub(mt_fn *fn)
{
    struct mt_task *tasks[3];

    for (int i = 0; i < 2; i++)
        tasks[i] = mt_coro_spawn(fn, NULL, NULL);
    tasks[2] = mt_coro_spawn(answers, NULL, NULL);
    if (!tasks[0] || !tasks[1] || !tasks[2] || mt_joinall(tasks, 3, MT_FOREVER))
        _exit(7);
}

static void patched(void)
{
    sigset_t all;

    sigfillset(&all); /* as servers have it that wait for their signals by a descriptor */
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK)))
        _exit(8);
    in_hub(accepts_patched);
}

static void native(void)
{
    in_hub(accepts);
}

/* One thread does both, and so by deadlines. */
static void plain(void)
{
    struct pollfd look = {.fd = line, .events = POLLIN};
    char byte;

    for (;;) {
        int fd = mt_accept(listener, NULL, NULL, 0, mt_after(MT_MS(2)));
        if (fd >= 0)
            serve(fd);
        else if (fd != -ETIMEDOUT)
            _exit(9);
        while (poll(&look, 1, 0) > 0) {
            if (read(line, &byte, 1) != 1)
                _exit(0);
            if (write(line, &byte, 1) != 1)
                _exit(10);
        }
    }
}

/* -- Who starts and asks them ------------------------------------------------------------------------------------- */

static int hears(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    char byte = 0;

    return poll(&look, 1, PATIENT) == 1 && read(fd, &byte, 1) == 1 && byte == 'x';
}

static int is_served(void)
{
    int fd = socket(where.any.sa_family, SOCK_STREAM, 0), served;

    served = connect(fd, &where.any, where_size) == 0 && hears(fd);
    close(fd);
    return served;
}

static int all_answer(void)
{
    int answers = 0;

    for (int i = 0; i < WORKERS; i++)
        answers += write(lines[i], "x", 1) == 1;
    for (int i = 0; i < WORKERS && answers >= WORKERS; i++)
        answers += hears(lines[i]);
    return answers == 2 * WORKERS;
}

static void start(void (*work)(void), pid_t *worker, int number)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        abort();
    *worker = fork();
    if (!*worker) {
        for (int i = 0; i < number; i++)
            close(lines[i]);
        close(fds[0]);
        line = fds[1];
        work();
        _exit(11);
    }
    CHECK(*worker > 0);
    close(fds[1]);
    lines[number] = fds[0];
}

static void run(void (*work)(void), int family)
{
    pid_t workers[WORKERS];
    int good = 1;

    begin_to_listen(family);
    for (int i = 0; i < WORKERS; i++)
        start(work, &workers[i], i);
    for (int i = 0; i < ROUNDS && good; i++) {
        good = is_served();
        CHECK(good);
        good = good && all_answer();
        CHECK(good);
    }
    for (int i = 0; i < WORKERS; i++) {
        int status = -1;
        if (!good)
            kill(workers[i], SIGKILL);
        close(lines[i]);
        CHECK(waitpid(workers[i], &status, 0) == workers[i]);
        CHECK(!good || status == 0);
    }
    CHECK(!(fcntl(listener, F_GETFL) & O_NONBLOCK));
    close(listener);
}

static const struct {
    const char *name;
    void (*work)(void);
    int family;
} tests[] = {
    {"accept in coroutines", patched, AF_INET},
    {"accept in coroutines, of a Unix socket", patched, AF_UNIX},
    {"mt_accept in coroutines", native, AF_INET},
    {"mt_accept in threads, with deadlines", plain, AF_INET},
};

int main(void)
{
    int count = sizeof tests / sizeof *tests, failed = 0;

    signal(SIGPIPE, SIG_IGN);
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        failures = 0;
        fflush(stdout);
        run(tests[i].work, tests[i].family);
        printf("%sok %d - %s\n", failures ? "not " : "", i + 1, tests[i].name);
        failed += failures;
    }
    return failed != 0;
}
