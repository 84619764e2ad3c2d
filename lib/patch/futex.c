/* SPDX-License-Identifier: MIT
 *
 * syscall: futex(2)'s waits, which have no name of their own in libc: C++'s futures, latches and atomics call it by
 * syscall(), as locks do that are made without pthreads. And those of io_uring and of AIO, which have names in
 * libraries that not all use. The word is waited for where libc's own waiters are, so that whoever wakes it calls the
 * kernel, and nothing of ours. Waits for some bits only, and with priorities, pass through.
 *
 * All of syscall's arguments are integers in the same places whether they are named or not: what is not given is not
 * looked at.
 */
#include "patch/libaio.h"
#include "patch/locks.h"
#include "patch/pthreads.h"
#include "patch/ring.h"

#include <linux/futex.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define EVERYTHING (-1u) /* FUTEX_BITSET_MATCH_ANY */

struct futex {
    uint32_t *word;
    int operation;
    uint32_t expected;
    const struct timespec *timeout;
    uint32_t bits;
};

enum { NO_WAIT, WAIT, OTHER_WAIT };

static int kind_of(const struct futex *futex)
{
    switch (futex->operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return WAIT;
    case FUTEX_WAIT_BITSET:
        return futex->bits == EVERYTHING ? WAIT : OTHER_WAIT;
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
        return OTHER_WAIT;
    default:
        return NO_WAIT;
    }
}

/* What cannot be right is the kernel's to answer. 0 or EINVAL. */
static int deadline_of(const struct futex *futex, mt_deadline *deadline)
{
    const struct timespec *timeout = futex->timeout;

    *deadline = MT_FOREVER;
    if (!futex->word || (uintptr_t)futex->word % sizeof *futex->word)
        return EINVAL;
    if (!timeout)
        return 0;
    if (timeout->tv_sec < 0 || mt__lock_nanoseconds(timeout))
        return EINVAL;
    if ((futex->operation & FUTEX_CMD_MASK) != FUTEX_WAIT)
        return mt__lock_deadline(futex->operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, timeout,
                                 deadline);
    if (timeout->tv_sec < INT64_MAX / 2000000000)
        *deadline = mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
    return 0;
}

/* One round: that the word is the same afterwards is the caller's to find out, who may have been woken by anybody. */
static int wait_in_hub(const struct futex *futex, mt_deadline deadline)
{
    struct mt__wait wait = {.word = futex->word,
                            .flags = MT__WAIT_NOCANCEL | (futex->operation & FUTEX_PRIVATE_FLAG ? 0 : MT__WAIT_SHARED) |
                                     (futex->timeout ? MT__WAIT_INTERRUPT_ALWAYS : MT__WAIT_INTERRUPT),
                            .reason = MT_WAIT_EVENT,
                            .object = futex->word,
                            .place = "futex",
                            .deadline = deadline};
    int result;

    if (__atomic_load_n(futex->word, __ATOMIC_SEQ_CST) != futex->expected)
        return -EAGAIN;
    result = mt__wait_begin(&wait);
    return result ? result : mt__wait_end(&wait, mt__lock_round(&wait, futex->expected));
}

/* 0: it is the kernel's call. */
static int is_here(const struct futex *futex, mt_deadline *deadline)
{
    int kind = kind_of(futex);

    if (kind == OTHER_WAIT)
        mt__patch_pass(syscall);
    return kind == WAIT && !deadline_of(futex, deadline);
}

/* Whether it was one of these, and then what syscall returns. */
static int waits_for_files(long number, long a, long b, long c, long d, long e, long f, long *result)
{
    if (number == SYS_io_getevents)
        *result = mt__libaio_get((unsigned long)a, b, c, (void *)d, (struct timespec *)e);
#if HAVE_URING
    else if (number == SYS_io_uring_enter)
        *result = mt__ring_enter((int)a, (unsigned)b, (unsigned)c, (unsigned)d, (const void *)e, (size_t)f);
#endif
    else
        return 0;
    if (*result < 0) {
        errno = (int)-*result;
        *result = -1;
    }
    return 1;
}

long mt__syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

MT__PATCHED long mt__syscall(long number, long a, long b, long c, long d, long e, long f)
{
    struct futex futex;
    struct mt__patch_call call;
    mt_deadline deadline;

    if (number != SYS_futex && mt__pthread_is_on() && mt__id_call(number, &a, &b, c, &a))
        return a;
    if (number != SYS_futex && mt__patched(FILE) && waits_for_files(number, a, b, c, d, e, f, &a))
        return a;
    if (!mt__locks_here())
        goto kernel;
    if (number != SYS_futex) {
        mt__patch_look();
        goto kernel;
    }
    futex = (struct futex){(uint32_t *)a, (int)b, (uint32_t)c, (const struct timespec *)d, (uint32_t)f};
    if (!is_here(&futex, &deadline)) {
        mt__patch_look_seldom();
        goto kernel;
    }
    call = mt__patch_enter();
    return mt__patch_end(call, wait_in_hub(&futex, deadline));
kernel:
    return ((__typeof__(&mt__syscall))mt__original(MT__N_syscall))(number, a, b, c, d, e, f);
}
