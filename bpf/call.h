/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What kind of call a system call is, for one who asks what a task waits for in it. Numbers differ between CPUs: NR
 * picks. A call that is not listed is CALL_OTHER.
 */
#ifndef BPF_CALL_H
#define BPF_CALL_H

enum call_class {
    CALL_OTHER,
    CALL_FUTEX,
    CALL_FUTEX_WAITV,
    CALL_FUTEX_WAIT, /* futex2's */
    CALL_FUTEX_WAKE, /* futex2's: wakes */
    CALL_SLEEP,
    CALL_SIGNAL,
    CALL_POLL,
    CALL_CHILD,
    CALL_URING,
    CALL_ACCEPT,
    CALL_FD,    /* reads, writes, sends or receives on the descriptor that is its first argument */
    CALL_FILE,  /* works on a file or path */
    CALL_MEMORY /* changes the address space */
};

#if defined(__TARGET_ARCH_x86)
#define NR(x86, arm64) (x86)
#else
#define NR(x86, arm64) (arm64)
#endif

#define NR_POLL        NR(7, -1)
#define NR_EPOLL_WAIT  NR(232, -1)
#define NR_EPOLL_PWAIT NR(281, 22)

#define NR_RESTART     NR(219, 128)

#define CALL_NUMBERS 512
#define CALL_NONE    0xffff /* outside a system call */

static const __u8 call_classes[CALL_NUMBERS] = {
    [NR(202, 98)] = CALL_FUTEX,
    [449] = CALL_FUTEX_WAITV,
    [455] = CALL_FUTEX_WAIT,
    [454] = CALL_FUTEX_WAKE,

    [NR(35, 101)] = CALL_SLEEP,   /* nanosleep */
    [NR(230, 115)] = CALL_SLEEP,  /* clock_nanosleep */
    [NR(128, 137)] = CALL_SIGNAL, /* rt_sigtimedwait */
    [NR(130, 133)] = CALL_SIGNAL, /* rt_sigsuspend */

    [NR(270, 72)] = CALL_POLL, /* pselect6 */
    [NR(271, 73)] = CALL_POLL, /* ppoll */
    [NR(281, 22)] = CALL_POLL, /* epoll_pwait */
    [441] = CALL_POLL,         /* epoll_pwait2 */

    [NR(61, 260)] = CALL_CHILD, /* wait4 */
    [NR(247, 95)] = CALL_CHILD, /* waitid */
    [NR(56, 220)] = CALL_CHILD, /* clone: vfork waits for the child's exec */
    [435] = CALL_CHILD,         /* clone3 */

    [426] = CALL_URING,          /* io_uring_enter */
    [NR(208, 4)] = CALL_URING,   /* io_getevents */
    [NR(333, 292)] = CALL_URING, /* io_pgetevents */

    [NR(43, 202)] = CALL_ACCEPT,
    [NR(288, 242)] = CALL_ACCEPT, /* accept4 */
    [NR(42, 203)] = CALL_FD,      /* connect */
    [NR(44, 206)] = CALL_FD,      /* sendto */
    [NR(45, 207)] = CALL_FD,      /* recvfrom */
    [NR(46, 211)] = CALL_FD,      /* sendmsg */
    [NR(47, 212)] = CALL_FD,      /* recvmsg */
    [NR(299, 243)] = CALL_FD,     /* recvmmsg */
    [NR(307, 269)] = CALL_FD,     /* sendmmsg */

    [NR(0, 63)] = CALL_FD,    /* read */
    [NR(1, 64)] = CALL_FD,    /* write */
    [NR(19, 65)] = CALL_FD,   /* readv */
    [NR(20, 66)] = CALL_FD,   /* writev */
    [NR(17, 67)] = CALL_FD,   /* pread64 */
    [NR(18, 68)] = CALL_FD,   /* pwrite64 */
    [NR(295, 69)] = CALL_FD,  /* preadv */
    [NR(296, 70)] = CALL_FD,  /* pwritev */
    [NR(327, 286)] = CALL_FD, /* preadv2 */
    [NR(328, 287)] = CALL_FD, /* pwritev2 */
    [NR(40, 71)] = CALL_FD,   /* sendfile */
    [NR(275, 76)] = CALL_FD,  /* splice */
    [NR(276, 77)] = CALL_FD,  /* tee */
    [NR(278, 75)] = CALL_FD,  /* vmsplice */
    [NR(326, 285)] = CALL_FD, /* copy_file_range */

    [NR(74, 82)] = CALL_FD,     /* fsync */
    [NR(75, 83)] = CALL_FD,     /* fdatasync */
    [NR(277, 84)] = CALL_FD,    /* sync_file_range */
    [NR(285, 47)] = CALL_FD,    /* fallocate */
    [NR(77, 46)] = CALL_FD,     /* ftruncate */
    [NR(73, 32)] = CALL_FD,     /* flock */
    [NR(72, 25)] = CALL_FD,     /* fcntl */
    [NR(217, 61)] = CALL_FD,    /* getdents64 */
    [NR(16, 29)] = CALL_FD,     /* ioctl */
    [NR(306, 267)] = CALL_FD,   /* syncfs */
    [NR(3, 57)] = CALL_FILE,    /* close: the descriptor is gone by then */
    [NR(162, 81)] = CALL_FILE,  /* sync */
    [NR(257, 56)] = CALL_FILE,  /* openat */
    [437] = CALL_FILE,          /* openat2 */
    [NR(262, 79)] = CALL_FILE,  /* newfstatat */
    [NR(332, 291)] = CALL_FILE, /* statx */
    [NR(263, 35)] = CALL_FILE,  /* unlinkat */
    [NR(258, 34)] = CALL_FILE,  /* mkdirat */
    [NR(316, 276)] = CALL_FILE, /* renameat2 */
    [NR(59, 221)] = CALL_FILE,  /* execve */
    [NR(322, 281)] = CALL_FILE, /* execveat */

    [NR(9, 222)] = CALL_MEMORY,  /* mmap */
    [NR(10, 226)] = CALL_MEMORY, /* mprotect */
    [NR(11, 215)] = CALL_MEMORY, /* munmap */
    [NR(12, 214)] = CALL_MEMORY, /* brk */
    [NR(25, 216)] = CALL_MEMORY, /* mremap */
    [NR(26, 227)] = CALL_MEMORY, /* msync */
    [NR(28, 233)] = CALL_MEMORY, /* madvise */

#if defined(__TARGET_ARCH_x86)
    [34] = CALL_SIGNAL, /* pause */
    [7] = CALL_POLL,    /* poll */
    [23] = CALL_POLL,   /* select */
    [232] = CALL_POLL,  /* epoll_wait */
    [57] = CALL_CHILD,  /* fork */
    [58] = CALL_CHILD,  /* vfork */
    [2] = CALL_FILE,    /* open */
    [4] = CALL_FILE,    /* stat */
    [6] = CALL_FILE,    /* lstat */
    [82] = CALL_FILE,   /* rename */
    [83] = CALL_FILE,   /* mkdir */
    [84] = CALL_FILE,   /* rmdir */
    [87] = CALL_FILE,   /* unlink */
#endif
};

/* The verifier has to see the bound: the barrier keeps the compiler from proving it and dropping the mask. */
static __always_inline enum call_class call_class(__u32 number)
{
    if (number >= CALL_NUMBERS)
        return CALL_OTHER;
    barrier_var(number);
    number &= CALL_NUMBERS - 1;
    return call_classes[number];
}

#endif
