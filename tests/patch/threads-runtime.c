/* SPDX-License-Identifier: MIT
 * A module that has what a runtime has, for threads-mixture.c: a function of that name, or RING: a wait of a newer
 * liburing's.
 */
#ifdef RING
int io_uring_submit_and_wait_reg(void) __attribute__((weak));
int wait_for_ring(void);
int wait_for_ring(void)
{
    return io_uring_submit_and_wait_reg ? io_uring_submit_and_wait_reg() : 0;
}
#else
void GC_init(void);
void GC_init(void) {}
#endif
