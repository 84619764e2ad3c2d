/* SPDX-License-Identifier: MIT
 *
 * Waiting for children. One child is waited for by a descriptor of it, and then asked for; several, and what is not an
 * end (a stop), are waited for off the hub: a child is the process's, and not the thread's that made it. What waits
 * inside libc (system, pclose, wordexp) runs off the hub as a whole.
 */
#include "patch/fd.h"
#include "patch/signals.h"
#include "patch/undeclared.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define NOT_ENDS (WUNTRACED | WCONTINUED | __WNOTHREAD)

/* The end of one child. A descriptor of it tells of nothing else, but who traces a child is told of its stops, asked
 * for or not, and the child may ask to be traced at any moment. So it is looked at again and again, ever more seldom; a
 * process that has met such a stop waits off the hub from then on. */
struct end {
    int fd; /* of the child; < 0: this is no way to wait for it */
    mt_deadline pause;
    int has_come;
};

#define SHORTEST MT_MS(1)
#define LONGEST  MT_SEC(1)

static int traces;

/* 0: it is to be asked for; or -errno. */
static int wait_for_end(struct end *end, enum mt__name_number number)
{
    int result = mt__patch_wait_fd(end->fd, POLLIN, 0, mt_after(end->pause), mt__names[number].name);

    end->has_come = !result;
    end->pause = end->pause * 2 < LONGEST ? end->pause * 2 : LONGEST;
    return result == -ETIME ? 0 : result;
}

static int can_wait_for(const struct end *end)
{
    return end->fd >= 0 && !end->has_come && !__atomic_load_n(&traces, __ATOMIC_RELAXED);
}

static void met_stop(void)
{
    __atomic_store_n(&traces, 1, __ATOMIC_RELAXED);
}

static struct end end_of(pid_t pid)
{
    return (struct end){.fd = mt__own(mt__sys(SYS_pidfd_open, pid, 0)), .pause = SHORTEST};
}

static long wait_for_one(enum mt__name_number number, pid_t pid, int *status, int options, struct rusage *usage)
{
    struct end end = end_of(pid);
    long result = 0;
    int what = 0;

    while (!result && can_wait_for(&end)) {
        result = wait_for_end(&end, number);
        if (!result)
            result = mt__sys(SYS_wait4, pid, &what, options | WNOHANG, usage);
    }
    if (end.fd >= 0)
        mt__own_close(end.fd);
    if (result > 0 && WIFSTOPPED(what))
        met_stop();
    if (result > 0 && status)
        *status = what;
    return result;
}

static long wait_in_hub(enum mt__name_number number, pid_t pid, int *status, int options, struct rusage *usage)
{
    long result = mt__sys(SYS_wait4, pid, status, options | WNOHANG, usage);

    if (!result && pid > 0 && !(options & NOT_ENDS))
        result = wait_for_one(number, pid, status, options, usage);
    return result ? result : mt__off_hub_int(wait4, pid, (long)status, options, (long)usage);
}

static pid_t wait_for(enum mt__name_number number, pid_t pid, int *status, int options, struct rusage *usage)
{
    struct mt__patch_call call = mt__patch_begin();

    return (pid_t)mt__patch_end(call, wait_in_hub(number, pid, status, options, usage));
}

/* Or not the hub's. */
static int is_at_once(int options)
{
    if (!mt__patched(PROCESS))
        return 1;
    if (options & WNOHANG)
        mt__patch_look_seldom();
    return options & (WNOHANG | __WNOTHREAD);
}

MT__PATCHED pid_t waitpid(pid_t pid, int *status, int options)
{
    if (is_at_once(options))
        return mt__libc(waitpid)(pid, status, options);
    return wait_for(MT__N_waitpid, pid, status, options, NULL);
}

MT__PATCHED pid_t __waitpid(pid_t pid, int *status, int options)
{
    return waitpid(pid, status, options);
}

MT__PATCHED pid_t wait(int *status)
{
    return mt__patched(PROCESS) ? wait_for(MT__N_wait, -1, status, 0, NULL) : mt__libc(wait)(status);
}

MT__PATCHED pid_t __wait(int *status)
{
    return wait(status);
}

MT__PATCHED pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    if (is_at_once(options))
        return mt__libc(wait4)(pid, status, options, usage);
    return wait_for(MT__N_wait4, pid, status, options, usage);
}

MT__PATCHED pid_t wait3(int *status, int options, struct rusage *usage)
{
    if (is_at_once(options))
        return mt__libc(wait3)(status, options, usage);
    return wait_for(MT__N_wait3, -1, status, options, usage);
}

static int is_there(idtype_t type, id_t id, int options, siginfo_t *seen)
{
    seen->si_pid = 0;
    return mt__libc(waitid)(type, id, seen, options | WNOHANG | WNOWAIT) ? -errno : seen->si_pid != 0;
}

/* P_PIDFD is 3, and older headers lack it. */
static struct end end_of_id(idtype_t type, id_t id)
{
    return type == P_PID ? end_of((pid_t)id) : (struct end){.fd = (int)type == 3 ? (int)id : -1, .pause = SHORTEST};
}

static int waitid_in_hub(idtype_t type, id_t id, siginfo_t *info, int options)
{
    struct end end = {.fd = -1};
    siginfo_t seen;
    int result = is_there(type, id, options, &seen);

    if (!result && options & WEXITED && !(options & (WSTOPPED | WCONTINUED)))
        end = end_of_id(type, id);
    while (!result && can_wait_for(&end)) {
        result = wait_for_end(&end, MT__N_waitid);
        if (!result)
            result = is_there(type, id, options, &seen);
    }
    if (end.fd >= 0 && type == P_PID)
        mt__own_close(end.fd);
    if (result < 0)
        return result;
    if (result && end.fd >= 0 && (seen.si_code == CLD_TRAPPED || seen.si_code == CLD_STOPPED))
        met_stop();
    return (int)mt__off_hub_int(waitid, (long)type, (long)id, (long)info, options);
}

MT__PATCHED int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    struct mt__patch_call call;

    if (is_at_once(options) || ((int)type == 3 && mt__fd_is_nonblocking((int)id)))
        return mt__libc(waitid)(type, id, info, options);
    call = mt__patch_begin();
    return (int)mt__patch_end(call, waitid_in_hub(type, id, info, options));
}

/* -- What waits inside libc --------------------------------------------------------------------------------------- */

struct command {
    struct mt__off_call call;
    sigset_t mask;
};

/* A shell inherits the signal mask of who starts it: the caller's, not that of the thread that waits for it. */
static void run_command(void *arg)
{
    struct command *command = arg;
    sigset_t before;

    pthread_sigmask(SIG_SETMASK, &command->mask, &before);
    mt__off_call_run(&command->call);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Nor does anybody else hear of the shell's end meanwhile, as far as the caller does: libc's system blocks that. */
static int run_off(enum mt__name_number number, const long arguments[3])
{
    struct mt__patch_call call = mt__patch_begin();
    struct command command = {
        .call = {.function = mt__original(number), .arguments = {arguments[0], arguments[1], arguments[2]}}};
    uint64_t before;
    int result;

    mt__signals_to(&command.mask, mt__mask_of_caller());
    before = mt__mask_block(number == MT__N_system ? mt__signal_bit(SIGCHLD) : 0);
    mt__patch_off(run_command, &command, number);
    mt__mask_restore(before);
    result = (int)command.call.result;
    mt__patch_end(call, 0);
    if (result < 0)
        errno = command.call.error;
    return result;
}

MT__PATCHED int system(const char *command)
{
    if (!mt__patched(PROCESS) || !command)
        return mt__libc(system)(command);
    return run_off(MT__N_system, (const long[3]){(long)command});
}

MT__PATCHED int pclose(FILE *stream)
{
    if (!mt__patched(PROCESS))
        return mt__libc(pclose)(stream);
    return run_off(MT__N_pclose, (const long[3]){(long)stream});
}

MT__PATCHED int wordexp(const char *restrict words, wordexp_t *restrict result, int flags)
{
    if (!mt__patched(PROCESS) || flags & WRDE_NOCMD)
        return mt__libc(wordexp)(words, result, flags);
    return run_off(MT__N_wordexp, (const long[3]){(long)words, (long)result, flags});
}
