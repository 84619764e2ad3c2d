/* SPDX-License-Identifier: MIT
 *
 * The queue: orders, bounds, batches, waiting, closing, joining. Views, attaching, what kills and what scribbles are in
 * the other queue-*.c.
 */
#include "queue-unit.h"

#include <sys/syscall.h>

static void in_order(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_FIFO, 3, 100);

    for (int round = 0; round < 1000; round++) {
        assert_true(mt_queue_is_empty(queue));
        for (int i = 0; i < 3; i++)
            assert_int_equal(put_int(queue, i, MT_NOWAIT), 0);
        assert_true(mt_queue_is_full(queue));
        assert_int_equal(mt_queue_size(queue), 3);
        assert_int_equal(put_int(queue, 9, MT_NOWAIT), -EBUSY);
        for (int i = 0; i < 3; i++)
            assert_int_equal(get_int(queue, MT_NOWAIT), i);
        assert_int_equal(get_int(queue, MT_NOWAIT), -EBUSY);
    }
    mt_queue_free(queue);
}

static void last_in_first_out(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_LIFO, 100, 8);

    for (int i = 0; i < 100; i++)
        assert_int_equal(put_int(queue, i, MT_NOWAIT), 0);
    assert_int_equal(put_int(queue, 100, MT_NOWAIT), -EBUSY);
    for (int i = 99; i >= 0; i--)
        assert_int_equal(get_int(queue, MT_NOWAIT), i);
    mt_queue_free(queue);
}

static void by_priority(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_PRIORITY, 64, 8);
    int last = -1, count = 0;

    for (int round = 0; round < 4; round++) { /* values say priority and order of the puts */
        for (int i = 0; i < 16; i++) {
            int priority = i * 7 % 16, value = priority * 100 + round;
            assert_int_equal(mt_queue_put_priority(queue, &value, sizeof value, priority - 8, MT_NOWAIT), 0);
        }
    }
    for (; count < 64; count++) {
        int value = get_int(queue, MT_NOWAIT);
        assert_true(value > last);
        last = value;
    }
    mt_queue_free(queue);
    queue = make(MT_QUEUE_FIFO, 1, 8);
    assert_int_equal(mt_queue_put_priority(queue, "", 1, 1, MT_NOWAIT), -EINVAL);
    mt_queue_free(queue);
}

/* Every size, over the ring's end at every place. */
static void sizes(void **state)
{
    EACH_ORDER(i)
    {
        struct mt_queue_options options = {NULL, orders[i], 7, 1000, 4096};
        struct mt_queue *queue = mt_queue_new(&options);
        unsigned char out[1001], in[1001];
        for (unsigned size = 0; size <= 1000; size++) {
            memset(out, (int)size, sizeof out);
            assert_int_equal(mt_queue_put(queue, out, size, MT_NOWAIT), 0);
            assert_int_equal(mt_queue_peek(queue, in, sizeof in, MT_NOWAIT), size);
            if (size) {
                assert_int_equal(mt_queue_get(queue, in, size - 1, MT_NOWAIT), -EMSGSIZE);
                assert_int_equal(mt_queue_peek(queue, in, size - 1, MT_NOWAIT), -EMSGSIZE);
            }
            memset(in, 0, sizeof in);
            assert_int_equal(mt_queue_get(queue, in, size, MT_NOWAIT), size);
            assert_int_equal(memcmp(in, out, size), 0);
        }
        assert_int_equal(mt_queue_put(queue, out, 1001, MT_NOWAIT), -EMSGSIZE);
        assert_true(mt_queue_is_empty(queue));
        mt_queue_free(queue);
    }
}

static void bounded_by_bytes(void **state)
{
    struct mt_queue_options options = {NULL, MT_QUEUE_FIFO, 100, 1000, 4096};
    struct mt_queue *queue = mt_queue_new(&options);
    char message[1000] = {0};
    int count = 0;

    while (mt_queue_put(queue, message, sizeof message, MT_NOWAIT) == 0)
        count++;
    assert_int_equal(count, 4096 / 1008);
    assert_true(mt_queue_is_full(queue));
    assert_int_equal(mt_queue_get(queue, message, sizeof message, MT_NOWAIT), 1000);
    assert_int_equal(mt_queue_put(queue, message, 500, MT_NOWAIT), 0);
    mt_queue_free(queue);
}

static void batches(void **state)
{
    EACH_ORDER(o)
    {
        struct mt_queue *queue = make(orders[o], 10, 16);
        int values[16], got[16];
        struct iovec out[16], in[16];
        for (int i = 0; i < 16; i++) {
            values[i] = i;
            out[i] = (struct iovec){&values[i], sizeof values[i]};
            in[i] = (struct iovec){&got[i], sizeof got[i]};
        }
        assert_int_equal(mt_queue_put_many(queue, out, 4, MT_NOWAIT), 4);
        assert_int_equal(mt_queue_put_many(queue, out + 4, 12, MT_NOWAIT), 6);
        assert_int_equal(mt_queue_put_many(queue, out + 10, 6, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_queue_get_many(queue, in, 3, MT_NOWAIT), 3);
        in[5].iov_len = 3; /* too small for it: the batch ends there */
        assert_int_equal(mt_queue_get_many(queue, in + 3, 13, MT_NOWAIT), 2);
        in[5].iov_len = sizeof got[5];
        assert_int_equal(mt_queue_get_many(queue, in + 5, 11, MT_NOWAIT), 5);
        assert_int_equal(mt_queue_get_many(queue, in, 16, MT_NOWAIT), -EBUSY);
        for (int i = 0; i < 10; i++)
            assert_int_equal(got[i], orders[o] == MT_QUEUE_LIFO ? 9 - i : i);
        mt_queue_free(queue);
    }
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

struct use {
    struct mt_queue *queue;
    int value;
    mt_deadline deadline;
};

static int get_one(void *arg)
{
    struct use *use = arg;

    return get_int(use->queue, use->deadline);
}

static int put_one(void *arg)
{
    struct use *use = arg;

    return put_int(use->queue, use->value, use->deadline);
}

static void each_waits_for_the_other(void **state)
{
    EACH_ORDER(o)
    {
        struct use use = {make(orders[o], 1, 8), 5, MT_FOREVER};
        struct mt_task *task = spawn(get_one, &use);
        until_waiting(task, MT_WAIT_GET);
        assert_int_equal(put_int(use.queue, 7, MT_NOWAIT), 0);
        assert_int_equal(mt_task_join(task, in_time()), 0);
        assert_int_equal(mt_task_outcome(task), 7);
        mt_task_release(task);
        assert_int_equal(put_int(use.queue, 8, MT_NOWAIT), 0);
        task = spawn(put_one, &use);
        until_waiting(task, MT_WAIT_PUT);
        assert_int_equal(get_int(use.queue, MT_FOREVER), 8);
        assert_int_equal(finish(task), 0);
        assert_int_equal(get_int(use.queue, MT_NOWAIT), 5);
        mt_queue_free(use.queue);
    }
}

static void deadlines_and_kills(void **state)
{
    EACH_ORDER(o)
    {
        struct use use = {make(orders[o], 1, 8), 5, MT_FOREVER};
        mt_deadline start = mt_now();
        struct mt_task *task;
        assert_int_equal(get_int(use.queue, mt_after(MT_MS(20))), -ETIMEDOUT);
        assert_true(elapsed(start) >= 20);
        task = spawn(get_one, &use);
        until_waiting(task, MT_WAIT_GET);
        assert_int_equal(mt_task_kill(task), 0);
        assert_int_equal(finish(task), -ECANCELED);
        assert_int_equal(put_int(use.queue, 1, MT_NOWAIT), 0);
        assert_int_equal(put_int(use.queue, 2, mt_after(MT_MS(20))), -ETIMEDOUT);
        task = spawn(put_one, &use);
        until_waiting(task, MT_WAIT_PUT);
        assert_int_equal(mt_task_kill(task), 0);
        assert_int_equal(finish(task), -ECANCELED);
        assert_int_equal(get_int(use.queue, MT_NOWAIT), 1);
        mt_queue_free(use.queue);
    }
}

static void closing(void **state)
{
    EACH_ORDER(o)
    {
        struct use use = {make(orders[o], 2, 8), 5, MT_FOREVER};
        struct mt_task *tasks[3];
        for (int i = 0; i < 3; i++) {
            tasks[i] = spawn(get_one, &use);
            until_waiting(tasks[i], MT_WAIT_GET);
        }
        assert_false(mt_queue_is_closed(use.queue));
        assert_int_equal(mt_queue_close(use.queue), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(finish(tasks[i]), -EPIPE);
        assert_true(mt_queue_is_closed(use.queue));
        mt_queue_free(use.queue);

        use.queue = make(orders[o], 1, 8);
        assert_int_equal(put_int(use.queue, 1, MT_NOWAIT), 0);
        tasks[0] = spawn(put_one, &use);
        until_waiting(tasks[0], MT_WAIT_PUT);
        assert_int_equal(mt_queue_close(use.queue), 0);
        assert_int_equal(mt_queue_close(use.queue), 0);
        assert_int_equal(finish(tasks[0]), -EPIPE);
        assert_int_equal(put_int(use.queue, 1, MT_NOWAIT), -EPIPE);
        assert_int_equal(get_int(use.queue, MT_NOWAIT), 1);
        assert_int_equal(get_int(use.queue, MT_FOREVER), -EPIPE);
        mt_queue_free(use.queue);
    }
}

enum { SLEEPERS = 16 };

/* One message wakes no more than it takes, and those who find nothing do not wake each other for ever. */
static void sleepers_are_left_alone(void **state)
{
    if (syscall(449, NULL, 0, 0, NULL, 0) < 0 && errno == ENOSYS)
        skip(); /* without futex_waitv they do look every 2 ms */
    EACH_ORDER(o)
    {
        struct use use = {make(orders[o], 4, 8), 5, MT_FOREVER};
        struct mt_task *tasks[SLEEPERS];
        uint32_t sleeps;
        int got = 0;
        for (int i = 0; i < SLEEPERS; i++) {
            tasks[i] = spawn(get_one, &use);
            until_waiting(tasks[i], MT_WAIT_GET);
        }
        assert_int_equal(put_int(use.queue, 7, MT_NOWAIT), 0);
        usleep(100000);
        sleeps = __atomic_load_n(&use.queue->shared->put.sleeps, __ATOMIC_RELAXED);
        usleep(200000);
        assert_int_equal(__atomic_load_n(&use.queue->shared->put.sleeps, __ATOMIC_RELAXED), sleeps);
        assert_int_equal(mt_queue_close(use.queue), 0);
        for (int i = 0; i < SLEEPERS; i++)
            got += finish(tasks[i]) == 7;
        assert_int_equal(got, 1);
        mt_queue_free(use.queue);
    }
}

static int join(void *arg)
{
    return mt_queue_join(arg, MT_FOREVER);
}

static void joining(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_FIFO, 10, 8);
    struct mt_task *tasks[2];

    assert_int_equal(mt_queue_join(queue, MT_NOWAIT), 0);
    assert_int_equal(mt_queue_task_done(queue), -EINVAL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(put_int(queue, i, MT_NOWAIT), 0);
    assert_int_equal(mt_queue_join(queue, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_queue_join(queue, mt_after(MT_MS(5))), -ETIMEDOUT);
    for (int i = 0; i < 2; i++) {
        tasks[i] = spawn(join, queue);
        until_waiting(tasks[i], MT_WAIT_DONE);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(mt_task_is_alive(tasks[0]));
        assert_int_equal(get_int(queue, MT_NOWAIT), i);
        assert_int_equal(mt_queue_task_done(queue), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(mt_queue_task_done(queue), -EINVAL);
    mt_queue_free(queue);
}

/* -- Many ---------------------------------------------------------------------------------------------------------- */

enum { MANY = 4 };

struct many {
    struct mt_queue *queue;
    uint64_t sum, count;
    int each;
    int id, wrong;
};

static int put_many(void *arg)
{
    struct many *many = arg;

    for (int i = 1; i <= many->each; i++) {
        uint64_t value = (uint64_t)many->id << 32 | (unsigned)i;
        int err = mt_queue_put(many->queue, &value, sizeof value, in_time());
        if (err)
            return err;
        many->sum += value;
    }
    return 0;
}

static int get_many(void *arg)
{
    struct many *many = arg;
    uint32_t last[MANY] = {0};
    uint64_t value;
    ssize_t size;

    while ((size = mt_queue_get(many->queue, &value, sizeof value, in_time())) == sizeof value) {
        uint32_t from = (uint32_t)(value >> 32);
        if (from >= MANY ||
            (mt_queue_capacity(many->queue) && many->queue->order != MT_QUEUE_LIFO && (uint32_t)value <= last[from]))
            many->wrong++;
        else
            last[from] = (uint32_t)value;
        many->sum += value;
        many->count++;
    }
    return size == -EPIPE ? 0 : (int)size;
}

/* All that was put is got, once, and from each producer in its order. */
static void threads(void **state)
{
    static const uint32_t capacities[] = {1, 3, 1000};
    const int each = SANITIZER ? 2000 : 20000;

    EACH_ORDER(o)
    for (int c = 0; c < 3; c++) {
        struct mt_queue *queue = make(orders[o], capacities[c], 8);
        struct many putters[MANY], getters[MANY];
        struct mt_task *tasks[2 * MANY];
        uint64_t put = 0, got = 0, count = 0;
        for (int i = 0; i < MANY; i++) {
            putters[i] = (struct many){.queue = queue, .id = i, .each = each / (c ? 1 : 4)};
            getters[i] = (struct many){.queue = queue};
            tasks[i] = spawn(get_many, &getters[i]);
            tasks[MANY + i] = spawn(put_many, &putters[i]);
        }
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(finish(tasks[MANY + i]), 0);
            put += putters[i].sum;
        }
        assert_int_equal(mt_queue_close(queue), 0);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(finish(tasks[i]), 0);
            assert_int_equal(getters[i].wrong, 0);
            got += getters[i].sum;
            count += getters[i].count;
        }
        assert_int_equal(got, put);
        assert_int_equal(count, (uint64_t)MANY * (each / (c ? 1 : 4)));
        mt_queue_free(queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(last_in_first_out),
        cmocka_unit_test(by_priority),
        cmocka_unit_test(sizes),
        cmocka_unit_test(bounded_by_bytes),
        cmocka_unit_test(batches),
        cmocka_unit_test(each_waits_for_the_other),
        cmocka_unit_test(deadlines_and_kills),
        cmocka_unit_test(closing),
        cmocka_unit_test(sleepers_are_left_alone),
        cmocka_unit_test(joining),
        cmocka_unit_test(threads),
    };
    return RUN(tests);
}
