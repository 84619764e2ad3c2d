/* SPDX-License-Identifier: MIT
 *
 * Wake-ups that were lost: a coroutine waits for what has happened, in a hub that has nothing else to do. Only of waits
 * whose word tells by itself that it has: an event that is set, a latch at zero, a future or a task that has ended. Any
 * other word may change while who waits for it is right to wait.
 */
#include "model.h"
#include "tasks.h"
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#define OVERDUE_NS 200000000 /* a wait this old for what has happened has missed its wake-up, */
#define AGAIN_NS   20000000  /* if it still is one that much later */

/* As lib/sync, lib/pool and lib/patch have them. */
#define EVENT_SET     1u
#define LATCH_COUNT   0x7fffffffu
#define FUTURE_STATE  3u
#define FUTURE_IS_OUT 2u
#define PTHREAD_ENDED 1u

/* A thread's or coroutine's word is 0 at its end; a process's is not. Other joins name no task: of a group, of any of
 * several. */
static bool task_has_ended(const struct tasks *now, uint64_t id, uint32_t word)
{
    const struct mt__record *task = tasks_by_id(now, id);
    return task && (task->kind == MT_PROCESS ? word != 0 : word == 0);
}

static bool has_happened(const struct tasks *now, const struct mt__record *wait)
{
    uint32_t word;
    struct iovec here = {&word, sizeof word}, there = {(void *)(uintptr_t)wait->wait_word, sizeof word};
    bool own = wait->wait_word == wait->wait_object; /* else it is a count of several */
    if (!wait->wait_word || process_vm_readv(now->pid, &here, 1, &there, 1, 0) != sizeof word)
        return false;
    switch (wait->wait_reason) {
    case MT_WAIT_EVENT: /* a futex that a program waits for by the system call may hold anything */
        return own && word == EVENT_SET && strcmp(wait->wait_place, "futex") != 0;
    case MT_WAIT_LATCH:
        return own && !(word & LATCH_COUNT);
    case MT_WAIT_FUTURE:
        return own && (word & FUTURE_STATE) >= FUTURE_IS_OUT;
    case MT_WAIT_JOIN:
        return own ? word == PTHREAD_ENDED : task_has_ended(now, wait->wait_object, word);
    default:
        return false;
    }
}

static bool is_overdue(const struct model *model, const struct model_coro *coro, const struct tasks *now)
{
    const struct model_hub *hub = &model->hubs[coro->hub];
    const struct mt__record *record = hub->tgid == now->pid && hub->asleep ? tasks_by_id(now, coro->id) : NULL;
    return record && record->state == MT_WAITING && record->waits == coro->waits && coro->since > OVERDUE_NS &&
           has_happened(now, record);
}

void model_find_lost(struct model *model, struct tasks *now)
{
    const struct timespec again = {0, AGAIN_NS};
    bool any = false;
    for (size_t i = 0; i < model->coro_count; i++) {
        struct model_coro *coro = &model->coros[i];
        if (model->hubs[coro->hub].tgid == now->pid)
            any |= coro->overdue = coro->state == MT_WAITING && is_overdue(model, coro, now);
    }
    if (!any)
        return;
    nanosleep(&again, NULL);
    bool read = !tasks_read(now);
    for (size_t i = 0; i < model->coro_count; i++)
        if (model->hubs[model->coros[i].hub].tgid == now->pid)
            model->coros[i].overdue &= read && is_overdue(model, &model->coros[i], now);
}
