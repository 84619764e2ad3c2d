/* SPDX-License-Identifier: MIT
 * A module that has what a runtime has, for threads-mixture.c: a function of that name, or RING: a call of liburing's.
 */
#ifdef RING
int __io_uring_get_cqe(void) __attribute__((weak));
int wait_for_ring(void);
int wait_for_ring(void)
{
    return __io_uring_get_cqe ? __io_uring_get_cqe() : 0;
}
#else
void GC_init(void);
void GC_init(void) {}
#endif
