/* SPDX-License-Identifier: MIT
 *
 * What a queue has lost with users that were killed: children die by SIGKILL at arranged places in the middle of a
 * call, and the queue says to a message what that cost. See lib/queue/status.c; queue-kill.c has the instants that
 * nobody arranged.
 */
#include "queue-unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct mt_queue_status status_of(struct mt_queue *queue)
{
    struct mt_queue_status status;

    assert_int_equal(mt_queue_status(queue, &status), 0);
    assert_int_equal((uint32_t)queue->shared->freed, status.put - status.size - status.viewed); /* what tracers count */
    return status;
}

static void die(int signal)
{
    kill(getpid(), SIGKILL);
}

static void *bad_page(void)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        _exit(1);
    signal(SIGSEGV, die);
    return page;
}

/* A child that is to be killed in that call. */
static void die_in(void (*call)(struct mt_queue *queue), struct mt_queue *queue)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (!pid) {
        call(queue);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void while_it_writes_a_message(struct mt_queue *queue)
{
    _exit(mt_queue_put(queue, bad_page(), 4, MT_NOWAIT) != 0);
}

/* Two are written, the third is begun. */
static void while_it_writes_a_batch(struct mt_queue *queue)
{
    int value = 1;
    struct iovec messages[] = {
        {&value, sizeof value}, {&value, sizeof value}, {bad_page(), sizeof value}, {&value, sizeof value}};

    _exit(mt_queue_put_many(queue, messages, 4, MT_NOWAIT) != 4);
}

static void while_it_reads_a_message(struct mt_queue *queue)
{
    _exit(mt_queue_get(queue, bad_page(), 64, MT_NOWAIT) < 0);
}

/* It has the guard, and the store's part of the call is done. */
static void get_and_die(struct mt_queue *queue, size_t count)
{
    int values[4];
    struct iovec messages[4];

    for (int i = 0; i < 4; i++)
        messages[i] = (struct iovec){&values[i], sizeof values[i]};
    if (!mt__self() || mt__guard_try(mt__get_guard(queue)) != 1 ||
        queue->store->get(queue, messages, count, 1) != (int)count)
        _exit(1);
    die(0);
}

static void when_it_has_taken_one(struct mt_queue *queue)
{
    get_and_die(queue, 1);
}

static void when_it_has_taken_three(struct mt_queue *queue)
{
    get_and_die(queue, 3);
}

static void when_it_has_looked(struct mt_queue *queue)
{
    int value;
    struct iovec message = {&value, sizeof value};

    if (!mt__self() || mt__guard_try(mt__get_guard(queue)) != 1 || queue->store->get(queue, &message, 1, 0) != 1)
        _exit(1);
    die(0);
}

static void when_it_has_a_view(struct mt_queue *queue)
{
    struct mt_queue_view view;

    if (!mt__self() || mt__guard_try(mt__get_guard(queue)) != 1 || queue->store->view(queue, &view) != 1)
        _exit(1);
    die(0);
}

/* It has only just come in, behind one that has got its message and is well. */
static void before_it_has_said_anything(struct mt_queue *queue)
{
    if (get_int(queue, MT_NOWAIT) < 0 || mt__guard_try(mt__get_guard(queue)) != 1)
        _exit(1);
    die(0);
}

static void outside_of_a_call(struct mt_queue *queue)
{
    if (get_int(queue, MT_NOWAIT) < 0)
        _exit(1);
    die(0);
}

static void nothing_is_lost_at_first(void **state)
{
    EACH_ORDER(i)
    {
        struct mt_queue *queue = make(orders[i], 8, 64);
        struct mt_queue_view view;
        struct mt_queue_status status;
        for (int n = 0; n < 5; n++)
            assert_int_equal(put_int(queue, n, MT_NOWAIT), 0);
        assert_true(get_int(queue, MT_NOWAIT) >= 0);
        assert_int_equal(mt_queue_get_view(queue, &view, MT_NOWAIT), 0);
        assert_int_equal(mt_queue_task_done(queue), 0);
        status = status_of(queue);
        assert_int_equal(status.size, 3);
        assert_int_equal(status.viewed, 1);
        assert_int_equal(status.put, 5);
        assert_int_equal(status.undone, 4);
        assert_int_equal(status.lost_put + status.lost_got + status.again + status.deaths, 0);
        assert_int_equal(mt_queue_give_back(queue, &view, 0), 0);
        mt_queue_free(queue);
    }
}

static void what_a_dead_producer_had_begun(void **state)
{
    need_robust_lists();
    EACH_ORDER(i)
    {
        struct mt_queue *queue = make(orders[i], 8, 64);
        struct mt_queue_status status;
        int batch = orders[i] == MT_QUEUE_FIFO ? 3 : 1; /* in the other orders the two are there already */
        die_in(while_it_writes_a_message, queue);
        status = status_of(queue);
        assert_int_equal(status.lost_put, 1);
        assert_int_equal(status.put, 0);
        assert_int_equal(status.deaths, 1);
        assert_int_equal(put_int(queue, 7, MT_NOWAIT), 0);
        assert_int_equal(get_int(queue, MT_NOWAIT), 7);
        die_in(while_it_writes_a_batch, queue);
        assert_int_equal(put_int(queue, 8, MT_NOWAIT), 0); /* mends it, as the status did */
        status = status_of(queue);
        assert_int_equal(status.lost_put, 1 + batch);
        assert_int_equal(status.put, 1 + (3 - batch) + 1);
        assert_int_equal(status.size, 3 - batch + 1);
        assert_int_equal(status.lost_got, 0);
        mt_queue_free(queue);
    }
}

static void what_a_dead_consumer_had_taken(void **state)
{
    need_robust_lists();
    EACH_ORDER(i)
    {
        struct mt_queue *queue = make(orders[i], 8, 64);
        struct mt_queue_status status;
        for (int n = 0; n < 6; n++)
            assert_int_equal(put_int(queue, n, MT_NOWAIT), 0);
        die_in(while_it_reads_a_message, queue);
        assert_int_equal(status_of(queue).deaths, 1);
        die_in(when_it_has_looked, queue);
        status = status_of(queue);
        assert_int_equal(status.size, 6);
        assert_int_equal(status.lost_got, 0);
        die_in(when_it_has_taken_one, queue);
        assert_int_equal(status_of(queue).lost_got, 1);
        die_in(when_it_has_taken_three, queue);
        assert_true(get_int(queue, MT_NOWAIT) >= 0);
        status = status_of(queue);
        assert_int_equal(status.lost_got, 4);
        assert_int_equal(status.size, 1);
        assert_int_equal(status.lost_put, 0);
        assert_int_equal(status.deaths, 4);
        die_in(outside_of_a_call, queue); /* that one it had */
        status = status_of(queue);
        assert_int_equal(status.lost_got, 4);
        assert_int_equal(status.undone, 6);
        assert_int_equal(put_int(queue, 1, MT_NOWAIT), 0);
        die_in(before_it_has_said_anything, queue);
        status = status_of(queue);
        assert_int_equal(status.lost_got, 4);
        assert_int_equal(status.deaths, 5);
        mt_queue_free(queue);
    }
}

static void a_dead_ones_view_is_not_lost(void **state)
{
    need_robust_lists();
    EACH_ORDER(i)
    {
        struct mt_queue *queue = make(orders[i], 8, 64);
        struct mt_queue_status status;
        assert_int_equal(put_int(queue, 5, MT_NOWAIT), 0);
        die_in(when_it_has_a_view, queue);
        assert_int_equal(get_int(queue, in_time()), 5);
        status = status_of(queue);
        assert_int_equal(status.lost_got, 0);
        assert_int_equal(status.again, 1);
        assert_int_equal(status.viewed, 0);
        mt_queue_free(queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_at_first),
        cmocka_unit_test(what_a_dead_producer_had_begun),
        cmocka_unit_test(what_a_dead_consumer_had_taken),
        cmocka_unit_test(a_dead_ones_view_is_not_lost),
    };

    return RUN(tests);
}
