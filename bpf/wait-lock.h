/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Who holds a lock while others sleep on it. A lock may change hands many times in one wait, so it is not the waits
 * that are given to holders but the time: what all its waiters together have waited between two looks at it goes to
 * whoever held it then. The looks, and what each says:
 *
 *   a task goes to sleep on it    the lock's word is read: who holds it now
 *   a task is woken from it       by a system call that wakes a futex: who did that has just released it, and held it
 *                                 until now; the task woken is presumed to hold it next, until a look says better
 *
 * A waiter that leaves by a timeout or a signal is no look. Time after the last look is given to the last holder by
 * mtrace, when the recording has stopped.
 */
#ifndef BPF_WAIT_LOCK_H
#define BPF_WAIT_LOCK_H

#include "wait-futex.h"

#define LOCK_WAITER   (1ull << 48)
#define LOCK_SUM_HALF (1ull << 47)

#define FUTEX_WAKE           1
#define FUTEX_REQUEUE        3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAKE_OP        5
#define FUTEX_UNLOCK_PI      7
#define FUTEX_WAKE_BITSET    10
#define FUTEX_CMP_REQUEUE_PI 12
#define FUTEX_WAKES                                                                                                   \
    (1u << FUTEX_WAKE | 1u << FUTEX_REQUEUE | 1u << FUTEX_CMP_REQUEUE | 1u << FUTEX_WAKE_OP | 1u << FUTEX_UNLOCK_PI | \
     1u << FUTEX_WAKE_BITSET | 1u << FUTEX_CMP_REQUEUE_PI)

static __always_inline struct wait_lock *lock_at(__u32 index)
{
    return index ? bpf_map_lookup_elem(&locks, &index) : NULL;
}

/* The index of the lock that the task is about to sleep on; 0 if there is no room. */
static __always_inline __u32 lock_index(const struct wait_task *t, bool shared)
{
    struct wait_lock_key key = {t->key.object, shared ? 0 : t->tgid, 0};
    __u32 *known = bpf_map_lookup_elem(&lock_indexes, &key);
    if (known)
        return *known;
    if (locks_used >= max_waits) {
        count_lost(&lost.locks);
        return 0;
    }
    __u32 index = __sync_fetch_and_add(&locks_used, 1);
    struct wait_lock *lock = lock_at(index);
    if (!lock)
        return 0;
    lock->key = key;
    lock->tgid = t->tgid;
    if (!bpf_map_update_elem(&lock_indexes, &key, &index, BPF_NOEXIST))
        return index;
    known = bpf_map_lookup_elem(&lock_indexes, &key); /* another CPU was first */
    return known ? *known : 0;
}

static __always_inline __u64 lock_waiters(__u64 integral)
{
    return (integral + LOCK_SUM_HALF) >> 48;
}

/* What nobody has been given yet of the time waited until now, in ns; the caller gives it to a holder. */
static __always_inline __u64 lock_take(struct wait_lock *lock, __u64 now)
{
    __u64 integral = lock->integral, waiters = lock_waiters(integral);
    __u64 counted = lock->counted, sum = integral - waiters * LOCK_WAITER + waiters * (now / WAIT_LOCK_UNIT);
    if ((__s64)(sum - counted) <= 0 || __sync_val_compare_and_swap(&lock->counted, counted, sum) != counted)
        return 0;
    return (sum - counted) * WAIT_LOCK_UNIT;
}

static __always_inline struct wait_holder *find_holder(const struct wait_holder_key *key, struct task_struct *task,
                                                       bool remote)
{
    static const struct wait_holder no_holder;
    struct wait_holder *holder = bpf_map_lookup_elem(&holders, key);
    if (holder)
        return holder;
    bpf_map_update_elem(&holders, key, &no_holder, BPF_NOEXIST);
    holder = bpf_map_lookup_elem(&holders, key);
    if (!holder)
        count_lost(&lost.holders);
    else if (key->place && remote)
        bpf_copy_from_user_task(holder->place, sizeof holder->place - 1, (void *)key->place, task, 0);
    else if (key->place)
        bpf_probe_read_user_str(holder->place, sizeof holder->place, (void *)key->place);
    return holder;
}

/* To the holder in key go ns of waiting, and the stretch at which it was waited for. */
static __always_inline void give_time(struct wait_holder *holder, __u64 ns, __u64 stretch)
{
    if (!holder)
        return;
    __sync_fetch_and_add(&holder->ns, ns);
    if (stretch > holder->max)
        holder->max = stretch;
}

/* What was waited for until now goes to the holder known so far; the next one is not known. */
static __always_inline void lock_close(struct wait_lock *lock, __u32 index, __u64 now, struct task_struct *task,
                                       bool remote)
{
    struct wait_holder_key key = {lock->place, index, lock->holder};
    __u64 ns = lock_take(lock, now);
    if (ns)
        give_time(find_holder(&key, task, remote), ns, now - lock->since);
    lock->since = now;
    lock->holder = 0;
    lock->place = 0;
    lock->read = 0;
}

/* t->holder holds it. What was waited for since it changed hands goes to that one too, unless another was known. */
static __always_inline void lock_seen(struct wait_lock *lock, const struct wait_task *t, struct task_struct *task,
                                      bool remote)
{
    struct wait_holder_key key = {t->place, t->lock, t->holder};
    struct wait_holder *holder = find_holder(&key, task, remote);
    if (lock->read && (lock->holder != t->holder || lock->place != t->place))
        lock_close(lock, t->lock, t->since, task, remote);
    lock->holder = t->holder;
    lock->place = t->place;
    lock->read = 1;
    if (holder && t->lib_sleeps <= 1)
        __sync_fetch_and_add(&holder->began, 1);
}

/* The task goes to sleep; t->holder is who the lock says holds it, 0 if it does not say. */
static __always_inline void lock_enter(struct wait_task *t, struct task_struct *task, bool remote)
{
    struct wait_lock *lock = lock_at(t->lock);
    if (!lock)
        return;
    lock->gone = t->gone;
    if (!lock_waiters(lock->integral)) /* who held it when somebody waited last is past */
        lock_close(lock, t->lock, t->since, task, remote);
    if (t->holder)
        lock_seen(lock, t, task, remote);
    __sync_fetch_and_add(&lock->integral, LOCK_WAITER - t->since / WAIT_LOCK_UNIT);
}

/* Whether the current task is in a system call that wakes that futex: it has released the lock. */
static __always_inline bool is_release(const struct wait_task *t)
{
    struct task_struct *waker = bpf_get_current_task_btf();
    if (waker->flags & PF_EXITING)
        return t->key.kind != WAIT_KIND_MUTEX; /* but a robust one: in its end a timer may just have woken the task */
    struct call call;
    read_call((struct pt_regs *)bpf_task_pt_regs(waker), &call);
    int class = (__u32)call.number < CALL_NUMBERS ? call_class(call.number) : CALL_OTHER;
    if (class == CALL_FUTEX_WAKE)
        return !t->private || call.arg[0] == t->futex;
    return class == CALL_FUTEX && FUTEX_WAKES >> (call.arg[1] & FUTEX_COMMAND) & 1 &&
           (!t->private || call.arg[0] == t->futex);
}

/* Where the one that has just released a lock of liblinuxmt had acquired it: still in the lock, if it is still free. */
static __always_inline __u64 released_place(const struct wait_task *t)
{
    union lock_words words = {};
    if (t->key.kind != WAIT_KIND_MTLOCK || !t->private ||
        bpf_probe_read_user(&words, sizeof words, (void *)t->key.object) || words.mt.word & FUTEX_TID)
        return 0;
    return words.mt.place;
}

static __always_inline bool is_rwlock(__u32 kind)
{
    return kind == WAIT_KIND_RWLOCK || kind == WAIT_KIND_READ || kind == WAIT_KIND_WRITE;
}

#define HOLDER_UNKNOWN 0

struct lock_handover {
    __u32 from, to;
    bool known; /* from is who held it until now */
};

/* A read-write lock that the waker has released. Of glibc's the word that the task slept on tells who that was: readers
 * who leave give the turn to the writers and wake the one who sleeps on the word of the turn; a writer who leaves wakes
 * on that word only when it gives the turn to readers. Whom such readers wake beside that writer is not told, so the
 * next holder is left open. Otherwise only what was known before is believed. */
static __always_inline struct lock_handover rwlock_handover(const struct wait_task *t, const struct wait_lock *lock,
                                                            __u32 waker)
{
    struct rwlock_words words = {};
    if (t->key.kind == WAIT_KIND_RWLOCK && t->private &&
        !bpf_probe_read_user(&words, sizeof words, (void *)t->key.object)) {
        bool turn = t->futex == t->key.object + __builtin_offsetof(struct rwlock_words, read_futex);
        bool writers = words.readers & RWLOCK_WRITERS_TURN;
        if (turn && writers)
            return (struct lock_handover){WAIT_READERS, HOLDER_UNKNOWN, true};
        return (struct lock_handover){waker, turn ? WAIT_READERS : t->key.slot, true};
    }
    struct lock_handover handover = {lock->holder, HOLDER_UNKNOWN,
                                     lock->holder == WAIT_READERS || lock->holder == waker};
    if (t->key.kind == WAIT_KIND_READ)
        handover.to = WAIT_READERS;
    else if (t->key.kind == WAIT_KIND_WRITE)
        handover.to = t->key.slot;
    return handover;
}

/* The current task, whose slot is waker, has released the lock: it held it until now, and the task that it wakes is
 * presumed to hold it next. */
static __always_inline void lock_released(struct wait_lock *lock, struct wait_task *t, __u32 waker, __u64 now)
{
    struct lock_handover handover = {waker, t->key.slot, true};
    if (is_rwlock(t->key.kind))
        handover = rwlock_handover(t, lock, waker);
    if (!lock->read || lock->holder != handover.from)
        lock->place = released_place(t);
    struct wait_holder_key key = {lock->place, t->lock, handover.from};
    struct wait_holder *holder = handover.known ? find_holder(&key, NULL, false) : NULL;
    give_time(holder, lock_take(lock, now), now - lock->since);
    if (holder)
        __sync_fetch_and_add(&holder->released, 1);
    lock->since = now;
    lock->holder = handover.to;
    lock->place = 0;
    lock->read = 0;
}

/* The task has been woken, by the current one unless that is not sure. */
static __always_inline void lock_leave(struct wait_task *t, __u64 now)
{
    struct wait_lock *lock = lock_at(t->lock);
    if (!lock)
        return;
    if (t->waker_tid && t->waker_tid != WAIT_WAKER_UNSEEN && is_release(t))
        lock_released(lock, t, t->waker, now);
    __sync_fetch_and_sub(&lock->integral, LOCK_WAITER - now / WAIT_LOCK_UNIT);
    t->left_lock = t->lock;
    t->lock = 0;
}

#endif
