/* SPDX-License-Identifier: MIT
 *
 * Which primitive a futex wait is for: liblinuxmt says so itself; for pthread's it is told by the kernel's look at the
 * words (bpf/wait-futex.h), and better by the function of libc that waits, where the stack has its name.
 */
#include "model.h"
#include <linuxmt/task.h>
#include <stdlib.h>
#include <string.h>

#define COND_WORDS   40 /* where the futex words of a pthread_cond_t begin */
#define RWLOCK_WORDS 8

static const struct {
    const char *word;
    enum wait_kind kind;
} functions[] = {
    {"pthread_mutex_", WAIT_KIND_MUTEX},     {"pthread_rwlock_", WAIT_KIND_RWLOCK}, {"pthread_cond_", WAIT_KIND_COND},
    {"pthread_barrier_", WAIT_KIND_BARRIER}, {"pthread_once", WAIT_KIND_ONCE},      {"pthread_join", WAIT_KIND_JOIN},
    {"pthread_timedjoin", WAIT_KIND_JOIN},   {"pthread_clockjoin", WAIT_KIND_JOIN}, {"sem_wait", WAIT_KIND_SEM},
    {"sem_timedwait", WAIT_KIND_SEM},        {"sem_clockwait", WAIT_KIND_SEM},      {"new_sem_wait", WAIT_KIND_SEM},
};

static enum wait_kind kind_of_function(const char *name)
{
    name += strspn(name, "_");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strncmp(name, functions[i].word, strlen(functions[i].word)))
            return functions[i].kind;
    return WAIT_KIND_PLAIN;
}

/* The innermost one that is known: a condition that gets its mutex back waits for the mutex. */
static enum wait_kind kind_by_stack(const struct symbols_frame *frames, size_t count)
{
    for (size_t i = 0; i < count && frames[i].runtime; i++) {
        enum wait_kind kind = frames[i].function ? kind_of_function(frames[i].function) : WAIT_KIND_PLAIN;
        if (kind != WAIT_KIND_PLAIN)
            return kind;
    }
    return WAIT_KIND_PLAIN;
}

/* The kernel tells them apart by their words and takes the aligned pair of words for the object of what it does not
 * know. */
static void set_kind(struct model_wait *wait, enum wait_kind kind)
{
    bool owned = kind == WAIT_KIND_MUTEX || kind == WAIT_KIND_RWLOCK;
    if (wait->kind == WAIT_KIND_BITSET && kind == WAIT_KIND_COND)
        wait->object -= COND_WORDS;
    if (wait->kind == WAIT_KIND_BITSET && kind == WAIT_KIND_RWLOCK)
        wait->object -= RWLOCK_WORDS;
    if (kind == WAIT_KIND_JOIN)
        wait->object = 0;
    wait->kind = kind;
    wait->reason = owned ? WAIT_LOCK : WAIT_FUTEX;
    wait->class = model_class_of(wait->reason);
}

void model_refine_kind(struct model_wait *wait, const struct symbols_frame *frames, size_t count)
{
    if (wait->reason != WAIT_LOCK && wait->reason != WAIT_FUTEX)
        return;
    if (count && frames[0].module)
        wait->foreign = !frames[0].runtime || (frames[0].function && !strcmp(frames[0].function, "syscall"));
    if (wait->kind != WAIT_KIND_PLAIN && wait->kind != WAIT_KIND_BITSET && wait->kind != WAIT_KIND_RWLOCK)
        return;
    enum wait_kind kind = kind_by_stack(frames, count);
    if (kind != WAIT_KIND_PLAIN && kind != wait->kind)
        set_kind(wait, kind);
}

enum wait_kind model_kind_of_library(uint32_t reason)
{
    static const enum wait_kind kinds[] = {
        [MT_WAIT_LOCK] = WAIT_KIND_MTLOCK, [MT_WAIT_COND] = WAIT_KIND_COND,   [MT_WAIT_SEM] = WAIT_KIND_SEM,
        [MT_WAIT_EVENT] = WAIT_KIND_EVENT, [MT_WAIT_ONCE] = WAIT_KIND_ONCE,   [MT_WAIT_JOIN] = WAIT_KIND_JOIN,
        [MT_WAIT_SLEEP] = WAIT_KIND_SLEEP, [MT_WAIT_LATCH] = WAIT_KIND_LATCH, [MT_WAIT_BARRIER] = WAIT_KIND_BARRIER,
        [MT_WAIT_READ] = WAIT_KIND_READ,   [MT_WAIT_WRITE] = WAIT_KIND_WRITE, [MT_WAIT_FUTURE] = WAIT_KIND_FUTURE,
        [MT_WAIT_POOL] = WAIT_KIND_POOL,   [MT_WAIT_TIMER] = WAIT_KIND_TIMER, [MT_WAIT_PUT] = WAIT_KIND_PUT,
        [MT_WAIT_GET] = WAIT_KIND_GET,     [MT_WAIT_DONE] = WAIT_KIND_DONE,   [MT_WAIT_CHANNEL] = WAIT_KIND_CHANNEL,
    };
    return reason < sizeof kinds / sizeof *kinds ? kinds[reason] : WAIT_KIND_PLAIN;
}

const char *model_kind(enum wait_kind kind, enum wait_reason reason)
{
    switch (kind) {
    case WAIT_KIND_MUTEX:
    case WAIT_KIND_PI:
    case WAIT_KIND_ROBUST:
        return "mutex";
    case WAIT_KIND_RWLOCK:
    case WAIT_KIND_READ:
    case WAIT_KIND_WRITE:
        return "rwlock";
    case WAIT_KIND_JOIN:
        return "join";
    case WAIT_KIND_BITSET:
        return "condition or semaphore";
    case WAIT_KIND_COND:
        return "condition";
    case WAIT_KIND_SEM:
        return "semaphore";
    case WAIT_KIND_EVENT:
        return "event";
    case WAIT_KIND_ONCE:
        return "once";
    case WAIT_KIND_LATCH:
        return "latch";
    case WAIT_KIND_BARRIER:
        return "barrier";
    case WAIT_KIND_FUTURE:
        return "future";
    case WAIT_KIND_POOL:
        return "pool";
    case WAIT_KIND_TIMER:
        return "timer";
    case WAIT_KIND_PUT:
        return "queue put";
    case WAIT_KIND_GET:
        return "queue get";
    case WAIT_KIND_CHANNEL:
        return "channel";
    case WAIT_KIND_DONE:
        return "queue join";
    case WAIT_KIND_SLEEP:
        return "sleep";
    case WAIT_KIND_MTLOCK:
        return "lock";
    case WAIT_KIND_PLAIN:
        break;
    }
    return reason == WAIT_LOCK ? "lock" : reason == WAIT_SLEEP ? "sleep" : "futex";
}

static int compare_primitives(const void *a, const void *b)
{
    uint64_t x = ((const struct model_primitive *)a)->ns, y = ((const struct model_primitive *)b)->ns;
    return x < y ? 1 : x > y ? -1 : 0;
}

size_t model_primitives(const struct model *model, struct model_primitive primitives[MODEL_PRIMITIVES])
{
    size_t count = 0;
    for (size_t i = 0; i < model->wait_count; i++) {
        const struct model_wait *wait = &model->waits[i];
        if (wait->reason != WAIT_LOCK && wait->reason != WAIT_FUTEX && wait->reason != WAIT_SLEEP)
            continue;
        const char *kind = model_kind(wait->kind, wait->reason);
        size_t at = 0;
        while (at < count && strcmp(primitives[at].kind, kind))
            at++;
        if (at == MODEL_PRIMITIVES)
            continue;
        if (at == count)
            primitives[count++] = (struct model_primitive){.kind = kind};
        primitives[at].count += wait->count;
        primitives[at].ns += wait->ns;
        primitives[at].open += wait->open;
        if (wait->max > primitives[at].max)
            primitives[at].max = wait->max;
    }
    qsort(primitives, count, sizeof *primitives, compare_primitives);
    return count;
}
