/* SPDX-License-Identifier: MIT
 *
 * Thread ids. A coroutine that stands for a thread has one of its own, as programs tell their threads apart by it: the
 * number that its locks show as their owner, which no kernel thread has. Calls that take a thread's id are told the one
 * of the thread that carries its hub.
 */
#include "patch/pthreads.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FIRST_ID 0x400000 /* as coro/coro.c's */

static struct mt__mini guard; /* of the list, and held with all signals blocked, as handlers ask for ids, too */
static struct mt__pthread *living;

void mt__ids_add(struct mt__pthread *thread)
{
    mt__mini_acquire(&guard);
    thread->next_living = living;
    if (living)
        living->living_link = &thread->next_living;
    thread->living_link = &living;
    living = thread;
    mt__mini_release(&guard);
}

void mt__ids_remove(struct mt__pthread *thread)
{
    mt__mini_acquire(&guard);
    if (thread->living_link) {
        *thread->living_link = thread->next_living;
        if (thread->next_living)
            thread->next_living->living_link = thread->living_link;
        thread->living_link = NULL;
    }
    mt__mini_release(&guard);
}

void mt__ids_forked(void)
{
    struct mt__pthread *self = mt__pthread_if_known();

    guard = (struct mt__mini){0};
    living = NULL;
    if (self && self->living_link) {
        self->mailbox.tid = (int)mt__sys(SYS_gettid);
        mt__ids_add(self);
    }
}

/* 0: it is no coroutine, and gettid is the kernel's. */
static int own_id(void)
{
    struct mt__pthread *self = mt__pthread_if_known();

    return self && self->unwinds ? (int)mt__hub->current->id : 0;
}

/* With a reference; NULL: there is none. */
static struct mt__pthread *find(long id)
{
    struct mt__pthread *thread;
    uint64_t before;

    if (id < FIRST_ID)
        return NULL;
    before = mt__signals_block();
    mt__mini_acquire(&guard);
    for (thread = living; thread && thread->mailbox.coro->id != id; thread = thread->next_living) {
    }
    if (thread)
        __atomic_fetch_add(&thread->references, 1, __ATOMIC_RELAXED);
    mt__mini_release(&guard);
    mt__signals_restore(before);
    return thread;
}

int mt__id_is_ours(long id)
{
    struct mt__pthread *thread = find(id);

    if (thread)
        mt__pthread_drop(thread);
    return thread != NULL;
}

static long kernels_id(long id)
{
    struct mt__pthread *thread = find(id);

    if (!thread)
        return id;
    id = thread->mailbox.tid;
    mt__pthread_drop(thread);
    return id;
}

/* 0 or -errno; 1: it is not one of ours. */
static int signal_to(long id, int number)
{
    struct mt__pthread *thread = find(id);
    int result;

    if (!thread)
        return number > 0 && number <= SIGRTMAX ? mt__signal_send_root(0, id, number, NULL) : 1;
    result = number < 0 || number > SIGRTMAX ? -EINVAL : number ? mt__signal_send(&thread->mailbox, number, NULL) : 0;
    mt__pthread_drop(thread);
    return result;
}

static int as_libc(int result)
{
    if (result < 0)
        errno = -result;
    return result < 0 ? -1 : 0;
}

int mt__id_call(long number, long *first, long *second, long third, long *result)
{
    int told;

    switch (number) {
    case SYS_gettid:
    case SYS_set_tid_address: /* the thread's is libc's, and stays */
        return (*result = own_id()) != 0;
    case SYS_tkill:
    case SYS_tgkill:
        if (number == SYS_tgkill && *first != getpid())
            return 0;
        told = number == SYS_tkill ? signal_to(*first, (int)*second) : signal_to(*second, (int)third);
        if (told <= 0)
            *result = as_libc(told);
        return told <= 0;
    case SYS_kill:
        if (mt__id_is_ours(*first))
            *first = getpid();
        return 0;
    case SYS_sched_setaffinity:
    case SYS_sched_getaffinity:
    case SYS_sched_setattr:
    case SYS_sched_getattr:
    case SYS_sched_setscheduler:
    case SYS_sched_getscheduler:
    case SYS_sched_setparam:
    case SYS_sched_getparam:
    case SYS_sched_rr_get_interval:
        *first = kernels_id(*first);
        return 0;
    case SYS_setpriority:
    case SYS_getpriority:
        if (*first == PRIO_PROCESS)
            *second = kernels_id(*second);
        return 0;
    default:
        return 0;
    }
}

/* -- libc's names -------------------------------------------------------------------------------------------------- */

MT__PATCHED pid_t gettid(void)
{
    int id = own_id();

    return id ? id : mt__libc(gettid)();
}

MT__PATCHED int tgkill(pid_t process, pid_t id, int number)
{
    int result = mt__pthread_is_on() && process == getpid() ? signal_to(id, number) : 1;

    return result > 0 ? mt__libc(tgkill)(process, id, number) : as_libc(result);
}

MT__PATCHED int sched_setaffinity(pid_t id, size_t size, const cpu_set_t *processors)
{
    return mt__libc(sched_setaffinity)((pid_t)kernels_id(id), size, processors);
}

MT__PATCHED int sched_getaffinity(pid_t id, size_t size, cpu_set_t *processors)
{
    return mt__libc(sched_getaffinity)((pid_t)kernels_id(id), size, processors);
}

MT__PATCHED int setpriority(__priority_which_t which, id_t id, int priority)
{
    return mt__libc(setpriority)(which, which == PRIO_PROCESS ? (id_t)kernels_id(id) : id, priority);
}

MT__PATCHED int getpriority(__priority_which_t which, id_t id)
{
    return mt__libc(getpriority)(which, which == PRIO_PROCESS ? (id_t)kernels_id(id) : id);
}

MT__PATCHED int sched_setscheduler(pid_t id, int policy, const struct sched_param *parameters)
{
    return mt__libc(sched_setscheduler)((pid_t)kernels_id(id), policy, parameters);
}

MT__PATCHED int sched_getscheduler(pid_t id)
{
    return mt__libc(sched_getscheduler)((pid_t)kernels_id(id));
}

MT__PATCHED int sched_setparam(pid_t id, const struct sched_param *parameters)
{
    return mt__libc(sched_setparam)((pid_t)kernels_id(id), parameters);
}

MT__PATCHED int sched_getparam(pid_t id, struct sched_param *parameters)
{
    return mt__libc(sched_getparam)((pid_t)kernels_id(id), parameters);
}

MT__PATCHED int sched_rr_get_interval(pid_t id, struct timespec *interval)
{
    return mt__libc(sched_rr_get_interval)((pid_t)kernels_id(id), interval);
}

/* Its signals go to the thread that carries the hub: who runs there handles them, or who lets them in. */
MT__PATCHED int timer_create(clockid_t clock, struct sigevent *restrict event, timer_t *restrict timer)
{
    struct sigevent kernels;

    if (!event || event->sigev_notify != SIGEV_THREAD_ID)
        return mt__libc(timer_create)(clock, event, timer);
    kernels = *event;
    kernels._sigev_un._tid = (pid_t)kernels_id(event->_sigev_un._tid);
    return mt__libc(timer_create)(clock, &kernels, timer);
}
