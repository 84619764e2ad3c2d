/* SPDX-License-Identifier: MIT
 *
 * System calls and allocations, each through one place, so that a test can make the Nth of a kind fail. Results are
 * -errno.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include "arch/arch.h"
#include "base/seam.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#define MT__PIDFD_SELF (-10001) /* PIDFD_SELF_THREAD_GROUP: the calling process, since Linux 6.14 */
#define MT__SYS_ALLOC (-2L) /* stands for mt__alloc among the numbers of system calls */

/* Made not 0 while a test has armed a failure: see mt__sys_fail. */
extern MT__SEAM uint32_t mt__sys_armed;

/* The next call numbered nr fails with -error after `skip` more of them have passed; nr -1: none fails any more.
 * Returns how many calls of the armed number were seen since the last mt__sys_fail, which is how a test knows that it
 * has reached the end. */
MT__SEAM long mt__sys_fail(long nr, long skip, int error);
MT__SEAM int mt__sys_injected(long nr);

static inline long mt__sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    if (__builtin_expect(__atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED), 0)) {
        int error = mt__sys_injected(nr);
        if (error)
            return -error;
    }
    return mt__arch_syscall(nr, a, b, c, d, e, f);
}

#define MT__SYS_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define mt__sys(...) \
    MT__SYS_PICK(__VA_ARGS__, mt__sys_6, mt__sys_5, mt__sys_4, mt__sys_3, mt__sys_2, mt__sys_1, mt__sys_0)(__VA_ARGS__)
#define mt__sys_0(n)                   mt__sys6(n, 0, 0, 0, 0, 0, 0)
#define mt__sys_1(n, a)                mt__sys6(n, (long)(a), 0, 0, 0, 0, 0)
#define mt__sys_2(n, a, b)             mt__sys6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define mt__sys_3(n, a, b, c)          mt__sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define mt__sys_4(n, a, b, c, d)       mt__sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define mt__sys_5(n, a, b, c, d, e)    mt__sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define mt__sys_6(n, a, b, c, d, e, f) mt__sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Zeroed memory, or NULL. */
MT__SEAM void *mt__alloc(size_t size);

#endif
