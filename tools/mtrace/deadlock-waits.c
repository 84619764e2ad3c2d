/* SPDX-License-Identifier: MIT
 *
 * From the bytes at a futex word to "waits for this kind of lock, held by that thread".
 *
 * The forms, by the futex operation, the value waited against and the word:
 *
 *   LOCK_PI, LOCK_PI2, WAIT_REQUEUE_PI
 *       owner in the word's low 30 bits
 *   shared WAIT, word = value = a live thread's id, no flag bits
 *       the kernel clears that word when the thread ends: a join
 *   value with bit 31, word's low 30 bits = a live thread
 *       pthread robust mutex if the owner stands at +8 again and the kind at +16 says robust; else struct mt_lock:
 *       {word, flags, name, place}
 *   value 2, word 2, in libc
 *       pthread mutex: {lock, count, owner, users, kind}, each checked
 *   WAIT_BITSET, value 2 or 3, in libc
 *       pthread rwlock, waited for at +8 or +12: writer at +24, 0 while readers hold it
 *
 * Anything else has no recorded owner. A thread's id counts as an owner only if that thread lives in the process (or,
 * for shared locks, in another process that is looked at).
 */
#include "deadlock.h"

#include <linux/futex.h>
#include <linuxmt/lock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define NR_FUTEX_WAITV 449
#define NR_FUTEX_WAIT  455
#define LOCK_PI2       13
#define OWNER_BITS     0x3fffffffu
#define WAITERS_BIT    0x80000000u
#define MUTEX_ROBUST   0x10u
#define MUTEX_SHARED   0x80u
#define LOCK_FLAGS     6      /* bytes of a liblinuxmt lock up to the end of its flags */
#define MUTEX_KINDS    0x3f3u /* type, robust, PI, priority protected, shared, elision */

struct futex {
    int command;
    bool shared;
    bool timed;
    uint32_t value;
};

static uint32_t word_at(const unsigned char *bytes, size_t offset)
{
    uint32_t word;
    memcpy(&word, bytes + offset, sizeof(word));
    return word;
}

static struct futex futex_of(const struct stuck_task *task)
{
    uint32_t word = word_at(task->object, 0);
    if (task->syscall == NR_FUTEX_WAITV)
        return (struct futex){FUTEX_WAIT, true, task->args[3], word};
    if (task->syscall == NR_FUTEX_WAIT)
        return (struct futex){FUTEX_WAIT, !(task->args[3] & FUTEX_PRIVATE_FLAG), task->args[4], task->args[1]};
    return (struct futex){task->args[1] & FUTEX_CMD_MASK, !(task->args[1] & FUTEX_PRIVATE_FLAG), task->args[3],
                          task->args[2]};
}

int waiter_compare(const void *left, const void *right)
{
    const struct waiter *a = left, *b = right;
    if (a->process != b->process)
        return a->process < b->process ? -1 : 1;
    return (a->task.own_tid > b->task.own_tid) - (a->task.own_tid < b->task.own_tid);
}

int waiter_by_tid(const struct picture *picture, const struct process *process, uint32_t own_tid)
{
    struct waiter key = {.process = (struct process *)process, .task.own_tid = own_tid};
    const struct waiter *found =
        own_tid ? bsearch(&key, picture->waiters, picture->count, sizeof(key), waiter_compare) : NULL;
    return found ? found - picture->waiters : -1;
}

static bool is_live(const struct picture *picture, const struct waiter *waiter, uint32_t tid)
{
    if (waiter_by_tid(picture, waiter->process, tid) >= 0)
        return true;
    for (size_t i = 0; waiter->shared && tid && i < picture->count; i++)
        if (picture->waiters[i].task.own_tid == tid)
            return true;
    return false;
}

/* The process of a thread that is none of those looked at; 0 if there is none, or its number means another one here. */
static pid_t process_of_thread(const struct stuck_task *task, uint32_t own_tid)
{
    char path[64], line[256];
    int tgid = 0;
    snprintf(path, sizeof(path), "/proc/%u/status", own_tid);
    FILE *status = task->own_tid == task->tid ? fopen(path, "re") : NULL;
    if (!status)
        return 0;
    while (!tgid && fgets(line, sizeof(line), status))
        sscanf(line, "Tgid: %d", &tgid);
    fclose(status);
    return tgid;
}

/* Whether the futex call was made by libc's own locks: other languages use the same values with other neighbours in
 * memory, and get there by syscall(2) or their own stub. Without symbols the bytes alone must do. */
static bool called_by_libc(const struct waiter *waiter)
{
    struct symbols_frame frame;
#if defined(__x86_64__)
    uint64_t ip = waiter->task.regs[16];
#else
    uint64_t ip = waiter->task.regs[32];
#endif
    struct symbols *symbols = process_symbols(waiter->process);
    if (!symbols || !symbols_code(symbols, ip, false, &frame, 1) || !frame.function)
        return !frame.module || !strstr(frame.module, "linuxmt");
    return frame.runtime && strcmp(frame.function, "syscall") && strncmp(frame.function, "mt_", 3);
}

static bool decode_mutex(const struct picture *picture, struct waiter *waiter, const struct futex *futex)
{
    const struct stuck_task *task = &waiter->task;
    if (futex->value != 2 || word_at(task->object, 0) != 2 || task->object_size < 24)
        return false;
    uint32_t fourth = word_at(task->object, 12), fifth = word_at(task->object, 16);
    uint32_t owner = word_at(task->object, 8), users = task->narrow ? fifth : fourth,
             kind = task->narrow ? fourth : fifth;
    if (!users || users > 1u << 22 || kind & ~MUTEX_KINDS || kind & MUTEX_ROBUST || !owner || owner > 1u << 22)
        return false;
    waiter->shared = kind & MUTEX_SHARED;
    if (!called_by_libc(waiter))
        return false;
    waiter->kind = WAIT_MUTEX;
    waiter->owner_tid = owner;
    if (!waiter->shared || is_live(picture, waiter, owner))
        return true;
    waiter->owner_pid = process_of_thread(task, owner);
    return waiter->owner_pid;
}

static bool decode_rwlock(const struct picture *picture, struct waiter *waiter, struct reader *reader,
                          const struct futex *futex)
{
    static const unsigned offsets[] = {8, 12}; /* where readers wait, and writers */
    if (futex->command != FUTEX_WAIT_BITSET || (futex->value != 2 && futex->value != 3))
        return false;
    for (int i = 0; i < 2; i++) {
        unsigned char lock[56];
        uint64_t base = waiter->task.word - offsets[i];
        if (reader_memory(reader, &waiter->task, base, lock, sizeof(lock)) != sizeof(lock))
            continue;
        uint32_t writer = word_at(lock, 24);
        bool plausible = word_at(lock, 8) <= 3 && word_at(lock, 12) <= 3 && word_at(lock, 16) == 0 &&
                         word_at(lock, 20) == 0 && word_at(lock, 28) <= 1;
        bool written = writer && word_at(lock, 0) & 1, read = !writer && word_at(lock, 0) >> 3;
        waiter->shared = word_at(lock, 28);
        if (!plausible || !(read || (written && is_live(picture, waiter, writer))) || !called_by_libc(waiter))
            continue;
        waiter->kind = WAIT_RWLOCK;
        waiter->object = base;
        waiter->owner_tid = writer;
        return true;
    }
    return false;
}

/* The owner stands in the word itself. */
static bool decode_owner_word(const struct picture *picture, struct waiter *waiter, const struct futex *futex)
{
    const struct stuck_task *task = &waiter->task;
    uint32_t word = word_at(task->object, 0), owner = word & OWNER_BITS;
    if (futex->command == FUTEX_LOCK_PI || futex->command == LOCK_PI2 || futex->command == FUTEX_WAIT_REQUEUE_PI) {
        waiter->kind = WAIT_PI;
        waiter->owner_tid = is_live(picture, waiter, owner) ? owner : 0;
        return true;
    }
    if (futex->shared && word == futex->value && word == owner && owner != task->own_tid &&
        waiter_by_tid(picture, waiter->process, owner) >= 0) {
        waiter->kind = WAIT_JOIN;
        waiter->owner_tid = owner;
        return true;
    }
    if (!(futex->value & WAITERS_BIT) || !owner)
        return false;
    bool robust =
        task->object_size >= 24 && word_at(task->object, 8) == owner && word_at(task->object, 16) & MUTEX_ROBUST;
    bool live = is_live(picture, waiter, owner);
    if (!live && robust && futex->shared)
        waiter->owner_pid = process_of_thread(task, owner);
    if (!live && !waiter->owner_pid && !waiter->record)
        return false;
    waiter->kind = robust ? WAIT_ROBUST : WAIT_LOCK;
    /* Its own flags say it: of futex_waitv's words the kernel's record does not tell whether they are shared. */
    if (waiter->record && task->object_size >= LOCK_FLAGS)
        waiter->shared = word_at(task->object, 4) & MT_SHARED;
    waiter->owner_tid = owner;
    return true;
}

/* struct mt_rwlock: {state, owner, ...}. Readers are not recorded. */
static void decode_library_rwlock(struct waiter *waiter, struct reader *reader)
{
    unsigned char lock[8];
    if (reader_memory(reader, &waiter->task, waiter->object, lock, sizeof(lock)) != sizeof(lock))
        return;
    waiter->kind = WAIT_RWLOCK;
    waiter->owner_tid = word_at(lock, 4);
}

/* What liblinuxmt itself says of the wait. False where the bytes of the lock say it better. */
static bool decode_record(const struct picture *picture, struct waiter *waiter, struct reader *reader)
{
    const struct mt__record *record = waiter->record, *joined;
    if (!record || record->state != MT_WAITING || record->wait_reason == MT_WAIT_NONE ||
        (record->wait_word && record->wait_word != waiter->task.word)) {
        waiter->record = NULL;
        return false;
    }
    waiter->timed = record->wait_deadline != MT_FOREVER;
    if (record->wait_reason == MT_WAIT_LOCK)
        return false;
    waiter->kind = record->wait_reason == MT_WAIT_SLEEP ? WAIT_SLEEP : WAIT_TASK;
    waiter->object = record->wait_object;
    if (record->wait_reason == MT_WAIT_READ || record->wait_reason == MT_WAIT_WRITE)
        decode_library_rwlock(waiter, reader);
    if (record->wait_reason == MT_WAIT_FUTURE && waiter_by_tid(picture, waiter->process, record->wait_owner) >= 0)
        waiter->owner_tid = record->wait_owner; /* who runs its task */
    if (record->wait_reason != MT_WAIT_JOIN)
        return true;
    joined = tasks_by_id(&waiter->process->tasks, record->wait_object);
    waiter->kind = WAIT_JOIN;
    waiter->owner_tid = joined && joined->state != MT_DEAD ? joined->tid : 0;
    return true;
}

/* A lock's word names its owner; all else is as the record says. */
static void decode_in_hub(const struct picture *picture, struct waiter *waiter, struct reader *reader)
{
    if (decode_record(picture, waiter, reader) || !waiter->record)
        return;
    waiter->kind = WAIT_LOCK;
    waiter->object = waiter->record->wait_object;
    if (waiter->task.object_size < LOCK_FLAGS)
        return;
    waiter->owner_tid = word_at(waiter->task.object, 0) & OWNER_BITS;
    waiter->shared = word_at(waiter->task.object, 4) & MT_SHARED;
}

void waiter_decode(const struct picture *picture, struct waiter *waiter, struct reader *reader)
{
    const struct stuck_task *task = &waiter->task;
    waiter->object = task->word;
    if (!task->state) {
        waiter->kind = WAIT_NONE;
        return;
    }
    if (waiter->in_hub) {
        decode_in_hub(picture, waiter, reader);
        return;
    }
    if (!task->word || task->object_size < 4) {
        waiter->kind = task->word ? WAIT_FUTEX : WAIT_CALL;
        return;
    }
    struct futex futex = futex_of(task);
    waiter->timed = futex.timed;
    waiter->shared = futex.shared;
    if (decode_record(picture, waiter, reader) || decode_owner_word(picture, waiter, &futex))
        return;
    if (waiter->record || decode_mutex(picture, waiter, &futex) || decode_rwlock(picture, waiter, reader, &futex))
        return;
    waiter->kind = WAIT_FUTEX;
    waiter->owner_tid = 0;
}
