/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement with liblinuxmt's primitives: "waits-mt NAME" makes one kind of wait of WAIT_MS milliseconds,
 * "waits-mt all" one of each, one after another.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 200

static struct mt_lock lock = MT_LOCK_INIT_NAMED("counter");
static struct mt_lock guard = MT_LOCK_INIT_NAMED("guard");
static struct mt_rwlock rwlock;
static struct mt_cond cond;
static struct mt_sem sem;
static struct mt_event event;
static struct mt_latch latch;
static struct mt_barrier barrier;

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    fprintf(stderr, "waits-mt: %s failed\n", what);
    exit(1);
}

static void pass_time(int ms)
{
    usleep((unsigned)ms * 1000); /* not the library's own sleep, which is counted as its */
}

static int want_lock(void *unused)
{
    int err = mt_lock_acquire(&lock, MT_FOREVER);
    return err ? err : mt_lock_release(&lock);
}

static int want_to_read(void *unused)
{
    int err = mt_rwlock_acquire_read(&rwlock, MT_FOREVER);
    return err ? err : mt_rwlock_release_read(&rwlock);
}

static int arrive(void *unused)
{
    pass_time(WAIT_MS);
    return mt_barrier_wait(&barrier, MT_FOREVER) < 0;
}

static int live_shortly(void *unused)
{
    pass_time(WAIT_MS);
    return 0;
}

static void run_beside(int (*body)(void *), void (*meanwhile)(void))
{
    struct mt_task *task = mt_thread_spawn(body, NULL, NULL);
    check(!task, "mt_thread_spawn");
    if (meanwhile)
        meanwhile();
    check(mt_task_join(task, MT_FOREVER), "mt_task_join");
    mt_task_release(task);
}

static void release_lock(void)
{
    pass_time(WAIT_MS);
    check(mt_lock_release(&lock), "mt_lock_release");
}

static void wait_lock(void)
{
    check(mt_lock_acquire(&lock, MT_FOREVER), "mt_lock_acquire");
    run_beside(want_lock, release_lock);
}

static void release_rwlock(void)
{
    pass_time(WAIT_MS);
    check(mt_rwlock_release_write(&rwlock), "mt_rwlock_release_write");
}

static void wait_rwlock(void)
{
    check(mt_rwlock_acquire_write(&rwlock, MT_FOREVER), "mt_rwlock_acquire_write");
    run_beside(want_to_read, release_rwlock);
}

static void wait_cond(void)
{
    check(mt_lock_acquire(&guard, MT_FOREVER), "mt_lock_acquire");
    check(mt_cond_wait(&cond, &guard, mt_after(MT_MS(WAIT_MS))) != -ETIMEDOUT, "mt_cond_wait");
    check(mt_lock_release(&guard), "mt_lock_release");
}

static void wait_sem(void)
{
    check(mt_sem_acquire(&sem, mt_after(MT_MS(WAIT_MS))) != -ETIMEDOUT, "mt_sem_acquire");
}

static void wait_event(void)
{
    check(mt_event_wait(&event, mt_after(MT_MS(WAIT_MS))) != -ETIMEDOUT, "mt_event_wait");
}

static void wait_latch(void)
{
    check(mt_latch_wait(&latch, mt_after(MT_MS(WAIT_MS))) != -ETIMEDOUT, "mt_latch_wait");
}

static void wait_barrier_with_other(void)
{
    check(mt_barrier_wait(&barrier, MT_FOREVER) < 0, "mt_barrier_wait");
}

static void wait_barrier(void)
{
    run_beside(arrive, wait_barrier_with_other);
}

static void wait_join(void)
{
    run_beside(live_shortly, NULL);
}

static void wait_sleep(void)
{
    check(mt_sleep(MT_MS(WAIT_MS)), "mt_sleep");
}

static int want_ticket(void *unused)
{
    return mt_sem_acquire(&sem, MT_FOREVER);
}

/* Says "ready" and waits until it is killed; "all" does not. */
static void wait_forever(void)
{
    struct mt_thread_options options = {.name = "customer"};
    struct mt_task *task = mt_thread_spawn(want_ticket, NULL, &options);
    check(!task, "mt_thread_spawn");
    pass_time(WAIT_MS);
    puts("ready");
    fflush(stdout);
    check(mt_task_join(task, MT_FOREVER), "mt_task_join");
}

static int take_and_end(void *unused)
{
    return mt_lock_acquire(&lock, MT_FOREVER);
}

/* Says "ready" and waits for a lock whose owner has ended. */
static void wait_gone(void)
{
    struct mt_task *task;
    mt_deadlock_policy(MT_DEADLOCK_OFF);
    run_beside(take_and_end, NULL);
    task = mt_thread_spawn(want_lock, NULL, NULL);
    check(!task, "mt_thread_spawn");
    pass_time(WAIT_MS);
    puts("ready");
    fflush(stdout);
    check(mt_task_join(task, MT_FOREVER), "mt_task_join");
}

/* The two locks in one order and then in the other, by one task: nobody waits. */
static void invert(void)
{
    struct mt_lock *locks[] = {&lock, &guard, &lock};
    for (int i = 0; i < 2; i++) {
        check(mt_lock_acquire(locks[i], MT_FOREVER), "mt_lock_acquire");
        check(mt_lock_acquire(locks[i + 1], MT_FOREVER), "mt_lock_acquire");
        check(mt_lock_release(locks[i + 1]), "mt_lock_release");
        check(mt_lock_release(locks[i]), "mt_lock_release");
    }
    pass_time(WAIT_MS);
}

static const struct {
    const char *name;
    void (*make)(void);
} kinds[] = {
    {"lock", wait_lock},   {"rwlock", wait_rwlock},   {"cond", wait_cond}, {"sem", wait_sem},     {"event", wait_event},
    {"latch", wait_latch}, {"barrier", wait_barrier}, {"join", wait_join}, {"sleep", wait_sleep},
};

int main(int argc, char **argv)
{
    int made = 0;
    alarm(60);
    mt_rwlock_init(&rwlock, "table", 0);
    mt_cond_init(&cond, "never", 0);
    check(mt_sem_init(&sem, 0, "tickets", 0), "mt_sem_init");
    mt_event_init(&event, "dawn", 0);
    check(mt_latch_init(&latch, 1, "all in", 0), "mt_latch_init");
    check(mt_barrier_init(&barrier, 2, NULL, NULL, "meeting", 0), "mt_barrier_init");
    if (argc > 1 && !strcmp(argv[1], "forever"))
        wait_forever();
    if (argc > 1 && !strcmp(argv[1], "gone"))
        wait_gone();
    if (argc > 1 && !strcmp(argv[1], "inversion")) {
        invert();
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(argv[1], "all") || !strcmp(kinds[i].name, argv[1])) {
            kinds[i].make();
            made++;
        }
    }
    if (made)
        return 0;
    fprintf(stderr, "Usage: waits-mt KIND|all|forever|gone|inversion\n");
    return 2;
}
