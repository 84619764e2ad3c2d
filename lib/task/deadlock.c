/* SPDX-License-Identifier: MIT
 *
 * Circles of tasks that wait for each other.
 *
 * An edge leads from a task that waits for a lock (or a once) to the task whose tid the word holds, and from one that
 * joins to the one it joins, or for a future to the worker that runs its task. A circle can only be closed by a task
 * that begins to wait, never by one that takes a lock (it runs); so it is enough that each task looks once, after it
 * has published its wait: at once, or in a hub when the wait has lasted to a turn. The last of a circle to look finds
 * it, as all the others have published theirs by then.
 *
 * Why a circle that is found is real: it is walked twice. A record's sequence has not changed between the walks, so
 * that task has waited, without a break, from the first look to the second, and so has each other. In that time it
 * released nothing, so the owners read in both walks were owners all the while. Hence there is a moment, between the
 * walks, at which every edge held.
 *
 * Walks run under the registry's lock: tasks cannot go away, and two tasks that close a circle together find it one
 * after the other. The first marks itself; a marked task counts as one that no longer waits.
 *
 * A lock's memory may be gone when its waiter has just left, so words are read through process_vm_readv(2), which
 * answers instead of faulting.
 */
#include "task/deadlock.h"

#include <errno.h>
#include <linuxmt/deadlock.h>
#include <linuxmt/rwlock.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define LONGEST 64 /* tasks in a circle that is reported */

struct member {
    struct mt_task *task;
    struct mt__record record;
    struct mt_lock lock; /* what it waits for, when that is a lock */
    uint32_t owner;      /* the holder's tid, when what it waits for has one */
};

static int policy = -1;
static mt_deadlock_fn *report_hook;

mt_deadlock_fn *mt_deadlock_hook(mt_deadlock_fn *hook)
{
    return __atomic_exchange_n(&report_hook, hook, __ATOMIC_ACQ_REL);
}

static int from_environment(void)
{
    const char *text = getenv("LINUXMT_DEADLOCK");

    if (text && !strcmp(text, "off"))
        return MT_DEADLOCK_OFF;
    if (text && !strcmp(text, "report"))
        return MT_DEADLOCK_REPORT;
    if (text && *text && strcmp(text, "fail"))
        fprintf(stderr, "linuxmt: LINUXMT_DEADLOCK=%s is none of off, report and fail, and is ignored\n", text);
    return MT_DEADLOCK_FAIL;
}

static enum mt_deadlock_policy current_policy(void)
{
    int now = __atomic_load_n(&policy, __ATOMIC_RELAXED);

    if (now < 0) {
        int unset = -1;
        now = from_environment();
        if (!__atomic_compare_exchange_n(&policy, &unset, now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            now = unset;
    }
    return (enum mt_deadlock_policy)now;
}

/* So that a value which is ignored is reported though nobody ever waits. */
__attribute__((constructor)) static void read_environment(void)
{
    current_policy();
}

enum mt_deadlock_policy mt_deadlock_policy(enum mt_deadlock_policy new_policy)
{
    enum mt_deadlock_policy before = current_policy();

    __atomic_store_n(&policy, new_policy, __ATOMIC_RELAXED);
    return before;
}

/* -- The walk ----------------------------------------------------------------------------------------------------- */

static int peek(void *to, uint64_t from, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)(uintptr_t)from, size};

    return mt__sys(SYS_process_vm_readv, mt__sys(SYS_getpid), &local, 1, &remote, 1, 0) == (long)size ? 0 : -EFAULT;
}

/* Whom this task waits for; NULL: it does not wait, or nobody is known to hold what it waits for. */
static struct mt_task *next_of(struct member *member)
{
    uint32_t future[2];
    uint64_t id = 0;

    mt__record_copy(member->task->record, &member->record);
    if (member->record.state != MT_WAITING || __atomic_load_n(&member->task->in_deadlock, __ATOMIC_RELAXED) ||
        __atomic_load_n(&member->task->cancel, __ATOMIC_ACQUIRE))
        return NULL;
    switch (member->record.wait_reason) {
    case MT_WAIT_LOCK:
        if (peek(&member->lock, member->record.wait_object, sizeof member->lock))
            return NULL;
        member->owner = member->lock.word & MT__OWNER_MASK;
        break;
    case MT_WAIT_ONCE:
        if (peek(&member->owner, member->record.wait_word, sizeof member->owner))
            return NULL;
        member->owner &= MT__OWNER_MASK;
        break;
    case MT_WAIT_READ:
    case MT_WAIT_WRITE: /* the writer's; of readers nothing is kept */
        if (peek(&member->owner, member->record.wait_object + offsetof(struct mt_rwlock, owner), sizeof member->owner))
            return NULL;
        break;
    case MT_WAIT_FUTURE: /* whoever runs its task */
        if (peek(future, member->record.wait_object, sizeof future) ||
            (future[0] & MT__FUTURE_STATE) != MT__FUTURE_STARTED)
            return NULL;
        member->owner = future[1];
        break;
    case MT_WAIT_JOIN:
        id = member->record.wait_object;
        break;
    default:
        return NULL;
    }
    return mt__task_find_locked((int)member->owner, id);
}

/* The circle through self, or 0. */
static int walk(struct mt_task *self, struct member *members)
{
    struct mt_task *task = self;

    for (int count = 0; count < LONGEST; count++) {
        members[count].task = task;
        task = next_of(&members[count]);
        if (!task)
            return 0;
        if (task == self)
            return count + 1;
    }
    return 0;
}

/* The same circle, in the same waits, held by the same owners. */
static int same(const struct member *one, const struct member *two, int count)
{
    for (int i = 0; i < count; i++) {
        if (one[i].task != two[i].task || one[i].record.sequence != two[i].record.sequence)
            return 0;
        if (one[i].owner != two[i].owner)
            return 0;
    }
    return 1;
}

/* -- The report --------------------------------------------------------------------------------------------------- */

struct text {
    char bytes[8192];
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

/* A string of this process that may be gone. */
static void peek_string(char *to, size_t size, const char *from)
{
    memset(to, 0, size);
    for (size_t i = 0; from && i + 1 < size; i++)
        if (peek(to + i, (uint64_t)(uintptr_t)from + i, 1) || !to[i])
            return;
}

static void say_member(struct text *text, const struct member *member, const struct member *next)
{
    const struct mt__record *record = &member->record;
    char place[128];

    say(text, "  \"%s\" (tid %d) waits for ", record->name, record->tid);
    if (record->wait_reason == MT_WAIT_JOIN) {
        say(text, "the end of \"%s\" (tid %d)", next->record.name, next->record.tid);
        if (record->wait_place[0])
            say(text, ", joined at %s", record->wait_place);
        say(text, "\n");
        return;
    }
    say(text, "%s ", mt_reason_name((enum mt_reason)record->wait_reason));
    if (record->wait_name[0])
        say(text, "\"%s\"", record->wait_name);
    else
        say(text, "at 0x%llx", (unsigned long long)record->wait_object);
    if (record->wait_place[0])
        say(text, ", wanted at %s", record->wait_place);
    say(text, ", held by \"%s\" (tid %d)", next->record.name, next->record.tid);
    peek_string(place, sizeof place, record->wait_reason == MT_WAIT_LOCK ? member->lock.place : NULL);
    if (place[0])
        say(text, ", acquired at %s", place);
    say(text, "\n");
}

static void report(const struct member *members, int count)
{
    mt_deadlock_fn *hook = __atomic_load_n(&report_hook, __ATOMIC_ACQUIRE);
    struct text text = {.used = 0};

    say(&text, "linuxmt: deadlock: %d task%s in a circle\n", count, count == 1 ? " waits" : "s wait");
    for (int i = 0; i < count; i++)
        say_member(&text, &members[i], &members[(i + 1) % count]);
    if (hook)
        hook(text.bytes);
    else if (write(STDERR_FILENO, text.bytes, text.used) < 0)
        return; /* there is nowhere left to say it */
}

int mt__deadlock_is_near(struct mt__wait *wait)
{
    struct member *members = mt__alloc(LONGEST * sizeof *members);
    int count;

    if (!members)
        return 0;
    mt__tasks_acquire();
    count = walk(wait->task, members);
    mt__tasks_release();
    free(members);
    return count > 0;
}

int mt__deadlock_check(struct mt__wait *wait)
{
    if (!mt__hook())
        return mt__deadlock_check_now(wait);
    wait->suspect = current_policy() != MT_DEADLOCK_OFF;
    return 0;
}

int mt__deadlock_check_now(struct mt__wait *wait)
{
    enum mt_deadlock_policy what = current_policy();
    struct member *members;
    int count;

    if (what == MT_DEADLOCK_OFF)
        return 0;
    members = mt__alloc(2 * LONGEST * sizeof *members);
    if (!members)
        return 0;
    mt__tasks_acquire();
    count = walk(wait->task, members);
    if (count && (walk(wait->task, members + LONGEST) != count || !same(members, members + LONGEST, count)))
        count = 0;
    __atomic_store_n(&wait->task->in_deadlock, count > 0, __ATOMIC_RELAXED);
    mt__tasks_release();
    if (count)
        report(members, count);
    free(members);
    return count && what == MT_DEADLOCK_FAIL ? -EDEADLK : 0;
}
