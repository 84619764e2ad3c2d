/* SPDX-License-Identifier: MIT
 *
 * A process, a thread and coroutines at one object: locks, conditions, events and the like in memory that they share,
 * and queues of each order. tests/loops.t runs this on each loop.
 *
 * Main has no hub, so that the process it forks begins as a plain one; coroutines are in a thread, and in that process.
 */
#include "hub.h"

#include <sys/mman.h>

enum { COROS = 3, PARTIES = 2 * COROS + 1, ROUNDS = 40 };

#define END in_time()

/* Shared by all of them. */
struct shared {
    struct mt_lock lock;
    struct mt_rwlock rwlock;
    struct mt_sem sem;
    struct mt_cond cond;
    struct mt_event event;
    struct mt_barrier barrier;
    long count, twin;
    int inside, turn, number, arrived;
    unsigned char seen[PARTIES][ROUNDS];
    int taken;
};

static struct shared *shared;
static struct mt_queue *queue;

/* -- The crowd ---------------------------------------------------------------------------------------------------- */

static int run_coroutines(void *arg)
{
    mt_fn *body = *(mt_fn **)arg;
    struct mt_task *tasks[COROS];
    int result = 0;

    for (int i = 0; i < COROS; i++)
        if (!(tasks[i] = mt_coro_spawn(body, NULL, NULL)))
            return -errno;
    for (int i = 0; i < COROS; i++) {
        int joined = mt_task_join(tasks[i], END);
        if (joined || (joined = mt_task_outcome(tasks[i])) != 0)
            result = joined;
        mt_task_release(tasks[i]);
    }
    return result;
}

/* COROS coroutines of a process, as many of a thread, and a thread without a hub. */
static void all_together(mt_fn *body)
{
    struct mt_task *tasks[3];

    tasks[0] = mt_process_spawn(run_coroutines, &body, sizeof body, NULL);
    assert_non_null(tasks[0]);
    tasks[1] = spawn(run_coroutines, &body);
    tasks[2] = spawn(body, NULL);
    assert_int_equal(mt_joinall(tasks, 3, END), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

static int set_up(void **state)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    mt_lock_init(&shared->lock, "lock", MT_SHARED);
    mt_rwlock_init(&shared->rwlock, "rwlock", MT_SHARED);
    mt_cond_init(&shared->cond, "cond", MT_SHARED);
    mt_event_init(&shared->event, "event", MT_SHARED);
    return mt_sem_init(&shared->sem, 2, "sem", MT_SHARED) ||
           mt_barrier_init(&shared->barrier, PARTIES, NULL, NULL, "barrier", MT_SHARED);
}

static int tear_down(void **state)
{
    return munmap(shared, sizeof *shared);
}

static int get_number(void)
{
    return __atomic_fetch_add(&shared->number, 1, __ATOMIC_RELAXED);
}

/* -- Locks -------------------------------------------------------------------------------------------------------- */

static int count_by_lock(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int result = mt_lock_acquire(&shared->lock, END);
        long count;
        if (result)
            return result;
        count = shared->count;
        if (i % 4 == 0)
            mt_coro_yield(); /* holding it */
        shared->count = count + 1;
        if (mt_lock_release(&shared->lock))
            return -EPERM;
    }
    return 0;
}

static void one_at_a_time_holds_a_lock(void **state)
{
    all_together(count_by_lock);
    assert_int_equal(shared->count, PARTIES * ROUNDS);
}

static int read_and_write(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int writes = i % 3 == 0;
        int result =
            writes ? mt_rwlock_acquire_write(&shared->rwlock, END) : mt_rwlock_acquire_read(&shared->rwlock, END);
        long count;
        if (result)
            return result;
        count = shared->count;
        if (i % 4 == 0)
            mt_coro_yield();
        if (count != shared->twin)
            return -EIO;
        if (writes)
            shared->count = shared->twin = count + 1;
        if (writes ? mt_rwlock_release_write(&shared->rwlock) : mt_rwlock_release_read(&shared->rwlock))
            return -EPERM;
    }
    return 0;
}

static void writers_of_a_rwlock_are_alone(void **state)
{
    all_together(read_and_write);
    assert_int_equal(shared->count, PARTIES * ((ROUNDS + 2) / 3));
}

static int two_inside(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int result = mt_sem_acquire(&shared->sem, END);
        if (result)
            return result;
        if (__atomic_add_fetch(&shared->inside, 1, __ATOMIC_ACQ_REL) > 2)
            return -EIO;
        mt_coro_yield();
        __atomic_sub_fetch(&shared->inside, 1, __ATOMIC_ACQ_REL);
        if (mt_sem_release(&shared->sem, 1))
            return -EOVERFLOW;
    }
    return 0;
}

static void a_semaphore_bounds_them(void **state)
{
    all_together(two_inside);
    assert_int_equal(shared->inside, 0);
    assert_int_equal(mt_sem_acquire(&shared->sem, MT_NOWAIT), 0);
    assert_int_equal(mt_sem_acquire(&shared->sem, MT_NOWAIT), 0);
    assert_int_equal(mt_sem_acquire(&shared->sem, MT_NOWAIT), -EBUSY);
}

/* -- Moments ------------------------------------------------------------------------------------------------------ */

static int take_turns(void *arg)
{
    int mine = get_number();

    for (int i = 0; i < ROUNDS / 4; i++) {
        int result = mt_lock_acquire(&shared->lock, END);
        while (!result && shared->turn % PARTIES != mine)
            result = mt_cond_wait(&shared->cond, &shared->lock, END);
        if (result)
            return result;
        shared->turn++;
        mt_cond_notify_all(&shared->cond);
        if (mt_lock_release(&shared->lock))
            return -EPERM;
    }
    return 0;
}

static void a_condition_lets_them_take_turns(void **state)
{
    all_together(take_turns);
    assert_int_equal(shared->turn, PARTIES * (ROUNDS / 4));
}

static int wait_for_the_last(void *arg)
{
    if (__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_ACQ_REL) == PARTIES)
        mt_event_set(&shared->event);
    return mt_event_wait(&shared->event, END);
}

static void an_event_wakes_all(void **state)
{
    for (int i = 0; i < 3; i++) {
        shared->arrived = 0;
        mt_event_clear(&shared->event);
        all_together(wait_for_the_last);
        assert_int_equal(shared->arrived, PARTIES);
    }
}

static int meet(void *arg)
{
    for (int i = 1; i <= ROUNDS / 4; i++) {
        int place, there;
        __atomic_add_fetch(&shared->arrived, 1, __ATOMIC_ACQ_REL);
        place = mt_barrier_wait(&shared->barrier, END);
        there = __atomic_load_n(&shared->arrived, __ATOMIC_ACQUIRE);
        if (place < 0)
            return place;
        if (there < i * PARTIES || there > i * PARTIES + PARTIES - 1)
            return -EIO;
    }
    return 0;
}

static void a_barrier_keeps_them_together(void **state)
{
    all_together(meet);
}

/* -- Queues ------------------------------------------------------------------------------------------------------- */

struct message {
    int who, number;
};

static void open_queue(enum mt_queue_order order, uint32_t capacity)
{
    struct mt_queue_options options = {
        .name = "mixture", .order = order, .capacity = capacity, .message_max = sizeof(struct message)};

    queue = mt_queue_new(&options);
    assert_non_null(queue);
    memset(shared, 0, sizeof *shared);
}

static int put_some(void *arg)
{
    struct message message = {.who = get_number()};

    for (; message.number < ROUNDS; message.number++) {
        int result = mt_queue_put(queue, &message, sizeof message, END);
        if (result)
            return result;
        if (message.number % 5 == 0)
            mt_coro_yield();
    }
    return 0;
}

static int put_with_priorities(void *arg)
{
    struct message message = {.who = get_number()};

    for (; message.number < ROUNDS; message.number++) {
        int result = mt_queue_put_priority(queue, &message, sizeof message, message.number % 3, END);
        if (result)
            return result;
    }
    return 0;
}

/* What lies in the queue, in the order in which it comes out: key(number) of each who's messages never falls. */
static void check_order(int (*key)(int number), int of_all)
{
    int last[PARTIES], of_last = -ROUNDS, count = 0;
    struct message message;

    for (int i = 0; i < PARTIES; i++)
        last[i] = -ROUNDS;
    for (; mt_queue_get(queue, &message, sizeof message, MT_NOWAIT) == sizeof message; count++) {
        assert_true(key(message.number) >= last[message.who]);
        last[message.who] = key(message.number);
        assert_true(!of_all || key(message.number) >= of_last);
        of_last = key(message.number);
    }
    assert_int_equal(count, PARTIES * ROUNDS);
}

static int itself(int number)
{
    return number;
}

static int backwards(int number)
{
    return -number;
}

static int priority(int number)
{
    return number % 3;
}

static void queues_keep_their_order(void **state)
{
    open_queue(MT_QUEUE_FIFO, PARTIES * ROUNDS);
    all_together(put_some);
    check_order(itself, 0);
    mt_queue_free(queue);
    open_queue(MT_QUEUE_LIFO, PARTIES * ROUNDS);
    all_together(put_some);
    check_order(backwards, 0);
    mt_queue_free(queue);
    open_queue(MT_QUEUE_PRIORITY, PARTIES * ROUNDS);
    all_together(put_with_priorities);
    check_order(priority, 1);
    mt_queue_free(queue);
}

/* Who has an even number puts, the others get, until all puts have been got. */
static int put_or_get(void *arg)
{
    enum { GETTERS = PARTIES / 2, PUTTERS = PARTIES - GETTERS };
    int mine = get_number();
    struct message message = {.who = mine / 2};

    if (mine % 2 == 0) {
        for (; message.number < ROUNDS; message.number++) {
            int result = mt_queue_put(queue, &message, sizeof message, END);
            if (result)
                return result;
        }
        return 0;
    }
    while (__atomic_fetch_add(&shared->taken, 1, __ATOMIC_RELAXED) < PUTTERS * ROUNDS) {
        ssize_t size = mt_queue_get(queue, &message, sizeof message, END);
        if (size != sizeof message)
            return size < 0 ? (int)size : -EIO;
        if (__atomic_fetch_add(&shared->seen[message.who][message.number], 1, __ATOMIC_RELAXED))
            return -EEXIST;
    }
    return 0;
}

static void each_message_goes_to_one(void **state)
{
    static const enum mt_queue_order orders[] = {MT_QUEUE_FIFO, MT_QUEUE_LIFO, MT_QUEUE_PRIORITY};

    for (int i = 0; i < 3; i++) {
        open_queue(orders[i], 2); /* all have to wait */
        all_together(put_or_get);
        for (int who = 0; who < (PARTIES + 1) / 2; who++)
            for (int number = 0; number < ROUNDS; number++)
                assert_int_equal(shared->seen[who][number], 1);
        assert_true(mt_queue_is_empty(queue));
        mt_queue_free(queue);
    }
}

/* -- Locals ------------------------------------------------------------------------------------------------------- */

static int destroyed;

static void destroy(void *value)
{
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
    free(value);
}

static struct mt_local local = MT_LOCAL_INIT(destroy);

static int keep_a_value(void *arg)
{
    int *value = malloc(sizeof *value);

    if (!value || mt_local_get(&local) || mt_local_set(&local, value))
        return -EIO;
    for (*value = 0; *value < ROUNDS; ++*value)
        if (mt_coro_yield() || mt_local_get(&local) != value)
            return -EIO;
    return 0;
}

static void each_has_its_own_local_value(void **state)
{
    all_together(keep_a_value);
    assert_int_equal(destroyed, PARTIES - COROS); /* the process's are its own */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_at_a_time_holds_a_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writers_of_a_rwlock_are_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_semaphore_bounds_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_condition_lets_them_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_event_wakes_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_barrier_keeps_them_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queues_keep_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_message_goes_to_one, set_up, tear_down),
        cmocka_unit_test(each_has_its_own_local_value),
    };

    return RUN(tests);
}
