/* SPDX-License-Identifier: MIT
 *
 * Making queues and attaching to them, and each way in which that fails.
 */
#include "queue-unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void attaching(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_FIFO, 8, 100), *other = mt_queue_attach(mt_queue_fd(queue));

    assert_non_null(other);
    assert_string_equal(mt_queue_name(other), "test");
    assert_int_equal(mt_queue_capacity(other), 8);
    assert_int_equal(mt_queue_message_max(other), 100);
    assert_int_equal(put_int(other, 4, MT_NOWAIT), 0);
    assert_int_equal(get_int(queue, MT_NOWAIT), 4);
    mt_queue_free(queue);
    assert_int_equal(put_int(other, 5, MT_NOWAIT), 0);
    assert_int_equal(get_int(other, MT_NOWAIT), 5);
    mt_queue_free(other);
}

static void attaching_from_another_process(void **state)
{
    int ready[2], status;
    pid_t child;
    long pidfd;
    struct mt_queue *queue;
    char byte;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (!child) {
        struct mt_queue_options options = {.name = "child's"};
        struct mt_queue *mine = mt_queue_new(&options);
        int fd = mine ? mt_queue_fd(mine) : -1;
        if (write(ready[1], &fd, sizeof fd) != sizeof fd)
            _exit(1);
        _exit(mine ? get_int(mine, in_time()) : 1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &status, sizeof status), sizeof status);
    assert_int_equal(read(ready[0], &byte, 0), 0);
    pidfd = syscall(SYS_pidfd_open, child, 0);
    queue = mt_queue_attach_from((int)pidfd, status);
    if (!queue && (errno == EPERM || errno == ENOSYS)) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        skip();
    }
    assert_non_null(queue);
    assert_string_equal(mt_queue_name(queue), "child's");
    assert_int_equal(put_int(queue, 3, MT_NOWAIT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 3);
    mt_queue_free(queue);
    close((int)pidfd);
    close(ready[0]);
}

static void expect_refused(int fd, int error)
{
    errno = 0;
    assert_null(mt_queue_attach(fd));
    assert_int_equal(errno, error);
}

static void what_is_no_queue(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_FIFO, 8, 100);
    int pipes[2], fd = memfd_create("not sealed", MFD_ALLOW_SEALING), null = open("/dev/null", O_RDWR);
    char head[4096];

    assert_int_equal(pipe(pipes), 0);
    expect_refused(-1, EBADF);
    expect_refused(pipes[0], EINVAL);
    expect_refused(null, EINVAL);
    expect_refused(fd, EINVAL);
    assert_int_equal(pread(mt_queue_fd(queue), head, sizeof head, 0), sizeof head);
    assert_int_equal(ftruncate(fd, (off_t)(queue->head_size + queue->data_size)), 0);
    assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
    expect_refused(fd, EPERM);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    mt_queue_free(mt_queue_attach(fd));
    queue->shared->version++;
    expect_refused(mt_queue_fd(queue), EPROTO);
    /* Nobody can make it smaller under our feet. */
    assert_int_equal(ftruncate(mt_queue_fd(queue), 4096), -1);
    assert_int_equal(errno, EPERM);
    mt_queue_free(queue);
    close(fd);
    close(null);
    close(pipes[0]);
    close(pipes[1]);
}

static void options_that_do_not_fit(void **state)
{
    static const struct mt_queue_options bad[] = {
        {.order = (enum mt_queue_order)3},
        {.capacity = UINT32_MAX},
        {.message_max = UINT32_MAX},
        {.bytes = (uint64_t)1 << 50},
        {.order = MT_QUEUE_LIFO, .capacity = INT32_MAX / 2, .message_max = INT32_MAX / 2},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_null(mt_queue_new(&bad[i]));
        assert_int_equal(errno, EINVAL);
    }
}

/* -- The Nth call that fails --------------------------------------------------------------------------------------- */

static size_t open_files(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void calls_that_fail(void **state)
{
    static const struct {
        long nr;
        int error;
    } calls[] = {
        {MT__SYS_ALLOC, ENOMEM}, {SYS_memfd_create, EMFILE}, {SYS_memfd_create, ENOSYS}, {SYS_ftruncate, ENOMEM},
        {SYS_fallocate, ENOSPC}, {SYS_fcntl, EPERM},         {SYS_mmap, ENOMEM},
    };
    struct mt_queue *good = make(MT_QUEUE_FIFO, 8, 8);
    size_t before = open_files();

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (long skipped = 0, failed = 1; failed; skipped++) {
            struct mt_queue *queue;
            mt__sys_fail(calls[i].nr, skipped, calls[i].error);
            errno = 0;
            queue = mt_queue_new(NULL);
            failed = !queue;
            if (failed)
                assert_int_equal(errno, calls[i].error);
            else
                assert_true(skipped > 0); /* each of them is made at least once */
            mt__sys_fail(-1, 0, 0);
            mt_queue_free(queue);
            mt__sys_fail(calls[i].nr, skipped, calls[i].error);
            queue = mt_queue_attach(mt_queue_fd(good));
            if (!queue && errno != calls[i].error)
                assert_true(calls[i].error == EPERM && errno == EINVAL); /* no seals were to be had */
            mt__sys_fail(-1, 0, 0);
            mt_queue_free(queue);
            assert_int_equal(open_files(), before);
        }
    mt_queue_free(good);
}

/* Old kernels know neither the newest flag nor all of futex_waitv. */
static void calls_that_are_missing(void **state)
{
    struct mt_queue *queue;

    mt__sys_fail(SYS_memfd_create, 0, EINVAL);
    queue = make(MT_QUEUE_FIFO, 1, 8);
    mt__sys_fail(SYS_get_robust_list, 0, ENOSYS);
    assert_int_equal(put_int(queue, 1, MT_NOWAIT), 0);
    mt__sys_fail(449, 0, EAGAIN);
    assert_int_equal(put_int(queue, 1, mt_after(MT_MS(10))), -ETIMEDOUT);
    mt__sys_fail(449, 0, ENOMEM);
    assert_int_equal(put_int(queue, 1, mt_after(MT_MS(10))), -ETIMEDOUT);
    mt__sys_fail(-1, 0, 0);
    mt_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attaching),        cmocka_unit_test(attaching_from_another_process),
        cmocka_unit_test(what_is_no_queue), cmocka_unit_test(options_that_do_not_fit),
        cmocka_unit_test(calls_that_fail),  cmocka_unit_test(calls_that_are_missing),
    };
    return RUN(tests);
}
