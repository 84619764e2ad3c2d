/* SPDX-License-Identifier: MIT
 *
 * The order of locks. While it is watched each task keeps a list of what it holds, and each acquisition that may wait
 * adds held -> wanted to the graph (lockgraph.c) for each lock held. A new edge that closes a circle means: with
 * other timing, tasks that do what has been seen would wait for each other for ever. It is reported then and there,
 * though nobody waits.
 *
 * What counts as one lock is its class: its name, or, of nameless ones, the place where one was first acquired (in
 * memory that processes share, where it cannot be kept with the lock, its address). The class is kept in the upper bits
 * of the lock's flags; it says nothing to anybody else. Two locks of one class, one held and one wanted, are in order
 * if that is always by address, either way.
 *
 * What does not wait closes no circle: a trylock adds no edge, but is held afterwards. A recursive lock that is
 * acquired again, likewise not.
 *
 * Off, this costs the plain lock nothing: it uses the same word as a tracer to lead all threads off the inline path
 * (the semaphore of the probe lock__acquired, which is a count). The other locks test mt__lockorder_on.
 */
#include "sync/lockorder.h"
#include "base/probe.h"
#include "base/task.h"
#include "sync/lockgraph.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH   48 /* locks that one task holds */
#define LONGEST 8  /* edges of a report */
#define REPORT  2048

struct held {
    const void *lock;
    const char *name, *place;
    unsigned class;
};

struct list {
    uint32_t generation; /* of the policy: what was held while nobody looked is not known */
    uint32_t count;
    int busy; /* a report is being made, by a hook that may use locks */
    struct held held[DEPTH];
};

uint32_t mt__lockorder_on;

static uint32_t generation, forgotten, inversions;
static mt_lockorder_fn *report_hook;

/* -- The switch --------------------------------------------------------------------------------------------------- */

/* Tracers and the kernel change it too, and the inline path reads it without a word to TSan. */
__attribute__((no_sanitize("thread"))) static void lead_off_the_inline_path(int change)
{
    linuxmt_lock__acquired_semaphore = (uint16_t)(linuxmt_lock__acquired_semaphore + change);
}

enum mt_lockorder_policy mt_lockorder_policy(enum mt_lockorder_policy policy)
{
    uint32_t before, now = policy != MT_LOCKORDER_OFF;

    if (now && mt__lockgraph_start())
        now = 0; /* no memory for the tables: as if it were off */
    mt__tasks_acquire();
    before = mt__lockorder_on;
    if (now != before) {
        lead_off_the_inline_path(now ? 1 : -1);
        __atomic_fetch_add(&generation, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&mt__lockorder_on, now, __ATOMIC_RELEASE);
    }
    mt__tasks_release();
    return before ? MT_LOCKORDER_REPORT : MT_LOCKORDER_OFF;
}

__attribute__((constructor)) static void from_environment(void)
{
    const char *text = getenv("LINUXMT_LOCKORDER");

    if (text && !strcmp(text, "report"))
        mt_lockorder_policy(MT_LOCKORDER_REPORT);
    else if (text && *text && strcmp(text, "off"))
        fprintf(stderr, "linuxmt: LINUXMT_LOCKORDER=%s is neither off nor report, and is ignored\n", text);
}

mt_lockorder_fn *mt_lockorder_hook(mt_lockorder_fn *hook)
{
    return __atomic_exchange_n(&report_hook, hook, __ATOMIC_ACQ_REL);
}

void mt_lockorder_stats(struct mt_lockorder_stats *stats)
{
    mt__lockgraph_count(&stats->classes, &stats->orders);
    stats->inversions = __atomic_load_n(&inversions, __ATOMIC_RELAXED);
    stats->forgotten = __atomic_load_n(&forgotten, __ATOMIC_RELAXED);
}

static void forget(void)
{
    __atomic_fetch_add(&forgotten, 1, __ATOMIC_RELAXED);
}

/* -- The class of a lock ------------------------------------------------------------------------------------------ */

static void remember_class(uint16_t *flags, unsigned class)
{
    uint16_t old = __atomic_load_n(flags, __ATOMIC_RELAXED);

    while (!(old >> MT__LOCKORDER_SHIFT) &&
           !__atomic_compare_exchange_n(flags, &old, (uint16_t)(old | class << MT__LOCKORDER_SHIFT), 0,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static unsigned class_of(const struct mt__ordered *ordered)
{
    uint16_t flags = __atomic_load_n(ordered->flags, __ATOMIC_RELAXED);
    unsigned class = flags >> MT__LOCKORDER_SHIFT;
    int by_address = flags & MT_SHARED || !ordered->place;

    if (class && !(flags & MT_SHARED))
        return class;
    class = mt__lockgraph_class(ordered->name, by_address ? ordered->lock : ordered->place, ordered->place);
    if (!class)
        forget();
    else if (!(flags & MT_SHARED))
        remember_class(ordered->flags, class);
    return class;
}

/* -- What the task holds ------------------------------------------------------------------------------------------ */

static struct list *list_of_task(void)
{
    struct mt_task *task = mt__self();
    uint32_t now = __atomic_load_n(&generation, __ATOMIC_RELAXED);
    struct list *list = task ? task->held : NULL;

    if (task && !list)
        list = task->held = mt__alloc(sizeof *list);
    if (!list) {
        forget();
        return NULL;
    }
    if (list->generation != now) {
        list->generation = now;
        list->count = 0;
    }
    return list->busy ? NULL : list;
}

void mt__lockorder_taken(const struct mt__ordered *ordered)
{
    struct list *list = list_of_task();
    unsigned class = list ? class_of(ordered) : 0;

    if (!class)
        return;
    if (list->count == DEPTH)
        forget();
    else
        list->held[list->count++] = (struct held){ordered->lock, ordered->name, ordered->place, class};
}

/* Locks are mostly released in the order in which they were not acquired: the last first. */
void mt__lockorder_dropped(const void *lock)
{
    struct list *list = list_of_task();

    for (uint32_t i = list ? list->count : 0; i-- > 0;) {
        if (list->held[i].lock == lock) {
            list->count--;
            memmove(&list->held[i], &list->held[i + 1], (list->count - i) * sizeof *list->held);
            return;
        }
    }
}

/* -- The report --------------------------------------------------------------------------------------------------- */

struct text {
    char bytes[REPORT];
    size_t used;
};

static void say(struct text *text, const char *format, ...) MT__PRINTF(2, 3);
static void say(struct text *text, const char *format, ...)
{
    size_t room = sizeof text->bytes - text->used;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text->bytes + text->used, room, format, args);
    va_end(args);
    if (length > 0)
        text->used += (size_t)length < room ? (size_t)length : room - 1;
}

static void say_lock(struct text *text, const char *before, unsigned class, const char *verb, const char *place)
{
    char label[MT__LABEL_SAID];

    mt__lockgraph_label(class, label);
    say(text, "%s%s", before, label);
    if (place && place[0])
        say(text, ", %s at %s", verb, place);
}

static void report(struct list *list, const struct held *held, const struct mt__ordered *wanted, unsigned class,
                   const struct mt__edge *const *path, unsigned length)
{
    mt_lockorder_fn *hook = __atomic_load_n(&report_hook, __ATOMIC_ACQUIRE);
    struct mt_task *task = mt__self();
    struct text text = {.used = 0};

    __atomic_fetch_add(&inversions, 1, __ATOMIC_RELAXED);
    if (MT__PROBED(lock__inversion))
        MT__PROBE6(lock__inversion, wanted->lock, wanted->name, wanted->place, held->lock, held->name, held->place);
    say(&text, "linuxmt: lock order: locks are taken in both orders, and can deadlock\n");
    say(&text, "  now \"%s\" (tid %d) holds", task->record->name, task->record->tid);
    say_lock(&text, " ", held->class, "acquired", held->place);
    say_lock(&text, ", and wants ", class, "wanted", wanted->place);
    for (unsigned i = 0; i < length; i++) {
        say_lock(&text, i ? "\n  and with " : "\n  before, with ", path[i]->key >> 16, "acquired", path[i]->held_at);
        say_lock(&text, ", a task wanted ", path[i]->key & 0xffff, "wanted", path[i]->wanted_at);
    }
    say(&text, held->class == class ? "\n  Acquire locks of one kind by address, always upwards or always downwards.\n"
                                    : "\n  Acquire them in one order everywhere.\n");
    list->busy = 1;
    if (hook)
        hook(text.bytes);
    else if (write(STDERR_FILENO, text.bytes, text.used) < 0)
        forget(); /* there is nowhere left to say it */
    list->busy = 0;
}

/* -- The order ---------------------------------------------------------------------------------------------------- */

static void compare(struct list *list, const struct held *held, const struct mt__ordered *wanted, unsigned class)
{
    const struct mt__edge *path[LONGEST];
    unsigned length = LONGEST;
    enum mt__edge_news news;

    if (held->class == class) {
        length = 1;
        news = mt__lockgraph_nest(class, held->lock > wanted->lock, held->place, wanted->place, path);
    } else {
        news = mt__lockgraph_learn(held->class, class, held->place, wanted->place, path, &length);
    }
    if (news == MT__EDGE_NO_ROOM)
        forget();
    else if (news == MT__EDGE_INVERTED)
        report(list, held, wanted, class, path, length);
}

void mt__lockorder_wanted(const struct mt__ordered *ordered)
{
    struct list *list = list_of_task();
    unsigned class = list ? class_of(ordered) : 0;

    for (uint32_t i = 0; class && i < list->count; i++)
        if (list->held[i].lock != ordered->lock)
            compare(list, &list->held[i], ordered, class);
}
