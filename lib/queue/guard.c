/* SPDX-License-Identifier: MIT
 *
 * The guard: a futex word in memory that several processes map. Any of them may be killed at any instruction.
 *
 *   word                  meaning                               who changes it, to what
 *   0                     free                                  anybody: o.   a task about to sleep: W
 *   W                     free, there may be sleepers           anybody: o|W
 *   o, o|W                held by o                             o: 0, or W and then wakes one, or o|W|B
 *                                                               a task about to sleep: o|W.   o dies: B or B|W
 *   o|W|B                 o wakes all; nobody falls asleep      o: 0.   o dies: B|W
 *   B, B|W                its holder died in it                 anybody: o|W, and repairs
 *
 * W is the kernel's FUTEX_WAITERS, B its FUTEX_OWNER_DIED. The kernel looks, when a thread dies, at the one futex that
 * the thread has noted in the list_op_pending of its robust list (no list is needed: a task is in one guard at a time).
 *
 *   the thread holds it        B, and one sleeper is woken if W is set
 *   nobody holds it            one sleeper is woken
 *
 * 1. Whoever sleeps has set W before it looked for the last time, in the words that futex_waitv(2) compares as it falls
 * asleep: the guard's, with W in it, and the number that changes with what it waits for. So what came earlier keeps it
 * from sleeping, and the release that follows what comes later finds W.
 * 2. A task that holds the guard has it noted since before the word said so, until after it has woken others. So for
 * each change either it, or after its death the one that the kernel wakes, or whoever acquires next (o|W), wakes one.
 * 3. That one has the word noted as it sleeps. If it dies before it has done anything the kernel wakes another. Before
 * it notes another guard it wakes one in its place, which looks whether there is still something; a task that leaves,
 * late or killed, does too. So when a sleeper is left behind something that it waits for, somebody alive is on the way.
 * 4. W is taken back only by the way over B, in which nobody falls asleep, and after all have been woken.
 * 5. Who waits for the guard itself sleeps in slices and needs no such care.
 *
 * tests/model/queue.pml checks 1 to 4. What is assumed: a tid in the word means one thread. Tasks of another pid
 * namespace than the creator's may have the tid of a holder, so they note nothing while they sleep (`notes`), and nor
 * do coroutines, whose thread goes on; point 3 then does not cover that they and one more die in the same moment.
 *
 * Where the kernel has no robust lists for us (qemu's user emulation) all works but the care for the dead.
 */
#include "queue/guard.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <linuxmt/lock.h>
#include <unistd.h>

#define WAITERS 0x80000000u
#define BROKEN  0x40000000u
#define OWNER   0x3fffffffu

#define SLICE       MT_MS(1)  /* of a sleep for the guard itself */
#define NAP         MT_US(50) /* while its holder wakes all */
#define SPIN_ROUNDS 60
#define YIELDS      100
#define YIELD_FOR   MT_MS(10) /* at the most: on a loaded machine one may take that long */
#define SPIN_PAUSES 16

__thread struct mt__robust mt__robust __attribute__((tls_model("initial-exec")));
static __thread struct robust_list_head own_list;

static void find_robust_list(void)
{
    struct robust_list_head *head = NULL;
    size_t size;

    if (mt__sys(SYS_get_robust_list, 0, &head, &size) < 0 || !head) {
        head = &own_list;
        head->list.next = &head->list;
        mt__sys(SYS_set_robust_list, head, sizeof *head); /* refused: see the head of this file */
    }
    mt__robust = (struct mt__robust){head, mt__here.thread};
}

static void note(struct mt__guard *guard)
{
    if (__builtin_expect(mt__robust.id != mt__here.thread || !mt__robust.head, 0))
        find_robust_list();
    mt__guard_note(guard);
}

static uint32_t look(struct mt__guard *guard)
{
    return __atomic_load_n(&guard->word, __ATOMIC_ACQUIRE);
}

static int change(struct mt__guard *guard, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&guard->word, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* With the guard noted. */
static int take(struct mt__guard *guard)
{
    uint32_t word = look(guard);

    if (word & OWNER || !change(guard, word, mt__here.thread | (word & BROKEN ? WAITERS : word & WAITERS)))
        return 0;
    return word & BROKEN ? 2 : 1;
}

int mt__guard_is_broken(struct mt__guard *guard)
{
    return (look(guard) & (OWNER | BROKEN)) == BROKEN;
}

int mt__guard_try(struct mt__guard *guard)
{
    int taken;

    if (look(guard) & OWNER)
        return 0;
    note(guard);
    taken = take(guard);
    if (!taken)
        note(NULL);
    return taken;
}

void mt__guard_wake_all(struct mt__guard *guard)
{
    mt__wake(&guard->word, UINT_MAX, MT__WAIT_SHARED);
}

/* -- The visit ---------------------------------------------------------------------------------------------------- */

static int begin(struct mt__visit *visit)
{
    int result = visit->begun ? 0 : mt__wait_begin(&visit->wait);

    visit->begun |= !result;
    if (!result && visit->wait.task->record->kind == MT_COROUTINE)
        visit->notes = 0;
    return result;
}

/* Somebody else shall look after what this task may have been woken for. */
static void pass_on(struct mt__visit *visit)
{
    struct mt__guard *guard = visit->slept;

    if (!guard)
        return;
    visit->slept = NULL;
    if (look(guard) & WAITERS) {
        __atomic_fetch_add(&guard->wakes, 1, __ATOMIC_RELAXED);
        mt__wake(&guard->word, 1, MT__WAIT_SHARED);
    }
}

int mt__visit_end(struct mt__visit *visit, int result)
{
    if (!visit->begun)
        return result;
    pass_on(visit);
    note(NULL);
    visit->begun = 0;
    return mt__wait_end(&visit->wait, result);
}

/* -- Acquire and release ------------------------------------------------------------------------------------------ */

static int processors(void)
{
    static int count;
    int known = __atomic_load_n(&count, __ATOMIC_RELAXED);

    if (!known) {
        known = (int)sysconf(_SC_NPROCESSORS_ONLN);
        __atomic_store_n(&count, known, __ATOMIC_RELAXED);
    }
    return known;
}

static int spin(struct mt__guard *guard)
{
    int rounds = processors() > 1 ? SPIN_ROUNDS : 0, pauses = 1;

    for (int i = 0; i < rounds; i++) {
        int taken = mt__guard_try(guard);
        if (taken)
            return taken;
        for (int j = 0; j < pauses; j++)
            mt__arch_pause();
        if (pauses < SPIN_PAUSES)
            pauses *= 2;
    }
    mt__sys(SYS_sched_yield);
    return mt__guard_try(guard);
}

/* The word as a task may sleep on it, with W set; 0: look again. */
static uint32_t with_waiters(struct mt__guard *guard, uint32_t word)
{
    uint32_t want = word | WAITERS;

    return word == want || change(guard, word, want) ? want : 0;
}

static int acquire_by_sleeping(struct mt__guard *guard, struct mt__visit *visit)
{
    int result = begin(visit), taken;

    while (!result) {
        uint32_t word = look(guard), want;
        mt_deadline until = mt_after(word & BROKEN ? NAP : SLICE);
        if (visit->wait.deadline < until)
            until = visit->wait.deadline;
        note(guard);
        taken = take(guard);
        if (taken)
            return taken;
        if (!visit->notes)
            note(NULL);
        want = word & BROKEN ? word : with_waiters(guard, word);
        if (!(word & OWNER) || !want)
            continue;
        visit->wait.word = &guard->word;
        visit->wait.owner = word & OWNER;
        visit->slept = guard;
        result = mt__wait_round(&visit->wait, want, until);
        if (result == -ETIMEDOUT && until < visit->wait.deadline)
            result = 0;
    }
    return result;
}

/* Its section is short, but it may not be running. */
static int yield_to_holder(struct mt__guard *guard)
{
    mt_deadline enough = mt_after(YIELD_FOR);
    int result = 0;

    for (int i = 0; i < YIELDS && !result && (!i || mt_now() < enough); i++) {
        mt__sys(SYS_sched_yield);
        result = mt__guard_try(guard);
    }
    return result;
}

int mt__guard_acquire(struct mt__guard *guard, struct mt__visit *visit)
{
    int result = 0;

    if (visit->slept != guard) { /* else it stays noted, and its release wakes the next */
        pass_on(visit);
        result = mt__guard_try(guard);
        if (!result)
            result = spin(guard);
    }
    if (result)
        return result;
    if (visit->wait.deadline == MT_NOWAIT) {
        result = yield_to_holder(guard);
        return result ? result : -EBUSY;
    }
    result = acquire_by_sleeping(guard, visit);
    if (result > 0)
        visit->slept = NULL;
    return result;
}

void mt__guard_release(struct mt__guard *guard, enum mt__release how)
{
    uint32_t sleeps;

    if (mt__guard_leave(guard))
        return;
    if (!change(guard, mt__here.thread, 0)) {
        sleeps = __atomic_load_n(&guard->sleeps, __ATOMIC_RELAXED);
        if (how == MT__WAKE_NONE) {
            __atomic_fetch_and(&guard->word, WAITERS, __ATOMIC_RELEASE);
        } else if (how == MT__WAKE_ONE && (int32_t)(__atomic_load_n(&guard->wakes, __ATOMIC_RELAXED) - sleeps) < 0) {
            __atomic_fetch_add(&guard->wakes, 1, __ATOMIC_RELAXED);
            __atomic_fetch_and(&guard->word, WAITERS, __ATOMIC_RELEASE);
            mt__wake(&guard->word, 1, MT__WAIT_SHARED);
        } else {
            __atomic_fetch_or(&guard->word, BROKEN, __ATOMIC_RELAXED);
            mt__guard_wake_all(guard);
            __atomic_store_n(&guard->wakes, sleeps, __ATOMIC_RELAXED);
            __atomic_store_n(&guard->word, 0, __ATOMIC_RELEASE);
        }
    }
    note(NULL);
}

/* -- Sleep -------------------------------------------------------------------------------------------------------- */

static int nap(struct mt__guard *guard, struct mt__visit *visit, uint32_t word, mt_deadline until)
{
    mt_deadline end = mt_after(NAP);
    int result;

    visit->wait.word = &guard->word;
    result = mt__wait_round(&visit->wait, word, until < end ? until : end);
    return result == -ETIMEDOUT && end < until ? 0 : result;
}

int mt__guard_sleep(struct mt__guard *guard, struct mt__visit *visit, const struct mt__number *numbers, unsigned count,
                    mt_deadline until)
{
    uint32_t *words[MT__NUMBERS + 1] = {&guard->word}, expected[MT__NUMBERS + 1], word;
    static const unsigned flags[MT__NUMBERS + 1] = {MT__WAIT_SHARED, MT__WAIT_SHARED, MT__WAIT_SHARED, MT__WAIT_SHARED};
    int result = begin(visit);

    if (result)
        return result;
    if (visit->slept != guard)
        pass_on(visit);
    if (visit->notes)
        note(guard);
    word = look(guard);
    if (word & BROKEN)
        return word & OWNER ? nap(guard, visit, word, until) : 1;
    expected[0] = with_waiters(guard, word);
    if (!expected[0])
        return 0;
    for (unsigned i = 0; i < count; i++) {
        words[i + 1] = numbers[i].at;
        expected[i + 1] = numbers[i].seen;
        if (__atomic_load_n(numbers[i].at, __ATOMIC_ACQUIRE) != numbers[i].seen)
            return 0;
    }
    visit->wait.word = &guard->word;
    visit->slept = guard;
    __atomic_fetch_add(&guard->sleeps, 1, __ATOMIC_RELAXED);
    result = mt__wait_round_any(&visit->wait, words, expected, flags, count + 1, until);
    if (result == -ETIMEDOUT)
        visit->slept = NULL; /* no wake has come to it */
    return result;
}
