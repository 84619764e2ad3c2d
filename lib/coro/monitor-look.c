/* SPDX-License-Identifier: MIT
 *
 * Who keeps a hub, in which call, and where. What is looked at belongs to a thread that runs; it is not stopped.
 *
 *   In a system call, as /proc/self/task/TID/syscall says: that also gives its stack pointer and where it will come
 *   back to. Its stack holds still as long as it is there, and is copied. It gets no signal, for a handler would end a
 *   nanosleep, a poll and the like early (EINTR): watching must not change what a program does.
 *
 *   Running, and not just about to enter a call, for it has had a processor for a part of the time: it is sent a
 *   real-time signal, that has a handler of ours alone, and takes a picture of itself: its registers, the top of its
 *   stack, its name. The handler calls nothing but the kernel, on the thread's signal stack.
 *
 * Either way the copy is unwound here (coro/unwind.c), and memory is read by process_vm_readv(2), which fails where a
 * pointer has gone stale.
 *
 * A picture is asked for by `asked`, one more than `taken`, and is there when they are equal again: the monitor writes
 * the one and reads the picture, the thread writes the other and the picture, so it is one's or the other's. One that
 * does not come in time is not asked for again before it has come.
 */
#include "base/own.h"
#include "coro/monitor.h"
#include "coro/unwind.h"
#include "wait/wait.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096u
#define SLICE    (4 * PAGE)
#define PATIENT  MT_MS(50)
#define COMPUTES 16 /* it does if it had a processor for one part in so many of the time */

struct mt__picture {
    struct mt__registers registers;
    size_t size;
    unsigned char bytes[SLICE];
    uint64_t id;
    char name[MT_NAME_MAX];
};

static int signal_number; /* 0: there is none to be had */

/* -- Memory ------------------------------------------------------------------------------------------------------- */

/* As much of it as can be read, in whole pages but for the first. Async-signal-safe. */
static size_t peek(void *to, uint64_t from, size_t size)
{
    struct iovec here = {to, size}, there[SLICE / PAGE + 1];
    size_t count = 0, left = size;
    long got;

    while (left && count < sizeof there / sizeof *there) {
        size_t part = PAGE - (from & (PAGE - 1));
        part = part < left ? part : left;
        there[count++] = (struct iovec){(void *)(uintptr_t)from, part};
        from += part;
        left -= part;
    }
    got = mt__sys(SYS_process_vm_readv, mt__sys(SYS_getpid), &here, 1, there, count, 0);
    return got > 0 ? (size_t)got : 0;
}

static int peek_all(void *to, const void *from, size_t size)
{
    return peek(to, (uintptr_t)from, size) == size;
}

/* -- The thread's side -------------------------------------------------------------------------------------------- */

static void on_signal(int number, siginfo_t *info, void *context)
{
    struct mt__watch *watch = mt__hub ? &mt__hub->watch : NULL;
    uint32_t asked = watch ? __atomic_load_n(&watch->asked, __ATOMIC_ACQUIRE) : 0;
    struct mt__picture *picture;

    (void)number;
    (void)info;
    if (!watch || asked == watch->taken)
        return;
    picture = watch->picture;
    mt__unwind_begin(&picture->registers, context);
    picture->size = peek(picture->bytes, picture->registers.value[MT__REG_STACK], SLICE);
    picture->id = mt__running->record->id;
    memcpy(picture->name, mt__running->record->name, sizeof picture->name);
    __atomic_store_n(&watch->taken, asked, __ATOMIC_RELEASE);
    mt__sys(SYS_futex, &watch->taken, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

void mt__monitor_forget(struct mt__watch *watch)
{
    struct mt__picture *picture = watch->picture;

    __atomic_store_n(&watch->taken, watch->asked, __ATOMIC_SEQ_CST); /* a signal on its way finds nothing to do */
    watch->picture = NULL;
    free(picture);
}

/* Any that nobody has made use of. A handler that is once there stays: a signal may be on its way. */
int mt__monitor_prepare(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK}, now;

    if (signal_number)
        return 0;
    sigfillset(&action.sa_mask);
    for (int number = SIGRTMAX; number >= SIGRTMIN; number--)
        if (!sigaction(number, NULL, &now) && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL &&
            !sigaction(number, &action, NULL)) {
            signal_number = number;
            return 0;
        }
    return -EBUSY;
}

/* -- The monitor's side ------------------------------------------------------------------------------------------- */

int64_t mt__monitor_processor(const struct mt__hub *hub)
{
    struct timespec used = {0, 0};
    clockid_t clock = (clockid_t)(~hub->tid << 3 | 6); /* of one thread, by the scheduler: see clock_getcpuclockid(3) */

    return clock_gettime(clock, &used) ? 0 : (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

enum place { UNKNOWN, RUNNING, IN_CALL, FAULTING };

/* What the kernel says that the thread does. */
static enum place ask_kernel(unsigned tid, long *number, struct mt__registers *registers)
{
    char path[64], text[256];
    unsigned long stack, ip;
    long fd, length;
    const char *at;

    snprintf(path, sizeof path, "/proc/self/task/%u/syscall", tid);
    fd = mt__own(mt__sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0));
    if (fd < 0)
        return UNKNOWN;
    length = mt__sys(SYS_read, fd, text, sizeof text - 1);
    mt__own_close((int)fd);
    if (length <= 0)
        return UNKNOWN;
    text[length] = 0;
    if (!strncmp(text, "running", 7))
        return RUNNING;
    *number = strtol(text, NULL, 10);
    /* The last two of the words are the stack pointer and the program counter. */
    at = strrchr(text, ' ');
    while (at && at > text && at[-1] != ' ')
        at--;
    if (!at || sscanf(at, "%lx %lx", &stack, &ip) != 2)
        return UNKNOWN;
    memset(registers, 0, sizeof *registers);
    registers->ip = ip;
    mt__register_set(registers, MT__REG_STACK, stack);
    return *number < 0 ? FAULTING : IN_CALL;
}

static void set_name(struct mt__look *look, uint64_t id, const char *name)
{
    look->blocked.id = id;
    if (name[0])
        snprintf(look->name, sizeof look->name, "%.*s", MT_NAME_MAX - 1, name);
    else
        snprintf(look->name, sizeof look->name, "coroutine-%llu", (unsigned long long)id);
}

/* The one that runs, from outside: it may end meanwhile. */
static void name_current(const struct mt__hub *hub, struct mt__look *look)
{
    const struct mt__coro *current = __atomic_load_n(&hub->current, __ATOMIC_RELAXED);
    const struct mt_task *task;
    const struct mt__record *record;
    char name[MT_NAME_MAX];
    uint64_t id;

    if (peek_all(&task, &current->task, sizeof task) && peek_all(&record, &task->record, sizeof record) &&
        peek_all(&id, &record->id, sizeof id) && peek_all(name, record->name, sizeof name))
        set_name(look, id, name);
}

static struct mt__picture *picture_of(struct mt__watch *watch)
{
    if (!watch->picture)
        watch->picture = mt__alloc(sizeof *watch->picture);
    return watch->picture;
}

/* Asks the thread for a picture of itself. */
static int ask_thread(struct mt__hub *hub)
{
    struct mt__watch *watch = &hub->watch;
    struct mt__wait wait = {.word = &watch->taken, .reason = MT_WAIT_EVENT, .deadline = mt_after(PATIENT)};
    uint32_t taken = __atomic_load_n(&watch->taken, __ATOMIC_ACQUIRE);

    if (!signal_number || watch->asked != taken || !picture_of(watch))
        return 0;
    __atomic_store_n(&watch->asked, taken + 1, __ATOMIC_RELEASE);
    if (mt__sys(SYS_tgkill, mt__sys(SYS_getpid), hub->tid, signal_number) < 0)
        return 0;
    mt__wait(&wait, taken);
    return __atomic_load_n(&watch->taken, __ATOMIC_ACQUIRE) == watch->asked;
}

static void unwind(struct mt__look *look, struct mt__picture *picture)
{
    look->blocked.depth =
        mt__unwind(&picture->registers, picture->bytes, picture->size, look->frames, MT__MONITOR_FRAMES);
}

/* A sleep that the kernel itself has interrupted, to see to a ring, goes on under another number. The function of libc
 * that it is in says more. */
static void name_call(struct mt__look *look, long number)
{
    Dl_info info;

    if (number == SYS_restart_syscall && look->blocked.depth && dladdr(look->frames[0], &info) && info.dli_sname)
        snprintf(look->call, sizeof look->call, "%s", info.dli_sname);
    else
        mt__monitor_call_name(number, look->call, sizeof look->call);
}

void mt__monitor_look(struct mt__hub *hub, struct mt__look *look)
{
    struct mt__registers registers;
    struct mt__picture *picture;
    long number = -1;
    enum place place = ask_kernel(hub->tid, &number, &registers);

    look->blocked.tid = (int)hub->tid;
    look->blocked.name = look->name;
    look->blocked.call = look->call;
    look->blocked.frames = look->frames;
    look->blocked.depth = 0;
    look->blocked.id = 0;
    look->blocked.number = place == IN_CALL ? number : -1;
    look->call[0] = 0;
    snprintf(look->name, sizeof look->name, "?");
    name_current(hub, look);
    if (place == RUNNING && look->blocked.processor >= look->blocked.nanoseconds / COMPUTES && ask_thread(hub)) {
        picture = hub->watch.picture;
        set_name(look, picture->id, picture->name);
        unwind(look, picture);
    } else if ((place == IN_CALL || place == FAULTING) && hub->watch.asked == hub->watch.taken &&
               (picture = picture_of(&hub->watch))) {
        picture->registers = registers;
        picture->size = peek(picture->bytes, registers.value[MT__REG_STACK], SLICE);
        unwind(look, picture);
    }
    if (place == IN_CALL)
        name_call(look, number);
}
