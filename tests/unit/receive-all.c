/* SPDX-License-Identifier: MIT
 *
 * MSG_WAITALL of mt_recv and mt_recvmsg, in coroutines and in plain threads. tests/loops.t runs this on each loop.
 */
#include "io-unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int connected(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!bind(listener, (struct sockaddr *)&address, size) && !listen(listener, 1));
    CHECK(!getsockname(listener, (struct sockaddr *)&address, &size));
    CHECK(!connect(fds[0], (struct sockaddr *)&address, size));
    fds[1] = accept(listener, NULL, NULL);
    CHECK(fds[1] >= 0 && !setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    close(listener);
    return 0;
}

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static int sends_pieces(void *arg)
{
    int fd = (int)(intptr_t)arg;

    for (int i = 0; i < 3; i++) {
        CHECK(mt_sleep(MT_MS(3)) == 0);
        CHECK(mt_send(fd, "abcd", 4, 0, soon()) == 4);
    }
    return 0;
}

static int sends_and_ends(void *arg)
{
    int result = sends_pieces(arg);

    shutdown((int)(intptr_t)arg, SHUT_WR);
    return result;
}

static struct mt_task *sender(mt_fn *fn, const int fds[2])
{
    return mt_thread_spawn(fn, (void *)(intptr_t)fds[1], NULL);
}

static int takes_all(void *arg)
{
    char bytes[16] = "";
    struct iovec vectors[3] = {{bytes, 5}, {bytes + 5, 0}, {bytes + 5, 7}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 3};
    struct mt_task *task;
    int fds[2];

    CHECK(connected(fds) == 0);
    task = sender(sends_pieces, fds);
    CHECK(mt_recv(fds[0], bytes, 12, MSG_WAITALL, soon()) == 12 && !memcmp(bytes, "abcdabcdabcd", 12));
    CHECK(finish(task) == 0);
    memset(bytes, 0, sizeof bytes);
    task = sender(sends_pieces, fds);
    CHECK(mt_recvmsg(fds[0], &message, MSG_WAITALL, soon()) == 12 && !memcmp(bytes, "abcdabcdabcd", 12));
    CHECK(vectors[0].iov_base == bytes && vectors[2].iov_len == 7);
    CHECK(finish(task) == 0);
    task = sender(sends_pieces, fds);
    CHECK(mt_recv(fds[0], bytes, 12, MSG_WAITALL | MSG_PEEK, soon()) == 12);
    CHECK(mt_recv(fds[0], bytes, 12, MSG_WAITALL, MT_NOWAIT) == 12);
    CHECK(finish(task) == 0);
    close_both(fds);
    return 0;
}

static int takes_some(void *arg)
{
    char bytes[16];
    struct mt_task *task;
    int fds[2];

    CHECK(connected(fds) == 0);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL, MT_NOWAIT) == -EBUSY);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL, mt_after(MT_MS(5))) == -ETIMEDOUT);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL | MSG_PEEK, mt_after(MT_MS(5))) == -ETIMEDOUT);
    CHECK(write(fds[1], "abc", 3) == 3);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL | MSG_PEEK, mt_after(MT_MS(300))) == 3);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL, mt_after(MT_MS(300))) == 3);
    task = sender(sends_and_ends, fds);
    CHECK(mt_recv(fds[0], bytes, 16, MSG_WAITALL | MSG_PEEK, soon()) == 12);
    CHECK(mt_recv(fds[0], bytes, 16, MSG_WAITALL, soon()) == 12);
    CHECK(mt_recv(fds[0], bytes, 16, MSG_WAITALL | MSG_PEEK, soon()) == 0);
    CHECK(mt_recv(fds[0], bytes, 16, MSG_WAITALL, soon()) == 0);
    CHECK(finish(task) == 0);
    close_both(fds);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    CHECK(write(fds[1], "abc", 3) == 3);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL | MSG_PEEK, soon()) == 3);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL, mt_after(MT_MS(300))) == 3);
    close_both(fds);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
    CHECK(write(fds[1], "abc", 3) == 3);
    CHECK(mt_recv(fds[0], bytes, 8, MSG_WAITALL, soon()) == 3);
    close_both(fds);
    return 0;
}

static int waits_for_more(void *arg)
{
    char bytes[16];
    const int *call = arg;
    ssize_t got = mt_recv(call[0], bytes, 8, call[1], MT_FOREVER);

    return got < 0 ? (int)got : got == 2 ? 0 : -EIO;
}

static int is_killed(void *arg)
{
    const int flags[] = {MSG_WAITALL, MSG_WAITALL | MSG_PEEK};
    int fds[2];

    for (int i = 0; i < 2; i++) {
        int call[2] = {0, flags[i]};
        struct mt_task *task;
        CHECK(connected(fds) == 0 && write(fds[1], "ab", 2) == 2);
        call[0] = fds[0];
        task = mt_coro_spawn(waits_for_more, call, NULL);
        CHECK(task && mt_sleep(MT_MS(5)) == 0);
        CHECK(mt_task_kill(task) == 0);
        CHECK(mt_task_join(task, soon()) == 0 && mt_task_outcome(task) == 0); /* what has come is not lost */
        mt_task_release(task);
        close_both(fds);
    }
    return 0;
}

static int is_closed(void *arg)
{
    int fds[2], call[2] = {0, MSG_WAITALL | MSG_PEEK};
    struct mt_task *task;

    CHECK(connected(fds) == 0 && write(fds[1], "ab", 2) == 2);
    call[0] = fds[0];
    task = mt_coro_spawn(waits_for_more, call, NULL);
    CHECK(task && mt_sleep(MT_MS(5)) == 0);
    CHECK(mt_close(fds[0]) == 0);
    CHECK(mt_task_join(task, soon()) == 0 && mt_task_outcome(task) == -EBADF);
    mt_task_release(task);
    close(fds[1]);
    return 0;
}

static void all_comes(void **state)
{
    both_ways(takes_all);
}

static void some_comes(void **state)
{
    both_ways(takes_some);
}

static void killed(void **state)
{
    both_ways(is_killed);
}

static void closed(void **state)
{
    both_ways(is_closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_comes),
        cmocka_unit_test(some_comes),
        cmocka_unit_test(killed),
        cmocka_unit_test(closed),
    };

    return RUN(tests);
}
