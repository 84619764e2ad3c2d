/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

struct data {
    struct mt_rwlock lock;
    int inside_read, inside_write, wrong, most, rounds, stop;
    mt_deadline timeout;
    long reads, writes;
};

static mt_deadline limit(const struct data *data)
{
    return data->timeout ? mt_after(data->timeout) : MT_FOREVER;
}

static int read_often(void *arg)
{
    struct data *data = arg;

    for (int i = 0; i < data->rounds && !__atomic_load_n(&data->stop, __ATOMIC_RELAXED); i++) {
        int inside, result = mt_rwlock_acquire_read(&data->lock, limit(data));
        if (result == -ETIMEDOUT)
            continue;
        if (result)
            return result;
        inside = __atomic_add_fetch(&data->inside_read, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&data->inside_write, __ATOMIC_SEQ_CST))
            __atomic_store_n(&data->wrong, 1, __ATOMIC_SEQ_CST);
        if (inside > __atomic_load_n(&data->most, __ATOMIC_RELAXED))
            __atomic_store_n(&data->most, inside, __ATOMIC_RELAXED);
        if (i % 64 == 0)
            sched_yield();
        __atomic_sub_fetch(&data->inside_read, 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&data->reads, 1, __ATOMIC_RELAXED);
        if (mt_rwlock_release_read(&data->lock))
            return -EPERM;
    }
    return 0;
}

static int write_often(void *arg)
{
    struct data *data = arg;

    for (int i = 0; i < data->rounds && !__atomic_load_n(&data->stop, __ATOMIC_RELAXED); i++) {
        int result = mt_rwlock_acquire_write(&data->lock, limit(data));
        if (result == -ETIMEDOUT)
            continue;
        if (result)
            return result;
        if (__atomic_add_fetch(&data->inside_write, 1, __ATOMIC_SEQ_CST) != 1 ||
            __atomic_load_n(&data->inside_read, __ATOMIC_SEQ_CST))
            __atomic_store_n(&data->wrong, 1, __ATOMIC_SEQ_CST);
        if (i % 64 == 0)
            sched_yield();
        data->writes++;
        __atomic_sub_fetch(&data->inside_write, 1, __ATOMIC_SEQ_CST);
        if (mt_rwlock_release_write(&data->lock))
            return -EPERM;
    }
    return 0;
}

static void mix(int rounds, mt_deadline timeout)
{
    struct data data = {.lock = MT_RWLOCK_INIT, .rounds = rounds, .timeout = timeout};
    struct mt_task *tasks[8];

    for (int i = 0; i < 8; i++)
        tasks[i] = spawn(i % 3 ? read_often : write_often, &data);
    for (int i = 0; i < 8; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_false(data.wrong);
    assert_int_equal(data.lock.state, 0);
    assert_int_equal(data.lock.readers_waiting | data.lock.writers_waiting, 0);
    if (!timeout) {
        assert_int_equal(data.writes, 3L * rounds);
        assert_int_equal(data.reads, 5L * rounds);
    }
}

static void readers_and_writers(void **state)
{
    mix(10000, 0);
}

static void with_short_deadlines(void **state)
{
    mix(3000, MT_US(40));
    mix(1000, 0);
}

static int try_both(void *arg)
{
    struct mt_rwlock *lock = arg;
    int read = mt_rwlock_acquire_read(lock, MT_NOWAIT), write;

    if (!read)
        mt_rwlock_release_read(lock);
    write = mt_rwlock_acquire_write(lock, MT_NOWAIT);
    if (!write)
        mt_rwlock_release_write(lock);
    return (read ? 1 : 0) + (write ? 2 : 0) + (read && read != -EBUSY ? 4 : 0) + (write && write != -EBUSY ? 8 : 0);
}

static void who_keeps_out_whom(void **state)
{
    struct mt_rwlock lock;

    mt_rwlock_init(&lock, "book", 0);
    assert_int_equal(mt_rwlock_release_read(&lock), -EPERM);
    assert_int_equal(mt_rwlock_release_write(&lock), -EPERM);
    assert_int_equal(mt_rwlock_acquire_read(&lock, MT_FOREVER), 0);
    assert_int_equal(finish(spawn(try_both, &lock)), 2);
    assert_int_equal(mt_rwlock_release_write(&lock), -EPERM);
    assert_int_equal(mt_rwlock_release_read(&lock), 0);
    assert_int_equal(mt_rwlock_acquire_write(&lock, MT_FOREVER), 0);
    assert_int_equal(finish(spawn(try_both, &lock)), 3);
    assert_int_equal(mt_rwlock_acquire_write(&lock, MT_FOREVER), -EDEADLK);
    assert_int_equal(mt_rwlock_acquire_read(&lock, MT_FOREVER), -EDEADLK);
    assert_int_equal(mt_rwlock_release_read(&lock), -EPERM);
    assert_int_equal(mt_rwlock_release_write(&lock), 0);
    assert_int_equal(finish(spawn(try_both, &lock)), 0);
    lock.state = 0x0fffffff;
    assert_int_equal(mt_rwlock_acquire_read(&lock, MT_FOREVER), -EAGAIN);
    assert_int_equal(mt_rwlock_acquire_read(&lock, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_rwlock_acquire_write(&lock, mt_after(MT_MS(2))), -ETIMEDOUT); /* readers leave, too */
}

static int write_once(void *arg)
{
    struct mt_rwlock *lock = arg;
    int result = mt_rwlock_acquire_write(lock, MT_FOREVER);

    return result ? result : mt_rwlock_release_write(lock);
}

static int read_once(void *arg)
{
    struct mt_rwlock *lock = arg;
    int result = mt_rwlock_acquire_read(lock, MT_FOREVER);

    return result ? result : mt_rwlock_release_read(lock);
}

/* A writer who waits keeps new readers out; when it gives up they come in. */
/* A task says that it waits just before it stands in the queue. */
static void until_queued(struct mt_rwlock *lock)
{
    for (int i = 0; i < 20000 && !(__atomic_load_n(&lock->state, __ATOMIC_ACQUIRE) & 0x40000000); i++)
        usleep(500);
}

static void a_waiting_writer_goes_first(void **state)
{
    struct mt_rwlock lock = MT_RWLOCK_INIT_NAMED("book");
    struct mt_task *writer, *reader;

    assert_int_equal(mt_rwlock_acquire_read(&lock, MT_FOREVER), 0);
    writer = spawn(write_once, &lock);
    until_waiting(writer, MT_WAIT_WRITE);
    until_queued(&lock);
    reader = spawn(read_once, &lock);
    until_waiting(reader, MT_WAIT_READ);
    assert_int_equal(mt_task_kill(writer), 0);
    assert_int_equal(finish(writer), -ECANCELED);
    assert_int_equal(finish(reader), 0);
    assert_int_equal(mt_rwlock_release_read(&lock), 0);
    assert_int_equal(lock.state, 0);
}

static void killed_waiters_leave(void **state)
{
    struct mt_rwlock lock = MT_RWLOCK_INIT;
    struct mt_task *reader, *writer;

    assert_int_equal(mt_rwlock_acquire_write(&lock, MT_FOREVER), 0);
    reader = spawn(read_once, &lock);
    writer = spawn(write_once, &lock);
    until_waiting(reader, MT_WAIT_READ);
    until_waiting(writer, MT_WAIT_WRITE);
    assert_int_equal(mt_task_kill(reader), 0);
    assert_int_equal(finish(reader), -ECANCELED);
    assert_int_equal(mt_rwlock_release_write(&lock), 0);
    assert_int_equal(finish(writer), 0);
    assert_int_equal(lock.state, 0);
}

/* Readers get through although writers never leave a gap. */
static void readers_do_not_starve(void **state)
{
    struct data data = {.lock = MT_RWLOCK_INIT, .rounds = 1 << 30};
    struct mt_task *writers[4];

    for (int i = 0; i < 4; i++)
        writers[i] = spawn(write_often, &data);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mt_rwlock_acquire_read(&data.lock, in_time()), 0);
        assert_int_equal(mt_rwlock_release_read(&data.lock), 0);
    }
    __atomic_store_n(&data.stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(writers[i]), 0);
    assert_false(data.wrong);
}

static void readers_are_together(void **state)
{
    struct data data = {.lock = MT_RWLOCK_INIT, .rounds = 5000};
    struct mt_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(read_often, &data);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_true(data.most > 1);
}

static void between_processes(void **state)
{
    struct data *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[4];
    int status;

    assert_true(data != MAP_FAILED);
    mt_rwlock_init(&data->lock, "shared", MT_SHARED);
    data->rounds = 4000;
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (!children[i])
            _exit((i % 2 ? read_often : write_often)(data) != 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_false(data->wrong);
    assert_int_equal(data->writes, 8000);
    munmap(data, 4096);
}

/* One writer in a loop, who is always back before a reader has woken: the reader gets its turn. */
static void one_writer_starves_no_reader(void **state)
{
    struct data data = {.lock = MT_RWLOCK_INIT, .rounds = 1 << 30};
    struct mt_task *writer = spawn(write_often, &data);

    for (int i = 0; i < 30; i++) {
        assert_int_equal(mt_rwlock_acquire_read(&data.lock, in_time()), 0);
        assert_true(data.lock.streak < MT_RWLOCK_STREAK);
        assert_int_equal(mt_rwlock_release_read(&data.lock), 0);
    }
    __atomic_store_n(&data.stop, 1, __ATOMIC_RELAXED);
    assert_int_equal(finish(writer), 0);
}

static struct mt_lock plain = MT_LOCK_INIT_NAMED("plain");
static struct mt_rwlock book = MT_RWLOCK_INIT_NAMED("the book");
static struct mt_event both = MT_EVENT_INIT;
static int reports;

static void count_report(const char *text)
{
    reports += strstr(text, "the book") != NULL;
}

static int lock_then_write(void *arg)
{
    int result = mt_lock_acquire(&plain, MT_FOREVER);

    if (!result)
        result = mt_event_wait(&both, MT_FOREVER);
    if (!result) {
        result = mt_rwlock_acquire_write(&book, MT_FOREVER);
        if (!result)
            mt_rwlock_release_write(&book);
    }
    mt_lock_release(&plain);
    return result;
}

static void a_circle_through_a_writer_is_found(void **state)
{
    struct mt_task *other;
    char from = 1, to = 0;
    struct iovec local = {&to, 1}, remote = {&from, 1};
    int mine;

    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1)
        skip(); /* emulators and some sandboxes: without it circles are not looked for */
    mt_deadlock_hook(count_report);
    assert_int_equal(mt_rwlock_acquire_write(&book, MT_FOREVER), 0);
    other = spawn(lock_then_write, NULL);
    until_waiting(other, MT_WAIT_EVENT);
    mt_event_set(&both);
    mine = mt_lock_acquire(&plain, in_time());
    if (!mine)
        mt_lock_release(&plain);
    assert_int_equal(mt_rwlock_release_write(&book), 0);
    assert_int_equal(mine + finish(other), -EDEADLK);
    assert_int_equal(reports, 1);
    mt_deadlock_hook(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_writers),          cmocka_unit_test(with_short_deadlines),
        cmocka_unit_test(who_keeps_out_whom),           cmocka_unit_test(a_waiting_writer_goes_first),
        cmocka_unit_test(killed_waiters_leave),         cmocka_unit_test(readers_do_not_starve),
        cmocka_unit_test(readers_are_together),         cmocka_unit_test(between_processes),
        cmocka_unit_test(one_writer_starves_no_reader), cmocka_unit_test(a_circle_through_a_writer_is_found),
    };
    return RUN(tests);
}
