/* SPDX-License-Identifier: MIT
 *
 * io_uring_enter(2), which waits. What is prepared is submitted at once. Whether enough has completed the kernel says,
 * asked to wait for no time: so it also does what it has put off until somebody waits (IORING_SETUP_DEFER_TASKRUN). In
 * between the hub waits.
 *
 * What the hub waits for is the ring's descriptor, if one completion is wanted: it is readable with the first. It tells
 * nothing of the next, nor of what has been put off. An eventfd(2) does, which is registered with the ring meanwhile;
 * where the program has one there itself, or none is to be had, looking again and again has to do. (Meanwhile the
 * program's own is refused with EBUSY.)
 *
 * Before Linux 6.1 that would wait for all that is under way: programs that use liburing keep their threads there, and
 * what calls the kernel by itself passes. So do, by liburing's names, rings that have no descriptor, or are asked for
 * completions by being polled. These are no cancellation points.
 */
#include "patch/fd.h"
#include "patch/pthreads.h"
#include "patch/ring.h"

#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOON MT_MS(1) /* to look again */

/* -- Until enough has completed ------------------------------------------------------------------------------------ */

static long enter(int fd, unsigned submit, unsigned count, unsigned flags, const void *arg, size_t size)
{
    return mt__sys(SYS_io_uring_enter, fd, submit, count, flags, arg, size);
}

static unsigned ready(const struct mt__ring_counters *counters)
{
    return __atomic_load_n(counters->tail, __ATOMIC_ACQUIRE) - __atomic_load_n(counters->head, __ATOMIC_RELAXED);
}

/* 0; -ETIME: not yet, which the kernel says only if there is nothing at all. */
static long has(const struct mt__ring_wish *wish)
{
    const struct __kernel_timespec none = {0, 0};
    const struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&none};
    long result;

    do /* a time slice ends by a signal, too */
        result = enter(wish->fd, 0, wish->count, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof arg);
    while (result == -EINTR);
    if (result < 0 && result != -ETIME)
        return result;
    return ready(&wish->counters) >= wish->count ? 0 : -ETIME;
}

/* Tells of each completion from now on; or -errno. */
static int watch_begin(int fd)
{
    int watch = mt__own(mt__sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
    long error = watch < 0 ? watch : mt__sys(SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD, &watch, 1);

    if (watch >= 0 && error < 0)
        mt__own_close(watch);
    return error < 0 ? (int)error : watch;
}

static void watch_end(int fd, int watch)
{
    mt__sys(SYS_io_uring_register, fd, IORING_UNREGISTER_EVENTFD, NULL, 0);
    mt__own_close(watch);
}

static void watch_seen(int watch)
{
    uint64_t times;

    mt__sys(SYS_read, watch, &times, sizeof times);
}

static int wait_for_change(const struct mt__ring_wish *wish, int watch)
{
    struct pollfd both[2] = {{.fd = watch, .events = POLLIN}, {.fd = wish->fd}};
    unsigned flags = mt__pthread_if_known() ? MT__WAIT_NOCANCEL : 0;
    mt_deadline soon = mt_after(SOON);
    int result;

    if (watch >= 0 || soon > wish->deadline)
        soon = wish->deadline;
    result = mt__patch_wait_any(both, watch == wish->fd ? 1 : 2, wish->mask, flags, soon, wish->number);
    return result == -ETIME && soon < wish->deadline ? 0 : result;
}

static long wait_watched(const struct mt__ring_wish *wish, int watch)
{
    long result = 0, enough;

    for (;;) {
        if (watch >= 0 && watch != wish->fd)
            watch_seen(watch);
        enough = has(wish);
        if (enough != -ETIME || result)
            return enough == -ETIME ? result : enough;
        result = wait_for_change(wish, watch);
    }
}

static long wait_for_all(struct mt__ring_wish wish)
{
    long result;
    int watch;

    if (wish.count > *wish.counters.room)
        wish.count = *wish.counters.room;
    result = has(&wish);
    if (result != -ETIME)
        return result;
    if (wish.tells_itself && wish.count == 1)
        return wait_watched(&wish, wish.fd);
    watch = watch_begin(wish.fd);
    result = wait_watched(&wish, watch);
    if (watch >= 0)
        watch_end(wish.fd, watch);
    return result;
}

long mt__ring_wait(struct mt__ring_wish wish)
{
    long result = wait_for_all(wish);

    return (result == -ETIME || result == -EINTR) && ready(&wish.counters) ? 0 : result;
}

mt_deadline mt__ring_deadline(const struct __kernel_timespec *time)
{
    if (!time || time->tv_sec > INT64_MAX / 2000000000)
        return MT_FOREVER;
    return mt_after(MT_SEC(time->tv_sec) + time->tv_nsec);
}

/* Where a ring has what in its memory, by one that is made to look: the same for all, as long as the kernel runs. */
static struct io_cqring_offsets offsets;

static int look_at_kernel(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    long fd = mt__sys(SYS_io_uring_setup, 1, &params);

    if (fd < 0)
        return 0;
    mt__sys(SYS_close, fd);
    offsets = params.cq_off;
    return 1;
}

int mt__ring_can_wait(void)
{
    static int known; /* 1: no; 2: yes, and the offsets are there */
    int now = __atomic_load_n(&known, __ATOMIC_ACQUIRE);

    if (!now) {
        now = look_at_kernel() ? 2 : 1;
        __atomic_store_n(&known, now, __ATOMIC_RELEASE);
    }
    return now == 2;
}

/* -- The system call ----------------------------------------------------------------------------------------------- */

/* Its mask and time. 0: something else is there, that is the kernel's to know. */
static int read_argument(unsigned flags, const void *arg, size_t size, const sigset_t **mask, mt_deadline *deadline)
{
    const struct io_uring_getevents_arg *extended = arg;

    *mask = arg;
    *deadline = MT_FOREVER;
    if (!(flags & IORING_ENTER_EXT_ARG))
        return !arg || size == _NSIG / 8;
    if (!arg || size != sizeof *extended || extended->pad)
        return 0;
    *mask = (const sigset_t *)(uintptr_t)extended->sigmask;
    *deadline = mt__ring_deadline((const struct __kernel_timespec *)(uintptr_t)extended->ts);
    return !*mask || extended->sigmask_sz == _NSIG / 8;
}

/* What of a ring's memory is mapped to find its counters. */
#define COUNTERS 4096

static int find_counters(int fd, char **memory, struct mt__ring_counters *counters)
{
    char *base = mmap(NULL, COUNTERS, PROT_READ, MAP_SHARED, fd, IORING_OFF_CQ_RING);

    if (base == MAP_FAILED)
        return 0;
    *memory = base;
    *counters =
        (struct mt__ring_counters){(const unsigned *)(base + offsets.head), (const unsigned *)(base + offsets.tail),
                                   (const unsigned *)(base + offsets.ring_entries)};
    return 1;
}

static int enter_here(int fd, unsigned submit, unsigned count, unsigned flags, const void *arg, size_t size,
                      long *result)
{
    const unsigned known =
        IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP | IORING_ENTER_SQ_WAIT | IORING_ENTER_EXT_ARG;
    struct mt__ring_counters counters;
    const sigset_t *mask;
    mt_deadline deadline;
    char *memory;

    if (flags & ~known || !read_argument(flags, arg, size, &mask, &deadline) || !mt__ring_can_wait()) {
        mt__patch_pass(io_uring_enter2);
        return 0;
    }
    if (!find_counters(fd, &memory, &counters))
        return 0;
    *result = submit ? enter(fd, submit, 0, flags & ~(IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG), NULL, 0) : 0;
    if (*result == (long)submit) {
        long end = mt__ring_wait((struct mt__ring_wish){fd, 0, counters, count, mask, deadline, MT__N_io_uring_enter2});
        *result = submit ? *result : end;
    }
    munmap(memory, COUNTERS);
    return 1;
}

struct mt__patch_call mt__ring_begin(void)
{
    struct mt__patch_call call = mt__patch_enter();

    mt__patch_be_fair();
    if (mt__patch_leaves())
        mt__patch_end(call, 0);
    return call;
}

long mt__ring_enter(int fd, unsigned submit, unsigned count, unsigned flags, const void *arg, size_t size)
{
    struct mt__patch_call call;
    long result;
    int is_here;

    if (!mt__patched(FILE) || mt__own_has(fd))
        return enter(fd, submit, count, flags, arg, size);
    if (!(flags & IORING_ENTER_GETEVENTS) || !count) {
        mt__patch_look();
        return enter(fd, submit, count, flags, arg, size);
    }
    call = mt__ring_begin();
    is_here = enter_here(fd, submit, count, flags, arg, size, &result);
    mt__patch_end(call, 0);
    return is_here ? result : enter(fd, submit, count, flags, arg, size);
}

/* Not liburing's declarations, which have been changed: the mask became any argument. */
int mt__io_uring_enter(unsigned fd, unsigned submit, unsigned count, unsigned flags,
                       const void *mask) __asm__("io_uring_enter");
int mt__io_uring_enter2(unsigned fd, unsigned submit, unsigned count, unsigned flags, const void *arg,
                        size_t size) __asm__("io_uring_enter2");

MT__PATCHED int mt__io_uring_enter(unsigned fd, unsigned submit, unsigned count, unsigned flags, const void *mask)
{
    return (int)mt__ring_enter((int)fd, submit, count, flags, mask, _NSIG / 8);
}

MT__PATCHED int mt__io_uring_enter2(unsigned fd, unsigned submit, unsigned count, unsigned flags, const void *arg,
                                    size_t size)
{
    return (int)mt__ring_enter((int)fd, submit, count, flags, arg, size);
}
