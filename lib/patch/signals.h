/* SPDX-License-Identifier: MIT
 *
 * Inside the room: the signals of coroutines that stand for threads. Each has a mask (mask.c), signals that were sent
 * to it alone (sent.c), and may wait for some (signal.c). A hub's root, the thread that carries it, is one of them as
 * long as there are others.
 */
#ifndef PATCH_SIGNALS_H
#define PATCH_SIGNALS_H

#include "base/mini.h"
#include "patch/patch.h"

#include <pthread.h>
#include <signal.h>

#define MT__SIGNALS 64 /* as many as the kernel has; a set of them has bit n - 1 for signal n */

static inline uint64_t mt__signal_bit(int signal)
{
    return 1ull << (signal - 1);
}

/* No mask has these: two are libc's own. */
#define MT__UNBLOCKABLE (mt__signal_bit(SIGKILL) | mt__signal_bit(SIGSTOP) | mt__signal_bit(32) | mt__signal_bit(33))

/* The kernel's form is the first eight bytes of libc's. */
uint64_t mt__signals_of(const sigset_t *set);
void mt__signals_to(sigset_t *set, uint64_t signals);

/* All are blocked for this kernel thread until they are let in again: what it had. */
uint64_t mt__signals_block(void);
void mt__signals_restore(uint64_t before);

/* -- Mailboxes (mailbox.c) ----------------------------------------------------------------------------------------- */

struct mt__sent;

struct mt__mailbox {
    struct mt__mini guard;  /* held with all signals blocked, as handlers send signals, too */
    struct mt__coro *coro;  /* NULL: it has not begun, or has ended */
    int tid;                /* of the kernel thread that carries it, once it has begun */
    int is_closed;          /* it has ended: nothing is kept for it */
    uint64_t first_blocked; /* its mask when it begins */
    struct mt__sent *first, **last;
    uint64_t pending; /* which there are */
    uint64_t accepts; /* which it waits for by sigwait */

    /* a root's: */
    pthread_t thread;
    struct mt__mailbox *next;
};

void mt__mailbox_open(struct mt__mailbox *mailbox, uint64_t blocked);

/* With all signals blocked. */
void mt__mailbox_begin(struct mt__mailbox *mailbox, struct mt__coro *coro);
void mt__mailbox_close(struct mt__mailbox *mailbox);

/* With its guard, and all signals blocked. 0, or -EAGAIN: there is no memory. And the number of one of these that was
 * taken out, or 0. */
int mt__mailbox_keep(struct mt__mailbox *mailbox, int signal, const siginfo_t *info);
int mt__mailbox_take(struct mt__mailbox *mailbox, uint64_t signals, siginfo_t *info);

/* The caller's, which may not be open; NULL: it has none. */
struct mt__mailbox *mt__mailbox_here(void);

/* Of a hub's root there is one only while it has coroutines beside it. Then it is the kernel's thread again, and what
 * it was sent is the kernel's to deliver. Returns 0: others than `only` are there, and it stays open. */
void mt__root_opens(struct mt__mailbox *mailbox, struct mt__coro *root);
int mt__root_closes(struct mt__mailbox *mailbox, uint64_t only);
struct mt__mailbox *mt__root_mailbox(void); /* of the caller's thread, open or not */

/* By libc's handle or, if that is 0, by the kernel's id. It stays until mt__root_found. NULL: there is none. */
int mt__roots_any(void);
struct mt__mailbox *mt__root_find(pthread_t handle, long tid);
void mt__root_found(void);

void mt__mailboxes_forked(void); /* in the child of a fork */

/* -- Those that are sent to one (sent.c) --------------------------------------------------------------------------- */

/* To one of ours: 0, or -errno. info NULL: it is to say tgkill. */
int mt__signal_send(struct mt__mailbox *to, int signal, const siginfo_t *info);

/* The same to the root of a hub, by libc's handle or, if that is 0, by the kernel's id. 1: it is none. */
int mt__signal_send_root(pthread_t handle, long tid, int signal, const siginfo_t *info);

/* Has the kernel deliver what was sent to the caller and is let in now. */
void mt__signals_deliver(void);

/* Has the kernel deliver it to this thread, as one that was sent to who runs, once it is let in. */
void mt__signal_raise(siginfo_t *info);
int mt__signal_is_coming(int signal); /* there is one of these */

/* Takes one of these out of the caller's: its number, or 0. */
int mt__signal_take(uint64_t signals, siginfo_t *info);

/* Whether a SIGPIPE was pending for this kernel thread, which it is not any more. */
int mt__signal_take_pipe(siginfo_t *info);

/* The caller has written what nobody reads: a SIGPIPE that it blocks stays its own. */
void mt__signal_keep_pipe(void);

/* One of these that it is sent from now on ends the caller's wait. Those from before are there. */
void mt__signals_accept(uint64_t signals);

/* For handlers. Whether it only says that somebody here has been sent one; if that is who runs, it is delivered now. */
int mt__signal_is_knock(const siginfo_t *info);
void mt__signal_knocked(void);

/* Whether it was sent to the one that runs, rather than to the process. */
int mt__signal_was_sent(int signal);

/* -- Those that are sent to the process (arrived.c) ---------------------------------------------------------------- */

/* Whether nobody runs to whom it would have come: it is kept, and will come to one that lets it in. */
int mt__signal_arrived(int signal, const siginfo_t *info);

void mt__arrived_forked(void);

/* -- Masks (mask.c) ------------------------------------------------------------------------------------------------ */

/* The caller's. */
uint64_t mt__mask_of_caller(void);

/* The running coroutine has a mask of its own from now on, or none any more. */
void mt__mask_join(uint64_t blocked);
void mt__mask_leave(void);

/* The root has answered; the thread ends. Then it is one of those no more if it is alone. */
void mt__mask_answered(void);
void mt__masks_forget(void);

/* In a switch: it is to be in force. */
void mt__mask_switch(const struct mt__hub *hub, const struct mt__coro *next);

/* The caller's becomes this: what it was sent and lets in now comes before it returns. It has one of its own, or is the
 * root of those that have. */
void mt__mask_set(uint64_t blocked);

/* The caller blocks these as well until mt__mask_restore of what this returns. Without the thread class nothing. */
uint64_t mt__mask_block(uint64_t signals);
void mt__mask_restore(uint64_t blocked);

/* Another mask while it waits; what that lets in comes at once. Has a place for what was before. */
struct mt__mask_suspended {
    uint64_t before;
    int joined;
};
void mt__mask_suspend(struct mt__mask_suspended *suspended, const sigset_t *mask);
void mt__mask_resume(const struct mt__mask_suspended *suspended);

/* For handlers: what is blocked while it runs, in the one that runs. */
struct mt__mask_handling {
    struct mt__coro *coro; /* NULL: nothing was changed */
    uint64_t before, in_force;
};
void mt__mask_handler_begins(struct mt__mask_handling *handling, uint64_t blocked);
void mt__mask_handler_ends(const struct mt__mask_handling *handling);

/* -- Handlers that are left for good (leave.c) --------------------------------------------------------------------- */

typedef void mt__handler_fn(int signal, siginfo_t *info, void *context);

/* Calls it. Returns also if it is left, in the midst of a patched call: the call leaves when it is over. */
void mt__midst(mt__handler_fn *handler, int signal, siginfo_t *info, void *context);

/* What a call of siglongjmp's or of pthread_exit does first. Returns if it is to be done now. */
struct __jmp_buf_tag;
void mt__leave_by_jump(void (*jump)(struct __jmp_buf_tag *place, int value), struct __jmp_buf_tag *place, int value);
void mt__leave_by_exit(void *value);

/* The end of such a call: it leaves. */
void mt__leave(struct mt__coro *self) __attribute__((noreturn));

/* In the midst of it: whether it leaves, by pthread_exit. Then it does not any more, until mt__leave_exit. */
int mt__leave_is_exit(void **value);
void mt__leave_exit(void *value);

/* Whether the signal has a handler of the program's, which is called by way of ours (handler.c). */
int mt__handler_is_ours(int signal);

/* In the child of a fork. */
void mt__masks_forked(void);

#endif
