/* SPDX-License-Identifier: MIT
 *
 * Coroutines: tasks that share a thread and take turns. See mt_coro(3).
 *
 * A coroutine belongs to the thread that spawned it. It runs while that thread waits: in mt_sleep, a join, an acquire,
 * a get, in whatever of this library blocks. The thread's hub, which is opened by its first coroutine, then runs what
 * is ready, and sleeps in the kernel when nothing is.
 */
#ifndef LINUXMT_CORO_H
#define LINUXMT_CORO_H

#include <linuxmt/greenlet.h>
#include <linuxmt/task.h>

MT__BEGIN

struct mt_coro_options {
    const char *name;  /* NULL: "coroutine-" and the task's id */
    size_t stack_size; /* bytes reserved, the guard page included, rounded up to a power of two; 0: MT_CORO_STACK */
};

/* Makes a coroutine that runs fn(arg) in the calling thread, from its next wait on. The caller owns the handle. NULL
 * with errno: ENOMEM, EINVAL (a stack above MT_CORO_STACK_MAX), EMFILE or ENFILE (the first in a thread needs
 * descriptors). */
struct mt_task *mt_coro_spawn(mt_fn *fn, void *arg, const struct mt_coro_options *options);

/* The same, but it begins after that many nanoseconds. Killed before, it never runs. */
struct mt_task *mt_coro_spawn_later(int64_t nanoseconds, mt_fn *fn, void *arg, const struct mt_coro_options *options);

/* Lets the others go first. In a thread without coroutines it yields the processor. -ECANCELED if the task has been
 * killed, else 0. */
int mt_coro_yield(void);

/* Waits until the thread's hub has nothing else to do: nothing is ready, no time has come and no operation is done but
 * for others that wait for this. In a thread without coroutines it yields the processor. 0; -ETIMEDOUT (with MT_NOWAIT:
 * -EBUSY); -ECANCELED. */
int mt__coro_idle(mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_coro_idle(deadline) mt__coro_idle(deadline, MT__HERE)

/* The most bytes of its stack that the coroutine has used, in whole pages; of a stack that is used again, that earlier
 * ones have. 0: it is no coroutine. */
size_t mt_coro_stack_used(const struct mt_task *task);

/* How the hubs of this process wait, "uring" or "epoll", and why. */
const char *mt_loop_name(void);
const char *mt_loop_reason(void);

/* Writes to the descriptor what runs in the calling thread's hub, a line each: its name, its state, what it waits for,
 * since when and where. 0 or -errno. */
int mt_hub_print(int fd);

MT__END

#endif
