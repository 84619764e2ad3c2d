/* SPDX-License-Identifier: MIT
 *
 * The task records of a process: who is there and what each waits for, in a memfd mapping named "linuxmt-tasks" that
 * another process of the same user can open through /proc/PID/fd and read without stopping anybody.
 *
 * Layout: struct mt__records in `head_size` bytes, then `capacity` records of `record_size` bytes; the first `used`
 * have been in use at some time. A reader copies a record, and copies it again if `sequence` was odd or has changed: a
 * writer makes it odd before and even after a change of the fields that belong together. A record with kind 0 is free.
 *
 * This layout is an interface: mtrace reads it, also of programs that link another version. A change of it changes
 * MT__RECORDS_VERSION.
 */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include <linuxmt/task.h>
#include <stdint.h>

#define MT__RECORDS_NAME    "linuxmt-tasks"
#define MT__RECORDS_MAGIC   0x736b7361742d746dull /* "mt-tasks" */
#define MT__RECORDS_VERSION 1

struct mt__records {
    uint64_t magic;
    uint32_t version;
    uint32_t head_size; /* bytes from here to the first record */
    uint32_t record_size;
    uint32_t capacity;
    uint32_t used; /* records that have ever been in use: a reader need not look further */
    uint32_t pid;
    uint64_t hidden;  /* tasks that found no free record: they work, but are not seen here */
    char release[16]; /* the library's version */
};

struct mt__record {
    uint32_t sequence;
    uint32_t kind;  /* enum mt_kind, 0 = free */
    uint32_t state; /* enum mt_state */
    int32_t tid;    /* kernel thread id */
    uint64_t id;
    uint64_t spawner; /* id of the task that spawned it, 0 if the library did not */

    /* while waiting */
    uint32_t wait_reason; /* enum mt_reason */
    uint32_t wait_owner;  /* kernel thread id of the holder when the wait began, 0 unknown */
    uint64_t wait_object; /* address of the lock, condition, ... or, for a join, the id of the task joined */
    uint64_t wait_word;   /* address of the futex word */
    int64_t wait_since;   /* CLOCK_MONOTONIC ns; a coroutine's may be a tick of the kernel early, some ms */
    int64_t wait_deadline;
    uint64_t waits;  /* how many waits so far */
    uint64_t waited; /* ns in the waits that have ended */
    char wait_name[MT_NAME_MAX];
    char name[MT_NAME_MAX];
    char wait_place[MT_PLACE_MAX]; /* the tail of "file:line" where it waits, if known */
    int32_t thread; /* a coroutine's: the kernel thread id of its hub; its tid above is what its locks show */

    /* Of a thread with a hub, by the monitor (mt_monitor): each is looked at by itself, without the sequence. A
     * coroutine has addresses there: of the struct mt__place where it was left, of its hub's own, of the pointer to
     * that of who runs, whose stack goes on, and of the function that is its body, 0 if that is not known. */
    uint32_t blocked; /* how many times one of its tasks kept the hub, */
    union {
        uint64_t blocked_most; /* for how many ns at the most, and who did it last */
        uint64_t left;
    };
    union {
        char blocked_by[24];
        struct {
            uint64_t hub_left, current, body;
        };
    };
};

_Static_assert(sizeof(struct mt__record) == 256, "a record is four cache lines");

/* The writer's side. Records are taken and given back under the registry's lock (base/task.c). */
struct mt__record *
mt__record_new(void); /* zeroed; a private one that nobody else sees when the table is full; NULL: no memory */
void mt__record_free(struct mt__record *record);

/* It is free for those who look, but stays its owner's, who fills it in again. */
void mt__record_rest(struct mt__record *record);

/* In a fork's child: a table of its own, a copy of the parent's, in its place. */
void mt__records_after_fork(uint32_t pid);

/* Before a fork, with the registry's lock; and after it in the parent. */
void mt__records_before_fork(void);
void mt__records_forked(void);

/* Changes of the fields that belong together stand between these. There is one writer at a time: the record's own task,
 * or who makes it or frees it, so that the number needs no atomic addition. The fence keeps the changes after the odd
 * number. */
static inline void mt__record_begin(struct mt__record *record)
{
    __atomic_store_n(&record->sequence, record->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void mt__record_end(struct mt__record *record)
{
    __atomic_store_n(&record->sequence, record->sequence + 1, __ATOMIC_RELEASE);
}

/* State and thread id are also looked at one by one, without the sequence. */
static inline void mt__record_state(struct mt__record *record, enum mt_state state)
{
    __atomic_store_n(&record->state, state, __ATOMIC_RELEASE);
}

static inline void mt__record_tid(struct mt__record *record, int tid)
{
    __atomic_store_n(&record->tid, tid, __ATOMIC_RELAXED);
}

/* A consistent copy, by a thread of the same process. Gives up, with kind 0, if the owner never holds still. */
void mt__record_copy(const struct mt__record *record, struct mt__record *copy);

/* The table, for those who walk it; NULL before the first task. */
struct mt__records *mt__records_table(void);
struct mt__record *mt__record_at(uint32_t index);

#endif
