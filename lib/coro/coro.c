/* SPDX-License-Identifier: MIT
 *
 * Coroutines as tasks. One lives at the upper end of its stack, task and all: so a parked one is one page, and one that
 * has ended keeps its stack until its last handle goes.
 *
 *   spawned    ready, or waiting for its time; references: the handle and its own
 *   begun      runs its body
 *   finished   outcome stored, done; its word `alive` is 0 and whoever joins has been woken
 *   buried     the next one that ran has dropped its own reference. With the last one it is spare in the hub, with
 *              its stack, task and record, for the next to be spawned; or else its stack goes to the pool
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
#include <stdlib.h>
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

static uint32_t last_id;

static uint32_t new_id(void)
{
    uint32_t id = mt__add(&last_id, 1), start;

    if (id == 1) {
        if (getrandom(&start, sizeof start, GRND_NONBLOCK) != sizeof start)
            start = (uint32_t)mt_now();
        id = start % (LAST_ID - FIRST_ID);
        __atomic_store_n(&last_id, id, __ATOMIC_RELAXED);
    }
    return FIRST_ID + id % (LAST_ID - FIRST_ID);
}

/* Who joins the one that forked, or has left it an offer, is found without the hub's table, and has ended. Of the other
 * tasks there is no page that was not written to already (base/task.c). */
static void forget_others(struct mt__hub *hub)
{
    for (struct mt__coro *coro = hub->living; coro; coro = coro->next_living) {
        coro->parked = NULL;
        coro->joiner = NULL;
    }
}

/* Its numbers are not to be the parent's, who goes on with the next ones: they may share a lock. */
void mt__coro_forked(struct mt__hub *hub)
{
    last_id = 0;
    if (!hub)
        return;
    forget_others(hub);
    hub->current->is_called = 0;
    hub->root.id = (uint32_t)mt__sys(SYS_gettid);
    if (hub->current == &hub->root)
        return;
    hub->rootless = 1;
    hub->current->id = mt__here.id = new_id();
    mt__record_tid(hub->current->task->record, (int)mt__here.id);
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
    if (coro->joiner)
        mt__park_wake(coro->joiner, task->alive);
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
    if (coro->hub->rootless && coro->hub->living_count == 1)
        exit(outcome != 0); /* there is nobody to go on with, as after a process's last thread */
    finish(coro, outcome);
    mt__hub_leave(coro->hub, coro);
    __builtin_unreachable();
}

void mt__hub_bury(struct mt__coro *corpse)
{
    mt__context_end(&corpse->context);
    mt__task_drop(corpse->task);
}

static int keep_spare(struct mt_task *task)
{
    struct mt__coro *coro = coro_of(task);
    struct mt__hub *hub = mt__hub;

    if (!hub || hub->spare_count + 1 > SPARE || coro->stack->size != MT_CORO_STACK)
        return 0;
    __atomic_store_n(&task->there, 0, __ATOMIC_RELAXED);
    mt__record_rest(task->record);
    coro->stack->owner = NULL;
    coro->next = hub->spare;
    hub->spare = coro;
    hub->spare_count++;
    return 1;
}

/* Its stack is free: the task was the last thing on it. */
static void give_back(struct mt_task *task)
{
    mt__stack_give(coro_of(task)->stack);
}

void mt__coro_free_spare(struct mt__hub *hub)
{
    struct mt__coro *next;

    for (struct mt__coro *coro = hub->spare; coro; coro = next) {
        next = coro->next;
        mt__task_forget(coro->task);
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

static int wait_for_end(struct mt_task *task, mt_deadline deadline, const char *place, unsigned flags)
{
    struct mt__wait wait = {
        .word = task->alive,
        .flags = flags,
        .reason = MT_WAIT_JOIN,
        .owner = coro_of(task)->id,
        .object = (const void *)(uintptr_t)task->record->id,
        .name = task->record->name,
        .place = place,
        .deadline = deadline,
    };
    int result = mt__wait_begin(&wait);

    if (result)
        return result;
    while (!result && __atomic_load_n(task->alive, __ATOMIC_ACQUIRE))
        result = mt__wait_round(&wait, 1, deadline);
    return mt__wait_end(&wait, result);
}

/* In its own hub it cannot end meanwhile, and the first that joins it there is one that it knows. */
static int join_here(struct mt_task *task, mt_deadline deadline, const char *place)
{
    struct mt__coro *coro = coro_of(task);
    int result;

    coro->joiner = coro->hub->current;
    result = wait_for_end(task, deadline, place, MT__WAIT_KNOWN);
    coro->joiner = NULL;
    return result;
}

static int join(struct mt_task *task, mt_deadline deadline, const char *place)
{
    struct mt__coro *coro = coro_of(task);
    int result;

    if (!__atomic_load_n(task->alive, __ATOMIC_ACQUIRE))
        return 0;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    if (coro->hub == mt__hub && !coro->joiner) {
        result = join_here(task, deadline, place);
    } else {
        if (!still_alive(task))
            return 0;
        result = wait_for_end(task, deadline, place, 0);
        mt__mini_acquire(&task->guard);
        task->joiners--;
        mt__mini_release(&task->guard);
    }
    return __atomic_load_n(task->alive, __ATOMIC_ACQUIRE) ? result : 0;
}

void mt__coro_kill_here(struct mt__hub *hub, struct mt__coro *coro)
{
    __atomic_store_n(&coro->task->cancel, 1, __ATOMIC_SEQ_CST);
    if (coro->parked && coro->parked->cancellable)
        mt__parked_end(hub, coro->parked, -ECANCELED);
}

/* A letter to its hub, which lives as long as a coroutine that is not done. */
static void call(struct mt__coro *coro)
{
    struct mt__hub *hub = coro->hub;
    struct mt__coro *first;

    if (__atomic_exchange_n(&coro->is_called, 1, __ATOMIC_ACQ_REL))
        return;
    mt_task_retain(coro->task);
    first = __atomic_load_n(&hub->letters.called, __ATOMIC_RELAXED);
    do
        coro->next_called = first;
    while (!__atomic_compare_exchange_n(&hub->letters.called, &first, coro, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    mt__hub_ring(hub);
}

static void kill_there(struct mt__coro *coro)
{
    __atomic_store_n(&coro->task->cancel, 1, __ATOMIC_SEQ_CST);
    call(coro);
}

void mt__coro_summon(struct mt__coro *coro)
{
    __atomic_store_n(&coro->signals.summoned, 1, __ATOMIC_SEQ_CST);
    call(coro);
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

static const struct mt__kind kind = {
    .reap = reap, .join = join, .kill = coro_kill, .spare = keep_spare, .free = give_back};

/* -- Spawning ----------------------------------------------------------------------------------------------------- */

static struct mt__coro *make_new(struct mt__hub *hub, size_t stack_size, const char *name, int *error)
{
    struct mt__stack *stack = mt__stack_take(stack_size, error);
    struct mt__coro *coro;

    if (!stack)
        return NULL;
    coro = (struct mt__coro *)((uintptr_t)(mt__stack_top(stack) - sizeof(struct own)) & ~(uintptr_t)63);
    memset(coro, 0, offsetof(struct own, task.message) + 1);
    coro->stack = stack;
    coro->hub = hub;
    coro->task = &((struct own *)coro)->task;
    if (mt__task_init(coro->task, MT_COROUTINE, name)) {
        mt__stack_give(stack);
        *error = -ENOMEM;
        return NULL;
    }
    return coro;
}

/* What a spare one's last life has left. */
static struct mt__coro *make_again(struct mt__hub *hub, struct mt__coro *coro, const char *name)
{
    hub->spare = coro->next;
    hub->spare_count--;
    coro->hub = hub;
    coro->parked = NULL;
    coro->joiner = NULL;
    coro->greenlets = NULL;
    coro->started = coro->inside = 0;
    coro->is_called = 0;
    coro->owed = NULL;
    coro->pthread = coro->storage = NULL;
    coro->signals = (struct mt__signalled){0};
    mt__task_again(coro->task, MT_COROUTINE, name);
    return coro;
}

static struct mt__coro *make(struct mt__hub *hub, const struct mt_coro_options *options, int *error)
{
    size_t size = options && options->stack_size ? options->stack_size : MT_CORO_STACK;
    const char *name = options ? options->name : NULL;

    return hub->spare && size == MT_CORO_STACK ? make_again(hub, hub->spare, name) : make_new(hub, size, name, error);
}

/* For who looks at the process from outside. */
static void say_where_it_is(struct mt__record *record, const struct mt__coro *coro, uintptr_t body)
{
    const struct mt__hub *hub = coro->hub;

    _Static_assert(!offsetof(struct mt__coro, context.place), "a coroutine's address is that of where it was left");
    __atomic_store_n(&record->left, (uintptr_t)coro, __ATOMIC_RELAXED);
    __atomic_store_n(&record->hub_left, (uintptr_t)&hub->root, __ATOMIC_RELAXED);
    __atomic_store_n(&record->current, (uintptr_t)&hub->current, __ATOMIC_RELAXED);
    __atomic_store_n(&record->body, body, __ATOMIC_RELAXED);
}

struct body {
    mt_fn *fn;
    void *arg;
    uintptr_t told; /* what tracers are told that it is */
};

static struct mt_task *spawn(struct mt__hub *hub, struct body body, const struct mt_coro_options *options, int *error)
{
    struct mt__coro *coro = make(hub, options, error);
    struct mt_task *task;

    if (!coro)
        return NULL;
    task = coro->task;
    coro->id = new_id();
    coro->stack->owner = task->record->name;
    mt__record_tid(task->record, (int)coro->id); /* others look for owners meanwhile */
    __atomic_store_n(&task->record->thread, (int32_t)hub->tid, __ATOMIC_RELAXED);
    say_where_it_is(task->record, coro, body.told);
    if (task->kind != &kind) /* who looks at all tasks may be looking at the last life of this one */
        task->kind = &kind;
    task->body = body.fn;
    task->argument = body.arg;
    mt__context_make(&coro->context, coro->stack, (char *)coro, begin, coro);
    coro->next_living = hub->living;
    if (coro->next_living)
        coro->next_living->living_link = &coro->next_living;
    coro->living_link = &hub->living;
    hub->living = coro;
    hub->living_count++;
    __atomic_store_n(&task->references, 2, __ATOMIC_RELEASE);
    __atomic_store_n(&task->there, 1, __ATOMIC_RELEASE);
    mt__tell_spawn(coro, task->record->spawner);
    return task;
}

struct mt_task *mt__coro_spawn_as(uintptr_t told, mt_fn *fn, void *arg, const struct mt_coro_options *options)
{
    int error = 0;
    struct mt__hub *hub = mt__hub_here(&error);
    struct mt_task *task = hub ? spawn(hub, (struct body){fn, arg, told}, options, &error) : NULL;

    if (task)
        mt__hub_ready(hub, coro_of(task));
    else
        errno = -error;
    return task;
}

struct mt_task *mt_coro_spawn(mt_fn *fn, void *arg, const struct mt_coro_options *options)
{
    return mt__coro_spawn_as((uintptr_t)fn, fn, arg, options);
}

struct mt_task *mt_coro_spawn_later(int64_t nanoseconds, mt_fn *fn, void *arg, const struct mt_coro_options *options)
{
    int error = 0;
    struct mt__hub *hub = mt__hub_here(&error);
    struct mt_task *task = hub ? spawn(hub, (struct body){fn, arg, (uintptr_t)fn}, options, &error) : NULL;
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
        mt__context_end(&coro->context);
        mt__task_drop(task);
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
