/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Futex waits: which word, and who holds what it stands for. The owner is only believed if it is a living, traced
 * thread in the same PID namespace, and of the same process if the futex is private:
 *
 *   LOCK_PI, LOCK_PI2                  the word's low 30 bits
 *   waits for WAITERS | tid            the same: robust mutexes, liblinuxmt's locks
 *   waits for 2, and the word is 2     glibc's normal mutex: the owner is its third word
 *   waits in 8 or 12 for 2 or 3        glibc's read-write lock: the writer is its seventh word, 0 while readers hold
 * it, who are known by their number only shared wait for a living tid       pthread_join: the "owner" is the thread
 * waited for, which is no lock all else                           none recorded: conditions, semaphores, barriers,
 * once, Rust's and C++'s waits
 *
 * An owner that is not there any more is told too, if all the rest of the lock looks as it should.
 *
 * A waiter that FUTEX_REQUEUE moves is counted for the word that it went to sleep on, which is what it asked to wait
 * for.
 */
#ifndef BPF_WAIT_FUTEX_H
#define BPF_WAIT_FUTEX_H

#include "wait-task.h"
#include "call.h"

#define FUTEX_WAIT            0
#define FUTEX_LOCK_PI         6
#define FUTEX_WAIT_BITSET     9
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_LOCK_PI2        13
#define FUTEX_PRIVATE         128
#define FUTEX_COMMAND         0x7f
#define FUTEX_TID             0x3fffffff
#define FUTEX_HAS_WAITERS     0x80000000u
#define FUTEX2_PRIVATE        128

#define MUTEX_KINDS  0x3f3u /* type, robust, PI, priority protected, shared, elision */
#define MUTEX_ROBUST 0x10u
#define MOST_TIDS    (1u << 22) /* the kernel's own limit */

/* The start of what may lie at a futex word: glibc's mutex and liblinuxmt's lock side by side. */
union lock_words {
    struct {
        __u32 word, count, owner, users, kind;
        __u16 spins, elision;
    } glibc;
    struct {
        __u32 word;
        __u16 flags, spin;
        __u64 name, place;
    } mt;
};

/* glibc's pthread_rwlock_t as far as it tells something: readers is their number above three bits, of which one says
 * that it is a writer's turn. */
struct rwlock_words {
    __u32 readers, writers, read_futex, write_futex, pad3, pad4, writer, shared;
};

#define RWLOCK_WRITERS_TURN 1u
#define RWLOCK_COUNT_SHIFT  3

/* struct mt_rwlock's beginning. */
struct library_rwlock {
    __u32 state, owner;
};

#define LIBRARY_READERS 0x0fffffffu
#define LIBRARY_WRITER  0x80000000u

struct futex_wait {
    __u64 address;
    __u32 command;
    __u32 value;
    bool private;
    bool vector;
    bool timed;
};

static __always_inline long read_user(void *to, __u32 size, __u64 address, struct task_struct *task, bool remote)
{
    if (remote)
        return bpf_copy_from_user_task(to, size, (void *)address, task, 0);
    return bpf_probe_read_user(to, size, (void *)address);
}

/* The first of futex_waitv's entries; liblinuxmt puts the object's own word there, and a cancel word behind it. */
static __always_inline bool read_waitv(const struct call *call, struct futex_wait *wait, struct task_struct *task,
                                       bool remote)
{
    struct {
        __u64 value, address;
        __u32 flags, reserved;
    } entry = {};
    if (read_user(&entry, sizeof entry, call->arg[0], task, remote))
        return false;
    wait->address = entry.address;
    wait->value = (__u32)entry.value;
    wait->command = FUTEX_WAIT;
    wait->private = entry.flags & FUTEX2_PRIVATE;
    wait->vector = true;
    wait->timed = call->arg[3];
    return true;
}

static __always_inline bool read_futex(const struct call *call, int class, struct futex_wait *wait,
                                       struct task_struct *task, bool remote)
{
    if (class == CALL_FUTEX_WAITV)
        return read_waitv(call, wait, task, remote);
    wait->address = call->arg[0];
    wait->vector = false;
    if (class == CALL_FUTEX_WAIT) {
        wait->command = FUTEX_WAIT;
        wait->value = (__u32)call->arg[1];
        wait->private = call->arg[3] & FUTEX2_PRIVATE;
        wait->timed = call->arg[4];
    } else {
        wait->command = call->arg[1] & FUTEX_COMMAND;
        wait->value = (__u32)call->arg[2];
        wait->private = call->arg[1] & FUTEX_PRIVATE;
        wait->timed = call->arg[3];
    }
    return true;
}

/* The slot of the thread that a number in t's memory names; 0 if there is no such living thread. */
static __always_inline __u32 slot_of_owner(const struct wait_task *t, __u32 tid, bool private)
{
    struct ns_tid id = {t->ns_inum, tid & FUTEX_TID};
    if (!id.tid)
        return 0;
    __u32 *slot = bpf_map_lookup_elem(&tids, &id);
    if (!slot)
        return 0;
    struct wait_task *owner = task_at(*slot);
    if (!owner || owner->state == WAIT_STATE_DEAD || (private && owner->tgid != t->tgid))
        return 0;
    return *slot;
}

/* The owner that a lock records: its slot, or that there is none of that number any more. */
static __always_inline void set_owner(struct wait_task *t, __u32 tid, bool private)
{
    tid &= FUTEX_TID;
    t->holder = slot_of_owner(t, tid, private);
    if (!t->holder && private && tid && tid < MOST_TIDS)
        t->gone = tid;
}

/* Whether what lies there is a normal mutex of glibc, taken. Others use the value 2 too. */
static __always_inline bool is_mutex(const union lock_words *words)
{
    return words->glibc.owner && words->glibc.owner < MOST_TIDS && words->glibc.users &&
           words->glibc.users < MOST_TIDS && !(words->glibc.kind & ~MUTEX_KINDS) && !(words->glibc.kind & MUTEX_ROBUST);
}

/* A read-write lock of glibc is waited for in one of two neighbouring words. */
static __always_inline bool judge_rwlock(struct wait_task *t, const struct futex_wait *wait, struct task_struct *task,
                                         bool remote)
{
    struct rwlock_words lock = {};
    __u64 base = wait->address - __builtin_offsetof(struct rwlock_words, read_futex);
    for (int i = 0; i < 2; i++, base -= sizeof lock.read_futex) {
        if (base & 7 || read_user(&lock, sizeof lock, base, task, remote))
            continue;
        if (lock.read_futex > 3 || lock.write_futex > 3 || lock.pad3 || lock.pad4 || lock.shared > 1 ||
            lock.writer >= MOST_TIDS || !(lock.readers | lock.writers) || lock.shared == wait->private)
            continue;
        t->key.kind = WAIT_KIND_RWLOCK;
        t->key.reason = WAIT_LOCK;
        t->key.object = base;
        set_owner(t, lock.writer, wait->private);
        if (!lock.writer && !(lock.readers & RWLOCK_WRITERS_TURN) && lock.readers >> RWLOCK_COUNT_SHIFT)
            t->holder = WAIT_READERS;
        return true;
    }
    return false;
}

/* Fills in reason, kind and holder of a futex wait. words is what lies at the futex's address, zero if it could not be
 * read. */
static __always_inline void judge_futex(struct wait_task *t, const struct futex_wait *wait,
                                        const union lock_words *words, struct task_struct *task, bool remote)
{
    __u32 word = words->glibc.word;
    bool plain = wait->command == FUTEX_WAIT || wait->command == FUTEX_WAIT_BITSET;

    t->key.reason = WAIT_FUTEX;
    t->key.kind = WAIT_KIND_PLAIN;
    if (wait->command == FUTEX_LOCK_PI || wait->command == FUTEX_LOCK_PI2) {
        t->holder = slot_of_owner(t, word, wait->private);
        t->key.kind = WAIT_KIND_PI;
        t->key.reason = WAIT_LOCK;
    } else if (plain && (wait->value & FUTEX_HAS_WAITERS)) {
        bool library = t->flags & WAIT_TASK_LINUXMT;
        set_owner(t, word, wait->private);
        t->key.kind = library ? WAIT_KIND_MTLOCK : WAIT_KIND_ROBUST;
        if (t->holder || (library && wait->vector))
            t->key.reason = WAIT_LOCK;
        else if (!library)
            t->gone = 0; /* robust mutexes are woken when their owner ends: this is something else */
    } else if (plain && wait->value == 2 && word <= 2 && words->glibc.owner) {
        set_owner(t, words->glibc.owner, wait->private);
        if (!t->holder && !(word == 2 && is_mutex(words)))
            t->gone = 0;
        if (t->holder || t->gone) {
            t->key.kind = WAIT_KIND_MUTEX;
            t->key.reason = WAIT_LOCK;
        }
    } else if (plain && !wait->private && wait->value > 2 && wait->value == word &&
               slot_of_owner(t, wait->value, true)) {
        t->key.kind = WAIT_KIND_JOIN;
        t->key.object = 0;
    } else if (wait->command == FUTEX_WAIT_BITSET) {
        if ((wait->value == 2 || wait->value == 3) && judge_rwlock(t, wait, task, remote))
            return;
        /* A condition of glibc's sleeps on one of two neighbouring words in turn. */
        t->key.kind = WAIT_KIND_BITSET;
        t->key.object &= ~7ull;
    }
    if (t->key.kind == WAIT_KIND_MTLOCK)
        t->place = words->mt.place;
}

static __always_inline void decode_futex(struct wait_task *t, const struct call *call, int class,
                                         struct task_struct *task, bool remote, bool *shared, __u64 *name)
{
    struct futex_wait wait = {};
    union lock_words words = {};

    t->key.reason = WAIT_FUTEX;
    if (!read_futex(call, class, &wait, task, remote))
        return;
    if (read_user(&words, sizeof words, wait.address, task, remote))
        read_user(&words, sizeof words.glibc.word, wait.address, task, remote);
    t->key.object = wait.address;
    *shared = !wait.private;
    t->private = wait.private;
    t->futex = wait.address;
    t->timed = wait.timed;
    judge_futex(t, &wait, &words, task, remote);
    if (t->key.kind == WAIT_KIND_MTLOCK)
        *name = words.mt.name;
}

#endif
