/* SPDX-License-Identifier: MIT
 *
 * Fork, wait at a gate, exec. The gate is a pipe: one byte opens it, its end (mtrace died or gave up) makes the child
 * leave. The errno of a failed exec comes back through a second pipe that a successful one closes.
 */
#include "launch.h"
#include "cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_and_exec(int gate, int result, char **argv) __attribute__((noreturn));

static void wait_and_exec(int gate, int result, char **argv)
{
    char go;
    ssize_t got;
    do
        got = read(gate, &go, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(CMD_FAILED);
    execvp(argv[0], argv);
    int error = errno;
    ssize_t written = write(result, &error, sizeof error);
    _exit(written != sizeof error ? CMD_FAILED : error == ENOENT ? CMD_NOT_FOUND : CMD_CANNOT_EXEC);
}

static void close_both(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

bool launch_prepare(struct launch *launch, char **argv)
{
    int gate[2], result[2];
    *launch = (struct launch){.pid = -1, .pidfd = -1, .gate = -1, .result = -1};
    if (pipe2(gate, O_CLOEXEC)) {
        complain("cannot make a pipe: %s", strerror(errno));
        return false;
    }
    if (pipe2(result, O_CLOEXEC)) {
        complain("cannot make a pipe: %s", strerror(errno));
        close_both(gate);
        return false;
    }
    launch->pid = fork();
    if (launch->pid == 0) {
        close(gate[1]);
        wait_and_exec(gate[0], result[1], argv);
    }
    close(gate[0]);
    close(result[1]);
    launch->gate = gate[1];
    launch->result = result[0];
    if (launch->pid < 0) {
        complain("cannot start a process for %s: %s", argv[0], strerror(errno));
        close(gate[1]);
        close(result[0]);
        return false;
    }
    launch->pidfd = (int)syscall(SYS_pidfd_open, launch->pid, 0);
    return true;
}

int launch_start(struct launch *launch)
{
    int error = 0;
    ssize_t done;
    do
        done = write(launch->gate, "", 1);
    while (done < 0 && errno == EINTR);
    close(launch->gate);
    launch->gate = -1;
    do
        done = read(launch->result, &error, sizeof error);
    while (done < 0 && errno == EINTR);
    close(launch->result);
    launch->result = -1;
    return done == sizeof error ? error : 0;
}

bool launch_ended(struct launch *launch, bool wait)
{
    while (!launch->ended) {
        pid_t pid = waitpid(launch->pid, &launch->status, wait ? 0 : WNOHANG);
        if (pid == launch->pid)
            launch->ended = true;
        else if (pid == 0 || errno != EINTR)
            break;
    }
    return launch->ended;
}

int launch_status(const struct launch *launch)
{
    if (WIFSIGNALED(launch->status))
        return 128 + WTERMSIG(launch->status);
    return WEXITSTATUS(launch->status);
}

void launch_abandon(struct launch *launch)
{
    if (launch->gate >= 0)
        close(launch->gate);
    if (launch->result >= 0)
        close(launch->result);
    launch->gate = launch->result = -1;
    if (launch->pid > 0)
        launch_ended(launch, true);
}
