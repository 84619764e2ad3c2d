/* SPDX-License-Identifier: MIT
 *
 * How a coroutine that is a thread is left: pthread_exit, and cancellation.
 *
 * Its stack is unwound by force, as libc does it with a thread's: by the unwinder, which runs what C++ and GNU C's
 * cleanup attribute have to be run; and before it leaves a frame in which pthread_cleanup_push has laid its buffer, a
 * jump into that, whose handler comes back here by __pthread_unwind_next. When it is through, a jump to run() in
 * thread.c.
 *
 * The buffers' list is a coroutine's own: libc's would be that of all coroutines of a thread. A buffer lies in its
 * frame, so it is being left when the unwinder has come to a frame whose stack begins above it.
 */
#include "patch/pthreads.h"
#include "patch/locks.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>
#include <unwind.h>

/* -- The unwinder, which libc too loads only when it is needed ----------------------------------------------------- */

static struct {
    __typeof__(&_Unwind_ForcedUnwind) force;
    __typeof__(&_Unwind_GetCFA) stack_of;
} unwinder;

static void fail(const char *text) __attribute__((noreturn));
static void fail(const char *text)
{
    mt__sys(SYS_write, STDERR_FILENO, text, strlen(text));
    abort();
}

static void load_unwinder(void)
{
    void *library;

    if (__atomic_load_n(&unwinder.force, __ATOMIC_ACQUIRE))
        return;
    library = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail("linuxmt: libgcc_s.so.1 must be installed for pthread_exit to work\n");
    unwinder.stack_of = (__typeof__(unwinder.stack_of))dlsym(library, "_Unwind_GetCFA");
    __atomic_store_n(&unwinder.force, (__typeof__(unwinder.force))dlsym(library, "_Unwind_ForcedUnwind"),
                     __ATOMIC_RELEASE);
}

static void swallowed(_Unwind_Reason_Code reason, struct _Unwind_Exception *exception)
{
    fail("FATAL: exception not rethrown\n"); /* as libc says it */
}

/* -- Leaving ------------------------------------------------------------------------------------------------------ */

static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                struct _Unwind_Exception *exception, struct _Unwind_Context *context, void *arg)
{
    struct mt__pthread *thread = arg;
    __pthread_unwind_buf_t *cleanup = thread->cleanup;
    struct __jmp_buf_tag
        *volatile target; /* the head of one: without a signal mask, which longjmp does not look for then */
    uintptr_t here = actions & _UA_END_OF_STACK ? UINTPTR_MAX : unwinder.stack_of(context);

    if (cleanup && here > (uintptr_t)cleanup) {
        thread->cleanup = cleanup->__pad[0];
        target = (struct __jmp_buf_tag *)cleanup->__cancel_jmp_buf;
        longjmp(target, 1);
    }
    if (here > thread->base_frame)
        longjmp(thread->base, 1);
    return _URC_NO_REASON;
}

static void unwind(struct mt__pthread *thread) __attribute__((noreturn));
static void unwind(struct mt__pthread *thread)
{
    unwinder.force(&thread->unwinding, stop, thread);
    fail("linuxmt: a thread's stack cannot be unwound\n");
}

void mt__pthread_leave(struct mt__pthread *thread, void *value)
{
    struct _Unwind_Exception *exception = &thread->unwinding;

    mt__leave_by_exit(value);
    if (!thread->unwinds)
        fail("linuxmt: pthread_exit in a coroutine that pthread_create has not made\n");
    load_unwinder();
    mt__mini_acquire(&thread->guard);
    thread->leaving = thread->disabled = 1;
    mt__mini_release(&thread->guard);
    mt__wait_uncancel(mt__running); /* its handlers may wait */
    thread->value = value;
    memset(exception, 0, sizeof *exception);
    exception->exception_cleanup = swallowed;
    unwind(thread);
}

/* The first thread, once it has left what it carries to itself. It ends only after those who may join it. */
static pthread_t left_main;
static void *left_value;

int mt__pthread_has_left(pthread_t handle, void **value)
{
    if (__atomic_load_n(&left_main, __ATOMIC_ACQUIRE) != handle)
        return 0;
    if (value)
        *value = left_value;
    return 1;
}

MT__PATCHED void pthread_exit(void *value)
{
    struct mt__pthread *thread = mt__pthread_here();

    if (thread)
        mt__pthread_leave(thread, value);
    mt__leave_by_exit(value);
    if (mt__hub && mt__sys(SYS_gettid) == getpid()) {
        left_value = value;
        __atomic_store_n(&left_main, mt__libc(pthread_self)(), __ATOMIC_RELEASE);
    }
    mt__libc(pthread_exit)(value);
}

MT__PATCHED void thrd_exit(int value)
{
    pthread_exit((void *)(intptr_t)value);
}

/* -- pthread_cleanup_push in C without exceptions ------------------------------------------------------------------ */

void __pthread_register_cancel(__pthread_unwind_buf_t *cleanup);
void __pthread_unregister_cancel(__pthread_unwind_buf_t *cleanup);
void __pthread_register_cancel_defer(__pthread_unwind_buf_t *cleanup);
void __pthread_unregister_cancel_restore(__pthread_unwind_buf_t *cleanup);
void __pthread_unwind_next(__pthread_unwind_buf_t *cleanup) __attribute__((noreturn));

MT__PATCHED void __pthread_register_cancel(__pthread_unwind_buf_t *cleanup)
{
    struct mt__pthread *thread = mt__pthread_here();

    if (!thread) {
        mt__libc(__pthread_register_cancel)(cleanup);
        return;
    }
    cleanup->__pad[0] = thread->cleanup;
    thread->cleanup = cleanup;
}

MT__PATCHED void __pthread_unregister_cancel(__pthread_unwind_buf_t *cleanup)
{
    struct mt__pthread *thread = mt__pthread_here();

    if (thread)
        thread->cleanup = cleanup->__pad[0];
    else
        mt__libc(__pthread_unregister_cancel)(cleanup);
}

/* Cancellation is deferred anyhow. */
MT__PATCHED void __pthread_register_cancel_defer(__pthread_unwind_buf_t *cleanup)
{
    if (mt__pthread_here())
        __pthread_register_cancel(cleanup);
    else
        mt__libc(__pthread_register_cancel_defer)(cleanup);
}

MT__PATCHED void __pthread_unregister_cancel_restore(__pthread_unwind_buf_t *cleanup)
{
    if (mt__pthread_here())
        __pthread_unregister_cancel(cleanup);
    else
        mt__libc(__pthread_unregister_cancel_restore)(cleanup);
}

MT__PATCHED void __pthread_unwind_next(__pthread_unwind_buf_t *cleanup)
{
    struct mt__pthread *thread = mt__pthread_here();

    if (thread)
        unwind(thread);
    mt__libc(__pthread_unwind_next)(cleanup);
}

/* -- Cancellation ------------------------------------------------------------------------------------------------- */

static int is_due(struct mt__pthread *thread)
{
    int due;

    mt__mini_acquire(&thread->guard);
    due = thread->requested && !thread->disabled;
    mt__mini_release(&thread->guard);
    return due;
}

void mt__pthread_point(void)
{
    struct mt__pthread *thread = mt__pthread_if_known();

    if (thread && thread->unwinds && is_due(thread))
        mt__pthread_leave(thread, PTHREAD_CANCELED);
}

void mt__pthread_cancelled(void)
{
    struct mt__pthread *thread = mt__pthread_if_known();

    if (thread && thread->unwinds && !thread->disabled)
        mt__pthread_leave(thread, PTHREAD_CANCELED);
}

MT__PATCHED int pthread_cancel(pthread_t handle)
{
    struct mt__pthread *thread = mt__pthread_of(handle);
    int result = 0;

    if (!thread)
        return mt__libc(pthread_cancel)(handle);
    mt__mini_acquire(&thread->guard);
    if (!thread->task)
        result = ESRCH;
    else if (!thread->leaving)
        thread->requested = 1;
    if (!result && !thread->disabled && thread->has_begun) /* else it hears of it when it begins: it is to run, and end */
        mt_task_kill(thread->task);
    mt__mini_release(&thread->guard);
    return result;
}

MT__PATCHED void pthread_testcancel(void)
{
    if (mt__pthread_if_known())
        mt__pthread_point();
    else
        mt__libc(pthread_testcancel)();
}

/* What has been asked for while it is enabled waits in the task, as a kill of it. */
static int set_disabled(struct mt__pthread *thread, int disabled)
{
    int before;

    mt__mini_acquire(&thread->guard);
    before = thread->disabled;
    thread->disabled = disabled || thread->leaving;
    if (thread->requested && disabled)
        mt__wait_uncancel(mt__running);
    else if (thread->requested && !thread->disabled)
        mt_task_kill(mt__running);
    mt__mini_release(&thread->guard);
    return before;
}

MT__PATCHED int pthread_setcancelstate(int state, int *before)
{
    struct mt__pthread *thread = mt__pthread_if_known();
    int was;

    if (!thread || (state != PTHREAD_CANCEL_ENABLE && state != PTHREAD_CANCEL_DISABLE))
        return mt__libc(pthread_setcancelstate)(state, before);
    was = set_disabled(thread, state == PTHREAD_CANCEL_DISABLE);
    if (before)
        *before = was ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE;
    return 0;
}

/* One that computes cannot be cut off, whatever it says: who would ask does not run meanwhile. */
MT__PATCHED int pthread_setcanceltype(int type, int *before)
{
    struct mt__pthread *thread = mt__pthread_if_known();

    if (!thread || (type != PTHREAD_CANCEL_DEFERRED && type != PTHREAD_CANCEL_ASYNCHRONOUS))
        return mt__libc(pthread_setcanceltype)(type, before);
    if (before)
        *before = thread->is_asynchronous ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED;
    thread->is_asynchronous = type == PTHREAD_CANCEL_ASYNCHRONOUS;
    if (thread->is_asynchronous)
        mt__pthread_point();
    return 0;
}
