/* SPDX-License-Identifier: MIT
 *
 * Who looks whether a hub computes: one thread, which is there as soon as pthread_create has made a coroutine, and
 * sleeps but for a look now and then. A hub that is not asleep, and has neither turned nor switched since the last
 * look, has a timer set: on the processor's time of its thread, so that it goes off only while that runs, at the
 * kernel's next tick. It sends the thread a signal, whose handler is in slice.c.
 *
 * A timer, and not tgkill, for two reasons. It finds no system call: since Linux 5.10, on the CPUs that we have, such
 * timers go off on the way back to the program, and so there is no EINTR for anybody. And with execve(2) it is gone,
 * where a signal that is on its way would end the new program.
 *
 *   looking   every LINUXMT_PATCH_SLICE; for a spell after a slice five times as often, and whoever is awake then is
 *             taken for one who computes
 *   drowsy    all hubs sleep: less often by and by
 *   asleep    no hub has had such coroutines for a while: until mt__slice_begin wakes it
 *
 * The list is under the guard, and a hub on it stays, as its coroutines do: who takes it off takes the guard. The
 * timer's number is the watcher's while it is on the list, and the thread's when it is not.
 *
 * The thread is made by libc's pthread_create, which has libc know that there are two: __libc_single_threaded would
 * have shared_ptr and others count without atomic instructions, in whose midst they may now be interrupted.
 */
#include "patch/slice.h"
#include "base/clock.h"
#include "base/mini.h"
#include "patch/pthreads.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define USUAL  MT_MS(10)
#define LEAST  MT_US(100)
#define SOONER 5  /* times */
#define SPELL  64 /* looks, after a slice */
#define DROWSY 16 /* times the usual, at most */
#define STACK  (256 * 1024)

__thread struct mt__slice mt__slice __attribute__((tls_model("initial-exec")));

static struct mt__mini guard;
static struct mt__slice *slices;

static int64_t usual = -1;  /* 0: off; -1: the environment has not been asked */
static int is_ready;        /* the handler is there, and modules are known */
static uint32_t bell;       /* futex word: one more for each reason to look */
static uint32_t is_asleep;  /* until the bell */
static uint32_t is_leaving; /* for good */
static uint32_t is_there;
static pthread_t watcher;

/* -- Whether ------------------------------------------------------------------------------------------------------ */

static int64_t read_environment(void)
{
    const char *text = secure_getenv("LINUXMT_PATCH_SLICE");
    char line[160], *end;
    double seconds;

    if (!text || !*text)
        return USUAL;
    if (!strcmp(text, "off"))
        return 0;
    seconds = strtod(text, &end);
    if (end != text && !*end && seconds > 0 && seconds <= 1e6)
        return seconds * 1e9 < LEAST ? LEAST : (int64_t)(seconds * 1e9);
    mt__sys(SYS_write, STDERR_FILENO, line,
            snprintf(line, sizeof line, "linuxmt: LINUXMT_PATCH_SLICE: %.40s is neither seconds nor off, and ignored\n",
                     text));
    return USUAL;
}

void mt__slice_prepare(void)
{
    if (usual < 0)
        usual = read_environment();
    if (usual && !mt__slice_number)
        mt__slice_choose();
}

/* -- A look ------------------------------------------------------------------------------------------------------- */

static void drop_timer(struct mt__slice *slice)
{
    if (slice->signal)
        mt__sys(SYS_timer_delete, slice->timer);
    slice->signal = 0;
    slice->is_set = 0;
}

static int make_timer(struct mt__slice *slice)
{
    clockid_t clock = (clockid_t)(~slice->hub->tid << 3 | 6); /* of one thread: see clock_getcpuclockid(3) */
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = mt__slice_number};

    if (slice->signal == mt__slice_number)
        return 0;
    drop_timer(slice);
    event.sigev_value.sival_ptr = slice;
    event._sigev_un._tid = (pid_t)slice->hub->tid;
    if (mt__sys(SYS_timer_create, clock, &event, &slice->timer))
        return -1;
    slice->signal = mt__slice_number;
    return 0;
}

static void set_timer(struct mt__slice *slice, int on)
{
    const struct itimerspec time = {.it_value.tv_nsec = on};

    if (on && make_timer(slice))
        return;
    __atomic_store_n(&slice->asked, slice->moves, __ATOMIC_RELAXED);
    __atomic_store_n(&slice->is_set, (uint32_t)on, __ATOMIC_RELEASE);
    if (mt__sys(SYS_timer_settime, slice->timer, 0, &time, NULL))
        __atomic_store_n(&slice->is_set, 0, __ATOMIC_RELAXED);
}

/* Without the guard: who loads a module, and waits for that here, may have the dynamic linker's locks. */
static int can_interrupt(void)
{
    if (!mt__slice_is_ours()) {
        mt__slice_choose();
        if (!mt__slice_install())
            return 0;
    }
    return !mt__slice_know_modules();
}

struct looks {
    unsigned all, awake, still;
    unsigned spell; /* of slices: whoever runs is taken for one who computes */
};

static void look_at(struct mt__slice *slice, struct looks *looks, int may_set)
{
    int sleeps = __atomic_load_n(&slice->hub->letters.sleeping, __ATOMIC_SEQ_CST) != 0;
    uint64_t moves = mt__slice_moves(slice->hub);
    int is_set = __atomic_load_n(&slice->is_set, __ATOMIC_ACQUIRE) != 0;

    int is_still = !sleeps && (moves == slice->moves || looks->spell);

    looks->all++;
    looks->awake += !sleeps;
    if (is_set && (moves != slice->moves || slice->signal != mt__slice_number)) {
        set_timer(slice, 0);
        is_set = 0;
    }
    slice->moves = moves;
    looks->still += is_still && !is_set;
    if (may_set && is_still && !is_set)
        set_timer(slice, 1);
}

static struct looks pass(int may_set, unsigned spell)
{
    struct looks looks = {.spell = spell};

    mt__mini_acquire(&guard);
    for (struct mt__slice *slice = slices; slice; slice = slice->next)
        look_at(slice, &looks, may_set);
    mt__mini_release(&guard);
    return looks;
}

/* -- The watcher -------------------------------------------------------------------------------------------------- */

static void sleep_until(uint32_t seen, int64_t nanoseconds)
{
    const struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};

    mt__sys(SYS_futex, &bell, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen, nanoseconds == MT_FOREVER ? NULL : &time);
}

static void ring(void)
{
    __atomic_fetch_add(&bell, 1, __ATOMIC_SEQ_CST);
    mt__sys(SYS_futex, &bell, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

/* Who enters looks at is_asleep after that; so one of the two sees the other. */
static int falls_asleep(unsigned drowsy)
{
    __atomic_store_n(&is_asleep, drowsy == DROWSY, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return drowsy == DROWSY && !__atomic_load_n(&slices, __ATOMIC_SEQ_CST);
}

static void *watch(void *unused)
{
    unsigned spell = 0, drowsy = 1;
    uint64_t taken = 0;

    mt__sys(SYS_prctl, PR_SET_NAME, "patch-slices", 0, 0, 0);
    while (!__atomic_load_n(&is_leaving, __ATOMIC_ACQUIRE)) {
        uint32_t seen = __atomic_load_n(&bell, __ATOMIC_SEQ_CST);
        struct looks looks = pass(0, spell);
        uint64_t now = mt__slices_taken();
        if (looks.still && can_interrupt())
            pass(1, spell);
        spell = now != taken ? SPELL : spell ? spell - 1 : 0;
        taken = now;
        drowsy = looks.awake ? 1 : drowsy < DROWSY ? drowsy * 2 : DROWSY;
        sleep_until(seen, !looks.all && falls_asleep(drowsy) ? MT_FOREVER
                          : spell && looks.awake             ? usual / SOONER
                                                             : usual * drowsy);
    }
    return NULL;
}

static void start(void)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    uint32_t none = 0;

    if (__atomic_load_n(&is_there, __ATOMIC_RELAXED) ||
        !__atomic_compare_exchange_n(&is_there, &none, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return;
    if (!is_ready)
        is_ready = mt__slice_install() && !mt__slice_know_modules();
    if (!is_ready || pthread_attr_init(&attributes))
        return; /* as it is: nor would the next attempt do */
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all);
    mt__libc(pthread_sigmask)(SIG_SETMASK, &all, &before);
    if (mt__libc(pthread_create)(&watcher, &attributes, watch, NULL))
        __atomic_store_n(&is_there, 0, __ATOMIC_RELEASE);
    mt__libc(pthread_sigmask)(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void mt__slices_stop(void)
{
    if (__atomic_exchange_n(&is_leaving, 1, __ATOMIC_ACQ_REL) || !__atomic_load_n(&is_there, __ATOMIC_ACQUIRE) ||
        !is_ready)
        return;
    ring();
    mt__libc(pthread_join)(watcher, NULL);
}

/* -- The threads' side -------------------------------------------------------------------------------------------- */

static void find_stack(struct mt__slice *slice)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;

    if (mt__libc(pthread_getattr_np)(mt__libc(pthread_self)(), &attributes))
        return;
    if (!pthread_attr_getstack(&attributes, &low, &size) && low) {
        slice->low = low;
        slice->top = slice->low + size;
    }
    pthread_attr_destroy(&attributes);
}

static void enter(struct mt__slice *slice)
{
    mt__mini_acquire(&guard);
    slice->hub = mt__hub;
    slice->next = slices;
    slice->link = &slices;
    if (slice->next)
        slice->next->link = &slice->next;
    __atomic_store_n(&slices, slice, __ATOMIC_SEQ_CST);
    mt__mini_release(&guard);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void mt__slice_begin(void)
{
    struct mt__slice *slice = &mt__slice;
    int error = errno;

    mt__slice_prepare();
    if (!usual || !mt__slice_number || __atomic_load_n(&is_leaving, __ATOMIC_RELAXED))
        return;
    if (!slice->link) {
        if (!slice->top)
            find_stack(slice);
        mt__slice_let_in();
        enter(slice);
    }
    start();
    if (__atomic_load_n(&is_asleep, __ATOMIC_RELAXED) && __atomic_exchange_n(&is_asleep, 0, __ATOMIC_SEQ_CST))
        ring();
    errno = error;
}

void mt__slice_end(void)
{
    struct mt__slice *slice = &mt__slice;

    if (!slice->link)
        return;
    mt__mini_acquire(&guard);
    *slice->link = slice->next;
    if (slice->next)
        slice->next->link = slice->link;
    slice->link = NULL;
    mt__mini_release(&guard);
}

void mt__slice_retire(void)
{
    mt__mini_acquire(&guard);
    drop_timer(&mt__slice);
    mt__mini_release(&guard);
}

void mt__slice_forget(void)
{
    mt__slice_end();
    drop_timer(&mt__slice);
}

/* Timers are not inherited. */
void mt__slices_forked(unsigned here)
{
    struct mt__slice *slice = &mt__slice;

    guard = (struct mt__mini){0};
    slices = NULL;
    is_there = is_asleep = 0;
    slice->signal = 0;
    slice->is_set = 0;
    slice->link = NULL;
    if (here && mt__hub)
        enter(slice);
}
