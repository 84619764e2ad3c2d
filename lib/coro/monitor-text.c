/* SPDX-License-Identifier: MIT
 *
 * What the monitor says, and the names of the system calls that people block in.
 */
#include "coro/monitor.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CALL(name)        \
    {                     \
        SYS_##name, #name \
    }

static const struct {
    long number;
    const char *name;
} calls[] = {
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(futex),
    CALL(read),
    CALL(readv),
    CALL(pread64),
    CALL(preadv),
    CALL(preadv2),
    CALL(write),
    CALL(writev),
    CALL(pwrite64),
    CALL(pwritev),
    CALL(pwritev2),
    CALL(recvfrom),
    CALL(recvmsg),
    CALL(recvmmsg),
    CALL(sendto),
    CALL(sendmsg),
    CALL(sendmmsg),
    CALL(accept),
    CALL(accept4),
    CALL(connect),
    CALL(ppoll),
    CALL(pselect6),
    CALL(epoll_pwait),
    CALL(wait4),
    CALL(waitid),
    CALL(openat),
    CALL(close),
    CALL(fsync),
    CALL(fdatasync),
    CALL(sync_file_range),
    CALL(syncfs),
    CALL(sync),
    CALL(flock),
    CALL(fcntl),
    CALL(ioctl),
    CALL(sendfile),
    CALL(splice),
    CALL(tee),
    CALL(copy_file_range),
    CALL(fallocate),
    CALL(getdents64),
    CALL(newfstatat),
    CALL(statx),
    CALL(unlinkat),
    CALL(renameat2),
    CALL(mkdirat),
    CALL(rt_sigtimedwait),
    CALL(rt_sigsuspend),
    CALL(msgrcv),
    CALL(msgsnd),
    CALL(semtimedop),
    CALL(mq_timedreceive),
    CALL(mq_timedsend),
    CALL(io_getevents),
    CALL(getrandom),
    CALL(mmap),
    CALL(munmap),
    CALL(mprotect),
    CALL(madvise),
    CALL(msync),
    CALL(sched_yield),
    CALL(execve),
    CALL(io_uring_enter),
#ifdef SYS_futex_waitv
    CALL(futex_waitv),
#endif
#ifdef SYS_epoll_pwait2
    CALL(epoll_pwait2),
#endif
#ifdef SYS_poll
    CALL(poll),
    CALL(select),
    CALL(epoll_wait),
    CALL(pause),
    CALL(open),
    CALL(stat),
    CALL(lstat),
    CALL(rename),
    CALL(unlink),
    CALL(mkdir),
    CALL(rmdir),
    CALL(fork),
    CALL(vfork),
#endif
    CALL(clone),
    CALL(restart_syscall),
};

void mt__monitor_call_name(long number, char *name, size_t size)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number) {
            snprintf(name, size, "%s", calls[i].name);
            return;
        }
    snprintf(name, size, "system call %ld", number);
}

__attribute__((format(printf, 3, 4))) static void say(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
}

/* As addr2line(1) wants it: where the call stands, not where it returns to. */
static void say_frame(char *text, size_t size, size_t number, const void *frame)
{
    const char *address = (const char *)frame - (number > 0);
    Dl_info info;

    say(text, size, "  #%-2zu %p", number, frame);
    if (dladdr(address, &info) && info.dli_fname) {
        const char *slash = strrchr(info.dli_fname, '/');
        if (info.dli_sname)
            say(text, size, " %s+0x%zx", info.dli_sname, (size_t)(address - (const char *)info.dli_saddr));
        say(text, size, " (%s+0x%zx)", slash ? slash + 1 : info.dli_fname,
            (size_t)(address - (const char *)info.dli_fbase));
    }
    say(text, size, "\n");
}

void mt__monitor_write(const struct mt__look *look, int64_t threshold, char *text, size_t size)
{
    const struct mt_blocked *blocked = &look->blocked;

    text[0] = 0;
    say(text, size, "linuxmt: \"%s\" has kept the hub of thread %d for %.3f s (threshold %.3f s): ", blocked->name,
        blocked->tid, (double)blocked->nanoseconds / 1e9, (double)threshold / 1e9);
    if (*blocked->call)
        say(text, size, "it is in %s\n", blocked->call);
    else if (blocked->processor < blocked->nanoseconds / 2)
        say(text, size, "it is ready or in a page fault, and had a processor for %.3f s\n",
            (double)blocked->processor / 1e9);
    else
        say(text, size, "it computes, and does not yield\n");
    for (size_t i = 0; i < blocked->depth; i++)
        say_frame(text, size, i, blocked->frames[i]);
}
