/* SPDX-License-Identifier: MIT
 *
 * Timers: a heap by time, and one thread, started with the first timer, that sleeps until the first of them is due and
 * calls it. All that follows changes under one lock:
 *
 *   place    running   meaning                                   left by
 *   > 0      0         waits in the heap for `due`               its time (running), cancel, restart
 *   > 0      1         fn is being called; it is to be called    fn's return, cancel (place 0), restart
 *                      again at `due`: a period, or restarted
 *   0        1         fn is being called for the last time      fn's return, restart (place > 0)
 *   0        0         ended                                     restart
 *
 * 1. A periodic timer goes back into the heap before fn is called, so fn and others can cancel and move it meanwhile;
 * the thread does not call it again before fn has returned, as it is the one that calls.
 * 2. Whoever makes an earlier time than the thread sleeps for raises `changed` under the lock; the thread reads that
 * and the time under the lock: it sleeps on a number that is no longer true, or for the right time.
 * 3. A timer's last reference is its owner's or, while fn is called, the thread's. The end of a call raises `rounds`,
 * on which those sleep who wait for it.
 * 4. fork: the child has no timers' thread, and none of the parent's timers is due in it: they have ended, with no call
 * being made. Timers that it starts or restarts get a thread of its own. The lock is held across the fork.
 * 5. A function that ends the thread (pthread_exit, pthread_cancel) ends its timer with -ECANCELED, in a cleanup of the
 * call, which starts another thread if a timer is left. The dying thread takes no timer after that: `thread` is not it.
 */
#include "thread/timer.h"
#include "base/clock.h"
#include "sync/lock.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/thread.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mt_timer {
    mt_fn *fn;
    void *arg;
    void (*end)(void *arg);
    mt_deadline due;
    int64_t period;
    size_t place; /* in the heap, from 1; 0: not there */
    int running;
    uint32_t references;
    uint32_t rounds; /* futex word: ends of calls, and cancellations */
    uint64_t runs, missed;
    int outcome, noticed;
    struct mt_task *failed_in;
    char message[MT_MESSAGE_MAX];
};

static struct mt_lock lock = MT_LOCK_INIT_NAMED("timers");
static struct mt_timer **heap; /* from 1 */
static size_t count, room;
static uint32_t changed; /* futex word */
static struct mt_timer *calling;
static struct mt_task *thread;
static pthread_once_t watching = PTHREAD_ONCE_INIT;

static void hold(void)
{
    mt__lock_reacquire(&lock, NULL);
}

static void let_go(void)
{
    (void)mt_lock_release(&lock); /* it is held */
}

/* -- The heap ----------------------------------------------------------------------------------------------------- */

static void put(struct mt_timer *timer, size_t place)
{
    heap[place] = timer;
    timer->place = place;
}

static void sift(struct mt_timer *timer, size_t place)
{
    size_t child;

    for (; place > 1 && heap[place / 2]->due > timer->due; place /= 2)
        put(heap[place / 2], place);
    for (; (child = 2 * place) <= count; place = child) {
        if (child < count && heap[child + 1]->due < heap[child]->due)
            child++;
        if (heap[child]->due >= timer->due)
            break;
        put(heap[child], place);
    }
    put(timer, place);
}

static int make_room(void)
{
    size_t new_room = room ? 2 * room : 16;
    struct mt_timer **bigger;

    if (count + 1 < room)
        return 0;
    bigger = mt__alloc(new_room * sizeof *bigger);
    if (!bigger)
        return -ENOMEM;
    if (count)
        memcpy(bigger, heap, (count + 1) * sizeof *bigger);
    free(heap);
    heap = bigger;
    room = new_room;
    return 0;
}

static void take_out(struct mt_timer *timer)
{
    size_t place = timer->place;
    struct mt_timer *last;

    if (!place)
        return;
    last = heap[count--];
    timer->place = 0;
    if (last != timer)
        sift(last, place);
}

/* -- The thread --------------------------------------------------------------------------------------------------- */

static int call_timers(void *arg);

/* With the lock. */
static int start_thread(void)
{
    struct mt_thread_options options = {.name = "timers", .daemon = 1};

    if (!thread)
        thread = mt_thread_spawn(call_timers, NULL, &options);
    return thread ? 0 : -errno;
}

static void drop(struct mt_timer *timer)
{
    int last;

    hold();
    last = !--timer->references;
    let_go();
    if (!last)
        return;
    if (timer->outcome && timer->runs && !timer->noticed)
        mt__failure_tell(timer->failed_in, timer->outcome, timer->message);
    mt_task_release(timer->failed_in);
    if (timer->end)
        timer->end(timer->arg);
    free(timer);
}

/* Back into the heap, at the next period that has not passed: there is room, as it has just been taken out. */
static void again(struct mt_timer *timer, mt_deadline now)
{
    int64_t late = now - timer->due, periods;

    if (timer->due == MT_NOWAIT) {
        timer->due = now;
        late = 0;
    }
    periods = late / timer->period + 1;
    timer->missed += (uint64_t)(periods - 1);
    timer->due += periods * timer->period;
    count++;
    sift(timer, count);
}

/* With the lock, which it gives up: the call is over. */
static void call_ended(struct mt_timer *timer, int outcome, const char *message)
{
    struct mt_task *self = mt__self_if_known();

    calling = NULL;
    timer->running = 0;
    timer->outcome = outcome;
    timer->noticed = 0;
    strncpy(timer->message, message, sizeof timer->message - 1);
    if (outcome) {
        take_out(timer);
        if (!timer->failed_in)
            timer->failed_in = mt_task_retain(self);
    }
    __atomic_fetch_add(&timer->rounds, 1, __ATOMIC_RELEASE);
    mt__wake(&timer->rounds, UINT_MAX, 0);
    let_go();
    drop(timer);
}

/* A timer's function has ended the thread: another one serves the timers that are left. */
static void lost(void *arg)
{
    struct mt_task *self = mt__self_if_known();
    int error;

    self->noticed = 1; /* the timer tells of it */
    hold();
    if (thread == self) {
        thread = NULL;
        mt_task_release(self);
    }
    error = count ? start_thread() : 0;
    call_ended(arg, -ECANCELED, "its thread was ended by pthread_exit or pthread_cancel");
    if (error)
        mt__failure_tell(self, error, "no timer is called until one is started: there is no thread for them");
}

/* With the lock, which it gives up during the call. */
static void call(struct mt_timer *timer, mt_deadline now)
{
    struct mt_task *self = mt__self_if_known();
    int outcome;

    take_out(timer);
    if (timer->period)
        again(timer, now);
    timer->running = 1;
    timer->references++;
    timer->runs++;
    calling = timer;
    let_go();
    self->message[0] = 0;
    pthread_cleanup_push(lost, timer);
    outcome = timer->fn(timer->arg);
    pthread_cleanup_pop(0);
    mt__wait_uncancel(self); /* who killed this task, killed the call */
    hold();
    call_ended(timer, outcome, self->message);
    hold();
}

/* With the lock, given up meanwhile. */
static void sleep_until(mt_deadline due)
{
    struct mt__wait wait = {
        .word = &changed, .flags = MT__WAIT_NOCANCEL, .reason = MT_WAIT_TIMER, .object = &changed, .deadline = due};
    uint32_t seen = changed;

    let_go();
    if (!mt__wait_begin(&wait)) {
        mt__wait_round(&wait, seen, due);
        mt__wait_end(&wait, 0);
    }
    hold();
}

/* A daemon: it ends only where a timer's function ends it, and is replaced then. */
static int call_timers(void *arg)
{
    hold();
    while (1) {
        mt_deadline now = mt_now();
        if (count && heap[1]->due <= now)
            call(heap[1], now);
        else
            sleep_until(count ? heap[1]->due : MT_FOREVER);
    }
    return 0;
}

/* -- fork --------------------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    hold();
}

static void after_fork_in_child(void)
{
    for (size_t i = 1; i <= count; i++)
        heap[i]->place = 0;
    count = 0;
    if (thread && thread == mt__self_if_known()) { /* a timer's function forked: it goes on, and so does its thread */
        let_go();
        return;
    }
    if (calling) {
        calling->running = 0;
        calling->outcome = -ESRCH;
        calling->noticed = 1;
        calling->references--;
        calling = NULL;
    }
    thread = NULL;
    let_go();
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, let_go, after_fork_in_child);
}

/* -- The calls ---------------------------------------------------------------------------------------------------- */

/* With the lock. */
static int set(struct mt_timer *timer, mt_deadline first, int64_t period)
{
    int error = period < 0 ? -EINVAL : make_room();

    if (!error)
        error = start_thread();
    if (error)
        return error;
    take_out(timer);
    timer->due = first;
    timer->period = period;
    count++;
    sift(timer, count);
    if (timer->place == 1) {
        __atomic_fetch_add(&changed, 1, __ATOMIC_RELEASE);
        mt__wake(&changed, 1, 0);
    }
    return 0;
}

struct mt_timer *mt__timer_start(mt_fn *fn, void *arg, mt_deadline first, int64_t period, void (*end)(void *arg))
{
    struct mt_timer *timer = mt__self() ? mt__alloc(sizeof *timer) : NULL;
    int error = -ENOMEM;

    pthread_once(&watching, watch_forks); /* after mt__self, so that a fork takes this lock before the registry's */
    if (timer) {
        timer->fn = fn;
        timer->arg = arg;
        timer->end = end;
        timer->references = 1;
        hold();
        error = set(timer, first, period);
        let_go();
    }
    if (!error)
        return timer;
    free(timer);
    if (end)
        end(arg);
    errno = -error;
    return NULL;
}

struct mt_timer *mt_timer_start(mt_fn *fn, void *arg, mt_deadline first, int64_t period)
{
    return mt__timer_start(fn, arg, first, period, NULL);
}

int mt_timer_restart(struct mt_timer *timer, mt_deadline first, int64_t period)
{
    int error;

    hold();
    error = set(timer, first, period);
    let_go();
    return error;
}

int mt_timer_cancel(struct mt_timer *timer)
{
    int result;

    hold();
    result = timer->running ? -EBUSY : timer->place ? 0 : -ESRCH;
    take_out(timer);
    __atomic_fetch_add(&timer->rounds, 1, __ATOMIC_RELEASE);
    mt__wake(&timer->rounds, UINT_MAX, 0);
    let_go();
    return result;
}

/* Waits until fn is not being called and, if `ended`, is not to be called either. */
static int wait_for_call(struct mt_timer *timer, int ended, mt_deadline deadline)
{
    struct mt__wait wait = {.word = &timer->rounds, .reason = MT_WAIT_TIMER, .object = timer, .deadline = deadline};
    int begun = 0, result = 0;

    hold();
    while (timer->running || (ended && timer->place)) {
        uint32_t rounds = timer->rounds;
        if (!result && timer->running && thread == mt__self_if_known())
            result = -EDEADLK;
        if (!result && deadline == MT_NOWAIT)
            result = -EBUSY;
        if (result)
            break;
        let_go();
        if (!begun)
            result = mt__wait_begin(&wait);
        begun = begun || !result;
        if (!result)
            result = mt__wait_round(&wait, rounds, deadline);
        hold();
    }
    if (!timer->running && !(ended && timer->place))
        result = 0;
    let_go();
    return begun ? mt__wait_end(&wait, result) : result;
}

int mt_timer_cancel_wait(struct mt_timer *timer, mt_deadline deadline)
{
    mt_timer_cancel(timer);
    return wait_for_call(timer, 0, deadline);
}

int mt_timer_join(struct mt_timer *timer, mt_deadline deadline)
{
    return wait_for_call(timer, 1, deadline);
}

int mt_timer_outcome(const struct mt_timer *timer)
{
    struct mt_timer *own = (struct mt_timer *)timer;
    int outcome;

    hold();
    if (timer->running || timer->place)
        outcome = -EINPROGRESS;
    else
        outcome = timer->runs ? timer->outcome : -ECANCELED;
    own->noticed = own->noticed || outcome != -EINPROGRESS;
    let_go();
    return outcome;
}

const char *mt_timer_message(const struct mt_timer *timer)
{
    return timer->message;
}

uint64_t mt_timer_runs(const struct mt_timer *timer)
{
    uint64_t runs;

    hold();
    runs = timer->runs;
    let_go();
    return runs;
}

uint64_t mt_timer_missed(const struct mt_timer *timer)
{
    uint64_t missed;

    hold();
    missed = timer->missed;
    let_go();
    return missed;
}

void mt_timer_free(struct mt_timer *timer)
{
    if (!timer)
        return;
    mt_timer_cancel(timer);
    drop(timer);
}
