/* SPDX-License-Identifier: MIT
 *
 * liburing's waits, which return -errno. What is prepared is submitted, the hub waits (ring.c), and then liburing
 * itself takes what there is. The library's own hubs call these, too, and theirs are the kernel's waits.
 */
#include "patch/patch.h"
#include "patch/ring.h"

#include <liburing.h>

#define NO_DESCRIPTOR (1U << 15) /* IORING_SETUP_REGISTERED_FD_ONLY */

/* Whether it is for the hub to wait. */
static int waits_here(const struct io_uring *ring, unsigned count, enum mt__name_number number)
{
    if (!mt__patched(FILE) || mt__own_has(ring->ring_fd))
        return 0;
    if (count <= io_uring_cq_ready(ring)) {
        mt__patch_look();
        return 0;
    }
    if (ring->ring_fd >= 0 && !(ring->flags & (IORING_SETUP_IOPOLL | NO_DESCRIPTOR)) && mt__ring_can_wait())
        return 1;
    mt__patch_passes(number);
    return 0;
}

static int end(struct mt__patch_call call, long result)
{
    mt__patch_end(call, 0);
    return (int)result;
}

static long wait_for_ring(const struct io_uring *ring, unsigned count, const sigset_t *mask, mt_deadline deadline,
                          enum mt__name_number number)
{
    return mt__ring_wait((struct mt__ring_wish){ring->ring_fd,
                                                !(ring->flags & IORING_SETUP_DEFER_TASKRUN),
                                                {ring->cq.khead, ring->cq.ktail, ring->cq.kring_entries},
                                                count,
                                                mask,
                                                deadline,
                                                number});
}

/* The same for calls that go on waiting after a signal if something has come. */
static long wait_for_all(const struct io_uring *ring, unsigned count, const sigset_t *mask, enum mt__name_number number)
{
    long result;

    do
        result = wait_for_ring(ring, count, mask, MT_FOREVER, number);
    while (!result && !mt__patch_leaves() && io_uring_cq_ready(ring) < count && count <= *ring->cq.kring_entries);
    return result;
}

/* What came meanwhile, though it is less than was waited for. */
static void take(struct io_uring *ring, struct io_uring_cqe **cqe)
{
    mt__libc(__io_uring_get_cqe)(ring, cqe, 0, 0, NULL);
}

MT__PATCHED int __io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned count,
                                   sigset_t *mask)
{
    struct mt__patch_call call;
    long result = 0;

    if (!waits_here(ring, count, MT__N___io_uring_get_cqe))
        return mt__libc(__io_uring_get_cqe)(ring, cqe, submit, count, mask);
    call = mt__ring_begin();
    if (submit)
        result = mt__sys(SYS_io_uring_enter, ring->ring_fd, submit, 0, 0, NULL, 0);
    if (result >= 0)
        result = wait_for_all(ring, count, mask, MT__N___io_uring_get_cqe);
    take(ring, cqe);
    return end(call, result);
}

/* What is prepared, and then so many: how much was submitted, or, if nothing was, how the wait went. */
static long submit_and_wait(struct io_uring *ring, unsigned count, const struct __kernel_timespec *time,
                            const sigset_t *mask, enum mt__name_number number)
{
    long submitted = io_uring_submit(ring), result;

    if (submitted < 0 || (!(ring->flags & IORING_SETUP_SQPOLL) && io_uring_sq_ready(ring)))
        return submitted;
    result = wait_for_ring(ring, count, mask, mt__ring_deadline(time), number);
    return submitted > 0 ? submitted : result;
}

MT__PATCHED int io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    struct mt__patch_call call;

    if (!waits_here(ring, count, MT__N_io_uring_submit_and_wait))
        return mt__libc(io_uring_submit_and_wait)(ring, count);
    call = mt__ring_begin();
    return end(call, submit_and_wait(ring, count, NULL, NULL, MT__N_io_uring_submit_and_wait));
}

MT__PATCHED int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned count,
                                                 struct __kernel_timespec *time, sigset_t *mask)
{
    struct mt__patch_call call;
    long result;

    if (!waits_here(ring, count, MT__N_io_uring_submit_and_wait_timeout))
        return mt__libc(io_uring_submit_and_wait_timeout)(ring, cqe, count, time, mask);
    call = mt__ring_begin();
    result = submit_and_wait(ring, count, time, mask, MT__N_io_uring_submit_and_wait_timeout);
    take(ring, cqe);
    return end(call, result);
}

/* Only with a time it submits, too. */
static long wait_for_time(struct io_uring *ring, unsigned count, const struct __kernel_timespec *time,
                          const sigset_t *mask, enum mt__name_number number)
{
    long submitted;

    if (!time)
        return wait_for_all(ring, count, mask, number);
    submitted = io_uring_submit(ring);
    return submitted < 0 ? submitted : wait_for_ring(ring, count, mask, mt__ring_deadline(time), number);
}

MT__PATCHED int io_uring_wait_cqes(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned count,
                                   struct __kernel_timespec *time, sigset_t *mask)
{
    struct mt__patch_call call;
    long result;

    if (!waits_here(ring, count, MT__N_io_uring_wait_cqes))
        return mt__libc(io_uring_wait_cqes)(ring, cqe, count, time, mask);
    call = mt__ring_begin();
    result = wait_for_time(ring, count, time, mask, MT__N_io_uring_wait_cqes);
    take(ring, cqe);
    return end(call, result);
}

MT__PATCHED int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                          struct __kernel_timespec *time)
{
    struct mt__patch_call call;
    long result;

    if (!waits_here(ring, 1, MT__N_io_uring_wait_cqe_timeout))
        return mt__libc(io_uring_wait_cqe_timeout)(ring, cqe, time);
    call = mt__ring_begin();
    result = wait_for_time(ring, 1, time, NULL, MT__N_io_uring_wait_cqe_timeout);
    take(ring, cqe);
    return end(call, result);
}
