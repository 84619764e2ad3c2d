/* SPDX-License-Identifier: MIT
 *
 * The words for what tasks wait for, and which of it is idling: tables, so that text, JSON and the manual agree.
 */
#include "model.h"
#if defined(__x86_64__)
#include "../../bpf/call-i386.h"
#endif
#include <sys/syscall.h>

static const struct {
    const char *word;
    enum model_class class;
} reasons[WAIT_REASONS] = {
    [WAIT_LOCK] = {"lock", MODEL_BLOCKED},    [WAIT_FUTEX] = {"futex", MODEL_IDLE},
    [WAIT_DISK] = {"disk", MODEL_BLOCKED},    [WAIT_FAULT] = {"memory", MODEL_BLOCKED},
    [WAIT_FILE] = {"file", MODEL_BLOCKED},    [WAIT_PIPE] = {"pipe", MODEL_PEER},
    [WAIT_SOCKET] = {"socket", MODEL_PEER},   [WAIT_ACCEPT] = {"accept", MODEL_IDLE},
    [WAIT_POLL] = {"poll", MODEL_IDLE},       [WAIT_EVENT] = {"event", MODEL_IDLE},
    [WAIT_URING] = {"io_uring", MODEL_IDLE},  [WAIT_CHILD] = {"child", MODEL_IDLE},
    [WAIT_SLEEP] = {"sleep", MODEL_IDLE},     [WAIT_SIGNAL] = {"signal", MODEL_IDLE},
    [WAIT_STOPPED] = {"stopped", MODEL_IDLE}, [WAIT_OTHER] = {"other", MODEL_BLOCKED},
};

enum model_class model_class_of(enum wait_reason reason)
{
    return reason < WAIT_REASONS ? reasons[reason].class : MODEL_BLOCKED;
}

const char *model_reason(enum wait_reason reason)
{
    return reason < WAIT_REASONS && reasons[reason].word ? reasons[reason].word : "none";
}

const char *model_call(uint16_t number)
{
#define CALL(name)   \
    case SYS_##name: \
        return #name
    switch (number) {
        CALL(futex);
        CALL(nanosleep);
        CALL(clock_nanosleep);
        CALL(ppoll);
        CALL(pselect6);
        CALL(epoll_pwait);
        CALL(wait4);
        CALL(waitid);
        CALL(accept);
        CALL(accept4);
        CALL(connect);
        CALL(read);
        CALL(write);
        CALL(readv);
        CALL(writev);
        CALL(pread64);
        CALL(pwrite64);
        CALL(recvfrom);
        CALL(recvmsg);
        CALL(sendto);
        CALL(sendmsg);
        CALL(sendfile);
        CALL(splice);
        CALL(fsync);
        CALL(fdatasync);
        CALL(flock);
        CALL(fcntl);
        CALL(ioctl);
        CALL(openat);
        CALL(close);
        CALL(mmap);
        CALL(munmap);
        CALL(mprotect);
        CALL(madvise);
        CALL(brk);
        CALL(rt_sigtimedwait);
        CALL(rt_sigsuspend);
        CALL(restart_syscall);
        CALL(semtimedop);
        CALL(semop);
        CALL(msgrcv);
        CALL(msgsnd);
        CALL(mq_timedreceive);
        CALL(mq_timedsend);
        CALL(exit);
        CALL(exit_group);
        CALL(execve);
#ifdef SYS_poll
        CALL(poll);
        CALL(select);
        CALL(epoll_wait);
        CALL(pause);
        CALL(vfork);
#endif
#ifdef SYS_io_uring_enter
        CALL(io_uring_enter);
#endif
#ifdef SYS_epoll_pwait2
        CALL(epoll_pwait2);
#endif
#ifdef SYS_futex_waitv
        CALL(futex_waitv);
#endif
#if defined(__x86_64__)
    case I386_UNLISTED:
        return "a call of 32-bit programs";
#endif
    default:
        return "";
    }
#undef CALL
}
