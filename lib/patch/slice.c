/* SPDX-License-Identifier: MIT
 *
 * Time slices: a coroutine that stands for a thread and computes, or waits by looking at a variable again and again,
 * would keep its hub for ever, where the kernel would let others run. It is interrupted by a signal (slice-watch.c),
 * whose handler lets them go, by the switch that a call of sched_yield makes, on the very stack that was interrupted.
 * When it is its turn again the handler returns, and the kernel puts back all registers, vectors and the floating point
 * state with them, as it has laid them on that stack: the switch itself keeps fewer.
 *
 * When that is as good as a call of sched_yield at that place. This library, libc and the others believe that nobody
 * else has a turn but in a call that waits. So nobody is left in the middle of a call:
 *
 *   1. The hub is not in a turn, and who runs is in no patched call (coro->inside).
 *   2. All code on the stack, from the instruction that was interrupted out to where the thread began, is the program's
 *      own, or of a library that keeps nothing by kernel threads: not of libc, the dynamic linker, the unwinder, an
 *      allocator, or of this library. See slice-stack.c; what cannot be followed counts as theirs.
 *   3. It stands on its own stack, with room left: not on one for signals, of a greenlet, or of another library.
 *
 * Hence no signal handler of the program is left in the middle, as the kernel's way to it is in libc, nor what libc
 * calls back, as qsort and once do; and malloc, which the switch may call, is not in use. Where it may not be left now,
 * it may a moment later: it is counted, and tried again.
 *
 * What a thread has for its own, when it is left at any instruction:
 *
 * - Who runs, greenlets and errno are changed by the switch, as at each wait; the handler keeps errno.
 *
 * - Variables of threads have one place for all of a hub, which code may have in a register: only the contents change.
 *   A change that takes two instructions is copied out half done, and goes on with what is copied in again.
 *
 * - The signal mask is full until the switch, then the coroutine's own. When it goes on, its mask and its stack for
 *   signals are asked for: the kernel would put back those that it has in the frame, which may be old.
 *
 * - Rounding and the floating point's exceptions are each one's own, as ever. What is set in mxcsr alone is the
 *   thread's, as ever: the kernel gives a handler a fresh one, so the one that was interrupted is put in again.
 *
 * - C++'s exceptions in flight: either the unwinder is on the stack, or a landing pad of the program runs, which has
 *   registers, and what libstdc++ keeps in variables of threads.
 *
 * - Locks of pthread.h belong to the coroutine. Who spins for one of the program's own gets it a slice later.
 *
 * - A restartable sequence is ended by the kernel before any handler.
 *
 * What is otherwise than with the kernel's threads, and is now so at any instruction, not only in calls that wait: all
 * of a hub share the locale of uselocale(3), what libc keeps for a thread from one call to the next (strerror's text,
 * dlerror, h_errno), and the streams that one has locked by flockfile(3). A handler that comes between the mask's
 * opening and the switch, and leaves by siglongjmp, leaves the hub with a coroutine that is ready and runs, as it would
 * from any call that waits.
 *
 * Coroutines of mt_coro_spawn are never interrupted, nor whoever is in a hub that has some: they may rely on turns.
 *
 * The interrupted pay with a signal's frame on their stack. Who has less left than that, also of a small stack for
 * signals while a handler computes on it, is ended by the kernel, as by any signal.
 */
#include "patch/slice.h"
#include "patch/pthreads.h"
#include "patch/signals.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM (24 * 1024) /* for the look at the stack, a turn, and the variables of threads laid out anew */

static struct {
    uint64_t taken, refused;
    const void *where; /* the last refusal */
} counts;

/* -- Whether ------------------------------------------------------------------------------------------------------ */

/* Who runs is a coroutine that stands for a thread, or the thread itself that has only such. Returns 0: it is not. */
static int find_bounds(const struct mt__hub *hub, struct mt__slice_bounds *bounds)
{
    const struct mt__pthread *thread = hub->current->pthread;

    if (hub->in_turn || hub->current->inside || hub->living_count != mt__pthreads_here())
        return 0;
    if (hub->current == &hub->root)
        *bounds = (struct mt__slice_bounds){mt__slice.low, mt__slice.top, 0};
    else if (thread && thread->unwinds)
        *bounds = (struct mt__slice_bounds){thread->stack_low, thread->stack_top, thread->base_frame};
    else
        return 0;
    return 1;
}

static int has_room(const struct mt__slice_bounds *bounds, const char *here)
{
    return here > bounds->low && here < bounds->top && here - bounds->low > ROOM;
}

static int may(const struct mt__hub *hub, const ucontext_t *context, const void **where)
{
    struct mt__slice_bounds bounds;

    *where = NULL;
    return find_bounds(hub, &bounds) && has_room(&bounds, (const char *)&bounds) &&
           mt__slice_may(context, &bounds, where);
}

/* -- The switch --------------------------------------------------------------------------------------------------- */

static void set_control(const ucontext_t *context)
{
#if defined(__x86_64__)
    __asm__ volatile("ldmxcsr %0" : : "m"(context->uc_mcontext.fpregs->mxcsr));
#endif
}

static void make_way(struct mt__hub *hub, ucontext_t *context)
{
    struct mt__patch_call call;

    if (!mt__hub_look(hub))
        return;
    __atomic_fetch_add(&counts.taken, 1, __ATOMIC_RELAXED);
    set_control(context);
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &context->uc_sigmask, NULL, NSIG / 8);
    call = mt__patch_enter();
    mt__sys(SYS_rt_sigprocmask, SIG_SETMASK, &context->uc_sigmask, NULL, NSIG / 8); /* as it was, for who comes next */
    mt__hub_make_way();
    mt__patch_end(call, 0);
    mt__sys(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &context->uc_sigmask, NSIG / 8);
    mt__sys(SYS_sigaltstack, NULL, &context->uc_stack);
}

void mt__slice_over(int number, siginfo_t *info, void *context)
{
    struct mt__slice *slice = &mt__slice;
    struct mt__hub *hub = mt__hub;
    const void *where;
    int error = errno;

    if (mt__signal_is_knock(info)) {
        errno = error;
        return;
    }
    if (info->si_code != SI_TIMER || info->si_value.sival_ptr != slice)
        return;
    __atomic_store_n(&slice->is_set, 0, __ATOMIC_RELEASE);
    if (!hub || mt__slice_moves(hub) != __atomic_load_n(&slice->asked, __ATOMIC_RELAXED))
        return; /* it has gone on meanwhile */
    if (may(hub, context, &where)) {
        make_way(hub, context);
    } else {
        __atomic_fetch_add(&counts.refused, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&counts.where, where, __ATOMIC_RELAXED);
    }
    errno = error;
}

/* -- What is counted ---------------------------------------------------------------------------------------------- */

uint64_t mt__slices_taken(void)
{
    return __atomic_load_n(&counts.taken, __ATOMIC_RELAXED);
}

static void say_where(char *text, size_t size, const void *where)
{
    Dl_info info;
    const char *slash;

    text[0] = 0;
    if (!where || !dladdr(where, &info) || !info.dli_fname)
        return;
    slash = strrchr(info.dli_fname, '/');
    snprintf(text, size, ", the last time for %s%s%s", info.dli_sname ? info.dli_sname : "",
             info.dli_sname ? " of " : "", slash ? slash + 1 : info.dli_fname);
}

/* Straight to the kernel, as in patch.c. */
void mt__slice_report(void)
{
    unsigned long long taken = mt__slices_taken(), refused = __atomic_load_n(&counts.refused, __ATOMIC_RELAXED);
    char line[400], where[300];

    if (taken)
        mt__sys(
            SYS_write, STDERR_FILENO, line,
            snprintf(line, sizeof line, "linuxmt: who computed made way %llu time%s\n", taken, taken == 1 ? "" : "s"));
    if (!refused)
        return;
    say_where(where, sizeof where, __atomic_load_n(&counts.where, __ATOMIC_RELAXED));
    mt__sys(SYS_write, STDERR_FILENO, line,
            snprintf(line, sizeof line, "linuxmt: who computed could not be interrupted %llu time%s%s\n", refused,
                     refused == 1 ? "" : "s", where));
}
