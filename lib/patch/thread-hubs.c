/* SPDX-License-Identifier: MIT
 *
 * Which hub a thread runs in, and how long a hub's thread stays for it.
 *
 * One hub: its creator's. LINUXMT_PATCH_HUBS=n: the creator's and n - 1 threads of the library's own by turns. To these
 * their orders are left in a list; their own coroutine spawner, the root of each, carries them out, and the creator
 * waits for the answer, since pthread_create has one.
 *
 * A thread that leaves by pthread_exit (or that is none of main's and returns) leaves its threads behind, alive. Those
 * stand on its hub: so a destructor of a key of ours, the first in line, waits for them; main's for those of all
 * hubs, and then sends the library's threads home, so that libc finds that nobody is left, and ends the process.
 */
#include "patch/pthreads.h"
#include "coro/coro.h"
#include "patch/layout.h"
#include "patch/locks.h"
#include "patch/modules.h"
#include "patch/signals.h"
#include "patch/slice.h"

#include <limits.h>
#include <link.h>
#include <linuxmt/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 64

struct order {
    struct order *next;
    struct mt__pthread *thread;
    int (*body)(void *arg);
    int result;
    uint32_t done;
};

static struct hub {
    struct mt__mini guard; /* of the next three */
    struct mt_task *carrier;
    struct order *first, **last;
    int is_leaving;
    uint32_t word; /* one more with each order */
} hubs[MOST];

static uint32_t living;               /* of all hubs */
static __thread uint32_t living_here __attribute__((tls_model("initial-exec"))); /* of this thread's */
static __thread int is_carrier;
static int is_orphan; /* forked by a coroutine: the thread that carried its hub is not here */
static pthread_key_t leaving;
static int has_key;

/* -- Whose calls these are ---------------------------------------------------------------------------------------- */

static uintptr_t library_low, library_high;

static int look_for_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t low = UINTPTR_MAX, high = 0, inside = (uintptr_t)mt__hub_here;

    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            low = start < low ? start : low;
            high = start + info->dlpi_phdr[i].p_memsz > high ? start + info->dlpi_phdr[i].p_memsz : high;
        }
    if (inside < low || inside >= high)
        return 0;
    library_low = low;
    library_high = high;
    return 1;
}

int mt__pthread_is_library(const void *caller)
{
    return (uintptr_t)caller >= library_low && (uintptr_t)caller < library_high;
}

/* -- Spawning ----------------------------------------------------------------------------------------------------- */

/* The stack that libc gives if nobody says anything is large, and may be more than can be reserved: then a smaller one.
 */
static struct mt_task *spawn_with_stack(struct mt__pthread *thread, int (*body)(void *arg))
{
    struct mt_coro_options options = {.name = thread->name, .stack_size = thread->stack_size};
    uintptr_t start = thread->start_c11 ? (uintptr_t)thread->start_c11 : (uintptr_t)thread->start;
    struct mt_task *task = mt__coro_spawn_as(start, body, thread, &options);

    while (!task && errno == ENOMEM && thread->stack_is_default && options.stack_size > MT_CORO_STACK) {
        options.stack_size /= 4;
        task = mt__coro_spawn_as(start, body, thread, &options);
    }
    return task;
}

static int spawn_here(struct mt__pthread *thread, int (*body)(void *arg))
{
    int error = errno;
    struct mt_task *task = mt__storage_make(&thread->storage) ? NULL : spawn_with_stack(thread, body);

    if (!task) {
        mt__storage_free(&thread->storage);
        errno = error;
        return -EAGAIN;
    }
    errno = error;
    if (has_key && !is_carrier && !living_here)
        mt__libc(pthread_setspecific)(leaving, &living_here);
    living_here++;
    __atomic_fetch_add(&living, 1, __ATOMIC_RELAXED);
    thread->task = task;
    mt__slice_begin();
    return 0;
}

unsigned mt__pthreads_here(void)
{
    return living_here;
}

int mt__pthread_any(void)
{
    return __atomic_load_n(&living, __ATOMIC_ACQUIRE) != 0;
}

void mt__pthread_gone(void)
{
    uint32_t left = __atomic_sub_fetch(&living, 1, __ATOMIC_ACQ_REL);

    if (!left && is_orphan)
        exit(0);
    if (living_here == 1)
        mt__slice_end();
    if (!--living_here)
        mt__lock_wake(&living_here, INT_MAX, 0);
    if (!left)
        mt__lock_wake(&living, INT_MAX, 0);
}

/* -- The library's own threads ------------------------------------------------------------------------------------ */

static void wait_for_change(uint32_t *word, uint32_t expected, enum mt_reason reason)
{
    const void *object =
        reason == MT_WAIT_JOIN ? NULL : word; /* a count of those that are there is no word of an end */
    struct mt__wait wait = {
        .word = word, .flags = MT__WAIT_NOCANCEL, .reason = reason, .object = object, .deadline = MT_FOREVER};
    struct mt__patch_call call = {0};
    int in_hub = mt__hub != NULL;

    if (in_hub)
        call = mt__patch_enter();
    if (!mt__wait_begin(&wait)) {
        mt__lock_round(&wait, expected);
        mt__wait_end(&wait, 0);
    }
    if (in_hub)
        mt__patch_end(call, 0);
}

static void wait_for(uint32_t *count)
{
    uint32_t now;

    while ((now = __atomic_load_n(count, __ATOMIC_ACQUIRE)))
        wait_for_change(count, now, MT_WAIT_JOIN);
}

static struct order *take_orders(struct hub *hub, int *is_leaving)
{
    struct order *orders;

    mt__mini_acquire(&hub->guard);
    orders = hub->first;
    hub->first = NULL;
    hub->last = &hub->first;
    *is_leaving = hub->is_leaving;
    mt__mini_release(&hub->guard);
    return orders;
}

static int carry(void *arg)
{
    struct hub *hub = arg;
    int go_home = 0;

    is_carrier = 1;
    while (!go_home) {
        uint32_t word = __atomic_load_n(&hub->word, __ATOMIC_ACQUIRE);
        struct order *order = take_orders(hub, &go_home), *next;
        if (!order && !go_home)
            wait_for_change(&hub->word, word, MT_WAIT_GET);
        for (; order; order = next) {
            next = order->next;
            order->result = spawn_here(order->thread, order->body);
            __atomic_store_n(&order->done, 1, __ATOMIC_RELEASE); /* from here on its memory is its giver's */
            mt__lock_wake(&order->done, 1, 0);
        }
    }
    wait_for(&living_here);
    mt__slice_forget();
    mt__storage_forget();
    mt__masks_forget();
    return 0;
}

static void tell(struct hub *hub)
{
    __atomic_fetch_add(&hub->word, 1, __ATOMIC_RELEASE);
    mt__lock_wake(&hub->word, 1, 0);
}

/* 0 or -errno. */
static int start_carrier(struct hub *hub, int number)
{
    struct mt_thread_options options = {.daemon = 1};
    char name[16] = "patch-hub-";
    sigset_t all, before;

    name[10] = (char)('0' + number / 10);
    name[11] = (char)('0' + number % 10);
    options.name = name;
    hub->last = &hub->first;
    /* It is none of the program's threads: what lets signals in there is those it carries, but for libc's own, as
     * setuid(2) asks each thread by one of them. */
    sigfillset(&all);
    mt__libc(pthread_sigmask)(SIG_SETMASK, &all, &before);
    hub->carrier = mt_thread_spawn(carry, hub, &options);
    mt__libc(pthread_sigmask)(SIG_SETMASK, &before, NULL);
    return hub->carrier ? 0 : -errno;
}

static int spawn_there(int number, struct mt__pthread *thread, int (*body)(void *arg))
{
    struct order order = {.thread = thread, .body = body};
    struct hub *hub = &hubs[number];
    int error;

    mt__mini_acquire(&hub->guard);
    error = hub->carrier ? 0 : start_carrier(hub, number);
    if (!error) {
        *hub->last = &order;
        hub->last = &order.next;
    }
    mt__mini_release(&hub->guard);
    if (error)
        return error;
    tell(hub);
    while (!__atomic_load_n(&order.done, __ATOMIC_ACQUIRE))
        wait_for_change(&order.done, 0, MT_WAIT_PUT);
    return order.result;
}

/* Straight to the kernel, as the caller may be in the middle of anything. */
static unsigned refuse(const char *asked, const char *why, unsigned instead)
{
    char line[160];
    int length = snprintf(line, sizeof line, "linuxmt: LINUXMT_PATCH_HUBS: %.40s is %s, and %u %s taken\n", asked, why,
                          instead, instead == 1 ? "is" : "are");

    mt__sys(SYS_write, STDERR_FILENO, line, length);
    return instead;
}

static unsigned hubs_of(const char *asked)
{
    size_t length = strlen(asked);

    if (!length)
        return 1;
    if (strspn(asked, "0123456789") != length)
        return refuse(asked, "no number", 1);
    if (strspn(asked, "0") == length)
        return refuse(asked, "none at all", 1);
    if (length - strspn(asked, "0") > 2 || strtoul(asked, NULL, 10) > MOST)
        return refuse(asked, "more than there can be", MOST);
    return (unsigned)strtoul(asked, NULL, 10);
}

static unsigned count_of_hubs(void)
{
    static unsigned count;
    unsigned now = __atomic_load_n(&count, __ATOMIC_RELAXED);

    if (!now) {
        const char *asked = secure_getenv("LINUXMT_PATCH_HUBS");
        now = asked ? hubs_of(asked) : 1;
        if (now > 1)
            mt__storage_expect(); /* who loads what has variables would not know of those in other hubs */
        __atomic_store_n(&count, now, __ATOMIC_RELAXED);
    }
    return now;
}

int mt__pthread_spawn(struct mt__pthread *thread, int (*body)(void *arg))
{
    static uint32_t turn;
    unsigned count = count_of_hubs();
    unsigned number = count > 1 ? __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % count : 0;

    return number ? spawn_there((int)number, thread, body) : spawn_here(thread, body);
}

/* -- The end of a thread that carries a hub ------------------------------------------------------------------------ */

static void send_home(struct hub *hub)
{
    if (!hub->carrier)
        return;
    mt__mini_acquire(&hub->guard);
    hub->is_leaving = 1;
    mt__mini_release(&hub->guard);
    tell(hub);
    if (!mt_task_join(hub->carrier, MT_FOREVER))
        mt_task_release(hub->carrier);
    hub->carrier = NULL;
    hub->is_leaving = 0;
}

static void thread_leaves(void *value)
{
    wait_for(&living_here);
    mt__slice_forget();
    mt__storage_forget();
    mt__masks_forget();
    if (mt__sys(SYS_gettid) != getpid())
        return;
    wait_for(&living);
    for (int i = 1; i < MOST; i++)
        send_home(&hubs[i]);
    mt__slices_stop();
}

/* Only the thread or coroutine that forked is in the child. */
static void forked(void)
{
    is_orphan = mt__hub && mt__hub->current != &mt__hub->root;
    living = living_here = mt__pthread_if_known() && mt__pthread_if_known()->unwinds;
    memset(hubs, 0, sizeof hubs);
    mt__slices_forked(living_here);
    mt__ids_forked();
    mt__modules_forked();
    mt__layouts_forked();
    mt__destructors_forked();
    mt__waiters_forked();
    mt__masks_forked();
}

/* libc calls destructors in the order of the keys' numbers, and the library's own key, which ends the hub, is made when
 * the library is first used. */
__attribute__((constructor)) static void begin(void)
{
    dl_iterate_phdr(look_for_library, NULL);
    has_key = !mt__libc(pthread_key_create)(&leaving, thread_leaves);
    pthread_atfork(NULL, NULL, forked);
}
