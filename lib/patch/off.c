/* SPDX-License-Identifier: MIT
 *
 * Calls that can only block, off the hub: threads that are made when no idle one is there, and end after KEEP without
 * work. The caller's stack has the job, so it waits for its end whatever happens.
 *
 * Some of these calls end by themselves: names are found or not, the disk is reached. MOST of them at a time have a
 * thread; the rest wait for one. The others may wait for what only another such call does (a message, a lock, the
 * other end of a FIFO), as threads would, and so each has a thread. A queued job is always come to: with T threads, u
 * jobs of the second kind and e of the first there are, queued and running, T >= u + min(e, MOST), as submit() keeps it
 * and an end only lowers the right side. So if all threads are busy with something queued, one of them has a job that
 * ends by itself.
 *
 *   queued     on the list; done 0
 *   running    taken off it by a thread
 *   done       1: the caller may go, and its stack with the job; the thread does not look at the job any more
 *
 * `idle` counts threads that are waiting or on their way to work that has been queued for them: one is made only for a
 * job that would find none. A worker that gives up waiting counts itself out under the guard, after a last look at the
 * list.
 */
#include "base/clock.h"
#include "patch/signals.h"

#include <linuxmt/thread.h>
#include <pthread.h>
#include <signal.h>

#define MOST  64
#define KEEP  MT_SEC(5)
#define STACK (256 * 1024)

struct job {
    void (*fn)(void *arg);
    void *arg;
    uint32_t done; /* futex word */
    int error;
    int ends_by_itself;
    int has_broken; /* the kernel has sent SIGPIPE to the thread that ran it */
    struct job *next;
};

static struct mt__mini guard;
static struct job *first, **last = &first;
static uint32_t queued; /* futex word: changes with each job */
static unsigned threads, idle, waiting;
static unsigned ending; /* jobs that end by themselves: queued, and running */

static struct job *take(void)
{
    struct job *job = first;

    if (job) {
        first = job->next;
        if (!first)
            last = &first;
        waiting--;
    }
    return job;
}

/* The word is the caller's until it sees 1; the kernel is asked to wake an address, which need not be there any more.
 */
static void work(struct job *job)
{
    errno = 0;
    job->fn(job->arg);
    job->error = errno;
    job->has_broken = job->error == EPIPE && mt__signal_take_pipe(NULL);
    __atomic_store_n(&job->done, 1, __ATOMIC_RELEASE);
    mt__wake(&job->done, 1, 0);
}

static int wait_for_job(uint32_t seen)
{
    struct mt__wait wait = {.word = &queued, .reason = MT_WAIT_IO, .place = "off-hub", .deadline = mt_after(KEEP)};
    int result = mt__wait_begin(&wait);

    return result ? result : mt__wait_end(&wait, mt__wait_round(&wait, seen, wait.deadline));
}

static int run(void *arg)
{
    struct job *job;
    uint32_t seen;
    int result = 0, ends_by_itself;

    mt__mini_acquire(&guard);
    for (;;) {
        job = take();
        if (job) {
            idle--;
            ends_by_itself = job->ends_by_itself;
            mt__mini_release(&guard);
            work(job);
            mt__mini_acquire(&guard);
            ending -= (unsigned)ends_by_itself;
            idle++;
            result = 0;
        } else if (result) {
            break;
        } else {
            seen = __atomic_load_n(&queued, __ATOMIC_RELAXED);
            mt__mini_release(&guard);
            result = wait_for_job(seen);
            mt__mini_acquire(&guard);
        }
    }
    idle--;
    threads--;
    mt__mini_release(&guard);
    return 0;
}

/* In the child of a fork there are no threads but the caller's, and no jobs but those that it will make. */
static void forked(void)
{
    guard.word = 0;
    first = NULL;
    last = &first;
    threads = idle = waiting = ending = 0;
}

static void prepare(void)
{
    pthread_atfork(NULL, NULL, forked);
}

/* With the guard, which it lets go meanwhile. Whether there is a thread that will come to the job. */
static int make_thread(void)
{
    const struct mt_thread_options options = {.name = "off-hub", .daemon = 1, .stack_size = STACK};
    struct mt_task *task;
    sigset_t all, before;

    threads++;
    idle++;
    mt__mini_release(&guard);
    sigfillset(&all); /* it inherits them: handlers run in the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    task = mt_thread_spawn(run, NULL, &options);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    mt__mini_acquire(&guard);
    if (task) {
        mt_task_release(task);
        return 1;
    }
    threads--;
    idle--;
    return threads > 0;
}

static int submit(struct job *job)
{
    int there = 1;

    mt__mini_acquire(&guard);
    if (idle <= waiting && !(job->ends_by_itself && ending >= MOST))
        there = make_thread();
    if (there) {
        ending += (unsigned)job->ends_by_itself;
        *last = job;
        last = &job->next;
        waiting++;
        __atomic_fetch_add(&queued, 1, __ATOMIC_RELEASE);
    }
    mt__mini_release(&guard);
    if (there)
        mt__wake(&queued, 1, 0);
    return there;
}

static int ends_by_itself(enum mt__name_number number)
{
    switch (number) {
    case MT__N_fsync:
    case MT__N_fdatasync:
    case MT__N_syncfs:
    case MT__N_sync:
    case MT__N_msync:
    case MT__N_sync_file_range:
    case MT__N_fallocate:
    case MT__N_fallocate64:
    case MT__N_posix_fallocate:
    case MT__N_posix_fallocate64:
        return 1;
    default:
        return mt__names[number].class == MT_PATCH_DNS;
    }
}

void mt__patch_off(void (*fn)(void *arg), void *arg, enum mt__name_number number)
{
    static pthread_once_t prepared = PTHREAD_ONCE_INIT;
    struct job job = {.fn = fn, .arg = arg, .ends_by_itself = ends_by_itself(number)};

    pthread_once(&prepared, prepare);
    if (!submit(&job)) {
        mt__patch_passes(number);
        fn(arg);
        return;
    }
    while (!__atomic_load_n(&job.done, __ATOMIC_ACQUIRE))
        if (mt__patch_wait_word(&job.done, 0, MT__WAIT_NOCANCEL, MT_FOREVER, mt__names[number].name) == -ENOMEM)
            mt__sys(SYS_sched_yield);
    if (job.has_broken)
        raise(SIGPIPE);
    errno = job.error;
}
