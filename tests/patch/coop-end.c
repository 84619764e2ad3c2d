/* SPDX-License-Identifier: MIT
 *
 * What ends a wait but what it is for: close, dup2, a kill, a timeout.
 */
#include "coop.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>

static int ends[2];

static int by_dup2;

static int closer(void *arg)
{
    char byte;
    int other;

    if (!arg) {
        CHECK(read(ends[0], &byte, 1) == -1 && errno == EBADF);
        return 0;
    }
    usleep(2000);
    if (by_dup2) {
        other = open("/dev/null", O_RDWR);
        CHECK(dup2(other, ends[0]) == ends[0]);
        CHECK(read(ends[0], &byte, 1) == 0); /* the new one of that number */
        close(other);
    } else {
        CHECK(close(ends[0]) == 0);
    }
    CHECK(read(ends[1], &byte, 1) == 0); /* the peer is told at once */
    return 0;
}

static void closes(void)
{
    for (by_dup2 = 0; by_dup2 < 2; by_dup2++) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        run_many(closer, 2);
        close(ends[1]);
        if (by_dup2)
            close(ends[0]);
    }
}

static int poller(void *arg)
{
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    switch ((intptr_t)arg) {
    case 0:
        CHECK(poll(&look, 1, -1) == 1 && look.revents == POLLNVAL);
        break;
    case 1:
        CHECK(select(ends[0] + 1, &set, NULL, NULL, NULL) == -1 && errno == EBADF);
        break;
    default:
        usleep(2000);
        CHECK(close(ends[0]) == 0 && dup(ends[1]) == ends[0]); /* the number is another's at once */
    }
    return 0;
}

static void closes_polled(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(poller, 3);
    close(ends[0]);
    close(ends[1]);
}

static int victim(void *arg)
{
    char byte, line[8];
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    fd_set set;
    FILE *stream;
    int result = -1;

    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    errno = 0;
    switch ((intptr_t)arg) {
    case 0:
        result = (int)read(ends[0], &byte, 1);
        break;
    case 1:
        result = (int)recv(ends[0], &byte, 1, MSG_WAITALL);
        break;
    case 2:
        result = poll(&look, 1, -1);
        break;
    case 3:
        result = select(ends[0] + 1, &set, NULL, NULL, NULL);
        break;
    case 4:
        result = usleep(600000000);
        break;
    case 5:
        stream = fdopen(dup(ends[0]), "r");
        result = fgets(line, sizeof line, stream) ? 0 : -1;
        CHECK(errno == ECANCELED);
        fclose(stream);
        return 0;
    case 6:
        result = sleep(600) > 590 ? -1 : 0;
        break;
    }
    CHECK(result == -1 && errno == ECANCELED);
    return 0;
}

static void kills(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (intptr_t i = 0; i < 7; i++) {
        struct mt_task *task = mt_coro_spawn(victim, (void *)i, NULL);
        CHECK(mt_sleep(MT_MS(1)) == 0);
        CHECK(mt_task_kill(task) == 0);
        CHECK(mt_task_join(task, MT_FOREVER) == 0);
        mt_task_release(task);
    }
    close(ends[0]);
    close(ends[1]);
}

static int limited(void *arg)
{
    struct mt_timeout timeout;
    char byte;

    mt_timeout_start(&timeout, MT_MS(5));
    CHECK(read(ends[0], &byte, 1) == -1 && errno == ETIMEDOUT);
    mt_timeout_cancel(&timeout);
    return 0;
}

static void limits(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(limited, 5);
    close(ends[0]);
    close(ends[1]);
}

const struct coop_test end_tests[] = {
    {"a close ends what waits, and tells the peer", closes},
    {"a close ends what polls", closes_polled},
    {"a kill ends what waits", kills},
    {"a timeout ends what waits", limits},
    {NULL, NULL},
};
