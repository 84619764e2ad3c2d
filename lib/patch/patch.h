/* SPDX-License-Identifier: MIT
 *
 * Inside the room: how a name of libc's is taken over.
 *
 * Each name has a row in names.def and a definition, in the file of its class:
 *
 *     MT__PATCHED unsigned sleep(unsigned seconds)
 *     {
 *         if (!mt__patched(SLEEP))
 *             return mt__libc(sleep)(seconds);
 *         ...
 *     }
 *
 * mt__patched is the one branch that a call outside a hub costs: class off, or no coroutines in this thread. mt__libc
 * is what would have been called without us, with the type that libc's header gives it; names that no header declares
 * are declared in undeclared.h.
 *
 * The waits below park the caller; they return -errno and leave errno alone. mt__patch_return makes libc's convention
 * of it. A call that cannot wait in the hub is counted by mt__patch_pass(name) before it blocks the thread.
 *
 * This header comes first: what distributions define for whole builds would rename or inline what is defined here.
 */
#ifndef PATCH_PATCH_H
#define PATCH_PATCH_H

#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#ifndef __NO_INLINE__
#define __NO_INLINE__ 1 /* libc's headers then define no functions of their own */
#endif

#include "base/own.h"
#include "coro/hub.h"

#include <errno.h>
#include <linuxmt/patch.h>
#include <linuxmt/time.h>
#include <signal.h>
#include <stdint.h>

#define MT__PATCHED __attribute__((visibility("default")))

/* -- The names ---------------------------------------------------------------------------------------------------- */

enum mt__verdict {
    MT__COOPERATIVE, /* waits in the hub */
    MT__OFF_HUB,     /* runs in a thread of its own while the caller waits in the hub */
    MT__PASSES,      /* blocks its thread, and is counted */
    MT__NOT_COVERED, /* blocks its thread; nothing of it is defined here */
};

enum mt__name_number {
#define NAME(name, class, verdict, why) MT__N_##name,
#include "patch/names.def"
#undef NAME
    MT__NAMES
};

struct mt__name {
    const char *name;
    unsigned class;
    enum mt__verdict verdict;
    const char *why;
};

extern const struct mt__name mt__names[MT__NAMES];
extern void *mt__originals[MT__NAMES]; /* NULL: not looked up yet */

/* Looks it up: a call that comes before this library's constructor. */
void *mt__original_find(enum mt__name_number number);

static inline void *mt__original(enum mt__name_number number)
{
    void *original = __atomic_load_n(&mt__originals[number], __ATOMIC_RELAXED);

    return __builtin_expect(original != NULL, 1) ? original : mt__original_find(number);
}

#define mt__libc(name) ((__typeof__(&name))mt__original(MT__N_##name))

/* -- Whether ------------------------------------------------------------------------------------------------------ */

extern uint32_t mt__patch_on; /* classes */

static inline int mt__patched_classes(unsigned classes)
{
    struct mt__hub *hub = mt__hub;

    if (__builtin_expect(!(__atomic_load_n(&mt__patch_on, __ATOMIC_RELAXED) & classes) | !hub, 1))
        return 0;
    return !hub->current->inside;
}

#define mt__patched(class) mt__patched_classes(MT_PATCH_##class)

/* Handlers of signals are to be seen from now on. */
void mt__patch_handlers(void);

/* Counts a call that is going to block the hub's thread. */
void mt__patch_passes(enum mt__name_number number);
#define mt__patch_pass(name) mt__patch_passes(MT__N_##name)

/* Why threads are the kernel's although the class is on; NULL: they are not, or nobody has asked for one. modules.c's.
 */
const char *mt__patch_refused(void);

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

/* Every way to the hub is between these two: what a signal handler calls meanwhile is libc, and one that it is left by
 * waits for the end (leave.c). They also keep errno, which is the thread's and not the coroutine's. They nest; then
 * only the outermost end is a call's. */
struct mt__patch_call {
    struct mt__coro *coro;
    int error;
    uint32_t was_inside;
};

static inline struct mt__patch_call mt__patch_enter(void)
{
    struct mt__coro *coro = mt__hub->current;
    struct mt__patch_call call = {coro, errno, coro->inside};

    coro->inside = 1;
    return call;
}

/* A cancellation point of pthread.h's threads: acts on a request that is there. thread-exit.c's */
void mt__pthread_point(void);

/* The wait of one was cancelled: of a thread of ours it does not come back. */
void mt__pthread_cancelled(void);

/* The same for calls that are cancellation points: those that wait for anything but a lock. */
static inline struct mt__patch_call mt__patch_begin(void)
{
    if (__builtin_expect(__atomic_load_n(&mt__running->cancel, __ATOMIC_RELAXED), 0))
        mt__pthread_point();
    return mt__patch_enter();
}

/* Between enter and end: whether a handler in the midst of the call has been left for good, and the call is to end for
 * that: what it would do with what it waited for does not happen. leave.c's */
static inline int mt__patch_leaves(void)
{
    return mt__hub && __atomic_load_n(&mt__hub->current->signals.leaves, __ATOMIC_RELAXED);
}

/* Between enter and end: lets others go from time to time. A loop whose calls all need no wait may be waiting for what
 * another does. */
void mt__patch_be_fair(void);

/* libc's way to return: -1 and errno, or the result with errno as it was. */
long mt__patch_end(struct mt__patch_call call, long result);

/* For calls on descriptors, which loops are made of. */
static inline struct mt__patch_call mt__patch_begin_fair(void)
{
    struct mt__patch_call call = mt__patch_begin();

    mt__patch_be_fair();
    if (__builtin_expect(mt__patch_leaves(), 0))
        mt__patch_end(call, 0);
    return call;
}

/* Before one that only looks, and goes to libc. */
void mt__patch_look(void);

/* The same for what costs less than a system call (locks, which have to be quick), or is called in handlers of signals
 * (waitpid, with WNOHANG): lets others go only after very many calls. Not with a lock that it has taken. */
void mt__patch_look_seldom(void);

/* Until the descriptor has one of the events. flags: MT__WAIT_INTERRUPT, or _ALWAYS as what signal(7) says is never
 * restarted. 0; -ETIME: the deadline; -ECANCELED: killed; -ETIMEDOUT: a timeout of the
 * task's; -EINTR; -EBADF. */
int mt__patch_wait_fd(int fd, short events, unsigned flags, mt_deadline deadline, const char *name);

/* The same, of a watch (coro/receive-all.h) on the descriptor. */
int mt__patch_wait_more(int watch, int fd, unsigned flags, mt_deadline deadline, const char *name);

/* Until a time. Never 0: -ETIME is the deadline; else as above. */
int mt__patch_wait_time(mt_deadline deadline, const char *name);

/* Until the word is not `expected` any more; -ETIME, ... as above. flags as of mt__wait. */
int mt__patch_wait_word(uint32_t *word, uint32_t expected, unsigned flags, mt_deadline deadline, const char *name);

/* Has the hub's ring make the call: its result; -ENOSYS: there is no ring, or it does not know the call; -ETIME, ... as
 * above. */
int mt__patch_has_ring(void);
long mt__patch_ring(struct mt__io *io, mt_deadline deadline, enum mt__name_number number);

/* Runs fn(arg), which sets errno as it likes, in a thread of its own (one of a pool) while the caller waits in the hub;
 * errno is then the caller's. Cannot be cancelled, since fn uses the caller's memory. Without a thread to be had fn
 * runs here, and is counted as having passed. */
void mt__patch_off(void (*fn)(void *arg), void *arg, enum mt__name_number number);

#endif
