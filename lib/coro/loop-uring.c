/* SPDX-License-Identifier: MIT
 *
 * The loop on io_uring(7), through liburing: one ring a hub, which only its thread enters (SINGLE_ISSUER), and whose
 * completions are made when it asks for them (DEFER_TASKRUN), so nothing interrupts what runs. What gathers between two
 * turns is one system call, and a turn with nothing to submit and nothing to reap is none.
 *
 * A completion's user_data is its mt__op; 0 is nobody's (a cancel). Linux 6.1 at least; futex waits from 6.7 on, before
 * that the helpers' threads do them.
 */
#include "base/clock.h"
#include "base/own.h"
#include "base/sys.h"
#include "coro/tell.h"

#include <liburing.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mt__uring_works(char *why_not, size_t size);

#define ENTRIES     256
#define COMPLETIONS 4096

/* What the headers of liburing 2.3 lack. */
#define FUTEX_SIZE_32     2u
#define MT__OP_FUTEX_WAKE 52

struct uring {
    struct io_uring ring;
    uint64_t bell_value;
    struct mt__op bell;
    int bell_set;
    int quiet; /* the last turn has left nothing to be submitted or told */
};

static struct uring *uring_of(struct mt__hub *hub)
{
    return hub->loop_state;
}

static int enter_fails(void)
{
    return __atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED) ? mt__sys_injected(SYS_io_uring_enter) : 0;
}

/* -- Whether it works --------------------------------------------------------------------------------------------- */

static int ring_open(struct io_uring *ring, unsigned entries)
{
    struct io_uring_params parameters = {
        .flags =
            IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int error = __atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED) ? mt__sys_injected(SYS_io_uring_setup) : 0;

    if (error)
        return -error;
    return io_uring_queue_init_params(entries, ring, &parameters);
}

int mt__uring_works(char *why_not, size_t size)
{
    struct io_uring ring;
    int error = ring_open(&ring, 4);

    if (!error)
        io_uring_queue_exit(&ring);
    if (!error || error == -EMFILE || error == -ENFILE) /* a descriptor is the last that it asks for */
        return 1;
    if (error == -EPERM || error == -EACCES)
        snprintf(why_not, size, "io_uring is refused here: by a sandbox, or by sysctl kernel.io_uring_disabled");
    else if (error == -ENOSYS)
        snprintf(why_not, size, "the kernel has no io_uring, or a sandbox hides it");
    else if (error == -EINVAL)
        snprintf(why_not, size, "the kernel's io_uring is older than Linux 6.1");
    else
        snprintf(why_not, size, "io_uring_setup: %s", strerror(-error));
    return 0;
}

/* -- Submitting --------------------------------------------------------------------------------------------------- */

static struct io_uring_sqe *entry(struct mt__hub *hub)
{
    struct io_uring *ring = &uring_of(hub)->ring;
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

    if (!sqe) {
        io_uring_submit(ring);
        sqe = io_uring_get_sqe(ring);
    }
    if (sqe)
        memset(sqe, 0, sizeof *sqe);
    return sqe;
}

static int futex_flags(const struct mt__arm *arm)
{
    return (int)(FUTEX_SIZE_32 | (arm->flags & MT__WAIT_SHARED ? 0 : FUTEX_PRIVATE_FLAG));
}

/* One bit of futex(2)'s bitsets: by it the hub's own arms are roused, and few others. */
static uint64_t bit_of(const struct mt__hub *hub)
{
    return UINT64_C(1) << (hub->tid & 31);
}

static int futex(struct mt__hub *hub, struct mt__arm *arm)
{
    struct io_uring_sqe *sqe = entry(hub);

    if (!sqe)
        return -EBUSY;
    sqe->opcode = MT__OP_FUTEX;
    sqe->fd = futex_flags(arm);
    sqe->addr = (uintptr_t)arm->word;
    sqe->off = arm->expected;
    sqe->addr3 = bit_of(hub);
    sqe->user_data = (uintptr_t)&arm->op;
    arm->entry = uring_of(hub)->ring.sq.sqe_tail - 1;
    mt__tell_begin(hub, &arm->op, MT__OP_FUTEX, sqe->addr, arm->link ? arm->link->parked->coro : NULL);
    return 0;
}

static void cancel(struct mt__hub *hub, struct mt__op *op)
{
    struct io_uring_sqe *sqe = entry(hub);

    if (!sqe)
        return; /* an arm may stay: its wake is passed on; a call is cancelled again below */
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = (uintptr_t)op;
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
}

static int is_sent(struct mt__hub *hub, const struct mt__arm *arm)
{
    return (int32_t)(arm->entry - io_uring_smp_load_acquire(uring_of(hub)->ring.sq.khead)) < 0;
}

static int futex_rouse(struct mt__hub *hub, const struct mt__arm *arm)
{
    struct io_uring_sqe *sqe = entry(hub);

    if (!sqe)
        return 0;
    sqe->opcode = MT__OP_FUTEX_WAKE;
    sqe->fd = futex_flags(arm);
    sqe->addr = (uintptr_t)arm->word;
    sqe->off = 1;
    sqe->addr3 = bit_of(hub);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    return 1;
}

static void futex_cancel(struct mt__hub *hub, struct mt__arm *arm)
{
    cancel(hub, &arm->op);
}

/* -- Descriptors that are ready ----------------------------------------------------------------------------------- */

/* The kernel adds POLLRDHUP to what is asked for, so that a poll for room ends at once, and again and again, where the
 * peer has shut down its side. One that tells of nothing else is made a poll that stays, which tells of that once, and
 * then of changes: when it has something to tell, who waits is woken, and takes it back. */
static int ask_for_poll(struct mt__hub *hub, struct mt__poll *poll)
{
    struct io_uring_sqe *sqe = entry(hub);

    if (!sqe)
        return -EBUSY;
    if (poll->stays)
        io_uring_prep_poll_multishot(sqe, poll->fd, (unsigned short)poll->events);
    else
        io_uring_prep_poll_add(sqe, poll->fd, (unsigned short)poll->events);
    sqe->user_data = (uintptr_t)&poll->op;
    mt__tell_begin(hub, &poll->op, MT__OP_POLL, (uint64_t)poll->fd, hub->current);
    return 0;
}

static int wanted(const struct mt__poll *poll, int result)
{
    return result < 0 ? result : result & (poll->events | POLLERR | POLLHUP | POLLNVAL);
}

/* Told by a poll that stays. */
static void poll_tells(struct mt__hub *hub, struct mt__poll *poll, int result)
{
    if (wanted(poll, result) <= 0 || poll->given_up)
        return;
    *poll->found = (short)wanted(poll, result);
    mt__parked_end(hub, poll->parked, 0);
}

static void poll_ends(struct mt__hub *hub, struct mt__op *op, int result)
{
    struct mt__poll *poll = (struct mt__poll *)op;

    if (!wanted(poll, result) && !poll->given_up) {
        poll->stays = 1;
        if (!ask_for_poll(hub, poll))
            return;
    }
    poll->complete(hub, op, wanted(poll, result));
}

static int uring_poll(struct mt__hub *hub, struct mt__poll *poll)
{
    poll->complete = poll->op.complete;
    poll->op.complete = poll_ends;
    return ask_for_poll(hub, poll);
}

static void poll_cancel(struct mt__hub *hub, struct mt__poll *poll)
{
    cancel(hub, &poll->op);
}

/* -- Calls -------------------------------------------------------------------------------------------------------- */

static int io(struct mt__hub *hub, struct mt__io *io)
{
    struct io_uring_sqe *sqe = entry(hub);

    if (!sqe)
        return -EBUSY;
    sqe->opcode = io->opcode;
    sqe->fd = io->fd;
    sqe->addr = io->address;
    sqe->off = io->offset;
    sqe->len = io->length;
    sqe->rw_flags = (int)io->flags;
    sqe->ioprio = io->hints;
    sqe->user_data = (uintptr_t)&io->op;
    mt__tell_begin(hub, &io->op, io->opcode, (uint64_t)io->fd, hub->current);
    return 0;
}

static void io_cancel(struct mt__hub *hub, struct mt__io *io)
{
    cancel(hub, &io->op);
}

/* Submitted at once: it finds what is under way by the file, which a later one of that number is not. */
static void closing(struct mt__hub *hub, int fd)
{
    struct io_uring_sqe *sqe = hub->ops ? entry(hub) : NULL;

    if (!sqe)
        return;
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = fd;
    sqe->cancel_flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
    io_uring_submit(&uring_of(hub)->ring);
}

/* -- The turn ----------------------------------------------------------------------------------------------------- */

/* The bell is heard by a read that is always under way. */
static void bell_rang(struct mt__hub *hub, struct mt__op *op, int result)
{
    uring_of(hub)->bell_set = 0;
}

static void set_bell(struct mt__hub *hub)
{
    struct uring *uring = uring_of(hub);
    struct io_uring_sqe *sqe;

    if (uring->bell_set || !(sqe = entry(hub)))
        return;
    io_uring_prep_read(sqe, hub->letters.bell, &uring->bell_value, sizeof uring->bell_value, 0);
    sqe->user_data = (uintptr_t)&uring->bell;
    uring->bell_set = 1;
}

static void reap(struct mt__hub *hub)
{
    struct io_uring *ring = &uring_of(hub)->ring;
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;

    io_uring_for_each_cqe(ring, head, cqe)
    {
        struct mt__op *op = (struct mt__op *)(uintptr_t)cqe->user_data;
        count++;
        if (!op)
            continue;
        if (cqe->flags & IORING_CQE_F_MORE) { /* which only a poll's can have */
            poll_tells(hub, (struct mt__poll *)op, cqe->res);
            continue;
        }
        if (cqe->flags & IORING_CQE_F_SOCK_NONEMPTY) /* which only a receive's can have */
            ((struct mt__io *)op)->left_some = 1;
        if (op != &uring_of(hub)->bell)
            mt__tell_end(hub, op, cqe->res);
        op->complete(hub, op, cqe->res);
    }
    io_uring_cq_advance(ring, count);
}

static int has_work(struct io_uring *ring)
{
    return io_uring_sq_ready(ring) || io_uring_cq_ready(ring) ||
           IO_URING_READ_ONCE(*ring->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static int sleep_until(struct io_uring *ring, mt_deadline until)
{
    struct __kernel_timespec left;
    struct io_uring_cqe *cqe;
    int64_t now;

    if (until == MT_FOREVER)
        return io_uring_submit_and_wait(ring, 1);
    now = mt_now();
    if (until < now)
        until = now;
    left.tv_sec = (until - now) / 1000000000;
    left.tv_nsec = (until - now) % 1000000000;
    return io_uring_submit_and_wait_timeout(ring, &cqe, 1, &left, NULL);
}

static int enter(struct mt__hub *hub, mt_deadline until)
{
    struct io_uring *ring = &uring_of(hub)->ring;
    int result = 0;

    if (until == MT_NOWAIT && !has_work(ring))
        return 0;
    if (enter_fails())
        return 0; /* as an interrupted one: the next turn goes on */
    if (until == MT_NOWAIT) {
        result = io_uring_submit_and_get_events(ring);
    } else {
        set_bell(hub);
        result = sleep_until(ring, until);
    }
    reap(hub);
    return result;
}

static int turn(struct mt__hub *hub, mt_deadline until)
{
    int result = enter(hub, until);

    uring_of(hub)->quiet = !has_work(&uring_of(hub)->ring);
    return result;
}

static int is_quiet(struct mt__hub *hub)
{
    return uring_of(hub)->quiet;
}

/* -- Beginning and end -------------------------------------------------------------------------------------------- */

static int has_futex(struct mt__hub *hub)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&uring_of(hub)->ring);
    int has = probe && probe->last_op >= MT__OP_FUTEX_WAKE && probe->ops[MT__OP_FUTEX].flags & IO_URING_OP_SUPPORTED;

    io_uring_free_probe(probe);
    return has;
}

static int uring_open(struct mt__hub *hub)
{
    struct uring *uring = mt__alloc(sizeof *uring);
    int error;

    if (!uring)
        return -ENOMEM;
    error = ring_open(&uring->ring, ENTRIES);
    if (error) {
        free(uring);
        return error;
    }
    uring->bell.complete = bell_rang;
    uring->ring.ring_fd = uring->ring.enter_ring_fd = mt__own(uring->ring.ring_fd);
    hub->letters.bell = mt__own(hub->letters.bell);
    io_uring_ring_dontfork(&uring->ring);
    io_uring_register_ring_fd(&uring->ring); /* without it each enter looks the descriptor up */
    hub->loop_state = uring;
    return 0;
}

/* In a fork's child the ring is the parent's: only the descriptor is ours to close. */
static void uring_close(struct mt__hub *hub, int forked)
{
    struct uring *uring = uring_of(hub);

    mt__own_forget(uring->ring.ring_fd);
    mt__own_forget(hub->letters.bell); /* which the hub closes */
    if (forked)
        mt__sys(SYS_close, uring->ring.ring_fd);
    else
        io_uring_queue_exit(&uring->ring);
    free(uring);
    hub->loop_state = NULL;
}

const struct mt__loop mt__loop_uring = {
    .name = "uring",
    .open = uring_open,
    .close = uring_close,
    .has_futex = has_futex,
    .futex = futex,
    .futex_cancel = futex_cancel,
    .futex_rouse = futex_rouse,
    .is_sent = is_sent,
    .is_quiet = is_quiet,
    .poll = uring_poll,
    .poll_cancel = poll_cancel,
    .io = io,
    .io_cancel = io_cancel,
    .closing = closing,
    .turn = turn,
};
