/* SPDX-License-Identifier: MIT
 *
 * A program that gets stuck with liblinuxmt's named locks and tasks, as its argument says. The library would find the
 * circle itself: its own detection is turned off. It prints "ready" when its tasks are in place and ends by itself
 * after a minute.
 */
#include <linuxmt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct mt_lock accounts = MT_LOCK_INIT_NAMED("accounts"), journal = MT_LOCK_INIT_NAMED("journal");
static struct mt_event never = MT_EVENT_INIT_NAMED("never");
static struct mt_task *joined;
static struct mt_rwlock table;
static pthread_barrier_t barrier;

static int hold_accounts(void *argument)
{
    (void)argument;
    if (mt_lock_acquire(&accounts, MT_FOREVER))
        return 1;
    pthread_barrier_wait(&barrier);
    return mt_lock_acquire(&journal, MT_FOREVER);
}

static int hold_journal(void *argument)
{
    (void)argument;
    if (mt_lock_acquire(&journal, MT_FOREVER))
        return 1;
    pthread_barrier_wait(&barrier);
    return mt_lock_acquire(&accounts, MT_FOREVER);
}

static int join_other(void *argument)
{
    (void)argument;
    if (mt_lock_acquire(&accounts, MT_FOREVER))
        return 1;
    pthread_barrier_wait(&barrier);
    return mt_task_join(joined, MT_FOREVER);
}

static int need_accounts(void *argument)
{
    (void)argument;
    pthread_barrier_wait(&barrier);
    usleep(20000);
    return mt_lock_acquire(&accounts, MT_FOREVER);
}

static int wait_for_event(void *argument)
{
    (void)argument;
    return mt_event_wait(&never, MT_FOREVER);
}

/* A writer who waits for a lock whose holder waits to read. */
static int write_table(void *unused)
{
    int err = mt_rwlock_acquire_write(&table, MT_FOREVER);
    pthread_barrier_wait(&barrier);
    return err ? err : mt_lock_acquire(&accounts, MT_FOREVER);
}

static int read_table(void *unused)
{
    int err = mt_lock_acquire(&accounts, MT_FOREVER);
    pthread_barrier_wait(&barrier);
    return err ? err : mt_rwlock_acquire_read(&table, MT_FOREVER);
}

static int take_and_end(void *unused)
{
    return mt_lock_acquire(&accounts, MT_FOREVER);
}

static int want_accounts(void *unused)
{
    return mt_lock_acquire(&accounts, MT_FOREVER);
}

/* Waits for a future whose task waits for a lock that the waiter holds. */
static int wait_for_future(void *unused)
{
    struct mt_pool_options options = {.name = "office", .workers = 2};
    struct mt_pool *pool = mt_pool_open(&options);
    int err = mt_lock_acquire(&accounts, MT_FOREVER);
    struct mt_future *future = pool ? mt_pool_apply_async(pool, want_accounts, NULL, 0, MT_FOREVER) : NULL;
    usleep(50000); /* it runs by then */
    return err || !future ? 1 : mt_future_wait(future, MT_FOREVER);
}

static int sleep_long(void *unused)
{
    return mt_sleep(MT_SEC(50));
}

static struct mt_task *start(mt_fn *body, const char *name)
{
    struct mt_thread_options options = {.name = name};
    struct mt_task *task = mt_thread_spawn(body, NULL, &options);
    if (!task) {
        perror("stuck-mt: no thread");
        _exit(1);
    }
    return task;
}

/* Not by the signal alone: the first process of a pid namespace would not be killed by it. */
static void end(int number)
{
    _exit(number);
}

static void end_after_a_minute(void)
{
    signal(SIGALRM, end);
    alarm(60);
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    end_after_a_minute();
    mt_deadlock_policy(MT_DEADLOCK_OFF);
    pthread_barrier_init(&barrier, NULL, 2);
    if (!strcmp(what, "locks")) {
        start(hold_accounts, "teller");
        start(hold_journal, "auditor");
    } else if (!strcmp(what, "join")) {
        joined = start(need_accounts, "worker");
        start(join_other, "boss");
    } else if (!strcmp(what, "event")) {
        start(wait_for_event, "listener");
    } else if (!strcmp(what, "rwlock")) {
        mt_rwlock_init(&table, "table", 0);
        start(write_table, "writer");
        start(read_table, "reader");
    } else if (!strcmp(what, "gone")) {
        if (mt_task_join(start(take_and_end, "careless"), MT_FOREVER))
            return 1;
        start(want_accounts, "heir");
    } else if (!strcmp(what, "future")) {
        start(wait_for_future, "client");
    } else if (!strcmp(what, "sleep")) {
        start(sleep_long, "dreamer");
    } else {
        fprintf(stderr, "usage: stuck-mt locks|join|event|rwlock|gone|future|sleep\n");
        return 2;
    }
    usleep(300000);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
