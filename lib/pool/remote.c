/* SPDX-License-Identifier: MIT
 *
 * The thread of a worker of a pool of processes. It keeps the window filled, as far as that pays, and sleeps until the
 * process rings, ends, or runs for too long, or somebody asks for a task's end:
 *
 *   the process rings     what is done is collected, and as much is sent again
 *   the process ends      it is buried, and another one started for the next task
 *   soft limit, a kill    the process gets SIGTERM, for the task of one number: what that blocks in is cancelled
 *   hard limit,           it gets SIGKILL, when nothing is in its window any more but the task that is meant
 *   terminate + GRACE
 *   BEAT                  the first task has not changed since the last look: those behind it go back to the queue
 *
 *   after answers     what is left would take several moments, and others have nothing to do: it goes back to the queue
 *
 * The width of the window is doubled when the process has had nothing to do before the worker came, and halved when
 * tasks had to go back. So long tasks are sent one by one, and tiny ones as many at a time as are needed.
 */
#include "pool/remote.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GRACE   MT_SEC(1)
#define BEAT    MT_MS(1)
#define MOMENTS 8 /* in a beat */
#define MOMENT  (BEAT / MOMENTS)
#define MANY    16u /* tasks that a process has begun and ended within a beat */

#define SIGNAL_THREAD 1u /* PIDFD_SIGNAL_THREAD, since Linux 6.9 */

static mt_deadline sooner(mt_deadline a, mt_deadline b)
{
    return a < b ? a : b;
}

/* -- Asking for an end -------------------------------------------------------------------------------------------- */

/* The process's handler looks whether the number is what it runs. It is best sent to the thread that does. */
void mt__remote_ask(struct mt__remote *remote, uint64_t number)
{
    __atomic_store_n(&remote->cell->kill, number, __ATOMIC_SEQ_CST);
    if (mt__sys(SYS_pidfd_send_signal, mt_process_pidfd(remote->task), SIGTERM, NULL, SIGNAL_THREAD) == -EINVAL)
        mt_process_signal(remote->task, SIGTERM);
}

/* The first, or the initializer if there is none. */
static void ask_first(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;

    remote->soft = MT_FOREVER;
    mt__mini_acquire(&worker->guard);
    mt__remote_ask(remote, remote->front == MT__NO_NUMBER ? 0 : remote->front);
    mt__mini_release(&worker->guard);
}

static int is_terminated(const struct mt__worker *worker)
{
    return __atomic_load_n(&worker->pool->state, __ATOMIC_ACQUIRE) == MT__TERMINATED;
}

static void heed_termination(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;

    if (remote->ending || !is_terminated(worker))
        return;
    remote->ending = 1;
    remote->hard = sooner(remote->hard, mt_after(GRACE));
    mt__window_hand_back(worker);
    ask_first(worker);
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

/* The first has run for too long. Nothing else may begin before it is killed; it may have ended meanwhile. */
static int is_over_time(struct mt__worker *worker)
{
    if (mt_now() < worker->remote->hard)
        return 0;
    mt__window_hand_back(worker);
    return !mt__window_is_ready(worker);
}

static int wait_once(struct mt__worker *worker, int fd, short events, mt_deadline until)
{
    struct pollfd fds[3] = {{.fd = fd, .events = events},
                            {.fd = mt_process_pidfd(worker->remote->task), .events = POLLIN}};
    struct mt__wait wait = {
        .reason = MT_WAIT_FUTURE, .object = worker->current, .deadline = until, .name = worker->pool->name};
    int result = mt__wait_begin(&wait);

    if (!result)
        result = mt__wait_end(&wait, mt__wait_round_fds(&wait, fds, 2, until));
    if (result)
        return result;
    return !fds[0].revents && fds[1].revents ? -EPIPE : 0;
}

int mt__remote_wait(struct mt__worker *worker, int fd, short events, mt_deadline until)
{
    struct mt__remote *remote = worker->remote;
    int result = wait_once(worker, fd, events, sooner(until, sooner(remote->soft, remote->hard)));

    if (result == -ECANCELED) {
        mt__wait_uncancel(worker->task); /* it has been heard */
        if (is_terminated(worker))
            heed_termination(worker);
        else
            ask_first(worker);
        return 0;
    }
    if (result != -ETIMEDOUT)
        return result;
    if (is_over_time(worker))
        return -ETIMEDOUT;
    if (mt_now() >= remote->soft)
        ask_first(worker);
    return 0;
}

/* After how many answers there is something to do: half of them, for then as many can be sent again; all of a good
 * many, if there is nothing to send. */
static unsigned enough(const struct mt__worker *worker)
{
    unsigned live = mt__window_live(worker->remote);

    return live >= MANY && !__atomic_load_n(&worker->pool->queued, __ATOMIC_RELAXED) ? live : (live + 1) / 2;
}

/* Says that it sleeps, looks once more, and sleeps until the process rings. */
static int sleep_until_rung(struct mt__worker *worker, mt_deadline until)
{
    struct mt__remote *remote = worker->remote;
    struct mt__cell *cell = remote->cell;
    uint64_t rung;
    int result = 0;

    __atomic_store_n(&cell->enough, until == MT_FOREVER ? 1 : enough(worker), __ATOMIC_RELAXED);
    __atomic_store_n(&cell->pool_sleeps, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!mt__window_is_ready(worker)) {
        result = mt__remote_wait(worker, remote->bell, POLLIN, until);
        if (!result && read(remote->bell, &rung, sizeof rung) < 0 && errno != EAGAIN)
            result = -errno;
    }
    __atomic_store_n(&cell->pool_sleeps, 0, __ATOMIC_SEQ_CST);
    return result;
}

static int pass(struct mt__worker *worker, char *bytes, size_t size, short events)
{
    struct mt__remote *remote = worker->remote;

    while (size) {
        ssize_t done =
            events == POLLIN ? read(remote->stream, bytes, size) : send(remote->stream, bytes, size, MSG_NOSIGNAL);
        int result = 0;
        if (done > 0) {
            bytes += done;
            size -= (size_t)done;
            continue;
        }
        if (!done || errno == EPIPE || errno == ECONNRESET)
            return -EPIPE;
        if (errno == EAGAIN)
            result = mt__remote_wait(worker, remote->stream, events, MT_FOREVER);
        else if (errno != EINTR)
            result = -errno;
        if (result)
            return result;
    }
    return 0;
}

int mt__remote_read(struct mt__worker *worker, void *bytes, size_t size)
{
    return pass(worker, bytes, size, POLLIN);
}

int mt__remote_write(struct mt__worker *worker, const void *bytes, size_t size)
{
    return pass(worker, (char *)(uintptr_t)bytes, size, POLLOUT);
}

/* -- Sending ------------------------------------------------------------------------------------------------------ */

int mt__remote_is_heavy(const struct mt__worker *worker, const struct mt_future *future)
{
    return future->size > MT__SLOT_ROOM || mt__names_missing(worker, future);
}

/* A full window is done in a beat; the widest one may be done in much less. */
unsigned mt__remote_moment(const struct mt__worker *worker)
{
    const struct mt__remote *remote = worker->remote;
    unsigned moment = remote->width / MOMENTS;
    int64_t quick = remote->pace ? MOMENT / remote->pace : 0;

    if (quick > (int64_t)moment)
        moment = quick < (int64_t)remote->width ? (unsigned)quick : remote->width;
    return moment ? moment : 1;
}

/* A task that goes alone. Its slot is sent first, so that the process comes to read what is in the stream. */
static int send_heavy(struct mt__worker *worker, struct mt_future *future)
{
    unsigned names = mt__names_missing(worker, future);
    int result = names ? mt__names_check(future) : 0;
    char why[MT_MESSAGE_MAX];

    if (result) {
        snprintf(why, sizeof why, "its function is in no file where another process could find it: %s",
                 strerror(-result));
        mt__remote_fail(worker, future, result, why);
        return 0;
    }
    mt_future_retain(future);
    mt__window_send(worker, future, names);
    mt__window_look(worker);
    if (mt__window_live(worker->remote) && names)
        result = mt__names_send(worker, future);
    if (mt__window_live(worker->remote) && !result && future->size > MT__SLOT_ROOM)
        result = mt__remote_write(worker, mt__future_argument(future), future->size);
    mt_future_release(future);
    return result;
}

static int send_list(struct mt__worker *worker, struct mt_future *list)
{
    if (!list)
        return 0;
    if (mt__remote_is_heavy(worker, list))
        return send_heavy(worker, list);
    mt__window_send(worker, list, 0);
    mt__window_look(worker);
    return 0;
}

/* There is no process to be had: the first tells why, and the others, if the pool is still there, come back. */
static void fail_first(struct mt__worker *worker, struct mt_future *first, int code)
{
    struct mt_task *task = mt__self_if_known();
    struct mt_future *others = first->next;
    char why[MT_MESSAGE_MAX];

    first->next = NULL;
    memcpy(why, task->message, sizeof why);
    task->message[0] = 0;
    mt__remote_fail(worker, first, code, why);
    mt__queue_put_back(worker->pool, others);
}

/* -- The worker --------------------------------------------------------------------------------------------------- */

static int is_too_large(const struct mt__remote *remote, size_t limit)
{
    char path[64];
    long size = 0, pages = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", remote->pid);
    file = fopen(path, "re");
    if (file && fscanf(file, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) > limit;
}

/* The window is empty. 0: the worker is to end; 1: go on; or -errno of the talk with the process. */
static int begin_anew(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *list = remote->again;
    unsigned room = remote->task ? mt__window_room(worker) : 1;
    int code, result;

    if (!room) { /* it is still on its way past those that were taken back */
        result = mt__remote_wait(worker, remote->bell, POLLIN, mt_after(BEAT));
        return result ? result : 1;
    }
    remote->again = NULL;
    if (!list)
        list = mt__queue_get(worker, room);
    if (!list)
        return 0;
    mt__wait_uncancel(worker->task); /* that was meant for a task that has ended */
    if (remote->ending || is_terminated(worker))
        code = mt_fail(-ECANCELED, "the pool was terminated before its next try");
    else
        code = remote->task ? 0 : mt__worker_initialize(worker);
    if (code) {
        fail_first(worker, list, code);
        return 1;
    }
    result = send_list(worker, list);
    return result ? result : 1;
}

/* So many answers have been collected: how long each took, and whether the window is to be wider. */
static void learn(struct mt__remote *remote, unsigned count)
{
    mt_deadline now = mt_now();

    if (!mt__window_live(remote) && count >= remote->width && remote->width < MT__SLOTS && now - remote->filled < BEAT)
        remote->width *= 2;
    remote->pace = (now - remote->filled) / count;
    remote->filled = now;
}

/* Tasks that have become slower lie here, while others look for some. */
static int keeps_from_others(const struct mt__worker *worker)
{
    const struct mt_pool *pool = worker->pool;
    unsigned live = mt__window_live(worker->remote);

    return live > 1 && live * worker->remote->pace > 2 * MOMENT && !__atomic_load_n(&pool->queued, __ATOMIC_RELAXED) &&
           __atomic_load_n(&pool->idle, __ATOMIC_RELAXED);
}

/* Something was collected. */
static int refill(struct mt__worker *worker, unsigned count)
{
    struct mt__remote *remote = worker->remote;
    const struct mt_pool *pool = worker->pool;

    learn(remote, count);
    if ((pool->tasks_per_worker && remote->ran >= pool->tasks_per_worker) ||
        (pool->memory_max && is_too_large(remote, pool->memory_max))) {
        mt__window_hand_back(worker);
        if (!mt__window_live(remote))
            mt__remote_stop(worker);
        return 0;
    }
    if (keeps_from_others(worker))
        mt__window_hand_back(worker);
    return mt__window_live(remote) && !remote->ending
               ? send_list(worker, mt__queue_more(worker, mt__window_room(worker)))
               : 0;
}

/* Nothing was: sleeps, for no longer than a beat if there are tasks behind the first that could run elsewhere. */
static int wait_for_some(struct mt__worker *worker, uint64_t *seen)
{
    struct mt__remote *remote = worker->remote;
    mt_deadline beat = remote->since + BEAT;

    if (mt__window_live(remote) < 2 || *seen == remote->front)
        return sleep_until_rung(worker, MT_FOREVER);
    if (mt_now() < beat)
        return sleep_until_rung(worker, beat);
    *seen = remote->front;
    if (worker->pool->wanted > 1) {
        mt__window_hand_back(worker);
        remote->width = remote->width > 1 ? remote->width / 2 : 1;
    }
    return 0;
}

void mt__remote_work(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    uint64_t seen = MT__NO_NUMBER; /* this one has been first for a beat */

    for (;;) {
        int result = remote->task ? mt__window_collect(worker) : 0;
        mt__window_look(worker);
        if (result >= 0 && remote->task)
            heed_termination(worker);
        if (result > 0) {
            result = refill(worker, (unsigned)result);
        } else if (!result && mt__window_live(remote)) {
            result = wait_for_some(worker, &seen);
        } else if (!result) {
            seen = MT__NO_NUMBER;
            result = begin_anew(worker);
            if (!result)
                return;
        }
        if (result < 0)
            mt__remote_bury(worker, result);
    }
}
