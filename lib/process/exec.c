/* SPDX-License-Identifier: MIT
 *
 * A process by running the program anew. The child shares the parent's memory until it executes (CLONE_VM,
 * CLONE_VFORK), so that the size of the parent does not matter; it does nothing but system calls, on a stack of its
 * own, with all signals blocked: the new program unblocks them in mt_process_init.
 */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE 65536

struct image {
    const struct mt__start *start;
    char **argv, **envp;
    int block;
    long error;
};

/* In the child. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static void execute(void *arg)
{
    struct image *image = arg;

    for (uint32_t i = 0; i < image->start->fd_count; i++)
        mt__arch_syscall(SYS_fcntl, image->start->fds[i], F_SETFD, 0, 0, 0, 0);
    mt__arch_syscall(SYS_fcntl, image->block, F_SETFD, 0, 0, 0, 0);
    image->error = mt__arch_syscall(SYS_execve, (long)"/proc/self/exe", (long)image->argv, (long)image->envp, 0, 0, 0);
    for (;;)
        mt__arch_syscall(SYS_exit_group, 127, 0, 0, 0, 0, 0);
}

/* The environment with one variable more, which must not be there already. */
static char **environment_with(char *variable)
{
    size_t count = 0;
    char **copy;

    while (environ && environ[count])
        count++;
    copy = mt__alloc((count + 2) * sizeof *copy);
    if (!copy)
        return NULL;
    if (count)
        memcpy(copy, environ, count * sizeof *copy);
    copy[count] = variable;
    return copy;
}

static int clone_and_execute(struct mt__process *process, struct image *image)
{
    long stack =
        mt__sys(SYS_mmap, NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    uint64_t all = ~0ull;
    int pidfd = -1, error;
    long pid;

    if (stack < 0 && stack > -4096)
        return (int)stack;
    error = __atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED) ? mt__sys_injected(SYS_clone) : 0;
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    pid = error ? -error
                : mt__arch_clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, (char *)stack + STACK_SIZE, &pidfd,
                                 NULL, NULL, execute, image);
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &process->start->signals, NULL, sizeof all);
    mt__sys(SYS_munmap, stack, STACK_SIZE);
    if (pid < 0)
        return (int)pid;
    if (image->error) {
        mt__sys(SYS_waitid, P_PIDFD, pidfd, NULL, WEXITED, NULL);
        close(pidfd);
        return (int)image->error;
    }
    process->pid = (int)pid;
    process->pidfd = pidfd;
    return 0;
}

int mt__start_by_exec(struct mt__process *process, int block)
{
    char variable[64];
    char *argv[] = {program_invocation_name, process->start->name, NULL};
    struct image image = {.start = process->start, .argv = argv, .block = block};
    int error;

    snprintf(variable, sizeof variable, MT__START_ENV "=%d", block);
    image.envp = environment_with(variable);
    if (!image.envp)
        return -ENOMEM;
    error = clone_and_execute(process, &image);
    free(image.envp);
    return error;
}
