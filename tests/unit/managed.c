/* SPDX-License-Identifier: MIT
 *
 * The objects of a manager, each in all ways in which it can be used: in memory, by requests on the same host, and over
 * TCP; and by two of these at once, who must see the same object.
 */
#include "managed-unit.h"

/* -- Queues ------------------------------------------------------------------------------------------------------- */

static void queues(void **state)
{
    const struct mt_queue_options two = {.capacity = 2, .message_max = 16};
    char text[16] = "";

    EACH_WAY(way)
    EACH_WAY(other)
    {
        struct mt_managed_queue *queue = OPEN(queue, way, "q", &two), *same = OPEN(queue, other, "q", NULL);
        assert_non_null(queue);
        assert_non_null(same);
        assert_int_equal(mt_managed_queue_local(queue) == NULL, way != 0);
        assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, mt_after(MT_MS(20))), -ETIMEDOUT);
        assert_int_equal(mt_managed_queue_put(queue, "first", 6, SOON), 0);
        assert_int_equal(mt_managed_queue_put(same, "", 0, SOON), 0);
        assert_int_equal(mt_managed_queue_size(same, SOON), 2);
        assert_int_equal(mt_managed_queue_put(same, "third", 6, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_managed_queue_put(same, "third", 6, mt_after(MT_MS(20))), -ETIMEDOUT);
        assert_int_equal(mt_managed_queue_put(same, "larger than that is", 20, SOON), -EMSGSIZE);
        assert_int_equal(mt_managed_queue_put_priority(same, "x", 1, 7, SOON), -EINVAL);
        assert_int_equal(mt_managed_queue_get(same, text, 3, SOON), -EMSGSIZE);
        assert_int_equal(mt_managed_queue_get(same, text, sizeof text, SOON), 6);
        assert_string_equal(text, "first");
        assert_int_equal(mt_managed_queue_get(same, NULL, 0, SOON), 0);
        assert_int_equal(mt_managed_queue_join(queue, mt_after(MT_MS(20))), -ETIMEDOUT);
        assert_int_equal(mt_managed_queue_task_done(same, SOON), 0);
        assert_int_equal(mt_managed_queue_task_done(same, SOON), 0);
        assert_int_equal(mt_managed_queue_task_done(same, SOON), -EINVAL);
        assert_int_equal(mt_managed_queue_join(queue, SOON), 0);
        assert_int_equal(mt_managed_queue_close(queue, SOON), 0);
        assert_int_equal(mt_managed_queue_put(same, "x", 1, SOON), -EPIPE);
        assert_int_equal(mt_managed_queue_get(same, text, sizeof text, SOON), -EPIPE);
        mt_managed_queue_free(queue);
        mt_managed_queue_free(same);
        take_away("q");
    }
}

static void queues_by_priority(void **state)
{
    const struct mt_queue_options options = {.order = MT_QUEUE_PRIORITY};
    char text[8] = "";

    EACH_WAY(way)
    {
        struct mt_managed_queue *queue = OPEN(queue, way, "p", &options);
        assert_non_null(queue);
        assert_int_equal(mt_managed_queue_put_priority(queue, "late", 5, 1, SOON), 0);
        assert_int_equal(mt_managed_queue_put_priority(queue, "soon", 5, -1, SOON), 0);
        assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, SOON), 5);
        assert_string_equal(text, "soon");
        mt_managed_queue_free(queue);
        take_away("p");
    }
}

static int get_one(void *queue)
{
    char text[8] = "";
    ssize_t size = mt_managed_queue_get(queue, text, sizeof text, MT_FOREVER);

    return size == 6 && !strcmp(text, "hello") ? 0 : size < 0 ? (int)size : -EIO;
}

/* A get that waits keeps nobody else of the same handle waiting, and can be killed without taking a message along. */
static void waiting_gets(void **state)
{
    char text[8];

    EACH_WAY(way)
    {
        struct mt_managed_queue *queue = OPEN(queue, way, "w", NULL);
        struct mt_task *getters[3];
        for (int i = 0; i < 3; i++) {
            getters[i] = spawn(get_one, queue);
            until_waiting(getters[i], way ? MT_WAIT_IO : MT_WAIT_GET);
        }
        usleep(20000);
        assert_int_equal(mt_task_kill(getters[0]), 0);
        assert_int_equal(outcome_of(getters[0]), -ECANCELED);
        usleep(20000);
        for (int i = 1; i < 3; i++)
            assert_int_equal(mt_managed_queue_put(queue, "hello", 6, SOON), 0);
        for (int i = 1; i < 3; i++)
            assert_int_equal(finish(getters[i]), 0);
        assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, MT_NOWAIT), -EBUSY);
        mt_managed_queue_free(queue);
        take_away("w");
    }
}

/* -- Locks and their kin ------------------------------------------------------------------------------------------ */

struct locker {
    struct mt_managed_lock *lock;
    mt_deadline deadline;
};

static int lock_it(void *arg)
{
    struct locker *locker = arg;
    int result = mt_managed_lock_acquire(locker->lock, locker->deadline);

    return result ? result : mt_managed_lock_release(locker->lock);
}

static void locks(void **state)
{
    EACH_WAY(way)
    EACH_WAY(other)
    {
        struct mt_managed_lock *lock = OPEN(lock, way, "l"), *same = OPEN(lock, other, "l");
        struct locker locker = {same, MT_NOWAIT};
        struct mt_task *task;
        assert_int_equal(mt_managed_lock_release(lock), -EPERM);
        assert_int_equal(mt_managed_lock_consistent(lock), -EPERM);
        assert_int_equal(mt_managed_lock_acquire(lock, SOON), 0);
        assert_int_equal(mt_managed_lock_acquire(lock, SOON), -EDEADLK);
        assert_int_equal(mt_managed_lock_consistent(lock), -EINVAL);
        assert_int_equal(outcome_of(spawn(lock_it, &locker)), -EBUSY);
        locker.deadline = mt_after(MT_MS(20));
        assert_int_equal(outcome_of(spawn(lock_it, &locker)), -ETIMEDOUT);
        locker.deadline = MT_FOREVER;
        task = spawn(lock_it, &locker);
        until_waiting(task, other ? MT_WAIT_IO : MT_WAIT_LOCK);
        assert_int_equal(mt_managed_lock_release(lock), 0);
        assert_int_equal(finish(task), 0);
        assert_int_equal(mt_managed_lock_release(lock), -EPERM);
        mt_managed_lock_free(lock);
        mt_managed_lock_free(same);
        take_away("l");
    }
}

struct contest {
    struct mt_managed_lock *lock;
    int *value;
};

static int add_often(void *arg)
{
    struct contest *contest = arg;

    for (int i = 0; i < 200; i++) {
        int result = mt_managed_lock_acquire(contest->lock, SOON), before;
        if (result)
            return result;
        before = __atomic_load_n(contest->value, __ATOMIC_RELAXED); /* the sanitizer does not see the server */
        if (i % 16 == 0)
            usleep(50);
        __atomic_store_n(contest->value, before + 1, __ATOMIC_RELAXED);
        result = mt_managed_lock_release(contest->lock);
        if (result)
            return result;
    }
    return 0;
}

/* Holders of all ways exclude each other. */
static void locks_exclude(void **state)
{
    struct contest contests[6];
    struct mt_task *tasks[6];
    int value = 0;

    for (int i = 0; i < 6; i++) {
        contests[i] = (struct contest){OPEN(lock, i % ways, "x"), &value};
        assert_non_null(contests[i].lock);
    }
    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(add_often, &contests[i]);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_int_equal(value, 1200);
    for (int i = 0; i < 6; i++)
        mt_managed_lock_free(contests[i].lock);
    take_away("x");
}

static int wait_for(void *event)
{
    return mt_managed_event_wait(event, MT_FOREVER);
}

static void events(void **state)
{
    EACH_WAY(way)
    EACH_WAY(other)
    {
        struct mt_managed_event *event = OPEN(event, way, "e"), *same = OPEN(event, other, "e");
        struct mt_task *task;
        assert_int_equal(mt_managed_event_is_set(same, SOON), 0);
        assert_int_equal(mt_managed_event_wait(event, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_managed_event_wait(event, mt_after(MT_MS(20))), -ETIMEDOUT);
        task = spawn(wait_for, event);
        until_waiting(task, way ? MT_WAIT_IO : MT_WAIT_EVENT);
        assert_int_equal(mt_managed_event_set(same, SOON), 0);
        assert_int_equal(finish(task), 0);
        assert_int_equal(mt_managed_event_is_set(event, SOON), 1);
        assert_int_equal(mt_managed_event_clear(same, SOON), 0);
        assert_int_equal(mt_managed_event_is_set(event, SOON), 0);
        mt_managed_event_free(event);
        mt_managed_event_free(same);
        take_away("e");
    }
}

static void sems(void **state)
{
    EACH_WAY(way)
    EACH_WAY(other)
    {
        struct mt_managed_sem *sem = OPEN(sem, way, "s", 2), *same = OPEN(sem, other, "s", 9);
        assert_int_equal(mt_managed_sem_value(same, SOON), 2);
        assert_int_equal(mt_managed_sem_acquire(sem, SOON), 0);
        assert_int_equal(mt_managed_sem_acquire(same, SOON), 0);
        assert_int_equal(mt_managed_sem_acquire(sem, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_managed_sem_acquire(sem, mt_after(MT_MS(20))), -ETIMEDOUT);
        assert_int_equal(mt_managed_sem_release(same, 3, SOON), 0);
        assert_int_equal(mt_managed_sem_release(same, MT_SEM_MAX, SOON), -EOVERFLOW);
        assert_int_equal(mt_managed_sem_value(sem, SOON), 3);
        mt_managed_sem_free(sem);
        mt_managed_sem_free(same);
        take_away("s");
    }
    assert_null(mt_manager_sem(owner, "s", UINT32_MAX, 0, SOON));
    assert_int_equal(errno, EINVAL);
}

static int count_up(void *counter)
{
    for (int i = 0; i < 300; i++) {
        int result = mt_managed_counter_add(counter, 1, NULL, SOON);
        if (result)
            return result;
    }
    return 0;
}

static void counters(void **state)
{
    struct mt_managed_counter *counters[3];
    struct mt_task *tasks[6];
    int64_t value = 0;

    EACH_WAY(way)
    counters[way] = OPEN(counter, way, "c");
    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(count_up, counters[i % ways]);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(tasks[i]), 0);
    EACH_WAY(way)
    {
        assert_int_equal(mt_managed_counter_get(counters[way], &value, SOON), 0);
        assert_int_equal(value, 1800);
    }
    EACH_WAY(way)
    {
        assert_int_equal(mt_managed_counter_set(counters[way], INT64_MAX, SOON), 0);
        assert_int_equal(mt_managed_counter_add(counters[(way + 1) % ways], 1, &value, SOON), 0);
        assert_true(value == INT64_MIN);
    }
    EACH_WAY(way)
    mt_managed_counter_free(counters[way]);
    take_away("c");
}

/* -- Names -------------------------------------------------------------------------------------------------------- */

static void names(void **state)
{
    struct mt_managed_lock *lock;
    char name[MT_MANAGER_NAME_MAX + 1];

    EACH_WAY(way)
    {
        assert_null(mt_manager_lock(manager_of(way), "n", MT_MANAGER_OPEN, SOON));
        assert_int_equal(errno, ENOENT);
        assert_non_null(strstr(mt_manager_message(), "there is no \"n\""));
        lock = mt_manager_lock(manager_of(way), "n", MT_MANAGER_CREATE, SOON);
        assert_non_null(lock);
        assert_null(mt_manager_lock(manager_of(way), "n", MT_MANAGER_CREATE, SOON));
        assert_int_equal(errno, EEXIST);
        assert_null(mt_manager_dict(manager_of(way), "n", 0, SOON));
        assert_int_equal(errno, EMEDIUMTYPE);
        mt_managed_lock_free(lock);
        take_away("n");
    }
    assert_null(mt_manager_lock(owner, "", 0, SOON));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_manager_lock(owner, "n", MT_MANAGER_OPEN | MT_MANAGER_CREATE, SOON));
    assert_int_equal(errno, EINVAL);
    assert_null(mt_manager_lock(owner, "n", 64, SOON));
    assert_int_equal(errno, EINVAL);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_null(mt_manager_lock(owner, name, 0, SOON));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(mt_manager_remove(owner, "nobody", SOON), -ENOENT);
}

/* Requests to an object that was removed are not served by a later one of that name; who has its memory goes on. */
static void removed(void **state)
{
    struct mt_managed_counter *memory = OPEN(counter, 0, "gone"), *asking = OPEN(counter, 1, "gone"), *later;
    int64_t value = 7;

    assert_int_equal(mt_managed_counter_add(asking, 1, NULL, SOON), 0);
    take_away("gone");
    assert_int_equal(mt_managed_counter_get(asking, &value, SOON), -ESTALE);
    assert_int_equal(value, 7);
    later = OPEN(counter, 1, "gone");
    assert_int_equal(mt_managed_counter_get(asking, &value, SOON), -ESTALE);
    assert_int_equal(mt_managed_counter_get(later, &value, SOON), 0);
    assert_int_equal(value, 0);
    assert_int_equal(mt_managed_counter_get(memory, &value, SOON), 0);
    assert_int_equal(value, 1);
    mt_managed_counter_free(memory);
    mt_managed_counter_free(asking);
    mt_managed_counter_free(later);
    take_away("gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues),  cmocka_unit_test(queues_by_priority), cmocka_unit_test(waiting_gets),
        cmocka_unit_test(locks),   cmocka_unit_test(locks_exclude),      cmocka_unit_test(events),
        cmocka_unit_test(sems),    cmocka_unit_test(counters),           cmocka_unit_test(names),
        cmocka_unit_test(removed),
    };

    mt_process_init();
    return cmocka_run_group_tests_name(__BASE_FILE__, tests, set_up, tear_down);
}
