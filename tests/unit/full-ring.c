/* SPDX-License-Identifier: MIT
 *
 * A ring that has no room for the cancels of waits that have ended, before the hub's thread goes on. tests/loops.t runs
 * this on each loop. (exit-wake.c has one at the end of a process.)
 */
#include "armed-unit.h"
#include "full-ring.h"

enum { WAITERS = 3 };

/* Who is late takes what is there without having been woken. */
static int acquire_however_late(void *arg)
{
    return mt_sem_acquire(arg, MT_FOREVER);
}

static int is_asleep(struct mt_task *thread)
{
    char path[64], state = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", mt_task_tid(thread));
    file = fopen(path, "re");
    if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'S';
    if (file)
        fclose(file);
    return state == 'S';
}

/* The thread goes on after them and does not come back to its hub: a wake of their word is for others. */
static void who_left_takes_no_wake(void **state)
{
    struct mt_sem sem = MT_SEM_INIT(0);
    struct mt_task *left[WAITERS], *thread, *releaser;

    for (int i = 0; i < WAITERS; i++)
        left[i] = spawn_coro(acquire, &sem);
    assert_int_equal(mt_sleep(MT_MS(1)), 0);
    drop_cancels(WAITERS);
    for (int i = 0; i < WAITERS; i++)
        mt_task_kill(left[i]);
    assert_int_equal(mt_joinall(left, WAITERS, END), 0);
    thread = spawn(acquire_however_late, &sem);
    until_waiting(thread, MT_WAIT_SEM);
    while (!is_asleep(thread))
        sched_yield();
    releaser = spawn(release_one, &sem);
    until_over(thread);
    drop_no_more();
    assert_int_equal(finish(thread), 0);
    assert_int_equal(finish(releaser), 0);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(end_of(left[i]), -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_left_takes_no_wake),
    };
    return RUN(tests);
}
