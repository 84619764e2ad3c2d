/* SPDX-License-Identifier: MIT */
#include "base/sys.h"

#include <linux/futex.h>
#include <sched.h>

#define TYPE       struct mt_pilock
#define NOUN(verb) mt_pilock_##verb
#include "dying.h"

/* -- Inheritance -------------------------------------------------------------------------------------------------- */

#define SOME_WORK MT_MS(100)

struct inversion {
    struct mt_pilock lock;
    struct mt_event held, go;
    int turn, high_was, middle_was;
};

static int low(void *arg)
{
    struct inversion *v = arg;
    int result = mt_pilock_acquire(&v->lock, MT_FOREVER);

    if (result)
        return result;
    mt_event_set(&v->held);
    result = mt_event_wait(&v->go, in_time());
    mt_pilock_release(&v->lock);
    return result;
}

/* Lets the low one go on, and then keeps the processor for a while. */
static int middle(void *arg)
{
    struct inversion *v = arg;
    mt_deadline end = mt_after(SOME_WORK);

    mt_event_set(&v->go);
    while (mt_now() < end)
        ;
    v->middle_was = __atomic_add_fetch(&v->turn, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int high(void *arg)
{
    struct inversion *v = arg;
    int result = mt_pilock_acquire(&v->lock, in_time());

    v->high_was = __atomic_add_fetch(&v->turn, 1, __ATOMIC_SEQ_CST);
    return result ? result : mt_pilock_release(&v->lock);
}

static struct mt_task *spawn_at(mt_fn *fn, struct inversion *v, int priority)
{
    struct mt_thread_options options = {.policy = SCHED_FIFO, .priority = priority};
    cpu_set_t first;

    CPU_ZERO(&first);
    sched_getaffinity(0, sizeof first, &first);
    for (int cpu = 0, found = 0; cpu < CPU_SETSIZE; cpu++) {
        if (found)
            CPU_CLR(cpu, &first);
        found |= CPU_ISSET(cpu, &first);
    }
    options.cpus = &first;
    options.cpus_size = sizeof first;
    return mt_thread_spawn(fn, v, &options);
}

/* The priority as the kernel has it now: a thread of SCHED_FIFO n shows -1 - n. */
static int priority_of(int tid)
{
    char path[64];
    int priority = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %d", &priority) != 1)
        priority = 0;
    fclose(file);
    return priority;
}

/* One processor, three priorities: the low one holds what the high one wants, and the middle one wants neither. */
static void the_holder_inherits(void **state)
{
    struct inversion v = {.lock = MT_PILOCK_INIT_NAMED("inverted")};
    struct mt_task *tasks[3];
    int looks = 0;

    tasks[0] = spawn_at(low, &v, 1);
    if (!tasks[0] && errno == EPERM) {
        print_message("# skipped: SCHED_FIFO needs privilege here\n");
        skip();
    }
    assert_non_null(tasks[0]);
    assert_int_equal(mt_event_wait(&v.held, in_time()), 0);
    assert_int_equal(priority_of(mt_task_tid(tasks[0])), -2);
    tasks[1] = spawn_at(high, &v, 3);
    assert_non_null(tasks[1]);
    until_waiting(tasks[1], MT_WAIT_LOCK);
    while (priority_of(mt_task_tid(tasks[0])) != -4) {
        assert_true(++looks < 10000);
        usleep(1000);
    }
    tasks[2] = spawn_at(middle, &v, 2);
    assert_non_null(tasks[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_true(v.high_was < v.middle_was);
}

/* -- What the kernel answers -------------------------------------------------------------------------------------- */

static int wait_for_the_other(void *arg)
{
    struct dying *d = arg;
    int result = mt_pilock_acquire(&d->second, MT_FOREVER);

    if (result)
        return result;
    mt_event_set(&d->ready);
    result = mt_pilock_acquire(&d->lock, in_time());
    mt_pilock_release(&d->second);
    return result ? result : mt_pilock_release(&d->lock);
}

static int reports;

static void hear(const char *report)
{
    (void)report;
    __atomic_add_fetch(&reports, 1, __ATOMIC_RELAXED);
}

static void circles_are_refused(void **state)
{
    const enum mt_deadlock_policy policies[] = {MT_DEADLOCK_OFF, MT_DEADLOCK_REPORT, MT_DEADLOCK_FAIL};

    mt_deadlock_hook(hear);
    for (int i = 0; i < 3; i++) {
        struct dying d = {0};
        struct mt_task *other;
        int mine;
        reports = 0;
        mt_deadlock_policy(policies[i]);
        assert_int_equal(mt_pilock_acquire(&d.lock, MT_FOREVER), 0);
        other = spawn(wait_for_the_other, &d);
        assert_int_equal(mt_event_wait(&d.ready, in_time()), 0);
        until_waiting(other, MT_WAIT_LOCK);
        mine = mt_pilock_acquire(&d.second, in_time());
        if (!mine)
            mt_pilock_release(&d.second);
        assert_int_equal(mt_pilock_release(&d.lock), 0);
        mine = (mine == -EDEADLK) + (finish(other) == -EDEADLK);
        assert_true(mine >= 1); /* both, where each looks as the other begins to wait */
        assert_true(i ? reports >= 1 : reports == 0);
    }
    mt_deadlock_hook(NULL);
}

static void *sleep_on_the_word(void *arg)
{
    struct mt_pilock *lock = arg;

    while (!__atomic_load_n(&lock->broken, __ATOMIC_SEQ_CST)) /* a bell that the lock itself does not ring here */
        syscall(SYS_futex, &lock->word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, __atomic_load_n(&lock->word, __ATOMIC_SEQ_CST),
                NULL, NULL, 0);
    return NULL;
}

static void memory_that_holds_something_else(void **state)
{
    struct mt_pilock lock = {.word = 0x3ffffffe}; /* no thread has such an id */
    struct mt_pilock kernels = {.word = 2};       /* kthreadd, or nobody in a container */
    pthread_t sleeper;
    int result = mt_pilock_acquire(&kernels, in_time());

    assert_int_equal(mt_pilock_acquire(&lock, MT_FOREVER), -ESRCH);
    assert_int_equal(mt_pilock_acquire(&lock, MT_NOWAIT), -ESRCH);
    assert_true(result == -EPERM || result == -ESRCH);
    lock.word = (uint32_t)getppid();
    assert_int_equal(pthread_create(&sleeper, NULL, sleep_on_the_word, &lock), 0);
    for (int i = 0; i < 60000 && result != -EINVAL; i++, usleep(1000)) /* until it sleeps */
        result = mt_pilock_acquire(&lock, mt_after(MT_MS(5)));
    assert_int_equal(result, -EINVAL);
    __atomic_store_n(&lock.broken, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&lock.word, 0, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &lock.word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
    pthread_join(sleeper, NULL);
}

static void older_kernels(void **state)
{
    struct dying d = {0};
    struct mt_task *owner;

    mt__sys_fail(SYS_futex, 0, ENOSYS); /* FUTEX_TRYLOCK_PI: no such futexes at all */
    d.lock.word = (uint32_t)getppid();
    assert_int_equal(mt_pilock_acquire(&d.lock, MT_NOWAIT), -ENOTSUP);
    mt__sys_fail(-1, 0, 0);
    d.lock.word = 0;
    owner = spawn(ends_holding, &d);
    assert_int_equal(mt_event_wait(&d.ready, in_time()), 0);
    mt__sys_fail(SYS_futex, 0, ENOSYS); /* FUTEX_LOCK_PI2 */
    assert_int_equal(mt_pilock_acquire(&d.lock, mt_after(MT_MS(120))), -ETIMEDOUT);
    assert_int_equal(mt__sys_fail(-1, 0, 0) > 2, 1);
    mt_event_set(&d.go);
    assert_int_equal(mt_pilock_acquire(&d.lock, in_time()), -EOWNERDEAD);
    assert_int_equal(mt_pilock_release(&d.lock), 0);
    assert_int_equal(finish(owner), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DYING_TESTS,
        cmocka_unit_test(the_holder_inherits),
        cmocka_unit_test(circles_are_refused),
        cmocka_unit_test(memory_that_holds_something_else),
        cmocka_unit_test(older_kernels), /* the last: what it finds missing stays so */
    };
    return cannot_be_tested() ? 0 : RUN(tests);
}
