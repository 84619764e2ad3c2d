/* SPDX-License-Identifier: MIT */
#include "base/sys.h"

#define TYPE       struct mt_robust
#define NOUN(verb) mt_robust_##verb
#include "dying.h"

/* The wake that a killed waiter used up, as robust.c's head tells it: nobody wakes the sleeper, which looks by itself.
 */
static void a_lost_wake_is_made_good(void **state)
{
    struct dying d = {0};
    struct mt_task *waiter;

    assert_int_equal(mt_robust_acquire(&d.lock, MT_FOREVER), 0);
    waiter = spawn(wait_for_it, &d);
    until_waiting(waiter, MT_WAIT_LOCK);
    usleep(50000);
    __atomic_store_n(&d.lock.word, (uint32_t)gettid(),
                     __ATOMIC_RELAXED); /* the one that barged in knows of no sleeper */
    assert_int_equal(mt_robust_release(&d.lock), 0);
    assert_int_equal(finish(waiter), 0);
}

static int wait_for_the_other(void *arg)
{
    struct dying *d = arg;
    int result = mt_robust_acquire(&d->second, MT_FOREVER);

    if (result)
        return result;
    mt_event_set(&d->ready);
    result = mt_robust_acquire(&d->lock, in_time());
    mt_robust_release(&d->second);
    return result ? result : mt_robust_release(&d->lock);
}

static void swallow(const char *report)
{
    (void)report;
}

static void circles_are_found(void **state)
{
    struct dying d = {0};
    struct mt_task *other;
    int mine;

    mt_deadlock_hook(swallow);
    assert_int_equal(mt_robust_acquire(&d.lock, MT_FOREVER), 0);
    other = spawn(wait_for_the_other, &d);
    assert_int_equal(mt_event_wait(&d.ready, in_time()), 0);
    mine = mt_robust_acquire(&d.second, in_time());
    if (!mine)
        mt_robust_release(&d.second);
    assert_int_equal(mt_robust_release(&d.lock), 0);
    assert_int_equal((mine == -EDEADLK) + (finish(other) == -EDEADLK), 1);
    mt_deadlock_hook(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DYING_TESTS,
        cmocka_unit_test(a_lost_wake_is_made_good),
        cmocka_unit_test(circles_are_found),
    };
    return cannot_be_tested() ? 0 : RUN(tests);
}
