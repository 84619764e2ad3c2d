/* SPDX-License-Identifier: MIT
 *
 * The fork server: a process spawned once, small and with one thread, that forks on request, so that the size and the
 * threads of this process do not matter. A request is a message with the block's descriptor and those to hand over; the
 * answer is the process id, or -errno, and the pidfd. The children are made with CLONE_PARENT: they are this process's
 * own, and it waits for them.
 *
 * glibc's fork cannot do that, so the child is cloned by hand. With one thread that is safe: no lock of another thread
 * is copied in a held state. What glibc knows of its thread is mended by the kernel (CLONE_CHILD_SETTID at the word
 * that glibc gave it) and by set_robust_list(2).
 *
 * The server ends when its socket is closed: when this process has ended.
 */
#include "base/own.h"
#include "process/process.h"

#include <errno.h>
#include <linux/sched.h>
#include <linuxmt/lock.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer {
    int result; /* process id, or -errno */
};

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE((MT_PROCESS_FDS_MAX + 1) * sizeof(int))];
};

static int send_with(int socket, const void *data, size_t size, const int *fds, size_t fd_count)
{
    union control control = {0};
    struct iovec vector = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (fd_count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
        memcpy(CMSG_DATA(&control.head), fds, fd_count * sizeof *fds);
    }
    while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Bytes received, 0 at the end, or -errno. *fd_count: room, then how many came. */
static int receive_with(int socket, void *data, size_t size, int *fds, size_t *fd_count, int flags)
{
    union control control;
    struct iovec vector = {data, size};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    const struct cmsghdr *head;
    size_t room = *fd_count;
    ssize_t got;

    *fd_count = 0;
    while ((got = recvmsg(socket, &message, flags)) < 0)
        if (errno != EINTR)
            return -errno;
    head = CMSG_FIRSTHDR(&message);
    if (got && head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        *fd_count = (head->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
        if (*fd_count > room)
            *fd_count = room;
        memcpy(fds, CMSG_DATA(head), *fd_count * sizeof *fds);
    }
    return (int)got;
}

/* -- The server --------------------------------------------------------------------------------------------------- */

/* All signals are blocked from here until the child has its handlers and its mask: a kill that comes at once would else
 * be taken by the server's handler, in the child, before that knows that it is one. */
static long fork_sibling(int *pidfd)
{
    unsigned long flags = CLONE_PARENT | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
    int *tid = NULL;
    void *robust = NULL;
    size_t robust_size = 0;
    uint64_t all = ~0ull, mask;
    long pid;

    prctl(PR_GET_TID_ADDRESS, &tid);
    mt__sys(SYS_get_robust_list, 0, &robust, &robust_size);
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof all);
    mt__task_before_fork();
    pid = mt__arch_fork(flags, pidfd, tid);
    if (pid) {
        mt__task_after_fork();
        mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
        return pid;
    }
    if (robust)
        mt__sys(SYS_set_robust_list, robust, robust_size);
    mt__task_forked();
    return 0;
}

static void serve(int socket, int *fds, size_t fd_count)
{
    struct mt__start *start = fd_count ? mt__start_open(fds[0]) : NULL;
    struct answer answer = {-EPROTO};
    int pidfd = -1;

    if (start && start->fd_count == fd_count - 1) {
        for (size_t i = 1; i < fd_count; i++)
            start->fds[i - 1] = fds[i];
        answer.result = (int)fork_sibling(&pidfd);
        if (answer.result == 0) {
            close(socket);
            close(fds[0]);
            signal(SIGINT, SIG_DFL);
            mt__child_run_block(start);
        }
    }
    send_with(socket, &answer, sizeof answer, &pidfd, pidfd >= 0);
    if (pidfd >= 0)
        close(pidfd);
    if (start)
        mt__start_free(start, start->size);
}

static int server_main(void *arg)
{
    int socket = mt_process_fd(0), fds[MT_PROCESS_FDS_MAX + 1];
    size_t fd_count = sizeof fds / sizeof *fds;
    char request;

    signal(SIGINT, SIG_IGN); /* the terminal's ^C is for those who work */
    while (receive_with(socket, &request, sizeof request, fds, &fd_count, 0) > 0) {
        serve(socket, fds, fd_count);
        for (size_t i = 0; i < fd_count; i++)
            close(fds[i]);
        fd_count = sizeof fds / sizeof *fds;
    }
    return 0;
}

/* -- Its client --------------------------------------------------------------------------------------------------- */

static struct {
    struct mt_lock lock;
    int socket; /* 1 more than it; 0: there is no server */
    struct mt_task *task;
} server = {.lock = MT_LOCK_INIT};

/* The child's own children are not the parent's: it needs a server of its own. */
static void after_fork(void)
{
    if (server.socket)
        mt__own_close(server.socket - 1);
    memset(&server, 0, sizeof server);
    mt_lock_init(&server.lock, "forkserver", 0);
}

static void at_first(void)
{
    pthread_atfork(NULL, NULL, after_fork);
}

static int start_server(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct mt_process_options options = {.name = "forkserver", .start = MT_SPAWN, .fd_count = 1};
    int pair[2];

    pthread_once(&once, at_first);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    options.fds = &pair[1];
    server.task = mt_process_spawn(server_main, NULL, 0, &options);
    close(pair[1]);
    if (!server.task) {
        int error = errno;
        close(pair[0]);
        return -error;
    }
    server.socket = mt__own(pair[0]) + 1;
    return 0;
}

static void forget_server(void)
{
    mt__own_close(server.socket - 1);
    server.socket = 0;
    mt_task_release(server.task);
    server.task = NULL;
}

static int ask_server(struct mt__process *process, const int *fds, size_t fd_count)
{
    struct answer answer;
    size_t got_fds = 1;
    int pidfd = -1, result = send_with(server.socket - 1, "", 1, fds, fd_count);

    if (result)
        return result;
    result = receive_with(server.socket - 1, &answer, sizeof answer, &pidfd, &got_fds, MSG_CMSG_CLOEXEC);
    if (result != (int)sizeof answer)
        return result < 0 ? result : -EPIPE;
    if (answer.result < 0)
        return answer.result;
    if (!got_fds) { /* no descriptor was left here for it. It is this process's child, so the number is still its own */
        kill(answer.result, SIGKILL);
        while (waitpid(answer.result, NULL, 0) < 0 && errno == EINTR)
            continue;
        return -EMFILE;
    }
    process->pid = answer.result;
    process->pidfd = pidfd;
    return 0;
}

static int with_server(struct mt__process *process, const int *fds, size_t fd_count)
{
    int result = 0;

    for (int attempt = 0; attempt < 2; attempt++) {
        if (!server.socket)
            result = start_server();
        if (result)
            return result;
        result = ask_server(process, fds, fd_count);
        if (result != -EPIPE && result != -ECONNRESET && result != -ENOTCONN)
            return result;
        forget_server(); /* it has been killed: a new one, once */
        result = 0;
    }
    return -EPIPE;
}

int mt__start_by_server(struct mt__process *process, int block)
{
    int fds[MT_PROCESS_FDS_MAX + 1], result = mt_lock_acquire(&server.lock, MT_FOREVER);

    if (result)
        return result;
    fds[0] = block;
    for (uint32_t i = 0; i < process->start->fd_count; i++)
        fds[i + 1] = process->start->fds[i];
    result = with_server(process, fds, process->start->fd_count + 1);
    mt_lock_release(&server.lock);
    return result;
}
