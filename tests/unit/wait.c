/* SPDX-License-Identifier: MIT
 *
 * The one way to wait, by itself, and through a hook such as a coroutine's hub sets.
 */
#include "unit.h"
#include "wait/wait.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

struct word {
    uint32_t value;
    unsigned flags;
    mt_deadline deadline;
};

static int wait_for_change(void *arg)
{
    struct word *word = arg;
    struct mt__wait wait = {.word = &word->value,
                            .flags = word->flags,
                            .reason = MT_WAIT_EVENT,
                            .object = word,
                            .name = "word",
                            .deadline = word->deadline};
    int result = mt__wait_begin(&wait);

    while (!result && !__atomic_load_n(&word->value, __ATOMIC_ACQUIRE))
        result = mt__wait_round(&wait, 0, word->deadline);
    return mt__wait_end(&wait, result);
}

static void a_changed_word_does_not_wait(void **state)
{
    struct word word = {1, 0, MT_FOREVER};
    struct mt__wait wait = {.word = &word.value, .reason = MT_WAIT_EVENT, .deadline = MT_FOREVER};

    assert_int_equal(mt__wait(&wait, 0), 0);
}

static void deadlines(void **state)
{
    mt_deadline start = mt_now();
    struct word word = {0, 0, mt_after(MT_MS(30))};

    assert_int_equal(wait_for_change(&word), -ETIMEDOUT);
    assert_between(elapsed(start), 29, 60000);
    word.deadline = mt_after(MT_US(300)); /* ends within a slice */
    assert_int_equal(wait_for_change(&word), -ETIMEDOUT);
    word.deadline = MT_NOWAIT;
    assert_int_equal(wait_for_change(&word), -ETIMEDOUT);
    word.deadline = 0;
    assert_int_equal(wait_for_change(&word), -ETIMEDOUT);
}

static void woken(unsigned flags)
{
    for (int i = 0; i < 50; i++) {
        struct word word = {0, flags, MT_FOREVER};
        struct mt_task *task = spawn(wait_for_change, &word);
        if (i % 2)
            until_waiting(task, MT_WAIT_EVENT);
        __atomic_store_n(&word.value, 1, __ATOMIC_RELEASE);
        mt__wake(&word.value, 1, flags);
        assert_int_equal(finish(task), 0);
    }
}

static void private_words(void **state)
{
    woken(0);
}

static void shared_words(void **state)
{
    struct word *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t child;

    woken(MT__WAIT_SHARED);
    *word = (struct word){0, MT__WAIT_SHARED, MT_FOREVER};
    child = fork();
    if (!child)
        _exit(wait_for_change(word) ? 1 : 0);
    usleep(20000);
    __atomic_store_n(&word->value, 1, __ATOMIC_RELEASE);
    mt__wake(&word->value, 1, MT__WAIT_SHARED);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    munmap(word, 4096);
}

static int cancelled_wait(void *arg)
{
    return mt_sem_acquire(arg, MT_FOREVER);
}

/* Two wait; the first is killed just as a release wakes one. Whichever of the two the kernel's wake met, the other is
 * not left asleep beside a value that it could have. */
static void a_wake_that_meets_a_killed_waiter_is_passed_on(void **state)
{
    for (int i = 0; i < 300; i++) {
        struct mt_sem sem = MT_SEM_INIT(0);
        struct mt_task *victim = spawn(cancelled_wait, &sem), *other;
        int first, second;
        until_waiting(victim, MT_WAIT_SEM);
        other = spawn(cancelled_wait, &sem);
        until_waiting(other, MT_WAIT_SEM);
        mt_task_kill(victim);
        assert_int_equal(mt_sem_release(&sem, 1), 0);
        first = finish(victim);
        if (first != -ECANCELED) {
            assert_int_equal(first, 0);
            mt_task_kill(other);
        }
        second = finish(other);
        assert_int_equal(second, first ? 0 : -ECANCELED);
    }
}

/* A word whose memory has gone is no reason to fail. */
static void waking_nothing(void **state)
{
    uint32_t *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(gone, 4096);
    mt__wake(gone, 1, 0);
    mt__wake(gone, 1, MT__WAIT_SHARED);
}

static void without_waitv(void **state)
{
    struct mt_task *task;
    struct mt_event event = MT_EVENT_INIT;
    mt_deadline start;

    mt__sys_fail(449, 0, ENOSYS);
    task = spawn(cancelled_wait, &(struct mt_sem)MT_SEM_INIT(0));
    until_waiting(task, MT_WAIT_SEM);
    assert_true(mt__sys_fail(-1, 0, 0) <= 1);
    start = mt_now();
    mt_task_kill(task);
    assert_int_equal(finish(task), -ECANCELED);
    assert_between(elapsed(start), 0, 60000);
    /* From now on this process waits by slices: a wait longer than one still ends right. */
    start = mt_now();
    assert_int_equal(mt_event_wait(&event, mt_after(MT_MS(130))), -ETIMEDOUT);
    assert_between(elapsed(start), 130, 60000);
    assert_int_equal(mt_sleep(MT_MS(120)), 0);
}

/* -- A hook ------------------------------------------------------------------------------------------------------- */

static int parks, unparks;
static uint32_t *parked_word;

/* Stands for a hub: parking runs "other coroutines", of which one wakes the word. */
static int fake_park(struct mt__wait *wait, uint32_t expected, mt_deadline until)
{
    parks++;
    parked_word = wait->word;
    assert_int_equal(wait->reason, MT_WAIT_SEM);
    if (__atomic_load_n(wait->word, __ATOMIC_ACQUIRE) != expected)
        return 0;
    if (until != MT_FOREVER)
        return -ETIMEDOUT;
    mt_sem_release(wait->object ? (struct mt_sem *)(uintptr_t)wait->object : NULL, 1);
    return 0;
}

static unsigned fake_unpark(uint32_t *word, unsigned n)
{
    unparks++;
    return word == parked_word;
}

static const struct mt__hook fake = {.park = fake_park, .unpark = fake_unpark};

static void a_hook_parks_instead(void **state)
{
    struct mt_sem sem = MT_SEM_INIT(0);

    parks = unparks = 0;
    mt__hook_set(&fake);
    assert_int_equal(mt_sem_acquire(&sem, MT_FOREVER), 0);
    assert_int_equal(parks, 1);
    assert_int_equal(unparks, 1);
    assert_int_equal(mt_sem_acquire(&sem, mt_after(MT_SEC(50))), -ETIMEDOUT);
    assert_int_equal(parks, 2);
    mt__hook_set(NULL);
    assert_true(sem.state == 0);
}

static int take_other(void *arg)
{
    return mt_sem_acquire(arg, MT_FOREVER);
}

/* The hook is the thread's own: another thread waits in the kernel as ever. */
static void a_hook_is_its_threads_own(void **state)
{
    struct mt_sem sem = MT_SEM_INIT(0);

    parks = 0;
    mt__hook_set(&fake);
    struct mt_task *other = spawn(take_other, &sem);
    mt__hook_set(NULL);
    assert_int_equal(mt_sem_release(&sem, 1), 0);
    assert_int_equal(finish(other), 0);
    assert_int_equal(parks, 0);
}

static void *wait_as_pthread(void *arg)
{
    struct word *word = arg;

    return (void *)(intptr_t)wait_for_change(word);
}

static void threads_of_pthread_wait_too(void **state)
{
    struct word word = {0, 0, MT_FOREVER};
    pthread_t thread;
    void *result;

    assert_int_equal(pthread_create(&thread, NULL, wait_as_pthread, &word), 0);
    for (int i = 0; i < 20000 && mt_task_enumerate(NULL, 0) != 2; i++)
        usleep(500);
    assert_int_equal(mt_task_enumerate(NULL, 0), 2);
    __atomic_store_n(&word.value, 1, __ATOMIC_RELEASE);
    mt__wake(&word.value, 1, 0);
    pthread_join(thread, &result);
    assert_null(result);
    assert_int_equal(mt_task_enumerate(NULL, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_word_does_not_wait),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(private_words),
        cmocka_unit_test(shared_words),
        cmocka_unit_test(a_wake_that_meets_a_killed_waiter_is_passed_on),
        cmocka_unit_test(waking_nothing),
        cmocka_unit_test(a_hook_parks_instead),
        cmocka_unit_test(a_hook_is_its_threads_own),
        cmocka_unit_test(threads_of_pthread_wait_too),
        cmocka_unit_test(without_waitv), /* last: it changes how the process waits */
    };
    return RUN(tests);
}
