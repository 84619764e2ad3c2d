/* SPDX-License-Identifier: MIT
 *
 * Coroutines by arrangement, with known waits, times and faults: "coros-mt NAME".
 */
#include <linuxmt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define KEEP_MS  300
#define NAP_MS   20
#define NAPS     10
#define MESSAGES 10

static struct mt_lock accounts = MT_LOCK_INIT_NAMED("accounts");
static struct mt_lock books = MT_LOCK_INIT_NAMED("books");
static struct mt_event never = MT_EVENT_INIT_NAMED("never");
static struct mt_event begun = MT_EVENT_INIT_NAMED("begun");
static struct mt_task *tasks[64];
static size_t count;
static int ends[2];

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    fprintf(stderr, "coros-mt: %s failed\n", what);
    exit(1);
}

static void go(mt_fn *body, const char *name)
{
    tasks[count] = mt_coro_spawn(body, NULL, &(struct mt_coro_options){.name = name});
    check(!tasks[count++], "mt_coro_spawn");
}

static int join_all(void)
{
    return mt_joinall(tasks, count, MT_FOREVER);
}

/* -- What they do ------------------------------------------------------------------------------------------------- */

static int nap(void *unused)
{
    for (int i = 0; i < NAPS; i++)
        mt_sleep(MT_MS(NAP_MS));
    return 0;
}

__attribute__((noinline)) void call_that_blocks(void);
void call_that_blocks(void)
{
    struct timespec left = {0, KEEP_MS * 1000000};

    while (nanosleep(&left, &left))
        continue;
}

static int be_rude(void *unused)
{
    const struct timespec minute = {60, 0};

    puts("ready");
    fflush(stdout);
    return nanosleep(&minute, NULL);
}

static int block(void *unused)
{
    mt_sleep(MT_MS(NAP_MS));
    mt_event_set(&begun);
    call_that_blocks();
    return 0;
}

/* Its turn comes as the other blocks. */
static int nap_afterwards(void *unused)
{
    int error = mt_event_wait(&begun, MT_FOREVER);

    return error ? error : nap(unused);
}

/* By the processor's clock: it is as long on a loaded machine. */
static int compute(void *unused)
{
    struct timespec used;
    volatile unsigned turns = 0;
    long until;

    mt_sleep(MT_MS(NAP_MS));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    until = used.tv_sec * 1000 + used.tv_nsec / 1000000 + KEEP_MS;
    do {
        for (int i = 0; i < 10000; i++)
            turns++;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    } while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < until);
    return 0;
}

static int send_slowly(void *unused)
{
    for (int i = 0; i < MESSAGES; i++) {
        mt_sleep(MT_MS(NAP_MS));
        if (mt_write(ends[1], "x", 1, MT_FOREVER) != 1)
            return -EIO;
    }
    return 0;
}

static int receive(void *unused)
{
    char byte;

    for (int i = 0; i < MESSAGES; i++)
        if (mt_read(ends[0], &byte, 1, MT_FOREVER) != 1)
            return -EIO;
    return 0;
}

static int hold(void *unused)
{
    int error = mt_lock_acquire(&accounts, MT_FOREVER);

    if (error)
        return error;
    mt_sleep(MT_MS(KEEP_MS));
    return mt_lock_release(&accounts);
}

static int want(void *unused)
{
    int error = mt_lock_acquire(&accounts, MT_FOREVER);

    return error ? error : mt_lock_release(&accounts);
}

static int wait_for_ever(void *unused)
{
    return mt_event_wait(&never, MT_FOREVER);
}

static int wait_on_descriptor(void *unused)
{
    char byte;

    return mt_read(ends[0], &byte, 1, MT_FOREVER) == 1 ? 0 : -EIO;
}

static int sleep_long(void *unused)
{
    return mt_sleep(MT_SEC(600));
}

static int nothing(void *unused)
{
    return 0;
}

/* What a program does whose event is no event: it writes the word and wakes nobody. */
static int lose_a_wake_up(void *unused)
{
    mt_sleep(MT_SEC(1)); /* by then the kernel watches the word for the other: one that is late sees its change */
    __atomic_store_n(&never.word, 1, __ATOMIC_RELEASE);
    puts("ready");
    fflush(stdout);
    return mt_sleep(MT_SEC(600));
}

static struct mt_latch latch = MT_LATCH_INIT_NAMED(2, "two");

/* Halfway is not there. */
static int wait_for_two(void *unused)
{
    return mt_latch_wait(&latch, MT_FOREVER);
}

static int do_one(void *unused)
{
    mt_sleep(MT_MS(NAP_MS));
    return mt_latch_count_down(&latch, 1);
}

static int live_long(void *unused)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return mt_sleep(MT_SEC(60));
}

static int wait_for_process(void *task)
{
    return mt_task_join(task, MT_FOREVER);
}

static int wait_for_group(void *unused)
{
    struct mt_group *group = mt_group_new(NULL);

    check(!group || !mt_group_spawn(group, sleep_long, NULL, MT_FOREVER), "a group");
    return mt_group_join(group, MT_FOREVER);
}

static int wait_for_any(void *unused)
{
    struct mt_task *task = mt_coro_spawn(sleep_long, NULL, NULL), *ended;
    struct mt_iwait *iwait = task ? mt_iwait_new(&task, 1) : NULL;

    check(!iwait, "mt_iwait_new");
    return mt_iwait_next(iwait, &ended, MT_FOREVER);
}

/* Two of these, each of which holds what the other wants. */
static int cross(void *first)
{
    struct mt_lock *one = first ? &accounts : &books, *other = first ? &books : &accounts;
    int error = mt_lock_acquire(one, MT_FOREVER);

    if (error)
        return error;
    mt_sleep(MT_MS(NAP_MS));
    error = mt_lock_acquire(other, MT_FOREVER);
    return error ? error : mt_lock_release(other);
}

/* -- Programs ----------------------------------------------------------------------------------------------------- */

static int run_naps(void)
{
    go(nap, "napper");
    go(send_slowly, "sender");
    go(receive, "receiver");
    return join_all();
}

static int run_block(void)
{
    go(block, "blocker");
    go(nap_afterwards, "napper");
    return join_all();
}

static int run_compute(void)
{
    go(compute, "computer");
    go(nap, "napper");
    return join_all();
}

static int run_lock(void)
{
    go(hold, "holder");
    for (int i = 0; i < 3; i++)
        go(want, "wanter");
    return join_all();
}

/* More than are kept one by one. */
static int run_many(void)
{
    for (int i = 0; i < 6000; i++) {
        struct mt_task *task = mt_coro_spawn(nothing, NULL, NULL);
        check(!task || mt_task_join(task, MT_FOREVER), "a coroutine");
        mt_task_release(task);
    }
    return 0;
}

/* Until it is killed. */
static int run_lost(void)
{
    go(wait_for_ever, "eternal");
    go(wait_on_descriptor, "reader");
    go(sleep_long, "sleeper");
    go(lose_a_wake_up, "careless");
    return join_all();
}

/* Until it is killed. */
static int run_rude(void)
{
    go(be_rude, "rude");
    return join_all();
}

/* Until it is killed. All wait rightly. */
static int run_patient(void)
{
    struct mt_task *process = mt_process_spawn(live_long, NULL, 0, NULL);

    check(!process, "mt_process_spawn");
    go(wait_for_two, "latched");
    go(do_one, "halfway");
    tasks[count] = mt_coro_spawn(wait_for_process, process, &(struct mt_coro_options){.name = "parent"});
    check(!tasks[count++], "mt_coro_spawn");
    go(wait_for_group, "grouped");
    go(wait_for_any, "curious");
    mt_sleep(MT_MS(5 * NAP_MS));
    puts("ready");
    fflush(stdout);
    return join_all();
}

/* Until it is killed. The hub sleeps on the sleeper's stack until the thread itself goes on, and then on that. */
static int run_asleep(void)
{
    go(sleep_long, "sleeper");
    puts("ready");
    fflush(stdout);
    mt_sleep(MT_SEC(2));
    return join_all();
}

/* Until it is killed. Without the other thread the library itself would say that nothing can wake the hub. */
static int run_circle(void)
{
    mt_deadlock_policy(MT_DEADLOCK_OFF);
    check(!mt_thread_spawn(sleep_long, NULL, NULL), "mt_thread_spawn");
    for (size_t i = 0; i < 2; i++) {
        const struct mt_coro_options options = {.name = i ? "right" : "left"};
        tasks[count] = mt_coro_spawn(cross, i ? &accounts : NULL, &options);
        check(!tasks[count++], "mt_coro_spawn");
    }
    mt_sleep(MT_MS(3 * NAP_MS));
    puts("ready");
    fflush(stdout);
    return join_all();
}

int main(int argc, char **argv)
{
    const char *kind = argc == 2 ? argv[1] : "";

    alarm(60);
    check(pipe(ends), "pipe");
    if (!strcmp(kind, "naps"))
        return run_naps() != 0;
    if (!strcmp(kind, "block"))
        return run_block() != 0;
    if (!strcmp(kind, "compute"))
        return run_compute() != 0;
    if (!strcmp(kind, "lock"))
        return run_lock() != 0;
    if (!strcmp(kind, "many"))
        return run_many() != 0;
    if (!strcmp(kind, "lost"))
        return run_lost() != 0;
    if (!strcmp(kind, "rude"))
        return run_rude() != 0;
    if (!strcmp(kind, "patient"))
        return run_patient() != 0;
    if (!strcmp(kind, "asleep"))
        return run_asleep() != 0;
    if (!strcmp(kind, "circle"))
        return run_circle() != 0;
    if (!strcmp(kind, "loop"))
        return puts(mt_loop_name()) < 0;
    fprintf(stderr, "Usage: coros-mt naps|block|compute|lock|many|lost|rude|patient|asleep|circle|loop\n");
    return 2;
}
