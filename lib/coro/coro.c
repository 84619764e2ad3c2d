/* SPDX-License-Identifier: MIT
 *
 * Coroutines as tasks. One lives at the upper end of its stack, task and all: so a parked one is one page, and one that
 * has ended keeps its stack until its last handle goes.
 *
 *   spawned    ready, or waiting for its time; references: the handle and its own
 *   begun      runs its body
 *   finished   outcome stored, done; its word `alive` is 0 and whoever joins has been woken
 *   buried     the next one that ran has dropped its own reference. With the last one its stack goes to the hub's spare
 *              ones, or from another thread to the pool
 *
 * What its locks show as their owner is no kernel thread id, as those of a hub have one thread: numbers from
 * FIRST_ID up, which no kernel thread has (PID_MAX_LIMIT), and which start anywhere, so that those of processes that
 * share a lock hardly ever meet.
 */
#include "coro/coro.h"
#include "coro/greenlet.h"
#include "coro/tell.h"
#include "base/clock.h"

#include <limits.h>
#include <linuxmt/coro.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_ID 0x400000u
#define LAST_ID  0x3fffffffu
#if MT__ASAN /* each is to go through the pool, which tells it what is free */
#define SPARE 0
#else
#define SPARE 256
#endif

struct own { /* what lies at the end of a stack */
    struct mt__coro coro;
    struct mt_task task;
};

static struct mt__coro *coro_of(const struct mt_task *task)
{
    return &((struct own *)((char *)task - offsetof(struct own, task)))->coro;
}

static uint32_t new_id(void)
{
    static uint32_t last;
    uint32_t id = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED), start;

    if (id == 1) {
        if (getrandom(&start, sizeof start, GRND_NONBLOCK) != sizeof start)
            start = (uint32_t)mt_now();
        id = start % (LAST_ID - FIRST_ID);
        __atomic_store_n(&last, id, __ATOMIC_RELAXED);
    }
    return FIRST_ID + id % (LAST_ID - FIRST_ID);
}

/* -- The end ------------------------------------------------------------------------------------------------------ */

static void unlink_living(struct mt__hub *hub, struct mt__coro *coro)
{
    *coro->living_link = coro->next_living;
    if (coro->next_living)
        coro->next_living->living_link = coro->living_link;
    hub->living_count--;
}

static void finish(struct mt__coro *coro, int outcome)
{
    struct mt_task *task = coro->task;
    uint32_t joiners;

    mt__task_finish(task, outcome);
    mt__mini_acquire(&task->guard);
    __atomic_store_n(task->alive, 0, __ATOMIC_RELEASE);
    joiners = task->joiners;
    mt__mini_release(&task->guard);
    if (joiners)
        mt__wake(task->alive, joiners, 0);
    unlink_living(coro->hub, coro);
    mt__tell_exit(coro, outcome);
}

static void begin(void *arg, void *corpse)
{
    struct mt__coro *coro = arg;
    struct mt_task *task = coro->task;
    int outcome = -ECANCELED;

    mt__context_begin();
    if (corpse)
        mt__hub_bury(corpse);
    coro->started = 1;
    mt__record_state(task->record, MT_RUNNING);
    if (!__atomic_load_n(&task->cancel, __ATOMIC_ACQUIRE))
        outcome = task->body(task->argument);
    mt__greenlet_state_end(mt__greenlet_state_get());
    finish(coro, outcome);
    mt__hub_leave(coro->hub, coro);
    __builtin_unreachable();
}

void mt__hub_bury(struct mt__coro *corpse)
{
    mt__context_end(&corpse->context);
    mt__task_drop(corpse->task);
}

/* Its stack is free: the task was the last thing on it. */
static void give_back(struct mt_task *task)
{
    struct mt__coro *coro = coro_of(task);
    struct mt__hub *hub = mt__hub;

    if (hub && hub->spare_count + 1 <= SPARE && coro->stack->size == MT_CORO_STACK) {
        coro->next = hub->spare;
        hub->spare = coro;
        hub->spare_count++;
    } else {
        mt__stack_give(coro->stack);
    }
}

void mt__coro_free_spare(struct mt__hub *hub)
{
    struct mt__coro *next;

    for (struct mt__coro *coro = hub->spare; coro; coro = next) {
        next = coro->next;
        mt__stack_give(coro->stack);
    }
    hub->spare = NULL;
    hub->spare_count = 0;
}

/* -- As a task ---------------------------------------------------------------------------------------------------- */

static int still_alive(struct mt_task *task)
{
    int alive;

    mt__mini_acquire(&task->guard);
    alive = __atomic_load_n(task->alive, __ATOMIC_ACQUIRE) != 0;
    task->joiners += (uint32_t)alive;
    mt__mini_release(&task->guard);
    return alive;
}

static int join(struct mt_task *task, mt_deadline deadline, const char *place)
{
    struct mt__wait wait = {
        .word = task->alive,
        .reason = MT_WAIT_JOIN,
        .owner = coro_of(task)->id,
        .object = (const void *)(uintptr_t)task->record->id,
        .name = task->record->name,
        .place = place,
        .deadline = deadline,
    };
    int result;

    if (!still_alive(task))
        return 0;
    result = deadline == MT_NOWAIT ? -EBUSY : mt__wait_begin(&wait);
    if (!result) {
        while (!result && __atomic_load_n(task->alive, __ATOMIC_ACQUIRE))
            result = mt__wait_round(&wait, 1, deadline);
        result = mt__wait_end(&wait, result);
    }
    mt__mini_acquire(&task->guard);
    task->joiners--;
    mt__mini_release(&task->guard);
    return __atomic_load_n(task->alive, __ATOMIC_ACQUIRE) ? result : 0;
}

void mt__coro_kill_here(struct mt__hub *hub, struct mt__coro *coro)
{
    __atomic_store_n(&coro->task->cancel, 1, __ATOMIC_SEQ_CST);
    if (coro->parked && coro->parked->cancellable)
        mt__parked_end(hub, coro->parked, -ECANCELED);
}

/* Another thread's: a letter to its hub, which lives as long as a coroutine that is not done. */
static void kill_there(struct mt__coro *coro)
{
    struct mt__hub *hub = coro->hub;
    struct mt__coro *first;

    __atomic_store_n(&coro->task->cancel, 1, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&coro->is_killed, 1, __ATOMIC_ACQ_REL))
        return;
    mt_task_retain(coro->task);
    first = __atomic_load_n(&hub->letters.killed, __ATOMIC_RELAXED);
    do
        coro->next_killed = first;
    while (!__atomic_compare_exchange_n(&hub->letters.killed, &first, coro, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    mt__hub_ring(hub);
}

static int coro_kill(struct mt_task *task)
{
    struct mt__coro *coro = coro_of(task);
    int result = 0;

    if (coro->hub == mt__hub) {
        mt__coro_kill_here(coro->hub, coro);
        return 0;
    }
    mt__mini_acquire(&task->guard); /* its hub cannot go: it cannot finish meanwhile */
    if (__atomic_load_n(task->alive, __ATOMIC_ACQUIRE))
        kill_there(coro);
    else
        result = -ESRCH;
    mt__mini_release(&task->guard);
    return result;
}

static void reap(struct mt_task *task)
{
    task->reaped = 1;
}

static const struct mt__kind kind = {.reap = reap, .join = join, .kill = coro_kill, .free = give_back};

/* -- Spawning ----------------------------------------------------------------------------------------------------- */

static struct mt__coro *make(struct mt__hub *hub, size_t stack_size, int *error)
{
    struct mt__coro *coro = hub->spare;
    struct mt__stack *stack;

    if (coro && (!stack_size || stack_size == MT_CORO_STACK)) {
        hub->spare = coro->next;
        hub->spare_count--;
        stack = coro->stack;
    } else {
        stack = mt__stack_take(stack_size, error);
        if (!stack)
            return NULL;
        coro = (struct mt__coro *)((uintptr_t)(mt__stack_top(stack) - sizeof(struct own)) & ~(uintptr_t)63);
    }
    memset(coro, 0, offsetof(struct own, task.message) + 1);
    coro->stack = stack;
    coro->hub = hub;
    coro->task = &((struct own *)coro)->task;
    return coro;
}

static struct mt_task *spawn(struct mt__hub *hub, mt_fn *fn, void *arg, const struct mt_coro_options *options,
                             int *error)
{
    struct mt__coro *coro = make(hub, options ? options->stack_size : 0, error);
    struct mt_task *task;

    if (!coro)
        return NULL;
    task = coro->task;
    if (mt__task_init(task, MT_COROUTINE, options ? options->name : NULL)) {
        mt__stack_give(coro->stack);
        *error = -ENOMEM;
        return NULL;
    }
    coro->id = new_id();
    coro->stack->owner = task->record->name;
    mt__record_tid(task->record, (int)coro->id); /* others look for owners meanwhile */
    __atomic_store_n(&task->record->thread, (int32_t)hub->tid, __ATOMIC_RELAXED);
    task->kind = &kind;
    task->body = fn;
    task->argument = arg;
    task->references = 2;
    mt__context_make(&coro->context, coro->stack, (char *)coro, begin, coro);
    coro->next_living = hub->living;
    if (coro->next_living)
        coro->next_living->living_link = &coro->next_living;
    coro->living_link = &hub->living;
    hub->living = coro;
    hub->living_count++;
    __atomic_store_n(&task->there, 1, __ATOMIC_RELEASE);
    mt__tell_spawn(coro, task->record->spawner);
    return task;
}

struct mt_task *mt_coro_spawn(mt_fn *fn, void *arg, const struct mt_coro_options *options)
{
    int error = 0;
    struct mt__hub *hub = mt__hub_here(&error);
    struct mt_task *task = hub ? spawn(hub, fn, arg, options, &error) : NULL;

    if (task)
        mt__hub_ready(hub, coro_of(task));
    else
        errno = -error;
    return task;
}

struct mt_task *mt_coro_spawn_later(int64_t nanoseconds, mt_fn *fn, void *arg, const struct mt_coro_options *options)
{
    int error = 0;
    struct mt__hub *hub = mt__hub_here(&error);
    struct mt_task *task = hub ? spawn(hub, fn, arg, options, &error) : NULL;
    struct mt__coro *coro;

    if (!task) {
        errno = -error;
        return NULL;
    }
    coro = coro_of(task);
    coro->waits_to_start = (struct mt__parked){.cancellable = 1};
    coro->waits_to_start.timer = (struct mt__timer){.at = mt_after(nanoseconds), .parked = &coro->waits_to_start};
    if (mt__timers_add(&hub->timers, &coro->waits_to_start.timer)) {
        unlink_living(hub, coro);
        task->references = 1;
        mt__task_drop(task);
        errno = ENOMEM;
        return NULL;
    }
    coro->waits_to_start.coro = coro;
    coro->parked = &coro->waits_to_start;
    return task;
}

/* -- Asking ------------------------------------------------------------------------------------------------------- */

int mt_coro_yield(void)
{
    return mt__sleep(0, NULL);
}

size_t mt_coro_stack_used(const struct mt_task *task)
{
    return task->kind == &kind ? mt__stack_used(coro_of(task)->stack) : 0;
}
