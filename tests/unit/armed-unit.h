/* SPDX-License-Identifier: MIT
 *
 * For unit tests of waits in a hub that the kernel, or a helper, knows of.
 */
#ifndef TESTS_ARMED_UNIT_H
#define TESTS_ARMED_UNIT_H

#include "hub.h"

#include <sched.h>

#define END   in_time()
#define CROWD 100 /* more than are taken back one by one */

static inline int acquire(void *arg)
{
    return mt_sem_acquire(arg, END);
}

/* Outcomes other than 0 are wanted here. */
static inline int end_of(struct mt_task *task)
{
    int outcome;

    assert_int_equal(mt_task_join(task, END), 0);
    outcome = mt_task_outcome(task);
    mt_task_release(task);
    return outcome;
}

/* -- The crowd ---------------------------------------------------------------------------------------------------- */

static struct mt_sem places[CROWD];
static struct mt_task *crowd[CROWD];

static inline void gather(void)
{
    for (int i = 0; i < CROWD; i++) {
        mt_sem_init(&places[i], 0, NULL, 0);
        crowd[i] = spawn_coro(acquire, &places[i]);
    }
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
}

static inline void disperse(void)
{
    for (int i = 0; i < CROWD; i++)
        mt_sem_release(&places[i], 1);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(end_of(crowd[i]), 0);
}

static inline int is_over(struct mt_task *task)
{
    return mt_task_outcome(task) != -EINPROGRESS;
}

static inline void until_over(struct mt_task *task)
{
    mt_deadline end = END;

    while (!is_over(task) && mt_now() < end)
        sched_yield();
    assert_true(is_over(task));
}

static inline int release_one(void *arg)
{
    return mt_sem_release(arg, 1);
}

#endif
