/* SPDX-License-Identifier: MIT
 *
 * Coroutines whose waits the kernel, or a helper, knows of, and which end otherwise: killed, late, or woken in their
 * own hub. A wake that meets what is left of such a wait is somebody else's, in whatever thread or process he is.
 * tests/loops.t runs this on each loop.
 */
#include "armed-unit.h"
#include "wait/wait.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* -- Many end ----------------------------------------------------------------------------------------------------- */

enum { MANY = TSAN ? 600 : 1200 }; /* ThreadSanitizer takes its time to begin each */

static struct mt_sem sems[MANY];

/* What they get all the same is not theirs. */
static int take_and_give_back(struct mt_sem *sem, mt_deadline deadline)
{
    int result = mt_sem_acquire(sem, deadline);

    return result ? result : mt_sem_release(sem, 1);
}

static int is_late(void *arg)
{
    return take_and_give_back(arg, mt_after(MT_MS(20)));
}

static int is_killed(void *arg)
{
    return take_and_give_back(arg, END);
}

static unsigned next(unsigned *seed)
{
    return *seed = *seed * 1103515245 + 12345, *seed >> 8;
}

static int release_by_thread(void *arg)
{
    for (int i = 2; i < MANY; i += 4)
        mt_sem_release(&sems[i], 1);
    return 0;
}

/* Each in its own way, and in no order; `apart` is how far their words are from each other, 0: one for all. */
static void they_end(int apart)
{
    static struct mt_task *tasks[MANY];
    static int order[MANY];
    struct mt_task *thread = NULL;
    unsigned seed = 1;

    for (int i = 0; i < MANY; i++) {
        mt_sem_init(&sems[i], 0, NULL, 0);
        tasks[i] = spawn_coro(i % 4 == 0 ? is_late : i % 4 == 1 ? is_killed : acquire, &sems[i * apart]);
        order[i] = i;
    }
    assert_int_equal(mt_sleep(MT_MS(5)), 0);
    for (int i = MANY - 1; i > 0; i--) {
        int other = (int)(next(&seed) % (unsigned)(i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    if (apart)
        thread = spawn(release_by_thread, NULL);
    for (int i = 0; i < MANY; i++) {
        int one = order[i];
        if (one % 4 == 1)
            mt_task_kill(tasks[one]);
        else if (apart ? one % 4 == 3 : one % 4 >= 2)
            mt_sem_release(&sems[one * apart], 1);
        if (one % 100 == 1) /* the thread itself goes on, in between */
            assert_int_equal(mt_task_join(tasks[one], END), 0);
    }
    for (int i = 0; i < MANY; i++) {
        int outcome = end_of(tasks[i]);
        if (i % 4 == 0)
            assert_true(outcome == -ETIMEDOUT || (!apart && !outcome));
        else if (i % 4 == 1)
            assert_true(outcome == -ECANCELED || (!apart && !outcome));
        else
            assert_int_equal(outcome, 0);
    }
    if (thread)
        assert_int_equal(finish(thread), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(mt_sem_acquire(&sems[i], MT_NOWAIT), -EBUSY);
}

static void many_end_in_any_order(void **state)
{
    they_end(1);
}

static void many_that_wait_for_one_end(void **state)
{
    they_end(0);
}

/* -- One who has left --------------------------------------------------------------------------------------------- */

static uint32_t word, flag;

/* Who is killed does not look whether it has been set meanwhile. */
static int wait_for_word(void *arg)
{
    int result = 0;

    while (!result && !__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
        struct mt__wait wait = {.word = &word, .reason = MT_WAIT_EVENT, .object = &word, .deadline = END};
        result = mt__wait(&wait, 0);
    }
    return result;
}

static int set_and_wake_one(void *arg)
{
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    mt__wake(&word, 1, 0);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    return 0;
}

/* The hub is not turned. */
static void until_flag_is(uint32_t wanted)
{
    while (__atomic_load_n(&flag, __ATOMIC_ACQUIRE) != wanted)
        sched_yield();
}

enum { THREAD_FIRST = 1, RELEASED_FIRST = 2 };

/* A thread and a coroutine wait, who is killed. Then another thread releases, before the hub has noticed it or while
 * this thread, which has the hub, does not come to it: it is for the thread. */
static void leave_beside_a_thread(unsigned how)
{
    struct mt_task *thread = NULL, *coroutine, *releaser = NULL;

    word = flag = 0;
    if (how & THREAD_FIRST) {
        thread = spawn(wait_for_word, NULL);
        until_waiting(thread, MT_WAIT_EVENT);
    }
    coroutine = spawn_coro(wait_for_word, NULL);
    assert_int_equal(mt_sleep(MT_MS(1)), 0);
    if (!thread) {
        thread = spawn(wait_for_word, NULL);
        until_waiting(thread, MT_WAIT_EVENT);
        usleep(200);
    }
    mt_task_kill(coroutine);
    if (how & RELEASED_FIRST) {
        releaser = spawn(set_and_wake_one, NULL);
        until_flag_is(1);
    }
    assert_int_equal(end_of(coroutine), -ECANCELED);
    if (!releaser)
        releaser = spawn(set_and_wake_one, NULL);
    until_over(thread);
    assert_int_equal(finish(thread), 0);
    assert_int_equal(finish(releaser), 0);
}

static void who_left_takes_no_wake(void **state)
{
    for (unsigned i = 0; i < (unsigned)often(100); i++)
        leave_beside_a_thread(i % 4);
    gather();
    for (unsigned i = 0; i < (unsigned)often(100); i++)
        leave_beside_a_thread(i % 4);
    disperse();
}

static int set_when_told(void *arg)
{
    until_flag_is(1);
    return set_and_wake_one(arg);
}

static int leave_and_block(void *arg)
{
    struct mt_task *task = arg;

    mt_task_kill(task);
    mt_sleep(1000); /* a turn, which asks for it back and meets the thread in its place, */
    usleep(1000);   /* which looks, and is behind it when it waits again */
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    usleep(1000);
    return 0;
}

/* What is left of a wait is met by a wake after the hub's own has met another. */
static void a_wake_between_ours_and_the_next_turn(void **state)
{
    gather();
    for (int i = 0; i < often(30); i++) {
        struct mt_task *thread, *releaser, *task, *leaver;
        word = flag = 0;
        thread = spawn(wait_for_word, NULL);
        releaser = spawn(set_when_told, NULL);
        until_waiting(thread, MT_WAIT_EVENT);
        usleep(200);
        task = spawn_coro(wait_for_word, NULL);
        assert_int_equal(mt_sleep(MT_MS(1)), 0);
        leaver = spawn_coro(leave_and_block, task);
        assert_int_equal(end_of(leaver), 0);
        assert_int_equal(end_of(task), -ECANCELED);
        until_over(thread);
        assert_int_equal(finish(thread), 0);
        assert_int_equal(finish(releaser), 0);
    }
    disperse();
}

/* He begins to wait again, and what is left of his last wait serves him. */
static void who_waits_again_is_woken(void **state)
{
    struct mt_sem sem = MT_SEM_INIT(0);

    gather();
    for (int i = 0; i < often(200); i++) {
        struct mt_task *task = spawn_coro(is_late, &sem), *releaser;
        assert_int_equal(mt_sleep(MT_MS(1)), 0);
        mt_task_kill(task);
        mt_task_release(task);
        task = spawn_coro(acquire, &sem);
        mt_coro_yield();
        releaser = spawn(release_one, &sem);
        assert_int_equal(end_of(task), 0);
        assert_int_equal(finish(releaser), 0);
    }
    disperse();
}

/* -- Among threads and processes ---------------------------------------------------------------------------------- */

static struct shared {
    struct mt_sem sem;
    uint32_t by_process, over;
} * shared;

static int process_takes(void)
{
    while (!__atomic_load_n(&shared->over, __ATOMIC_ACQUIRE)) {
        if (mt_sem_acquire(&shared->sem, END))
            return 1;
        __atomic_fetch_add(&shared->by_process, 1, __ATOMIC_RELEASE);
    }
    return 0;
}

/* It does not keep what it gets: that is for those who do not give up. */
static int take_for_a_while(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    int result = mt_sem_acquire(&shared->sem, mt_after(next(&seed) % 1500 * 1000));

    if (result)
        return result == -ETIMEDOUT || result == -ECANCELED ? 0 : result;
    return mt_sem_release(&shared->sem, 1);
}

static int they_come_and_go(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;

    for (int i = 0; i < 4; i++) {
        struct mt_task *tasks[5];
        for (int j = 0; j < 5; j++)
            if (!(tasks[j] = mt_coro_spawn(take_for_a_while, (void *)(uintptr_t)next(&seed), NULL)))
                return -errno;
        if (next(&seed) % 2)
            mt_sleep(next(&seed) % 500 * 1000);
        mt_task_kill(tasks[next(&seed) % 5]);
        for (int j = 0; j < 5; j++) {
            if (mt_task_join(tasks[j], END))
                return -EIO;
            mt_task_release(tasks[j]);
        }
    }
    return 0;
}

static int release_now_and_then(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;

    for (int i = 0; i < 3; i++) {
        mt_sleep(next(&seed) % 700 * 1000);
        mt_sem_release(&shared->sem, 1);
    }
    return 0;
}

/* In each round three are released, for two threads and for a process, while coroutines of two hubs wait for them, too,
 * give up, and are killed. */
static void no_wake_is_lost(void **state)
{
    mt_deadline end;
    pid_t pid;
    int status;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    mt_sem_init(&shared->sem, 0, NULL, MT_SHARED);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        _exit(process_takes());
    gather();
    for (unsigned i = 1; i <= (unsigned)often(150); i++) {
        uint32_t before = __atomic_load_n(&shared->by_process, __ATOMIC_ACQUIRE);
        struct mt_task *takers[] = {spawn(acquire, &shared->sem), spawn(acquire, &shared->sem)};
        struct mt_task *giver = spawn(release_now_and_then, (void *)(uintptr_t)(i * 77));
        struct mt_task *hub = spawn(they_come_and_go, (void *)(uintptr_t)(i * 33));
        assert_int_equal(they_come_and_go((void *)(uintptr_t)(i * 55)), 0);
        assert_int_equal(finish(giver), 0);
        assert_int_equal(finish(hub), 0);
        end = END; /* the process may have taken more than one */
        while ((!is_over(takers[0]) || !is_over(takers[1])) && mt_now() < end) {
            uint32_t now = __atomic_load_n(&shared->by_process, __ATOMIC_ACQUIRE);
            for (; now - before > 1; before++)
                mt_sem_release(&shared->sem, 1);
            sched_yield();
        }
        for (int j = 0; j < 2; j++)
            assert_int_equal(finish(takers[j]), 0);
        while (__atomic_load_n(&shared->by_process, __ATOMIC_ACQUIRE) == before && mt_now() < end)
            sched_yield();
        assert_int_not_equal(__atomic_load_n(&shared->by_process, __ATOMIC_ACQUIRE), before);
    }
    __atomic_store_n(&shared->over, 1, __ATOMIC_RELEASE);
    mt_sem_release(&shared->sem, 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    disperse();
    munmap(shared, sizeof *shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_is_lost), /* first: it forks */
        cmocka_unit_test(many_end_in_any_order),    cmocka_unit_test(many_that_wait_for_one_end),
        cmocka_unit_test(who_left_takes_no_wake),   cmocka_unit_test(a_wake_between_ours_and_the_next_turn),
        cmocka_unit_test(who_waits_again_is_woken),

    };
    return RUN(tests);
}
