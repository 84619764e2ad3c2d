/* SPDX-License-Identifier: MIT
 *
 * Hubs among others: the locks, queues and pools of the library serve threads, processes and coroutines in any mixture,
 * and no wake between them is lost. tests/loops.t runs this on each loop.
 */
#include "unit.h"
#include "wait/wait.h"

static mt_deadline soon(void)
{
    return in_time();
}

/* -- Wakes by others ---------------------------------------------------------------------------------------------- */

static int hand_back(void *arg)
{
    struct mt_sem *sems = arg;

    for (int i = 0; i < 2000; i++)
        if (mt_sem_acquire(&sems[0], soon()) || mt_sem_release(&sems[1], 1))
            return -EIO;
    return 0;
}

static void a_thread_and_a_coroutine_wake_each_other(void **state)
{
    struct mt_sem sems[2] = {MT_SEM_INIT(0), MT_SEM_INIT(0)};
    struct mt_task *thread = spawn(hand_back, sems);

    for (int i = 0; i < 2000; i++) {
        assert_int_equal(mt_sem_release(&sems[0], 1), 0);
        assert_int_equal(mt_sem_acquire(&sems[1], soon()), 0);
    }
    assert_int_equal(finish(thread), 0);
}

static int take_some(void *arg)
{
    struct mt_sem *sem = arg;
    int taken = 0;

    while (mt_sem_acquire(sem, mt_after(MT_MS(300))) == 0)
        taken++;
    return taken;
}

static int give_some(void *arg)
{
    for (int i = 0; i < 3000; i++) {
        if (mt_sem_release(arg, 1))
            return -EIO;
        if (i % 100 == 0)
            usleep(500);
    }
    return 0;
}

/* Waiters that time out, or are killed, pass their wakes on. */
static void no_wake_is_lost(void **state)
{
    struct mt_sem sem = MT_SEM_INIT(0);
    struct mt_task *takers[20], *threads[2], *giver = spawn(give_some, &sem);
    int taken = 0;

    for (int i = 0; i < 20; i++)
        assert_non_null(takers[i] = mt_coro_spawn(take_some, &sem, NULL));
    for (int i = 0; i < 2; i++)
        threads[i] = spawn(take_some, &sem);
    assert_int_equal(mt_sleep(MT_MS(3)), 0);
    for (int i = 0; i < 20; i += 5)
        mt_task_kill(takers[i]);
    assert_int_equal(mt_joinall(takers, 20, soon()), 0);
    assert_int_equal(mt_joinall(threads, 2, soon()), 0);
    for (int i = 0; i < 20; i++) {
        taken += mt_task_outcome(takers[i]);
        mt_task_release(takers[i]);
    }
    for (int i = 0; i < 2; i++) {
        taken += mt_task_outcome(threads[i]);
        mt_task_release(threads[i]);
    }
    assert_int_equal(finish(giver), 0);
    assert_int_equal(taken, 3000);
}

struct stale {
    struct mt_sem sem;
    struct mt_event left, over;
};

static int give_up_soon(void *arg)
{
    return mt_sem_acquire(arg, mt_after(MT_MS(20))) == -ETIMEDOUT ? 0 : -EIO;
}

/* Its coroutine has left the semaphore; then the thread does not come back to its hub. */
static int block_the_hub(void *arg)
{
    struct stale *stale = arg;
    struct mt_task *task = mt_coro_spawn(give_up_soon, &stale->sem, NULL);
    int result = task ? mt_task_join(task, soon()) : -errno;

    mt_task_release(task);
    mt_event_set(&stale->left);
    while (!mt_event_is_set(&stale->over))
        usleep(1000);
    return result;
}

static int take_one(void *arg)
{
    return mt_sem_acquire(arg, MT_FOREVER); /* at a deadline it would look again, and find it */
}

/* What a hub has armed for somebody who has left must not take the wake of another. */
static void who_has_left_takes_no_wake(void **state)
{
    static struct stale stale;
    struct mt_task *blocker, *taker;

    mt_sem_init(&stale.sem, 0, NULL, 0);
    mt_event_init(&stale.left, NULL, 0);
    mt_event_init(&stale.over, NULL, 0);
    blocker = spawn(block_the_hub, &stale);
    assert_int_equal(mt_event_wait(&stale.left, soon()), 0);
    taker = spawn(take_one, &stale.sem);
    while (mt_task_state(taker) != MT_WAITING)
        usleep(1000);
    usleep(20000); /* from the state to the system call */
    assert_int_equal(mt_sem_release(&stale.sem, 1), 0);
    assert_int_equal(finish(taker), 0);
    mt_event_set(&stale.over);
    assert_int_equal(finish(blocker), 0);
}

/* -- Queues, processes, pools ------------------------------------------------------------------------------------- */

struct line {
    struct mt_queue *queue;
    const char *who;
};

static int put_ten(void *arg)
{
    struct line *line = arg;

    for (int i = 0; i < 10; i++) {
        int result = mt_queue_put(line->queue, line->who, strlen(line->who) + 1, soon());
        if (result)
            return result;
    }
    return 0;
}

static int put_ten_from_a_process(void *arg)
{
    struct mt_queue *queue = mt_queue_attach(mt_process_fd(0));
    struct line line = {queue, "process"};

    return queue ? put_ten(&line) : -errno;
}

static void a_thread_a_process_and_a_coroutine_share_a_queue(void **state)
{
    if (forks_child_has_no_hub())
        skip();

    struct mt_queue *queue = mt_queue_new(&(struct mt_queue_options){.capacity = 4, .message_max = 16});
    int fd = mt_queue_fd(queue), counts[3] = {0};
    struct line by_thread = {queue, "thread"}, by_coroutine = {queue, "coroutine"};
    struct mt_process_options options = {.fds = &fd, .fd_count = 1};
    struct mt_task *tasks[3];
    char text[16];

    tasks[0] = mt_process_spawn(put_ten_from_a_process, NULL, 0, &options);
    assert_non_null(tasks[0]);
    tasks[1] = spawn(put_ten, &by_thread);
    tasks[2] = mt_coro_spawn(put_ten, &by_coroutine, NULL);
    for (int i = 0; i < 30; i++) {
        assert_true(mt_queue_get(queue, text, sizeof text, soon()) > 0);
        counts[!strcmp(text, "process") ? 0 : !strcmp(text, "thread") ? 1 : 2]++;
    }
    assert_int_equal(mt_joinall(tasks, 3, soon()), 0); /* of all three kinds */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(counts[i], 10);
        assert_int_equal(finish(tasks[i]), 0);
    }
    mt_queue_free(queue);
}

static int sleep_a_while(void *arg)
{
    return mt_sleep(MT_MS(30));
}

static int wait_for_future(void *arg)
{
    return mt_future_wait(arg, soon());
}

static int join_process(void *arg)
{
    struct mt_task *task = mt_process_spawn(sleep_a_while, NULL, 0, NULL);
    int result = task ? mt_task_join(task, soon()) : -errno;

    if (task && !result)
        result = mt_task_outcome(task);
    mt_task_release(task);
    return result;
}

static int count_turns(void *arg)
{
    int *turns = arg;

    for (int i = 0; i < 20; i++, ++*turns)
        if (mt_sleep(MT_MS(1)))
            return -ECANCELED;
    return 0;
}

static void a_pool_and_a_process_are_awaited_while_others_run(void **state)
{
    struct mt_pool *pool = mt_pool_open(&(struct mt_pool_options){.workers = 1});
    struct mt_future *future = mt_pool_apply_async(pool, sleep_a_while, NULL, 0, MT_FOREVER);
    int turns = 0;
    struct mt_task *tasks[3];

    assert_non_null(future);
    tasks[0] = mt_coro_spawn(wait_for_future, future, NULL);
    tasks[1] = mt_coro_spawn(join_process, NULL, NULL);
    tasks[2] = mt_coro_spawn(count_turns, &turns, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(finish(tasks[2]), 0);
    assert_int_equal(turns, 20);
    mt_future_release(future);
    mt_pool_close(pool);
    assert_int_equal(mt_pool_join(pool, soon()), 0);
    mt_pool_free(pool);
}

/* A holder that never yields keeps no one from a lock that is free: also one who never sleeps looks around. */
static struct mt_lock busy_lock = MT_LOCK_INIT;
static int has_it;

static int take_it(void *arg)
{
    int result = mt_lock_acquire(&busy_lock, soon());

    __atomic_store_n(&has_it, 1, __ATOMIC_RELEASE);
    return result ? result : mt_lock_release(&busy_lock);
}

static int be_busy(void *arg)
{
    mt_deadline limit = soon();

    while (!__atomic_load_n(&has_it, __ATOMIC_ACQUIRE) && mt_now() < limit)
        mt_coro_yield();
    return 0;
}

static int hold_it_for_a_while(void *arg)
{
    int result = mt_lock_acquire(&busy_lock, soon());

    usleep(20000);
    return result ? result : mt_lock_release(&busy_lock);
}

static void a_busy_hub_hears_of_wakes(void **state)
{
    struct mt_task *holder = spawn(hold_it_for_a_while, NULL), *waiter, *busy;
    mt_deadline start = mt_now();

    usleep(5000);
    waiter = mt_coro_spawn(take_it, NULL, NULL);
    busy = mt_coro_spawn(be_busy, NULL, NULL);
    assert_int_equal(finish(waiter), 0);
    assert_int_equal(finish(busy), 0);
    assert_int_equal(finish(holder), 0);
    assert_between(elapsed(start), 0, 60000);
}

/* -- Wakes that meet somebody who has left ------------------------------------------------------------------------ */

struct left_behind {
    uint32_t word;
};

static int wait_for_word(void *arg)
{
    struct left_behind *it = arg;
    struct mt__wait wait = {.word = &it->word, .reason = MT_WAIT_EVENT, .deadline = soon()};
    int result = 0;

    while (!result && !__atomic_load_n(&it->word, __ATOMIC_ACQUIRE))
        result = mt__wait(&wait, 0);
    return result;
}

/* A coroutine waits, with an arm in the kernel; a thread waits behind it. The coroutine is woken by its hub, and the
 * kernel's wake then finds the arm. The hub's own thread goes on by itself, and does not come back to the hub. */
static int leave_an_arm(void *arg)
{
    struct left_behind *it = arg;
    struct mt_task *coroutine = mt_coro_spawn(wait_for_word, it, NULL), *thread;
    int result;

    if (!coroutine || mt_sleep(MT_MS(10)))
        return -ENOMEM;
    thread = mt_thread_spawn(wait_for_word, it, NULL);
    if (!thread || mt_sleep(MT_MS(20))) /* it may be later than that: then it finds the word changed */
        return -ENOMEM;
    __atomic_store_n(&it->word, 1, __ATOMIC_RELEASE);
    mt__wake(&it->word, 1, 0);
    mt__sys(SYS_futex, &it->word, 1 | 128, 1); /* FUTEX_WAKE, private: as a thread without a hub does it */
    result = mt_task_join(coroutine, soon());
    for (int i = 0; !result && i < 60000 && mt_task_is_alive(thread); i++)
        usleep(1000); /* not in the hub */
    if (!result && mt_task_is_alive(thread))
        result = -ETIMEDOUT;
    mt_task_release(coroutine);
    mt_task_release(thread);
    return result;
}

static void a_wake_is_passed_on_before_the_hubs_thread_goes_on(void **state)
{
    struct left_behind it = {0};

    for (int i = 0; i < 5; i++) {
        it.word = 0;
        assert_int_equal(finish(spawn(leave_an_arm, &it)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_and_a_coroutine_wake_each_other),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(who_has_left_takes_no_wake),
        cmocka_unit_test(a_thread_a_process_and_a_coroutine_share_a_queue),
        cmocka_unit_test(a_pool_and_a_process_are_awaited_while_others_run),
        cmocka_unit_test(a_busy_hub_hears_of_wakes),
        cmocka_unit_test(a_wake_is_passed_on_before_the_hubs_thread_goes_on),
    };

    mt_process_init();
    return RUN(tests);
}
