/* SPDX-License-Identifier: MIT
 *
 * How a process ends, and how that becomes the task's outcome. Nothing relies on SIGCHLD: whoever joins waits for the
 * pidfd, and the first to find it readable takes the end from the kernel (collect), under the task's guard and once:
 *
 *   living      collected 0, done 0
 *   collected   collected 1, done 0: exit and outcome are being filled in by that one joiner
 *   done        done 1: the calls linked to the end are being made by him, and only for him it has ended yet
 *   settled     settled 1, for good; the block is gone, the pidfd stays with the handle
 *
 * Whoever else joins a collected process waits for `settled`: so a join comes after the calls, whoever makes them.
 *
 * A handle that goes while the process lives leaves it to the reaper, one thread that waits for all such, so that no
 * zombie stays and no failure is silent.
 */
#include "base/clock.h"
#include "base/own.h"
#include "process/process.h"
#include "process/sandbox.h"
#include "wait/wait.h"
#include <linuxmt/sandbox.h>
#include <linuxmt/thread.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- Taking the end ----------------------------------------------------------------------------------------------- */

/* struct pidfd_info of Linux 6.15 as far as it is needed: how a process ended, also when somebody else has waited for
 * it. */
struct pidfd_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info) == 64, "the size of its first version");
#define PIDFD_INFO_EXIT_BIT 8u
#define PIDFD_GET_INFO_CALL _IOWR(0xFF, 11, struct pidfd_info)

static void decode(int status, struct mt_exit *ended)
{
    ended->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ended->core = WIFSIGNALED(status) && WCOREDUMP(status);
    ended->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Somebody else's wait for any child took it, or SIGCHLD is ignored. 0 if the kernel still knows. */
static int ask_pidfd(int pidfd, struct mt_exit *ended)
{
    struct pidfd_info info = {.mask = PIDFD_INFO_EXIT_BIT};

    if (mt__sys(SYS_ioctl, pidfd, PIDFD_GET_INFO_CALL, &info) || !(info.mask & PIDFD_INFO_EXIT_BIT))
        return -ECHILD;
    decode(info.exit_code, ended);
    return 0;
}

/* 1: it has ended; 0: not yet. *known: whether `ended` says how. */
static int take(int pidfd, struct mt_exit *ended, int *known)
{
    siginfo_t info = {.si_pid = 0};
    long result = mt__sys(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, NULL);
    struct pollfd look = {.fd = pidfd, .events = POLLIN};

    *known = 1;
    if (result == 0 && info.si_pid == 0)
        return 0;
    if (result == 0) {
        ended->code = info.si_code == CLD_EXITED ? info.si_status : -1;
        ended->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
        ended->core = info.si_code == CLD_DUMPED;
        return 1;
    }
    if (poll(&look, 1, 0) < 1) /* not waited for, and not ended */
        return 0;
    *known = ask_pidfd(pidfd, ended) == 0;
    return 1;
}

static int judge(struct mt_task *task, struct mt__process *process, int known)
{
    const struct mt__start *start = process->start;
    const struct mt_exit *ended = &process->exit;

    process->refused = "";
    memcpy(process->noted, start->noted, sizeof process->noted);
    memcpy(task->message, start->message, sizeof task->message);
    task->message[sizeof task->message - 1] = 0;
    if (start->refused) {
        process->refused = mt__sandbox_call(start->refused - 1);
        snprintf(task->message, sizeof task->message, "the sandbox refused the system call %s",
                 process->refused ? process->refused : "of a number that has no name");
        return -EPERM;
    }
    if (known && ended->signal) {
        snprintf(task->message, sizeof task->message, "killed by signal %d (%s)%s", ended->signal,
                 strsignal(ended->signal), ended->core ? ", core dumped" : "");
        return -ECHILD;
    }
    if (__atomic_load_n(&start->reported, __ATOMIC_ACQUIRE))
        return start->outcome;
    if (known && ended->code == 0)
        return 0;
    if (known)
        snprintf(task->message, sizeof task->message, "exited with status %d", ended->code);
    else
        snprintf(task->message, sizeof task->message,
                 "ended, and how is not known: its status went to a wait for any child, or SIGCHLD is ignored");
    return -ECHILD;
}

static int has_settled(const struct mt_task *task)
{
    const struct mt__process *process = task->resource;

    return __atomic_load_n(&process->settled, __ATOMIC_ACQUIRE) ||
           (__atomic_load_n(&task->done, __ATOMIC_ACQUIRE) && process->collector == mt__self());
}

static int is_collected(struct mt_task *task)
{
    const struct mt__process *process = task->resource;
    int collected;

    mt__mini_acquire(&task->guard);
    collected = process->collected;
    mt__mini_release(&task->guard);
    return collected;
}

/* 1: the process has ended and the task is done. */
static int collect(struct mt_task *task)
{
    struct mt__process *process = task->resource;
    struct mt__start *start;
    int mine = 0, known = 1;

    if (has_settled(task))
        return 1;
    mt__mini_acquire(&task->guard);
    if (!process->collected)
        mine = process->collected = take(process->pidfd, &process->exit, &known);
    if (mine)
        process->collector = mt__self();
    mt__mini_release(&task->guard);
    if (!mine)
        return has_settled(task);
    mt__task_finish(task, judge(task, process, known));
    mt__mini_acquire(&task->guard);
    start = process->start;
    process->start = NULL; /* first: the child of a fork at this moment must not free it again */
    mt__mini_release(&task->guard);
    mt__start_free(start, process->start_size);
    __atomic_store_n(&process->settled, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&process->awaited, __ATOMIC_SEQ_CST)) /* set before it looks, and sleeps */
        mt__wake(&process->settled, UINT_MAX, 0);
    return 1;
}

/* -- Joining ------------------------------------------------------------------------------------------------------ */

static int wait_until_settled(struct mt__process *process, struct mt__wait *wait)
{
    __atomic_store_n(&process->awaited, 1, __ATOMIC_SEQ_CST);
    return mt__wait_round(wait, 0, wait->deadline);
}

static int join_process(struct mt_task *task, mt_deadline deadline, const char *place)
{
    struct mt__process *process = task->resource;
    struct mt__wait wait = {
        .word = &process->settled,
        .reason = MT_WAIT_JOIN,
        .owner = (uint32_t)process->pid,
        .object = (const void *)(uintptr_t)task->record->id,
        .name = task->record->name,
        .place = place,
        .deadline = deadline,
    };
    int result;

    if (collect(task))
        return 0;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    do {
        result = is_collected(task) ? wait_until_settled(process, &wait)
                                    : mt__wait_round_fd(&wait, process->pidfd, POLLIN, deadline);
    } while (!collect(task) && !result);
    return mt__wait_end(&wait, has_settled(task) ? 0 : result);
}

static int kill_process(struct mt_task *task)
{
    return mt_process_signal(task, SIGTERM);
}

/* R: running or ready, which the kernel does not tell apart here. The rest of the living waits, the stopped too. */
static void look(struct mt_task *task)
{
    const struct mt__process *process = task->resource;
    char path[32], text[512], *name_end;
    long fd, size;

    if (__atomic_load_n(&task->done, __ATOMIC_ACQUIRE))
        return;
    snprintf(path, sizeof path, "/proc/%d/stat", process->pid);
    fd = mt__sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    size = mt__sys(SYS_read, fd, text, sizeof text - 1);
    mt__sys(SYS_close, fd);
    text[size > 0 ? size : 0] = 0;
    name_end = strrchr(text, ')');
    if (name_end && strlen(name_end) > 2 && !__atomic_load_n(&task->done, __ATOMIC_ACQUIRE))
        mt__record_state(task->record, name_end[2] == 'R' ? MT_RUNNING : name_end[2] == 'Z' ? MT_DEAD : MT_WAITING);
}

/* -- The reaper --------------------------------------------------------------------------------------------------- */

static struct mt__mini reaper_guard;
static int reaper_epoll = -1;

static int reap_all(void *arg)
{
    struct epoll_event event;
    int epoll = (int)(intptr_t)arg;

    for (;;) {
        struct mt_task *task;
        if (epoll_wait(epoll, &event, 1, -1) < 1)
            continue;
        task = event.data.ptr;
        if (!collect(task) && !is_collected(task))
            continue;
        epoll_ctl(epoll, EPOLL_CTL_DEL, ((struct mt__process *)task->resource)->pidfd, NULL);
        mt__task_drop(task);
    }
    return 0;
}

static int reaper(void)
{
    struct mt_thread_options options = {.name = "process-reaper", .stack_size = 65536, .daemon = 1};
    struct mt_task *thread = NULL;
    int epoll;

    mt__mini_acquire(&reaper_guard);
    epoll = reaper_epoll;
    if (epoll < 0)
        epoll = mt__own(epoll_create1(EPOLL_CLOEXEC)); /* libc's: TSan knows those */
    if (epoll >= 0 && reaper_epoll < 0) {
        thread = mt_thread_spawn(reap_all, (void *)(intptr_t)epoll, &options);
        if (thread) {
            reaper_epoll = epoll;
        } else {
            mt__own_close(epoll);
            epoll = -1;
        }
    }
    mt__mini_release(&reaper_guard);
    mt_task_release(thread);
    return epoll;
}

/* The reaper takes a reference of its own, and is the one that collects if nobody does before. */
static int watch(struct mt_task *task)
{
    struct mt__process *process = task->resource;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = task};
    int epoll, error = 0;

    if (__atomic_exchange_n(&process->watched, 1, __ATOMIC_ACQ_REL))
        return 0;
    epoll = reaper();
    if (epoll < 0)
        error = -EAGAIN;
    mt_task_retain(task);
    if (!error && epoll_ctl(epoll, EPOLL_CTL_ADD, process->pidfd, &event) < 0)
        error = -errno;
    if (!error)
        return 0;
    __atomic_store_n(&process->watched, 0, __ATOMIC_RELEASE);
    mt__task_drop(task);
    return error;
}

/* The last handle goes. Without a reaper to be had the process is only forgotten: it stays a zombie until this one
 * ends. */
static int keep(struct mt_task *task)
{
    struct mt__process *process = task->resource;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = task};
    int epoll;

    if (collect(task))
        return 0;
    task->references = 1;
    epoll = reaper();
    if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, process->pidfd, &event) == 0)
        return 1;
    task->references = 0;
    return 0;
}

/* -- Giving back -------------------------------------------------------------------------------------------------- */

/* Also called in the child of a fork, which may fall anywhere into the call of another thread: the task lets go of what
 * it has before that is freed, and the child keeps what the other had in hand. */
static void reap(struct mt_task *task)
{
    struct mt__process *process = __atomic_exchange_n((struct mt__process **)&task->resource, NULL, __ATOMIC_ACQ_REL);

    if (!process)
        return;
    if (process->start)
        mt__start_free(process->start, process->start_size);
    mt__own_close(process->pidfd);
    free(process);
    task->reaped = 1;
}

static void reap_forked(struct mt_task *task)
{
    mt__starts_unlock();
    reap(task);
}

static void after_fork(void)
{
    mt__starts_forked();
    if (reaper_guard.word) /* else this would make the child copy a page */
        reaper_guard.word = 0;
    if (reaper_epoll >= 0)
        mt__own_close(reaper_epoll);
    reaper_epoll = -1;
}

static void at_first(void)
{
    pthread_atfork(NULL, NULL, after_fork);
}

void mt__process_first(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, at_first);
}

const struct mt__kind mt__process_kind = {.reap = reap,
                                          .join = join_process,
                                          .kill = kill_process,
                                          .ended = collect,
                                          .look = look,
                                          .keep = keep,
                                          .watch = watch,
                                          .forked = reap_forked};

/* -- What can be asked -------------------------------------------------------------------------------------------- */

static struct mt__process *process_of(const struct mt_task *task)
{
    return task->kind == &mt__process_kind ? task->resource : NULL;
}

int mt_process_exit(const struct mt_task *task, struct mt_exit *ended)
{
    const struct mt__process *process = process_of(task);

    if (!process)
        return -EINVAL;
    if (!collect((struct mt_task *)task))
        return -EINPROGRESS;
    *ended = process->exit;
    __atomic_store_n(&((struct mt_task *)task)->noticed, 1, __ATOMIC_RELAXED);
    return 0;
}

int mt_process_signal(struct mt_task *task, int signal)
{
    const struct mt__process *process = process_of(task);

    if (!process)
        return -EINVAL;
    return (int)mt__sys(SYS_pidfd_send_signal, process->pidfd, signal, NULL, 0);
}

int mt_process_pidfd(const struct mt_task *task)
{
    const struct mt__process *process = process_of(task);

    return process ? process->pidfd : -EINVAL;
}

const char *mt_sandbox_refused(const struct mt_task *task)
{
    const struct mt__process *process = process_of(task);

    return process && collect((struct mt_task *)task) ? process->refused ? process->refused : "unknown" : NULL;
}

int mt_sandbox_noted(const struct mt_task *task, const char **names, size_t count)
{
    struct mt__mini *guard = &((struct mt_task *)task)->guard;
    const struct mt__process *process = process_of(task);
    uint64_t noted[MT__CALLS_MAX / 64];
    size_t found = 0;

    if (!process)
        return -EINVAL;
    mt__mini_acquire(guard);
    memcpy(noted, process->start ? process->start->noted : process->noted, sizeof noted);
    mt__mini_release(guard);
    for (int number = 0; number < MT__CALLS_MAX; number++) {
        const char *name = noted[number / 64] >> number % 64 & 1 ? mt__sandbox_call(number) : NULL;
        if (name && found < count)
            names[found] = name;
        found += name != NULL;
    }
    return (int)found;
}
