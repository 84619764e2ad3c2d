/* SPDX-License-Identifier: MIT
 *
 * poll, select and epoll_wait. The kernel says what is ready, by the same call with no time to wait, before a wait and
 * after it; in between the hub waits for any of the descriptors. So revents, sets and errors are the kernel's, and
 * nothing is left behind by a timeout. A signal mask is the caller's while it waits, or would: with something ready
 * the signals that it lets in stay pending.
 */
#include "patch/fd.h"
#include "patch/signals.h"
#include "patch/undeclared.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>

static const struct timespec none = {0, 0};

static mt_deadline deadline_of(const struct timespec *timeout)
{
    if (!timeout || timeout->tv_sec > INT64_MAX / 2000000000)
        return MT_FOREVER;
    return mt_after(MT_SEC(timeout->tv_sec) + timeout->tv_nsec);
}

static int is_time(const struct timespec *timeout)
{
    return !timeout || (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < 1000000000);
}

/* -- poll --------------------------------------------------------------------------------------------------------- */

/* One that was closed meanwhile: its number may be another's by now. */
static int closed(struct pollfd *fds, const struct pollfd *waited, nfds_t count)
{
    int found = 0;

    for (nfds_t i = 0; i < count; i++)
        found |= waited[i].revents & POLLNVAL;
    for (nfds_t i = 0; found && i < count; i++)
        fds[i].revents = waited[i].revents & POLLNVAL;
    return found ? -EBADF : 0;
}

/* Errors and hang-ups are told of in any case, which not every loop knows. */
int mt__patch_wait_any(struct pollfd *fds, nfds_t count, const sigset_t *mask, unsigned flags, mt_deadline deadline,
                       enum mt__name_number number)
{
    struct mt__wait wait = {.flags = flags | MT__WAIT_INTERRUPT | MT__WAIT_INTERRUPT_ALWAYS |
                                     (mask ? MT__WAIT_INTERRUPT_FIRST : 0),
                            .reason = MT_WAIT_IO,
                            .place = mt__names[number].name,
                            .deadline = deadline};
    struct mt__mask_suspended own;
    struct pollfd few[8], *copy = few;
    int result;

    if (!count && !mask)
        return mt__patch_wait_time(deadline, mt__names[number].name);
    if (count + 1 > sizeof few / sizeof *few && !(copy = mt__alloc((count + 1) * sizeof *copy)))
        return -ENOMEM;
    for (nfds_t i = 0; i < count; i++)
        copy[i] = (struct pollfd){fds[i].fd, (short)(fds[i].events | POLLERR | POLLHUP), 0};
    result = mt__wait_begin(&wait);
    if (!result) {
        if (mask)
            mt__mask_suspend(&own, mask);
        result = mt__wait_round_fds(&wait, copy, (unsigned)count, deadline);
        if (mask)
            mt__mask_resume(&own);
        result =
            result == -ETIMEDOUT && !wait.limited ? (mt__wait_end(&wait, result), -ETIME) : mt__wait_end(&wait, result);
        if (!result)
            result = closed(fds, copy, count);
    }
    if (copy != few)
        free(copy);
    return result;
}

static long count_ready(const struct pollfd *fds, nfds_t count)
{
    long ready = 0;

    for (nfds_t i = 0; i < count; i++)
        ready += fds[i].revents != 0;
    return ready;
}

static long poll_until(struct pollfd *fds, nfds_t count, const sigset_t *mask, mt_deadline deadline,
                       enum mt__name_number number)
{
    long ready, result = 0;

    for (;;) {
        ready = mt__sys(SYS_ppoll, fds, count, &none, NULL, 0);
        if (ready || result == -ETIME)
            return ready;
        result = mt__patch_wait_any(fds, count, mask, 0, deadline, number);
        if (result && result != -ETIME)
            return result == -EBADF ? count_ready(fds, count) : result;
    }
}

MT__PATCHED int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct mt__patch_call call;

    if (!mt__patched(SELECT))
        return mt__libc(poll)(fds, count, timeout);
    if (!timeout) {
        mt__patch_look();
        return mt__libc(poll)(fds, count, timeout);
    }
    call = mt__patch_begin_fair();
    return (int)mt__patch_end(
        call, poll_until(fds, count, NULL, timeout < 0 ? MT_FOREVER : mt_after(MT_MS(timeout)), MT__N_poll));
}

MT__PATCHED int __poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return poll(fds, count, timeout);
}

MT__PATCHED int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
    if (!mt__patched(SELECT) || room / sizeof *fds < count)
        return mt__libc(__poll_chk)(fds, count, timeout, room);
    return poll(fds, count, timeout);
}

MT__PATCHED int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    struct mt__patch_call call;

    if (!mt__patched(SELECT) || !is_time(timeout))
        return mt__libc(ppoll)(fds, count, timeout, mask);
    call = mt__patch_begin_fair();
    return (int)mt__patch_end(call, poll_until(fds, count, mask, deadline_of(timeout), MT__N_ppoll));
}

MT__PATCHED int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                            size_t room)
{
    if (!mt__patched(SELECT) || room / sizeof *fds < count)
        return mt__libc(__ppoll_chk)(fds, count, timeout, mask, room);
    return ppoll(fds, count, timeout, mask);
}

/* -- select ------------------------------------------------------------------------------------------------------- */

enum { READ, WRITE, EXCEPT, SETS };

struct sets {
    int count;
    fd_set *given[SETS];
    unsigned long *copies; /* SETS times `words` */
    size_t words;
};

#define BITS (8 * sizeof(unsigned long))

static void copy_in(struct sets *sets)
{
    for (int i = 0; i < SETS; i++)
        if (sets->given[i])
            memcpy(sets->copies + (size_t)i * sets->words, sets->given[i], sets->words * sizeof(unsigned long));
}

static void copy_out(const struct sets *sets)
{
    for (int i = 0; i < SETS; i++)
        if (sets->given[i])
            memcpy(sets->given[i], sets->copies + (size_t)i * sets->words, sets->words * sizeof(unsigned long));
}

static long look(struct sets *sets)
{
    struct timespec no_time = none;
    unsigned long *at[SETS];

    copy_in(sets);
    for (int i = 0; i < SETS; i++)
        at[i] = sets->given[i] ? sets->copies + (size_t)i * sets->words : NULL;
    return mt__sys(SYS_pselect6, sets->count, at[READ], at[WRITE], at[EXCEPT], &no_time, NULL);
}

static int has(const struct sets *sets, int set, int fd)
{
    const unsigned long *words = (const unsigned long *)sets->given[set];

    return words && words[(size_t)fd / BITS] >> ((size_t)fd % BITS) & 1;
}

static struct pollfd *as_polls(const struct sets *sets, nfds_t *count)
{
    struct pollfd *polls = mt__alloc(((size_t)sets->count + 1) * sizeof *polls);

    *count = 0;
    for (int fd = 0; polls && fd < sets->count; fd++) {
        short events = (short)((has(sets, READ, fd) ? POLLIN | POLLRDNORM | POLLRDBAND : 0) |
                               (has(sets, WRITE, fd) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0) |
                               (has(sets, EXCEPT, fd) ? POLLPRI : 0));
        if (events)
            polls[(*count)++] = (struct pollfd){.fd = fd, .events = events};
    }
    return polls;
}

static long select_until(struct sets *sets, const sigset_t *mask, mt_deadline deadline, enum mt__name_number number)
{
    nfds_t count;
    struct pollfd *polls = as_polls(sets, &count);
    long ready = -ENOMEM, result = 0;

    while (polls) {
        ready = look(sets);
        if (ready > 0 || (!ready && result == -ETIME))
            copy_out(sets);
        if (ready || result == -ETIME)
            break;
        result = mt__patch_wait_any(polls, count, mask, 0, deadline, number);
        if (result && result != -ETIME) {
            ready = result;
            break;
        }
    }
    free(polls);
    return ready;
}

static long select_in_hub(int count, fd_set *const given[SETS], const sigset_t *mask, mt_deadline deadline,
                          enum mt__name_number number)
{
    struct sets sets = {
        .count = count, .given = {given[0], given[1], given[2]}, .words = ((size_t)count + BITS - 1) / BITS};
    unsigned long few[SETS * FD_SETSIZE / BITS];
    long result;

    sets.copies = few;
    if (count > FD_SETSIZE && !(sets.copies = mt__alloc(SETS * sets.words * sizeof *sets.copies)))
        return -ENOMEM;
    result = select_until(&sets, mask, deadline, number);
    if (sets.copies != few)
        free(sets.copies);
    return result;
}

static int64_t left_of(mt_deadline deadline)
{
    int64_t left = deadline - mt_now();

    return left > 0 ? left : 0;
}

MT__PATCHED int select(int count, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict excepts,
                       struct timeval *restrict timeout)
{
    struct mt__patch_call call;
    mt_deadline deadline = MT_FOREVER;
    int64_t left;
    long result;

    if (!mt__patched(SELECT) || count < 0 || (timeout && !timeout->tv_sec && !timeout->tv_usec) ||
        (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
        return mt__libc(select)(count, reads, writes, excepts, timeout);
    call = mt__patch_begin_fair();
    if (timeout && timeout->tv_sec < INT64_MAX / 2000000000)
        deadline = mt_after(MT_SEC(timeout->tv_sec) + MT_US(timeout->tv_usec));
    result = select_in_hub(count, (fd_set *const[]){reads, writes, excepts}, NULL, deadline, MT__N_select);
    if (deadline != MT_FOREVER) {
        left = left_of(deadline);
        *timeout = (struct timeval){left / 1000000000, left % 1000000000 / 1000};
    }
    return (int)mt__patch_end(call, result);
}

MT__PATCHED int __select(int count, fd_set *reads, fd_set *writes, fd_set *excepts, struct timeval *timeout)
{
    return select(count, reads, writes, excepts, timeout);
}

MT__PATCHED int pselect(int count, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict excepts,
                        const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
    struct mt__patch_call call;
    long result;

    if (!mt__patched(SELECT) || count < 0 || !is_time(timeout))
        return mt__libc(pselect)(count, reads, writes, excepts, timeout, mask);
    call = mt__patch_begin_fair();
    result = select_in_hub(count, (fd_set *const[]){reads, writes, excepts}, mask, deadline_of(timeout), MT__N_pselect);
    return (int)mt__patch_end(call, result);
}

/* -- epoll_wait --------------------------------------------------------------------------------------------------- */

/* An epoll descriptor is itself ready when it has events. */
static long epoll_until(int fd, struct epoll_event *events, int most, const sigset_t *mask, mt_deadline deadline,
                        enum mt__name_number number)
{
    struct pollfd own = {.fd = fd, .events = POLLIN};
    long ready, result = 0;

    for (;;) {
        ready = mt__sys(SYS_epoll_pwait, fd, events, most, 0, NULL, 8);
        if (ready || result == -ETIME)
            return ready;
        if (result)
            return result;
        result = mt__patch_wait_any(&own, 1, mask, 0, deadline, number);
    }
}

MT__PATCHED int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    struct mt__patch_call call;

    if (!mt__patched(SELECT))
        return mt__libc(epoll_wait)(fd, events, most, timeout);
    if (!timeout) {
        mt__patch_look();
        return mt__libc(epoll_wait)(fd, events, most, timeout);
    }
    call = mt__patch_begin_fair();
    return (int)mt__patch_end(call, epoll_until(fd, events, most, NULL,
                                                timeout < 0 ? MT_FOREVER : mt_after(MT_MS(timeout)), MT__N_epoll_wait));
}

MT__PATCHED int epoll_pwait(int fd, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
    struct mt__patch_call call;

    if (!mt__patched(SELECT))
        return mt__libc(epoll_pwait)(fd, events, most, timeout, mask);
    if (!mask)
        return epoll_wait(fd, events, most, timeout);
    call = mt__patch_begin_fair();
    return (int)mt__patch_end(
        call,
        epoll_until(fd, events, most, mask, timeout < 0 ? MT_FOREVER : mt_after(MT_MS(timeout)), MT__N_epoll_pwait));
}

MT__PATCHED int epoll_pwait2(int fd, struct epoll_event *events, int most, const struct timespec *timeout,
                             const sigset_t *mask)
{
    struct mt__patch_call call;

    if (!mt__patched(SELECT) || !is_time(timeout))
        return mt__libc(epoll_pwait2)(fd, events, most, timeout, mask);
    call = mt__patch_begin_fair();
    return (int)mt__patch_end(call, epoll_until(fd, events, most, mask, deadline_of(timeout), MT__N_epoll_pwait2));
}
