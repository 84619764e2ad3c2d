/* SPDX-License-Identifier: MIT
 *
 * The monitor: a thread that looks at every hub's numbers of turns and switches some times in a threshold. One that is
 * not asleep in its loop, has somebody to keep waiting, and has the same numbers as a threshold ago is blocked by who
 * runs in it: that is told once, and counted in the record of the hub's thread when it goes on. For the hub it is one
 * store a turn and one a switch.
 *
 * The list of hubs is under `guard`, but for the monitor's passes, which take longer than a guard is held for:
 *
 *   enter    puts a hub in front, with the guard; a pass that goes on does not mind
 *   pass     sets `looking` with the guard, walks the list without it, and clears `looking`
 *   leave    takes a hub out with the guard if nobody is looking; else it waits for the word `looking`
 *
 * So no hub goes while it is looked at, and a pass meets only whole entries.
 *
 * A fork's child has no monitor until it asks for one.
 */
#include "coro/monitor.h"
#include "coro/tell.h"
#include "wait/wait.h"

#include <limits.h>
#include <linuxmt/event.h>
#include <linuxmt/lock.h>
#include <linuxmt/thread.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOKS 4 /* in a threshold */
#define LEAST MT_MS(1)

static struct mt__mini guard;
static struct mt__watch *watches;
static uint32_t looking; /* futex word */

static struct mt_lock control = MT_LOCK_INIT; /* of those who start and stop it */
static struct mt_event over = MT_EVENT_INIT;
static struct mt_task *thread;
static uint32_t threads;
static int64_t threshold;

static struct {
    struct mt__mini guard;
    mt_monitor_fn *fn;
    void *arg;
} hook;
static uint64_t told;

/* -- The hub's side ----------------------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int64_t asked; /* by the environment */

static void forked(void)
{
    struct mt__hub *hub = mt__hub;

    guard.word = hook.guard.word = 0;
    looking = 0;
    thread = NULL;
    threads = 0;
    control = (struct mt_lock)MT_LOCK_INIT;
    watches = NULL;
    if (!hub)
        return;
    hub->watch = (struct mt__watch){.link = &watches, .asked = hub->watch.taken, .taken = hub->watch.taken};
    watches = &hub->watch;
}

static void read_environment(void)
{
    const char *text = getenv("LINUXMT_MONITOR");
    char *end;
    double seconds;

    pthread_atfork(NULL, NULL, forked);
    if (!text || !*text || !strcmp(text, "off"))
        return;
    seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0 && seconds <= 1e6))
        fprintf(stderr, "linuxmt: LINUXMT_MONITOR=%s is neither seconds nor off, and is ignored\n", text);
    else
        asked = (int64_t)(seconds * 1e9);
}

void mt__monitor_enter(struct mt__hub *hub)
{
    struct mt__watch *watch = &hub->watch;
    int64_t wanted;

    pthread_once(&once, read_environment);
    mt__mini_acquire(&guard);
    watch->next = watches;
    watch->link = &watches;
    if (watch->next)
        watch->next->link = &watch->next;
    __atomic_store_n(&watches, watch, __ATOMIC_RELEASE);
    mt__mini_release(&guard);
    wanted = __atomic_exchange_n(&asked, 0, __ATOMIC_ACQ_REL);
    if (wanted && mt_monitor(wanted))
        fprintf(stderr, "linuxmt: no thread is to be had for LINUXMT_MONITOR\n");
}

/* Whether it is off the list. */
static int unlink_watch(struct mt__watch *watch)
{
    int free;

    mt__mini_acquire(&guard);
    free = !__atomic_load_n(&looking, __ATOMIC_ACQUIRE);
    if (free && watch->link) {
        *watch->link = watch->next;
        if (watch->next)
            watch->next->link = watch->link;
        watch->link = NULL;
    }
    mt__mini_release(&guard);
    return free;
}

void mt__monitor_leave(struct mt__hub *hub)
{
    struct mt__wait wait = {.word = &looking,
                            .flags = MT__WAIT_NOCANCEL,
                            .reason = MT_WAIT_EVENT,
                            .name = "monitor",
                            .deadline = MT_FOREVER};

    while (!unlink_watch(&hub->watch))
        if (mt__wait(&wait, 1) == -ENOMEM)
            mt__sys(SYS_sched_yield);
    mt__monitor_forget(&hub->watch);
}

unsigned mt__monitor_threads(void)
{
    return __atomic_load_n(&threads, __ATOMIC_ACQUIRE);
}

/* -- The monitor's side ------------------------------------------------------------------------------------------- */

static struct mt__hub *hub_of(struct mt__watch *watch)
{
    return (struct mt__hub *)((char *)watch - offsetof(struct mt__hub, watch));
}

/* How many coroutines it has is the hub's own to know: a number that is old by now does no harm. */
__attribute__((no_sanitize("thread"))) static size_t others(const struct mt__hub *hub)
{
    return *(const volatile size_t *)&hub->living_count;
}

/* Each grows whenever somebody leaves, or the loop is asked. */
static uint64_t moves_of(const struct mt__hub *hub)
{
    return __atomic_load_n(&hub->turns, __ATOMIC_RELAXED) + __atomic_load_n(&hub->switches, __ATOMIC_RELAXED);
}

/* Somebody runs in it, and somebody else may have to wait for that: a coroutine keeps at least the thread itself. */
static int keeps_others(const struct mt__hub *hub)
{
    if (__atomic_load_n(&hub->letters.sleeping, __ATOMIC_SEQ_CST))
        return 0;
    return __atomic_load_n(&hub->current, __ATOMIC_RELAXED) != &hub->root || others(hub) > 0;
}

static void tell(struct mt__hub *hub, struct mt__look *look)
{
    char text[4096];
    mt_monitor_fn *fn;
    void *arg;

    mt__monitor_write(look, __atomic_load_n(&threshold, __ATOMIC_RELAXED), text, sizeof text);
    look->blocked.text = text;
    if (MT__PROBED(hub__blocked))
        MT__PROBE5(hub__blocked, hub->tid, look->blocked.id, look->name, look->blocked.nanoseconds,
                   look->blocked.number);
    __atomic_fetch_add(&told, 1, __ATOMIC_RELEASE);
    mt__mini_acquire(&hook.guard);
    fn = hook.fn;
    arg = hook.arg;
    mt__mini_release(&hook.guard);
    if (fn)
        fn(&look->blocked, arg);
    else if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* there is nowhere to say it */
}

/* In the record of the hub's thread, where mtrace finds it. */
static void count(struct mt__hub *hub, const struct mt__watch *watch, int64_t now)
{
    struct mt__record *record = hub->root.task->record;
    uint64_t ns = (uint64_t)(now - watch->told);

    if (ns > record->blocked_most)
        __atomic_store_n(&record->blocked_most, ns, __ATOMIC_RELAXED);
    for (size_t i = 0; i + 1 < sizeof record->blocked_by; i++)
        __atomic_store_n(&record->blocked_by[i], watch->name[i], __ATOMIC_RELAXED);
    __atomic_store_n(&record->blocked, record->blocked + 1, __ATOMIC_RELEASE);
}

static void look_at(struct mt__hub *hub, int64_t now)
{
    struct mt__watch *watch = &hub->watch;
    uint64_t moves = moves_of(hub);
    int keeps = keeps_others(hub);
    struct mt__look look;

    if (!keeps || moves != watch->moves) {
        if (watch->told)
            count(hub, watch, now);
        watch->told = 0;
        watch->moves = moves;
        watch->since = now;
        watch->cpu = keeps ? mt__monitor_processor(hub) : 0;
        return;
    }
    if (watch->told || now - watch->since < __atomic_load_n(&threshold, __ATOMIC_RELAXED))
        return;
    look.blocked.processor = mt__monitor_processor(hub) - watch->cpu;
    look.blocked.nanoseconds = now - watch->since;
    mt__monitor_look(hub, &look);
    if (moves_of(hub) != moves)
        return; /* it went on meanwhile: whose stack that was is not known */
    watch->told = watch->since;
    memcpy(watch->name, look.name, sizeof watch->name);
    tell(hub, &look);
}

static void pass(void)
{
    mt__mini_acquire(&guard);
    __atomic_store_n(&looking, 1, __ATOMIC_RELEASE);
    mt__mini_release(&guard);
    for (struct mt__watch *watch = __atomic_load_n(&watches, __ATOMIC_ACQUIRE); watch; watch = watch->next)
        look_at(hub_of(watch), mt_now());
    __atomic_store_n(&looking, 0, __ATOMIC_RELEASE);
    mt__wake(&looking, UINT_MAX, 0);
}

static int run(void *unused)
{
    int64_t period;
    int result;

    do {
        pass();
        period = __atomic_load_n(&threshold, __ATOMIC_RELAXED) / LOOKS;
        result = mt_event_wait(&over, mt_after(period < LEAST ? LEAST : period));
    } while (result == -ETIMEDOUT);
    return 0;
}

/* -- On and off --------------------------------------------------------------------------------------------------- */

static int start(void)
{
    const struct mt_thread_options options = {.name = "hub-monitor", .daemon = 1};

    if (thread)
        return 0;
    mt__monitor_prepare();
    mt_event_clear(&over);
    __atomic_store_n(&threads, 1, __ATOMIC_RELEASE);
    thread = mt_thread_spawn(run, NULL, &options);
    if (thread)
        return 0;
    __atomic_store_n(&threads, 0, __ATOMIC_RELEASE);
    return -errno;
}

static int stop(void)
{
    int result;

    if (!thread)
        return 0;
    mt_event_set(&over);
    result = mt_task_join(thread, MT_FOREVER);
    if (result)
        return result;
    mt_task_release(thread);
    thread = NULL;
    __atomic_store_n(&threads, 0, __ATOMIC_RELEASE);
    return 0;
}

int mt_monitor(int64_t nanoseconds)
{
    int result;

    if (nanoseconds < 0)
        return -EINVAL;
    pthread_once(&once, read_environment);
    __atomic_store_n(&asked, 0, __ATOMIC_RELEASE); /* what the program says goes before the environment */
    result = mt_lock_acquire(&control, MT_FOREVER);
    if (result)
        return result;
    if (nanoseconds)
        __atomic_store_n(&threshold, nanoseconds, __ATOMIC_RELAXED);
    result = nanoseconds ? start() : stop();
    mt_lock_release(&control);
    return result;
}

void mt_monitor_hook(mt_monitor_fn *fn, void *arg)
{
    mt__mini_acquire(&hook.guard);
    hook.fn = fn;
    hook.arg = arg;
    mt__mini_release(&hook.guard);
}

uint64_t mt_monitor_count(void)
{
    return __atomic_load_n(&told, __ATOMIC_ACQUIRE);
}
