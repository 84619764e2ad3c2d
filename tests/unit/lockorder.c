/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <sys/mman.h>
#include <sys/wait.h>

static char said[4096];
static int reports;

static void hear(const char *report)
{
    snprintf(said, sizeof said, "%s", report);
    reports++;
}

/* Watching, from now on and with no reports so far. */
static void watch(void)
{
    mt_lockorder_policy(MT_LOCKORDER_OFF);
    mt_lockorder_hook(hear);
    mt_lockorder_policy(MT_LOCKORDER_REPORT);
    reports = 0;
    said[0] = 0;
}

static void both(struct mt_lock *one, struct mt_lock *two)
{
    assert_int_equal(mt_lock_acquire(one, MT_FOREVER), 0);
    assert_int_equal(mt_lock_acquire(two, MT_FOREVER), 0);
    assert_int_equal(mt_lock_release(two), 0);
    assert_int_equal(mt_lock_release(one), 0);
}

static void assert_said(const char *text)
{
    if (!strstr(said, text))
        fail_msg("not in the report: %s\n%s", text, said);
}

static void two_in_both_orders(void **state)
{
    struct mt_lock fork = MT_LOCK_INIT_NAMED("fork"), knife = MT_LOCK_INIT_NAMED("knife");
    struct mt_lockorder_stats before, after;

    watch();
    mt_lockorder_stats(&before);
    for (int i = 0; i < 3; i++)
        both(&fork, &knife);
    assert_int_equal(reports, 0);
    for (int i = 0; i < 3; i++)
        both(&knife, &fork);
    assert_int_equal(reports, 1);
    assert_said("holds lock \"knife\", acquired at ");
    assert_said("and wants lock \"fork\", wanted at ");
    assert_said("before, with lock \"fork\", acquired at ");
    assert_said("a task wanted lock \"knife\", wanted at ");
    assert_said("lockorder.c:");
    for (int i = 0; i < 3; i++)
        both(&fork, &knife);
    assert_int_equal(reports, 1);
    mt_lockorder_stats(&after);
    assert_int_equal(after.classes - before.classes, 2);
    assert_int_equal(after.orders - before.orders, 2);
    assert_int_equal(after.inversions - before.inversions, 1);
    assert_int_equal(after.forgotten, before.forgotten);
}

static void three_in_a_circle(void **state)
{
    struct mt_lock a = MT_LOCK_INIT_NAMED("a of three"), b = MT_LOCK_INIT_NAMED("b of three"),
                   c = MT_LOCK_INIT_NAMED("c of three");

    watch();
    both(&a, &b);
    both(&b, &c);
    assert_int_equal(reports, 0);
    both(&c, &a);
    assert_int_equal(reports, 1);
    assert_said("before, with lock \"a of three\"");
    assert_said("and with lock \"b of three\"");
}

static int in_the_other_order(void *arg)
{
    struct mt_lock *locks = arg;
    int result = mt_lock_acquire(&locks[1], MT_FOREVER);

    if (!result)
        result = mt_lock_acquire(&locks[0], MT_FOREVER);
    mt_lock_release(&locks[0]);
    mt_lock_release(&locks[1]);
    return result;
}

/* The two never run at the same time: there is no deadlock, and will be none today. */
static void between_tasks_that_never_meet(void **state)
{
    struct mt_lock locks[2] = {MT_LOCK_INIT_NAMED("met first"), MT_LOCK_INIT_NAMED("met second")};
    struct mt_task *task;

    watch();
    both(&locks[0], &locks[1]);
    task = spawn_named(in_the_other_order, locks, "other");
    assert_int_equal(finish(task), 0);
    assert_int_equal(reports, 1);
    assert_said("now \"other\" (tid ");
}

/* -- What adds no order ------------------------------------------------------------------------------------------- */

static void trylocks_add_none(void **state)
{
    struct mt_lock a = MT_LOCK_INIT_NAMED("a tried"), b = MT_LOCK_INIT_NAMED("b tried");
    struct mt_lock *list[] = {&a};

    watch();
    both(&a, &b);
    assert_int_equal(mt_lock_acquire(&b, MT_FOREVER), 0);
    assert_int_equal(mt_lock_acquire(&a, MT_NOWAIT), 0);
    assert_int_equal(mt_lock_release(&a), 0);
    assert_int_equal(mt_lock_acquire_any(list, 1, MT_FOREVER), 0);
    assert_int_equal(mt_lock_release(&a), 0);
    assert_int_equal(mt_lock_release(&b), 0);
    assert_int_equal(reports, 0);
    assert_int_equal(mt_lock_acquire(&b, MT_NOWAIT), 0); /* but what was tried is held */
    assert_int_equal(mt_lock_acquire(&a, MT_FOREVER), 0);
    assert_int_equal(reports, 1);
    assert_int_equal(mt_lock_release(&a), 0);
    assert_int_equal(mt_lock_release(&b), 0);
}

static void acquired_again(void **state)
{
    struct mt_rlock again = MT_RLOCK_INIT_NAMED("again");
    struct mt_lock inner = MT_LOCK_INIT_NAMED("within again");

    watch();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mt_rlock_acquire(&again, MT_FOREVER), 0);
        assert_int_equal(mt_lock_acquire(&inner, MT_FOREVER), 0);
        assert_int_equal(mt_rlock_acquire(&again, MT_FOREVER), 0); /* held already: never waits */
        assert_int_equal(mt_rlock_release(&again), 0);
        assert_int_equal(mt_lock_release(&inner), 0);
        assert_int_equal(mt_rlock_release(&again), 0);
    }
    assert_int_equal(reports, 0);
    assert_int_equal(mt_lock_acquire(&inner, MT_FOREVER), 0);
    assert_int_equal(mt_rlock_acquire(&again, MT_FOREVER), 0);
    assert_int_equal(reports, 1);
    assert_int_equal(mt_rlock_release(&again), 0);
    assert_int_equal(mt_lock_release(&inner), 0);
}

static void what_was_released_is_not_held(void **state)
{
    struct mt_lock a = MT_LOCK_INIT_NAMED("a dropped"), b = MT_LOCK_INIT_NAMED("b dropped"),
                   c = MT_LOCK_INIT_NAMED("c dropped");

    watch();
    assert_int_equal(mt_lock_acquire(&a, MT_FOREVER), 0);
    assert_int_equal(mt_lock_acquire(&b, MT_FOREVER), 0);
    assert_int_equal(mt_lock_release(&a), 0); /* hand over hand */
    assert_int_equal(mt_lock_acquire(&c, MT_FOREVER), 0);
    assert_int_equal(mt_lock_release(&b), 0);
    assert_int_equal(mt_lock_release(&c), 0);
    both(&c, &a);
    assert_int_equal(reports, 1); /* a -> b -> c -> a */
    both(&a, &c);
    assert_int_equal(reports, 2); /* a -> c is new, and c -> a is known: a was not held when c was wanted */
}

/* -- Classes ------------------------------------------------------------------------------------------------------ */

static void ready_by_address(struct mt_lock *locks, const char *name)
{
    for (int i = 0; i < 3; i++)
        mt_lock_init(&locks[i], name, 0);
}

static void one_kind_by_address(void **state)
{
    struct mt_lock locks[3];

    watch();
    ready_by_address(locks, "alike");
    both(&locks[0], &locks[1]);
    both(&locks[1], &locks[2]);
    both(&locks[0], &locks[2]);
    assert_int_equal(reports, 0);
    both(&locks[2], &locks[0]);
    both(&locks[1], &locks[0]);
    assert_int_equal(reports, 1);
    assert_said("by address");
    assert_said("\"alike\"");
}

static void first(struct mt_lock *lock)
{
    assert_int_equal(mt_lock_acquire(lock, MT_FOREVER), 0);
    assert_int_equal(mt_lock_release(lock), 0);
}

/* Nameless ones are told apart by where they were first acquired, so many of a kind are one. */
static void nameless_ones(void **state)
{
    struct mt_lock outer[2] = {MT_LOCK_INIT, MT_LOCK_INIT}, inner[2] = {MT_LOCK_INIT, MT_LOCK_INIT};

    watch();
    for (int i = 0; i < 2; i++)
        first(&outer[i]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mt_lock_acquire(&inner[i], MT_FOREVER), 0);
        assert_int_equal(mt_lock_release(&inner[i]), 0);
    }
    both(&outer[0], &inner[0]);
    assert_int_equal(reports, 0);
    both(&inner[1], &outer[1]);
    assert_int_equal(reports, 1);
    assert_said("the lock first acquired at ");
}

static void shared_ones(void **state)
{
    struct mt_lock *locks = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(locks != MAP_FAILED);
    watch();
    for (int i = 0; i < 2; i++)
        mt_lock_init(&locks[i], NULL, MT_SHARED);
    both(&locks[0], &locks[1]);
    both(&locks[1], &locks[0]);
    assert_int_equal(reports, 1);
    assert_int_equal(locks[0].flags, MT_SHARED); /* classes are numbers of this process */
    munmap(locks, 4096);
}

/* -- All kinds of locks ------------------------------------------------------------------------------------------- */

static struct mt_lock k_lock = MT_LOCK_INIT_NAMED("kind: lock");
static struct mt_rlock k_rlock = MT_RLOCK_INIT_NAMED("kind: rlock");
static struct mt_rwlock k_rwlock = MT_RWLOCK_INIT_NAMED("kind: rwlock");
static struct mt_robust k_robust = MT_ROBUST_INIT_NAMED("kind: robust");
static struct mt_pilock k_pilock = MT_PILOCK_INIT_NAMED("kind: pilock");

static int acquire_kind(int kind)
{
    switch (kind) {
    case 0:
        return mt_lock_acquire(&k_lock, MT_FOREVER);
    case 1:
        return mt_rlock_acquire(&k_rlock, MT_FOREVER);
    case 2:
        return mt_rwlock_acquire_read(&k_rwlock, MT_FOREVER);
    case 3:
        return mt_robust_acquire(&k_robust, MT_FOREVER);
    case 4:
        return mt_pilock_acquire(&k_pilock, MT_FOREVER);
    default:
        return mt_rwlock_acquire_write(&k_rwlock, MT_FOREVER);
    }
}

static int release_kind(int kind)
{
    switch (kind) {
    case 0:
        return mt_lock_release(&k_lock);
    case 1:
        return mt_rlock_release(&k_rlock);
    case 2:
        return mt_rwlock_release_read(&k_rwlock);
    case 3:
        return mt_robust_release(&k_robust);
    case 4:
        return mt_pilock_release(&k_pilock);
    default:
        return mt_rwlock_release_write(&k_rwlock);
    }
}

static void nest(int outer, int inner)
{
    assert_int_equal(acquire_kind(outer), 0);
    assert_int_equal(acquire_kind(inner), 0);
    assert_int_equal(release_kind(inner), 0);
    assert_int_equal(release_kind(outer), 0);
}

static void all_kinds(void **state)
{
    int kinds = acquire_kind(3) == -ENOTSUP ? 3 : 5; /* an emulator has no robust lists */

    if (kinds == 5)
        assert_int_equal(release_kind(3), 0);
    watch();
    for (int outer = 0; outer < kinds; outer++)
        for (int inner = outer + 1; inner < kinds; inner++)
            nest(outer, inner);
    assert_int_equal(reports, 0);
    for (int outer = 1, wanted = 1; outer < kinds; outer++)
        for (int inner = 0; inner < outer; inner++, wanted++) {
            nest(outer, inner);
            assert_int_equal(reports, wanted);
        }
    nest(5, 0); /* to write is the same lock as to read: known */
    assert_int_equal(reports, kinds * (kinds - 1) / 2);
}

static int nudge(void *arg)
{
    struct mt_cond *cond = arg;

    usleep(20000);
    mt_cond_notify_all(cond);
    return 0;
}

/* A condition gives its lock back and takes it again: with another held, that is an order too. */
static void a_condition(void **state)
{
    struct mt_lock a = MT_LOCK_INIT_NAMED("of the condition"), b = MT_LOCK_INIT_NAMED("held meanwhile");
    struct mt_cond cond = MT_COND_INIT;
    struct mt_task *task;

    watch();
    assert_int_equal(mt_lock_acquire(&a, MT_FOREVER), 0);
    assert_int_equal(mt_lock_acquire(&b, MT_FOREVER), 0);
    assert_int_equal(reports, 0);
    task = spawn(nudge, &cond);
    assert_int_equal(mt_cond_wait(&cond, &a, in_time()), 0);
    assert_int_equal(reports, 1);
    assert_int_equal(mt_lock_release(&b), 0);
    assert_int_equal(mt_lock_release(&a), 0);
    assert_int_equal(finish(task), 0);
}

/* -- The switch, and its limits ----------------------------------------------------------------------------------- */

static void off_and_on(void **state)
{
    struct mt_lock a = MT_LOCK_INIT_NAMED("a off"), b = MT_LOCK_INIT_NAMED("b off");

    watch();
    assert_int_equal(mt_lockorder_policy(MT_LOCKORDER_OFF), MT_LOCKORDER_REPORT);
    both(&a, &b);
    both(&b, &a);
    assert_int_equal(mt_lock_acquire(&a, MT_FOREVER), 0);
    assert_int_equal(mt_lockorder_policy(MT_LOCKORDER_REPORT), MT_LOCKORDER_OFF);
    assert_int_equal(mt_lock_acquire(&b, MT_FOREVER), 0); /* that a is held is not known */
    assert_int_equal(mt_lockorder_policy(MT_LOCKORDER_OFF), MT_LOCKORDER_REPORT);
    assert_int_equal(mt_lock_release(&a), 0);
    assert_int_equal(mt_lock_release(&b), 0);
    assert_int_equal(mt_lockorder_policy(MT_LOCKORDER_REPORT), MT_LOCKORDER_OFF);
    both(&b, &a); /* b is not held any more, either */
    assert_int_equal(reports, 0);
    both(&a, &b);
    assert_int_equal(reports, 1);
}

static struct mt_lock logs = MT_LOCK_INIT_NAMED("log");

static void hear_with_a_lock(const char *report)
{
    if (mt_lock_acquire(&logs, MT_FOREVER))
        return;
    hear(report);
    mt_lock_release(&logs);
}

static void a_hook_may_use_locks(void **state)
{
    struct mt_lock a = MT_LOCK_INIT_NAMED("a hooked"), b = MT_LOCK_INIT_NAMED("b hooked");

    watch();
    both(&logs, &a);
    mt_lockorder_hook(hear_with_a_lock);
    both(&a, &b);
    both(&b, &a);
    assert_int_equal(reports, 1);
    assert_int_equal(logs.word, 0);
}

static void many_held(void **state)
{
    static struct mt_lock locks[100];
    struct mt_lockorder_stats before, after;

    watch();
    mt_lockorder_stats(&before);
    for (int i = 0; i < 100; i++) {
        mt_lock_init(&locks[i], "one of a hundred", 0);
        assert_int_equal(mt_lock_acquire(&locks[i], MT_FOREVER), 0);
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(mt_lock_release(&locks[i]), 0);
    mt_lockorder_stats(&after);
    assert_true(after.forgotten > before.forgotten);
    assert_int_equal(reports, 0);
}

static void fill_the_tables(void)
{
    struct mt_lock outer = MT_LOCK_INIT_NAMED("outermost"), inner[4];
    struct mt_lockorder_stats stats;
    static char names[5000][20];

    for (int i = 0; i < 5000; i++) {
        snprintf(names[i], sizeof names[i], "number %d", i);
        for (int k = 0; k < 4; k++)
            mt_lock_init(&inner[k], names[(i + 37 * k * k) % 5000], 0);
        if (mt_lock_acquire(&outer, MT_FOREVER))
            _exit(1);
        for (int k = 0; k < 4; k++)
            if (names[(i + 37 * k * k) % 5000][0] && mt_lock_acquire(&inner[k], MT_FOREVER))
                _exit(2);
        for (int k = 0; k < 4; k++)
            if (inner[k].word && mt_lock_release(&inner[k]))
                _exit(3);
        if (mt_lock_release(&outer))
            _exit(4);
    }
    mt_lockorder_stats(&stats);
    _exit(stats.classes == 4095 && stats.orders <= 8192 && stats.forgotten > 0 ? 0 : 5);
}

static void full_tables(void **state)
{
    int status;
    pid_t child;

    watch();
    child = fork();
    if (!child)
        fill_the_tables();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_in_both_orders),
        cmocka_unit_test(three_in_a_circle),
        cmocka_unit_test(between_tasks_that_never_meet),
        cmocka_unit_test(trylocks_add_none),
        cmocka_unit_test(acquired_again),
        cmocka_unit_test(what_was_released_is_not_held),
        cmocka_unit_test(one_kind_by_address),
        cmocka_unit_test(nameless_ones),
        cmocka_unit_test(shared_ones),
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(a_condition),
        cmocka_unit_test(off_and_on),
        cmocka_unit_test(a_hook_may_use_locks),
        cmocka_unit_test(many_held),
        cmocka_unit_test(full_tables),
    };
    return RUN(tests);
}
