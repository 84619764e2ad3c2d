/* SPDX-License-Identifier: MIT
 *
 * The process of a worker: how it is started, and what becomes of its tasks when it ends.
 *
 *   it has nothing to do, and is to go    it is told so, and waited for
 *   it ends by itself                     what it ran is run again if the pool allows that, else it fails, and its
 *                                         message says what ended the process
 *   it runs for too long, or the pool     it is killed; what it ran has failed
 *   is terminated and it does not end
 *   it answers nonsense                   likewise
 *
 * In each case what it has answered is delivered first, and what it has not begun goes back to the queue. A process
 * that begins nothing is replaced, but not for ever: when as many in a row have died as initializers may fail, the task
 * that was first fails.
 */
#include "base/clock.h"
#include "base/own.h"
#include "pool/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define GRACE    MT_SEC(1)
#define PATIENCE MT_SEC(3)
#define PAUSE    MT_MS(20)

/* -- The cell ----------------------------------------------------------------------------------------------------- */

/* Sealed, so that the process cannot take pages from under the pool. A descriptor, or -errno. */
static long make_memfd(size_t size)
{
    long fd = mt__sys(SYS_memfd_create, "linuxmt-pool", MFD_CLOEXEC | MFD_ALLOW_SEALING), error;

    if (fd < 0)
        return fd;
    error = mt__sys(SYS_ftruncate, fd, size);
    if (!error)
        error = mt__sys(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (error)
        mt__sys(SYS_close, fd);
    return error ? error : fd;
}

/* fd: of the cell, or -1: it is for a copy of this process. */
static int map_cell(struct mt__cell **cell, int fd)
{
    long map = mt__sys(SYS_mmap, NULL, sizeof **cell, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0),
                       fd, 0);

    if (map < 0 && map > -4096)
        return (int)map;
    *cell = (struct mt__cell *)map;
    __atomic_store_n(&(*cell)->kill, MT__NO_NUMBER, __ATOMIC_RELAXED);
    __atomic_store_n(&(*cell)->tail, 1, __ATOMIC_RELAXED);
    return 0;
}

/* -- Start -------------------------------------------------------------------------------------------------------- */

static struct mt__brief *brief_for(struct mt__worker *worker, struct mt__cell *cell, int *error)
{
    struct mt_pool *pool = worker->pool;
    size_t size = pool->argument_size;
    struct mt__brief *brief = mt__alloc(sizeof *brief + size);

    *error = brief ? 0 : -ENOMEM;
    if (!brief)
        return NULL;
    brief->cell = pool->process.start == MT_FORK ? cell : NULL;
    brief->initializer = pool->initializer;
    brief->argument = size ? NULL : pool->argument;
    brief->argument_size = size;
    brief->pool_pid = getpid();
    memcpy(brief->name, pool->name, sizeof brief->name);
    if (size)
        memcpy(brief->bytes, pool->argument, size);
    if (pool->initializer && pool->process.start != MT_FORK)
        *error = mt__function_name(pool->initializer, &brief->initializer_at);
    return brief;
}

static int spawn(struct mt__worker *worker, struct mt__cell *cell, const int *fds, size_t fd_count)
{
    struct mt__remote *remote = worker->remote;
    struct mt_process_options options = worker->pool->process;
    struct mt_task *task;
    int error;
    struct mt__brief *brief = brief_for(worker, cell, &error);

    if (!error) {
        options.name = mt_task_name(worker->task);
        options.daemon = MT__DAEMON_OF_THREAD;
        options.fds = fds;
        options.fd_count = fd_count;
        task = mt_process_spawn(mt__remote_serve, brief, sizeof *brief + brief->argument_size, &options);
        error = task ? 0 : -errno;
        mt__mini_acquire(&worker->guard);
        remote->task = task;
        remote->pid = task ? mt_task_tid(task) : 0;
        mt__mini_release(&worker->guard);
    }
    free(brief);
    return error;
}

/* Nobody waits for a word of the cell on this side, so that no hub still knows of one when it is unmapped: a thread of
 * the pool's waits for descriptors. The process, which does, keeps its cell until it ends. */
static void drop(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    struct mt_task *task = remote->task;
    struct mt__cell *cell = remote->cell;

    mt__mini_acquire(&worker->guard);
    remote->task = NULL;
    remote->cell = NULL;
    mt__mini_release(&worker->guard);
    mt_task_release(task);
    if (cell)
        mt__sys(SYS_munmap, cell, sizeof *cell);
    if (remote->bell >= 0)
        mt__own_close(remote->bell);
    if (remote->stream >= 0)
        mt__own_close(remote->stream);
    remote->bell = remote->stream = -1;
    remote->known_count = 0;
    remote->hard = MT_FOREVER;
}

static int start(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    int copied = worker->pool->process.start == MT_FORK, pair[2] = {-1, -1}, result;
    long memfd = copied ? -1 : make_memfd(sizeof *remote->cell);

    if (!copied && memfd < 0)
        return (int)memfd;
    result = map_cell(&remote->cell, (int)memfd);
    if (!result && (remote->bell = mt__own(mt__sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK))) < 0)
        result = remote->bell;
    if (!result && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        result = -errno;
    if (!result) {
        int fds[] = {remote->bell, pair[1], (int)memfd};
        remote->stream = mt__own(pair[0]);
        mt__window_open(worker);
        if (fcntl(remote->stream, F_SETFL, O_NONBLOCK) < 0)
            result = -errno;
        else
            result = spawn(worker, remote->cell, fds, copied ? 2 : 3);
    }
    if (pair[1] >= 0)
        close(pair[1]);
    if (memfd >= 0)
        close((int)memfd);
    if (result)
        drop(worker);
    else
        mt__sys(SYS_madvise, remote->cell, sizeof *remote->cell, MADV_DONTFORK); /* it is of these two alone */
    return result;
}

static int is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN || error == -ENOSPC;
}

/* What there is too little of now may be there in a moment: a pool that worked does not end of it at once. */
static int start_patiently(struct mt__worker *worker)
{
    mt_deadline end = mt_after(PATIENCE);
    int result = start(worker);

    while (is_shortage(result) && worker->remote->worked && mt_now() < end &&
           __atomic_load_n(&worker->pool->state, __ATOMIC_ACQUIRE) < MT__TERMINATED && !mt_sleep(PAUSE))
        result = start(worker);
    return result;
}

/* -- End ---------------------------------------------------------------------------------------------------------- */

/* Waits, killed or not, until the process has ended. */
static void reap(struct mt__remote *remote, mt_deadline deadline)
{
    struct mt_task *task = mt__self_if_known();
    int killed = mt_task_killed();

    mt__wait_uncancel(task);
    if (mt_task_join(remote->task, deadline)) {
        mt_process_signal(remote->task, SIGKILL);
        while (mt_task_join(remote->task, MT_FOREVER))
            continue;
    }
    (void)mt_task_outcome(remote->task); /* the futures tell of it */
    if (killed)
        mt__wait_cancel(task);
}

void mt__remote_stop(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;

    if (!remote->task)
        return;
    __atomic_store_n(&remote->cell->end, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&remote->cell->work, 1, __ATOMIC_SEQ_CST);
    mt__wake(&remote->cell->work, 1, MT__WAIT_SHARED);
    reap(remote, mt_after(GRACE));
    drop(worker);
}

/* What is to be said of the tasks that it ran. */
static int epitaph(struct mt__worker *worker, int error, char *why, size_t size)
{
    const struct mt_task *process = worker->remote->task;
    int pid = worker->remote->pid, code = mt_task_outcome(process);
    const char *said = mt_task_message(process);

    switch (error) {
    case -EPIPE:
        snprintf(why, size, "its worker, process %d, %.200s", pid, code && said[0] ? said : "ended by itself");
        return code ? code : -ECHILD;
    case -ETIMEDOUT:
        if (worker->remote->ending) {
            snprintf(why, size, "its worker, process %d, did not end when the pool was terminated, and was killed",
                     pid);
            return -ECANCELED;
        }
        snprintf(why, size, "its time limit of %lld ms had passed: its worker, process %d, was killed",
                 (long long)(worker->pool->hard_limit / 1000000), pid);
        return error;
    case -EPROTO:
        snprintf(why, size, "its worker, process %d, answered nonsense, and was killed", pid);
        return error;
    default:
        snprintf(why, size, "the talk with its worker, process %d, broke off, and the process was killed", pid);
        return error;
    }
}

static int is_tried_again(struct mt__worker *worker, struct mt_future *future, int error)
{
    struct mt__remote *remote = worker->remote;

    if (future != remote->retried)
        remote->tries = 0;
    if (error != -EPIPE || remote->again || remote->ending || remote->tries == worker->pool->retries ||
        __atomic_load_n(&future->word, __ATOMIC_ACQUIRE) & MT__KILLED || !mt__future_begin(future))
        return 0;
    remote->tries++;
    remote->again = remote->retried = future;
    return 1;
}

static void bury_hurt(struct mt__worker *worker, int error, int code, const char *why)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *future;

    while ((future = remote->hurt) != NULL) {
        remote->hurt = future->next;
        future->next = NULL;
        if (!is_tried_again(worker, future, error))
            mt__remote_finish(worker, future, code, why);
    }
}

/* One of them can have begun as far as its future says. */
static void send_elsewhere(struct mt__worker *worker, struct mt_future *list)
{
    struct mt_future *back = NULL, **last = &back, *next;

    for (; list; list = next) {
        next = list->next;
        list->next = NULL;
        if (mt_future_state(list) == MT_STARTED) {
            worker->remote->again = list;
            continue;
        }
        mt__future_unsend(list);
        *last = list;
        last = &list->next;
    }
    mt__queue_put_back(worker->pool, back);
}

void mt__remote_bury(struct mt__worker *worker, int error)
{
    struct mt__remote *remote = worker->remote;
    char why[MT_MESSAGE_MAX];
    struct mt_future *list;
    int code;

    if (error != -EPIPE)
        mt_process_signal(remote->task, SIGKILL);
    reap(remote, mt_after(GRACE));
    while (mt__window_collect(worker) > 0)
        continue; /* what it had answered before */
    code = epitaph(worker, error, why, sizeof why);
    list = mt__window_close(worker);
    remote->deaths = remote->proved ? 0 : remote->deaths + 1;
    if (list && remote->deaths >= worker->pool->tries) {
        struct mt_future *first = list;
        list = list->next;
        first->next = remote->hurt;
        remote->hurt = first;
        remote->deaths = 0;
        remote->tries = worker->pool->retries;
        remote->retried = first;
    }
    if (remote->hurt)
        remote->deaths = 0;
    bury_hurt(worker, error, code, why);
    mt__worker_turn_to(worker, NULL);
    send_elsewhere(worker, list);
    drop(worker);
}

/* -- The initializer ---------------------------------------------------------------------------------------------- */

/* Until the process has called it: its code, with the worker's message. */
static int settle(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    struct mt_task *task = mt__self_if_known();
    char why[MT_MESSAGE_MAX];
    uint64_t rung;
    int result = 0, code;

    while (!result && !__atomic_load_n(&remote->cell->settled, __ATOMIC_ACQUIRE)) {
        result = mt__remote_wait(worker, remote->bell, POLLIN, MT_FOREVER);
        if (!result && read(remote->bell, &rung, sizeof rung) < 0 && errno != EAGAIN)
            result = -errno;
    }
    if (result) {
        if (result != -EPIPE)
            mt_process_signal(remote->task, SIGKILL);
        reap(remote, mt_after(GRACE));
        code = epitaph(worker, result, why, sizeof why);
        drop(worker);
        return mt_fail(code, "%s", why);
    }
    code = remote->cell->code;
    memcpy(task->message, remote->cell->message, sizeof task->message);
    task->message[sizeof task->message - 1] = 0;
    if (code) {
        reap(remote, mt_after(GRACE));
        drop(worker);
    }
    return code;
}

int mt__remote_initialize(struct mt__worker *worker)
{
    int result;

    if (!worker->remote) {
        worker->remote = mt__alloc(sizeof *worker->remote);
        if (!worker->remote)
            return -ENOMEM;
        worker->remote->bell = worker->remote->stream = -1;
    }
    result = start_patiently(worker);
    if (result)
        return mt_fail(result, "no process for a worker: %s", strerror(-result));
    result = settle(worker);
    worker->remote->worked |= !result;
    return result;
}

void mt__remote_end(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;

    if (!remote)
        return;
    mt__remote_stop(worker);
    free(remote->known);
    mt__mini_acquire(&worker->guard);
    worker->remote = NULL;
    mt__mini_release(&worker->guard);
    free(remote);
}

void mt__remote_lost(struct mt__worker *worker, const char *why)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *again;

    remote->collecting = 0;
    mt__window_tell(remote);
    if (remote->task)
        mt__remote_bury(worker, -ECANCELED);
    again = remote->again;
    remote->again = NULL;
    if (again)
        mt__remote_finish(worker, again, -ECANCELED, why);
    mt__remote_end(worker);
}
