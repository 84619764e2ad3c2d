/* SPDX-License-Identifier: MIT
 *
 * Signal handlers that are left for good, by siglongjmp or pthread_exit, in the midst of a patched call. Its frames,
 * which the jump would leave, are entered in the hub's lists and in those of locks; the kernel writes to buffers on
 * them, and another thread may. So the jump is put off until the call has taken all that back:
 *
 *   asked for    in the handler: what is to be done is noted, and the outermost handler in the midst of the call left
 *                by a jump to mt__midst, which returns to the kernel. It then puts back registers, mask and the stack
 *                for signals, and whatever was interrupted, also of the hub, goes on as after any handler
 *   on its way   signals.leaves: each wait of the call, this one or a later one, ends with -EINTR, whatever SA_RESTART
 *                says, and the call as after any EINTR. Locks, conditions and semaphores pass the wake on that they may
 *                have been given; nothing more is received or taken
 *   done         at the call's mt__patch_end: as the last that it does, and on a stack that nobody else knows of
 *
 * 1. What is already done when the handler comes (bytes were received, a connection accepted) is lost with the call, as
 * it is with libc, where the signal comes as the system call returns.
 *
 * 2. Not put off are jumps within the handler: to a place above mt__midst's frame, or on the stack for signals. glibc
 * hides the stack pointer in a jmp_buf behind a guard, which is found by a jmp_buf of our own, and looked at once more;
 * where that does not fit, jumps are made as they are asked for.
 *
 * 3. A wait that is cancelled waits for its operation all the same (park-io.c), and a call off the hub for its thread
 * (off.c): neither has MT__WAIT_LEFT or _INTERRUPT, so `leaves` does not end these, and they do not spin. Others that
 * try again after EINTR look at mt__patch_leaves.
 *
 * 4. A handler may come between any two instructions. inside is 1 until mt__patch_end has set it to 0; what was put off
 * until then is seen by the look at `leaves` that follows. Between the two, and while another handler is under way, a
 * further one is put off, too, and takes the place of the first, as it would with libc, having come later.
 *
 * 5. Who is parked, or about to be, is summoned, and the answer to the summons (park.c) ends the wait. One that is on
 * its way there has `leaves` looked at when it is parked.
 *
 * 6. The mask that siglongjmp brings back, and what pthread_exit runs, come with the jump itself: it is made by a
 * second call of the same function.
 *
 * Coroutines that do not stand for threads, and what mt_ calls wait for, leave at once, and at their own risk.
 */
#include "arch/arch.h"
#include "patch/pthreads.h"
#include "patch/signals.h"
#include "patch/undeclared.h"

#include <setjmp.h>

#define ENDS (MT__WAIT_INTERRUPT | MT__WAIT_INTERRUPT_ALWAYS | MT__WAIT_INTERRUPT_FIRST | MT__WAIT_LEFT)

/* The outermost handler under way in the midst of a call of who runs here. */
struct midst {
    jmp_buf back;
};

static __thread struct midst *midst __attribute__((tls_model("initial-exec")));
static __thread struct mt__departure roots __attribute__((tls_model("initial-exec")));

/* -- Where a jump goes --------------------------------------------------------------------------------------------- */

static struct {
    int is_known;
    uintptr_t value;
} guard;

static __attribute__((noinline)) uintptr_t find_guard(void)
{
    jmp_buf here;

    _setjmp(here);
    return mt__arch_jump_word((uintptr_t)here->__jmpbuf[MT__ARCH_JUMP_STACK]) ^ mt__arch_stack_pointer();
}

static uintptr_t stack_of(const struct __jmp_buf_tag *place)
{
    return mt__arch_jump_word((uintptr_t)place->__jmpbuf[MT__ARCH_JUMP_STACK]) ^ guard.value;
}

/* From another place on the stack than the guard was found at. */
static __attribute__((noinline)) int is_found(void)
{
    jmp_buf here;

    _setjmp(here);
    return stack_of(here) == mt__arch_stack_pointer();
}

static int is_on(const stack_t *stack, uintptr_t address)
{
    return stack->ss_flags & SS_ONSTACK && address - (uintptr_t)stack->ss_sp < stack->ss_size;
}

static int is_in_handler(const struct __jmp_buf_tag *place)
{
    uintptr_t to = stack_of(place), base = (uintptr_t)midst, here = mt__arch_stack_pointer();
    stack_t own = {0};

    mt__sys(SYS_sigaltstack, NULL, &own);
    if (is_on(&own, to))
        return !is_on(&own, base) || to < base;
    return !is_on(&own, base) && to < base && (is_on(&own, here) || to >= here);
}

/* -- Asked for ----------------------------------------------------------------------------------------------------- */

/* NULL: it is one that cannot be put off. */
static struct mt__departure *departure_of(struct mt__coro *self)
{
    struct mt__pthread *thread = self->pthread;

    return self == &self->hub->root ? &roots : thread ? &thread->departure : NULL;
}

static int is_in_midst(void)
{
    const struct mt__coro *self = mt__hub ? mt__hub->current : NULL;

    return self && (self->inside || self->signals.leaves);
}

/* `back` has all that is needed when this is left: nothing of the frame is changed after _setjmp. */
void mt__midst(mt__handler_fn *handler, int signal, siginfo_t *info, void *context)
{
    struct mt__coro *self;
    uint32_t was_inside;
    struct midst own;

    if (midst || !is_in_midst()) {
        handler(signal, info, context);
        return;
    }
    self = mt__hub->current;
    was_inside = self->inside;
    midst = &own;
    self->inside = 1; /* what it calls is libc's: nobody else runs here while `midst` is this one's */
    if (!_setjmp(own.back))
        handler(signal, info, context);
    midst = NULL;
    self->inside = was_inside;
}

static void put_off(const struct mt__departure *how)
{
    struct mt__coro *self = mt__hub->current;
    struct mt__departure *departure = departure_of(self);
    struct midst *outermost = midst;

    if (!departure || !guard.is_known) {
        midst = NULL;
        return;
    }
    *departure = *how;
    departure->error = errno;
    __atomic_store_n(&self->signals.leaves, ENDS, __ATOMIC_SEQ_CST);
    mt__coro_summon(self);
    mt__libc(_longjmp)(outermost->back, 1);
}

void mt__leave_by_jump(void (*jump)(struct __jmp_buf_tag *place, int value), struct __jmp_buf_tag *place, int value)
{
    if (midst && !is_in_handler(place))
        put_off(&(struct mt__departure){.jump = jump, .place = place, .value = (void *)(intptr_t)value});
}

void mt__leave_by_exit(void *value)
{
    if (midst)
        put_off(&(struct mt__departure){.value = value});
}

/* -- Done ---------------------------------------------------------------------------------------------------------- */

static struct mt__departure take(struct mt__coro *self)
{
    uint64_t before = mt__signals_block();
    struct mt__departure how = *departure_of(self);

    self->signals.leaves = 0;
    mt__signals_restore(before);
    return how;
}

void mt__leave(struct mt__coro *self)
{
    struct mt__departure how = take(self);

    errno = how.error;
    if (how.jump)
        how.jump(how.place, (int)(intptr_t)how.value);
    pthread_exit(how.value);
}

int mt__leave_is_exit(void **value)
{
    struct mt__coro *self = mt__hub->current;
    uint64_t before;
    int is_exit;

    if (!self->signals.leaves)
        return 0;
    before = mt__signals_block(); /* another handler would ask for something else */
    is_exit = !departure_of(self)->jump;
    if (is_exit)
        *value = take(self).value;
    mt__signals_restore(before);
    return is_exit;
}

void mt__leave_exit(void *value)
{
    struct mt__coro *self = mt__hub->current;
    uint64_t before = mt__signals_block();

    *departure_of(self) = (struct mt__departure){.value = value, .error = errno};
    self->signals.leaves = ENDS;
    mt__signals_restore(before);
}

__attribute__((constructor)) static void begin(void)
{
    guard.value = find_guard();
    guard.is_known = is_found();
}
