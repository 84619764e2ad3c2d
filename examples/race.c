/* SPDX-License-Identifier: MIT
 *
 * Lost updates. Four threads count visitors at one counter, which takes three steps: read it, add one, write it back.
 * Whoever is interrupted between the first and the last writes back a number that is out of date, and what others have
 * counted meanwhile is lost. How much is lost is different each time, and it may be nothing: that is what makes such
 * faults hard to find. With a lock around the three steps nothing is lost, however the threads are interleaved.
 *
 * The order in which threads run is not deterministic, with or without a lock: the order in which they end is printed,
 * run it several times. Programs that need an order have to make one: mt_task_join(3), mt_event_wait(3),
 * mt_barrier_wait(3).
 *
 * The unlocked counter is relaxed atomic loads and stores. They cost nothing here, and they make this a fault that C
 * defines: with a plain variable the compiler may assume that nobody else writes it, and do all the work in a register.
 */
#include <linuxmt.h>
#include <stdio.h>

enum { CLERKS = 4, VISITORS = 1000000 };

static struct mt_barrier opening;
static struct mt_lock lock = MT_LOCK_INIT_NAMED("counter");
static long counter;
static int locked; /* whether this round uses the lock */

static struct mt_lock order_lock = MT_LOCK_INIT_NAMED("order");
static int order[CLERKS], ended; /* guarded by order_lock */

static void count_one(void)
{
    long seen = __atomic_load_n(&counter, __ATOMIC_RELAXED);

    __atomic_store_n(&counter, seen + 1, __ATOMIC_RELAXED);
}

static int count_visitors(void)
{
    for (int i = 0; i < VISITORS; i++) {
        int err = locked ? mt_lock_acquire(&lock, MT_FOREVER) : 0;
        if (err)
            return err;
        count_one();
        if (locked && (err = mt_lock_release(&lock)) < 0)
            return err;
    }
    return 0;
}

static int clerk(void *number)
{
    int err = mt_barrier_wait(&opening, MT_FOREVER); /* all begin together */

    if (err < 0 || (err = count_visitors()) < 0 || (err = mt_lock_acquire(&order_lock, MT_FOREVER)) < 0)
        return mt_fail(err, "clerk %ld did not count to the end", (long)(intptr_t)number);
    order[ended++] = (int)(intptr_t)number;
    return mt_lock_release(&order_lock);
}

/* One day with or without the lock. 0, or an error. */
static int open_doors(int with_lock)
{
    struct mt_task *tasks[CLERKS];
    int err = 0;

    locked = with_lock;
    counter = 0;
    ended = 0;
    for (intptr_t i = 0; i < CLERKS; i++)
        if (!(tasks[i] = mt_thread_spawn(clerk, (void *)(i + 1), NULL))) {
            perror("race: cannot start a thread");
            return -1;
        }
    if ((err = mt_joinall(tasks, CLERKS, MT_FOREVER)) < 0)
        return err;
    for (int i = 0; i < CLERKS; i++) {
        if (mt_task_outcome(tasks[i])) {
            err = mt_task_outcome(tasks[i]);
            fprintf(stderr, "race: %s\n", mt_task_message(tasks[i]));
        }
        mt_task_release(tasks[i]);
    }
    printf("%-15s %ld of %d counted, %ld lost; the clerks ended in the order",
           with_lock ? "with a lock:" : "without a lock:", counter, CLERKS * VISITORS, CLERKS * VISITORS - counter);
    for (int i = 0; i < ended; i++)
        printf(" %d", order[i]);
    printf("\n");
    return err;
}

int main(void)
{
    int err = mt_barrier_init(&opening, CLERKS, NULL, NULL, "opening time", 0);

    for (int i = 0; i < 3 && !err; i++)
        err = open_doors(0);
    for (int i = 0; i < 3 && !err; i++) {
        err = open_doors(1);
        if (!err && counter != CLERKS * VISITORS)
            err = -1;
    }
    printf("The losses and the order are different each time: nothing decides who runs when.\n"
           "A lock does not decide it either, but what it guards is right in any order.\n");
    return err != 0;
}
