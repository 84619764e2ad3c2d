/* SPDX-License-Identifier: MIT
 *
 * Waiting for children. One child is waited for by a descriptor of it, and then asked for; several, and what is not an
 * end (a stop), are waited for off the hub: a child is the process's, and not the thread's that made it. What waits
 * inside libc (system, pclose, wordexp) runs off the hub as a whole.
 */
#include "patch/fd.h"
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

/* 0: it has ended, or there is none; 1: this is no way to wait for it; or -errno. */
static int wait_for_end(pid_t pid, enum mt__name_number number)
{
    int fd = mt__own(mt__sys(SYS_pidfd_open, pid, 0));
    int result;

    if (fd < 0)
        return 1;
    result = mt__patch_wait_fd(fd, POLLIN, 0, MT_FOREVER, mt__names[number].name);
    mt__own_close(fd);
    return result;
}

static long wait_in_hub(enum mt__name_number number, pid_t pid, int *status, int options, struct rusage *usage)
{
    long result = mt__sys(SYS_wait4, pid, status, options | WNOHANG, usage);
    int error;

    if (result)
        return result;
    if (pid > 0 && !(options & NOT_ENDS)) {
        error = wait_for_end(pid, number);
        if (error < 0)
            return error;
        result = error ? 0 : mt__sys(SYS_wait4, pid, status, options | WNOHANG, usage);
        if (result)
            return result;
    }
    return mt__off_hub_int(wait4, pid, (long)status, options, (long)usage);
}

static pid_t wait_for(enum mt__name_number number, pid_t pid, int *status, int options, struct rusage *usage)
{
    struct mt__patch_call call = mt__patch_begin();

    return (pid_t)mt__patch_end(call, wait_in_hub(number, pid, status, options, usage));
}

MT__PATCHED pid_t waitpid(pid_t pid, int *status, int options)
{
    if (!mt__patched(PROCESS) || options & (WNOHANG | __WNOTHREAD))
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
    if (!mt__patched(PROCESS) || options & (WNOHANG | __WNOTHREAD))
        return mt__libc(wait4)(pid, status, options, usage);
    return wait_for(MT__N_wait4, pid, status, options, usage);
}

MT__PATCHED pid_t wait3(int *status, int options, struct rusage *usage)
{
    if (!mt__patched(PROCESS) || options & (WNOHANG | __WNOTHREAD))
        return mt__libc(wait3)(status, options, usage);
    return wait_for(MT__N_wait3, -1, status, options, usage);
}

/* P_PIDFD is 3, and older headers lack it. */
static int waitid_in_hub(idtype_t type, id_t id, siginfo_t *info, int options)
{
    siginfo_t seen = {.si_pid = 0};
    long result = 0;

    if (mt__libc(waitid)(type, id, &seen, options | WNOHANG | WNOWAIT))
        return -errno;
    if (!seen.si_pid && options & WEXITED && !(options & (WSTOPPED | WCONTINUED))) {
        if (type == P_PID)
            result = wait_for_end((pid_t)id, MT__N_waitid);
        else if ((int)type == 3)
            result = mt__patch_wait_fd((int)id, POLLIN, 0, MT_FOREVER, "waitid");
        if (result < 0)
            return (int)result;
    }
    return (int)mt__off_hub_int(waitid, (long)type, (long)id, (long)info, options);
}

MT__PATCHED int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    struct mt__patch_call call;

    if (!mt__patched(PROCESS) || options & (WNOHANG | __WNOTHREAD))
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

static int run_off(enum mt__name_number number, const long arguments[3])
{
    struct mt__patch_call call = mt__patch_begin();
    struct command command = {
        .call = {.function = mt__original(number), .arguments = {arguments[0], arguments[1], arguments[2]}}};
    int result;

    pthread_sigmask(SIG_SETMASK, NULL, &command.mask);
    mt__patch_off(run_command, &command, number);
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
