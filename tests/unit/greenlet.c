/* SPDX-License-Identifier: MIT
 *
 * Greenlets. What runs in one records what it saw; asserts stand on the root.
 */
#include "unit.h"

#define VALUE(n)  ((void *)(intptr_t)(n))
#define NUMBER(p) ((intptr_t)(p))

static struct mt_greenlet *root;

/* -- Values and ends ---------------------------------------------------------------------------------------------- */

static int adds_until_zero(void *arg, void **value)
{
    intptr_t sum = NUMBER(arg), number = NUMBER(*value);

    while (number) {
        void *next;
        int err = mt_greenlet_switch(root, VALUE(sum += number), &next);
        if (err)
            return err;
        number = NUMBER(next);
    }
    *value = VALUE(-sum);
    return 0;
}

static void values_go_both_ways(void **state)
{
    struct mt_greenlet *greenlet;
    void *got = NULL;

    root = mt_greenlet_current();
    greenlet = mt_greenlet_new(adds_until_zero, VALUE(100), NULL);
    assert_non_null(greenlet);
    assert_ptr_equal(mt_greenlet_parent(greenlet), root);
    assert_false(mt_greenlet_is_started(greenlet));
    assert_int_equal(mt_greenlet_switch(greenlet, VALUE(1), &got), 0);
    assert_int_equal(NUMBER(got), 101);
    assert_true(mt_greenlet_is_started(greenlet));
    assert_int_equal(mt_greenlet_switch(greenlet, VALUE(20), NULL), 0);
    assert_int_equal(mt_greenlet_switch(greenlet, VALUE(3), &got), 0);
    assert_int_equal(NUMBER(got), 124);
    assert_false(mt_greenlet_is_dead(greenlet));
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, &got), 0);
    assert_int_equal(NUMBER(got), -124);
    assert_true(mt_greenlet_is_dead(greenlet));
    got = VALUE(7);
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, &got), -ESRCH);
    assert_int_equal(mt_greenlet_throw(greenlet, -EIO, &got), -ESRCH);
    assert_int_equal(NUMBER(got), 7);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
    assert_int_equal(mt_greenlet_free(NULL), 0);
    assert_int_equal(mt_greenlet_free(root), -EINVAL);
}

static void to_oneself(void **state)
{
    void *got = NULL;

    assert_int_equal(mt_greenlet_switch(mt_greenlet_current(), VALUE(9), &got), 0);
    assert_int_equal(NUMBER(got), 9);
    assert_int_equal(mt_greenlet_throw(mt_greenlet_current(), -EIO, &got), -EIO);
    assert_int_equal(mt_greenlet_throw(mt_greenlet_current(), 0, &got), -EINVAL);
    assert_int_equal(NUMBER(got), 9);
}

/* -- Throwing and parents ----------------------------------------------------------------------------------------- */

static int saw[8], seen;

static void note(int result)
{
    saw[seen++ & 7] = result;
}

static int waits_then_returns_what_came(void *arg, void **value)
{
    int err = mt_greenlet_switch(root, NULL, value);

    note(err);
    return err;
}

static int waits_then_returns_arg(void *arg, void **value)
{
    note(mt_greenlet_switch(root, NULL, value));
    *value = arg;
    return 0;
}

static void errors_go_up_when_not_caught(void **state)
{
    struct mt_greenlet *outer, *inner;
    struct mt_greenlet_options under = {.name = "inner"};
    void *got = VALUE(5);

    root = mt_greenlet_current();
    seen = 0;
    outer = mt_greenlet_new(waits_then_returns_arg, VALUE(77), NULL);
    assert_int_equal(mt_greenlet_switch(outer, NULL, NULL), 0);
    under.parent = outer;
    inner = mt_greenlet_new(waits_then_returns_what_came, NULL, &under);
    assert_string_equal(mt_greenlet_name(inner), "inner");
    assert_int_equal(mt_greenlet_switch(inner, NULL, NULL), 0);
    /* inner does not catch it: outer, its parent, goes on with it, catches it, and ends with 77 */
    assert_int_equal(mt_greenlet_throw(inner, -EIO, &got), 0);
    assert_int_equal(NUMBER(got), 77);
    assert_int_equal(seen, 2);
    assert_int_equal(saw[0], -EIO);
    assert_int_equal(saw[1], -EIO);
    assert_true(mt_greenlet_is_dead(inner));
    assert_true(mt_greenlet_is_dead(outer));
    assert_int_equal(mt_greenlet_free(outer), 0);
    assert_ptr_equal(mt_greenlet_parent(inner), root); /* past the dead one, whose handle is gone */
    assert_int_equal(mt_greenlet_free(inner), 0);
}

static void long_names_are_cut(void **state)
{
    char name[100];
    struct mt_greenlet_options options = {.name = name};
    struct mt_greenlet *greenlet;

    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    greenlet = mt_greenlet_new(waits_then_returns_arg, NULL, &options);
    assert_non_null(greenlet);
    assert_int_equal(strlen(mt_greenlet_name(greenlet)), MT_NAME_MAX - 1);
    assert_memory_equal(mt_greenlet_name(greenlet), name, MT_NAME_MAX - 1);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
}

static void an_end_without_catch_reaches_the_root(void **state)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(waits_then_returns_what_came, NULL, NULL);
    void *got = VALUE(5);

    root = mt_greenlet_current();
    seen = 0;
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(mt_greenlet_throw(greenlet, -EPIPE, &got), -EPIPE);
    assert_int_equal(NUMBER(got), 5); /* out parameters are left alone */
    assert_int_equal(mt_greenlet_free(greenlet), 0);
    /* -ECANCELED only ends it: the parent goes on without an error */
    greenlet = mt_greenlet_new(waits_then_returns_what_came, NULL, NULL);
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(mt_greenlet_throw(greenlet, -ECANCELED, &got), 0);
    assert_null(got);
    assert_true(mt_greenlet_is_dead(greenlet));
    assert_int_equal(mt_greenlet_free(greenlet), 0);
}

static void one_that_has_not_begun_never_does(void **state)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(waits_then_returns_arg, NULL, NULL);

    seen = 0;
    assert_int_equal(mt_greenlet_throw(greenlet, -EIO, NULL), -EIO);
    assert_true(mt_greenlet_is_dead(greenlet));
    assert_int_equal(mt_greenlet_free(greenlet), 0);
    greenlet = mt_greenlet_new(waits_then_returns_arg, NULL, NULL);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
    assert_int_equal(seen, 0);
}

static void a_parent_is_changed_but_not_into_a_circle(void **state)
{
    struct mt_greenlet *one = mt_greenlet_new(waits_then_returns_arg, NULL, NULL);
    struct mt_greenlet *two = mt_greenlet_new(waits_then_returns_arg, NULL, NULL);

    root = mt_greenlet_current();
    assert_int_equal(mt_greenlet_set_parent(two, one), 0);
    assert_ptr_equal(mt_greenlet_parent(two), one);
    assert_int_equal(mt_greenlet_set_parent(one, two), -EINVAL);
    assert_int_equal(mt_greenlet_set_parent(one, one), -EINVAL);
    assert_int_equal(mt_greenlet_set_parent(root, one), -EINVAL);
    assert_int_equal(mt_greenlet_free(one), 0);
    assert_int_equal(mt_greenlet_set_parent(two, root), 0);
    assert_int_equal(mt_greenlet_free(two), 0);
}

/* -- Ending -------------------------------------------------------------------------------------------------------- */

static int holds_memory(void *arg, void **value)
{
    void *memory = malloc(1000);
    int err;

    memset(memory, 1, 1000);
    err = mt_greenlet_switch(root, memory, NULL);
    note(err);
    note(mt_greenlet_switch(root, NULL, NULL)); /* as does every later one, at once */
    free(memory);
    return err;
}

static void one_that_is_dropped_cleans_up(void **state)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(holds_memory, NULL, NULL);

    root = mt_greenlet_current();
    seen = 0;
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
    assert_int_equal(seen, 2);
    assert_int_equal(saw[0], -ECANCELED);
    assert_int_equal(saw[1], -ECANCELED);
}

static struct mt_greenlet *other;

static int frees_while_being_ended(void *arg, void **value)
{
    if (mt_greenlet_switch(root, NULL, NULL) == -ECANCELED) {
        note(mt_greenlet_free(mt_greenlet_current())); /* itself: busy */
        note(mt_greenlet_free(other));                 /* another, nested */
        note(mt_greenlet_free(arg ? *(struct mt_greenlet **)arg : NULL));
    }
    return 0;
}

static int frees_the_other(void *arg, void **value)
{
    struct mt_greenlet **both = arg;

    note(mt_greenlet_free(both[1]));
    return 0;
}

static void ends_nest_and_closers_are_busy(void **state)
{
    struct mt_greenlet *both[2];

    root = mt_greenlet_current();
    seen = 0;
    other = mt_greenlet_new(holds_memory, NULL, NULL);
    both[0] = mt_greenlet_new(frees_the_other, both, NULL);
    both[1] = mt_greenlet_new(frees_while_being_ended, &both[0], NULL);
    assert_int_equal(mt_greenlet_switch(other, NULL, NULL), 0);
    assert_int_equal(mt_greenlet_switch(both[1], NULL, NULL), 0);
    assert_int_equal(mt_greenlet_switch(both[0], NULL, NULL), 0);
    assert_int_equal(seen, 6);
    assert_int_equal(saw[0], -EBUSY);     /* itself */
    assert_int_equal(saw[1], -ECANCELED); /* the nested one's two switches */
    assert_int_equal(saw[2], -ECANCELED);
    assert_int_equal(saw[3], 0);
    assert_int_equal(saw[4], -EBUSY); /* both[0] waits for this one's end */
    assert_int_equal(saw[5], 0);
    assert_true(mt_greenlet_is_dead(both[0]));
    assert_int_equal(mt_greenlet_free(both[0]), 0);
}

/* -- Threads ------------------------------------------------------------------------------------------------------- */

static struct mt_greenlet *elsewhere[3];

static int leaves_greenlets_behind(void *arg)
{
    root = mt_greenlet_current();
    elsewhere[0] = mt_greenlet_new(holds_memory, NULL, NULL);
    elsewhere[1] = mt_greenlet_new(holds_memory, NULL, NULL);
    elsewhere[2] = mt_greenlet_new(holds_memory, NULL, NULL);
    mt_greenlet_switch(elsewhere[0], NULL, NULL);
    mt_greenlet_switch(elsewhere[1], NULL, NULL);
    return mt_greenlet_switch(arg, NULL, NULL);
}

static void a_thread_that_ends_ends_its_own(void **state)
{
    struct mt_greenlet *mine = mt_greenlet_new(waits_then_returns_arg, NULL, NULL);

    seen = 0;
    assert_int_equal(finish(spawn(leaves_greenlets_behind, mine)), -EXDEV);
    assert_int_equal(seen, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(saw[i], -ECANCELED);
        assert_true(mt_greenlet_is_dead(elsewhere[i]));
        assert_int_equal(mt_greenlet_switch(elsewhere[i], NULL, NULL), -ESRCH);
        assert_int_equal(mt_greenlet_free(elsewhere[i]), 0);
    }
    assert_int_equal(mt_greenlet_free(mine), 0);
}

static struct mt_event made, tried;

static int makes_and_waits(void *arg)
{
    elsewhere[0] = mt_greenlet_new(waits_then_returns_arg, NULL, NULL);
    mt_event_set(&made);
    return mt_event_wait(&tried, MT_FOREVER);
}

static void another_threads_is_refused(void **state)
{
    struct mt_greenlet_options options = {0};
    struct mt_task *task;

    mt_event_init(&made, "made", 0);
    mt_event_init(&tried, "tried", 0);
    task = spawn(makes_and_waits, NULL);
    assert_int_equal(mt_event_wait(&made, MT_FOREVER), 0);
    assert_int_equal(mt_greenlet_switch(elsewhere[0], NULL, NULL), -EXDEV);
    assert_int_equal(mt_greenlet_throw(elsewhere[0], -EIO, NULL), -EXDEV);
    assert_int_equal(mt_greenlet_free(elsewhere[0]), -EXDEV);
    options.parent = elsewhere[0];
    assert_null(mt_greenlet_new(waits_then_returns_arg, NULL, &options));
    assert_int_equal(errno, EXDEV);
    mt_event_set(&tried);
    assert_int_equal(finish(task), 0);
    assert_int_equal(mt_greenlet_free(elsewhere[0]), 0);
}

/* -- Coroutines ---------------------------------------------------------------------------------------------------- */

static int sleeps_inside(void *arg, void **value)
{
    struct mt_greenlet *self = mt_greenlet_current();
    int err = mt_sleep(MT_MS(5));

    *value = VALUE(mt_greenlet_current() == self ? NUMBER(arg) : 0);
    return err;
}

static int waits_in_a_greenlet(void *arg)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(sleeps_inside, arg, NULL);
    void *got = NULL;
    int err = mt_greenlet_switch(greenlet, NULL, &got);

    if (!err && (got != arg || !mt_greenlet_is_dead(greenlet)))
        err = -EPROTO;
    mt_greenlet_free(greenlet);
    return err;
}

static void a_coroutine_waits_inside_a_greenlet_as_a_whole(void **state)
{
    struct mt_task *tasks[3];

    for (int i = 0; i < 3; i++)
        assert_non_null(tasks[i] = mt_coro_spawn(waits_in_a_greenlet, VALUE(i + 1), NULL));
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

/* -- What goes along ----------------------------------------------------------------------------------------------- */

static int changes_errno(void *arg, void **value)
{
    note(errno);
    errno = EPIPE;
    mt_greenlet_switch(root, NULL, NULL);
    note(errno);
    return 0;
}

static void errno_is_each_ones_own(void **state)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(changes_errno, NULL, NULL);

    root = mt_greenlet_current();
    seen = 0;
    errno = EDOM;
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(errno, EDOM);
    errno = EILSEQ;
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(errno, EILSEQ);
    assert_int_equal(saw[0], 0);
    assert_int_equal(saw[1], EPIPE);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
}

static struct {
    enum mt_greenlet_event event;
    struct mt_greenlet *origin, *target;
} traced[8];
static int traces;

static void trace(enum mt_greenlet_event event, struct mt_greenlet *origin, struct mt_greenlet *target)
{
    traced[traces].event = event;
    traced[traces].origin = origin;
    traced[traces++ & 7].target = target;
}

static void every_switch_is_traced(void **state)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(waits_then_returns_what_came, NULL, NULL);

    root = mt_greenlet_current();
    traces = 0;
    assert_null(mt_greenlet_trace(trace));
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(mt_greenlet_throw(greenlet, -EIO, NULL), -EIO);
    assert_ptr_equal(mt_greenlet_trace(NULL), trace);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
    assert_int_equal(traces, 4);
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(traced[i].origin, i & 1 ? greenlet : root);
        assert_ptr_equal(traced[i].target, i & 1 ? root : greenlet);
        assert_int_equal(traced[i].event, i < 2 ? MT_GREENLET_SWITCH : MT_GREENLET_THROW);
    }
}

static void context_goes_along(void **state)
{
    struct mt_greenlet_options options = {.context = &options};
    struct mt_greenlet *greenlet = mt_greenlet_new(changes_errno, NULL, &options);

    assert_ptr_equal(mt_greenlet_context(greenlet), &options);
    mt_greenlet_set_context(greenlet, greenlet);
    assert_ptr_equal(mt_greenlet_context(greenlet), greenlet);
    mt_greenlet_set_context(mt_greenlet_current(), &options);
    assert_ptr_equal(mt_greenlet_context(mt_greenlet_current()), &options);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
}

/* -- Many ---------------------------------------------------------------------------------------------------------- */

static int goes_back_and_forth(void *arg, void **value)
{
    int err = 0;

    while (!err)
        err = mt_greenlet_switch(root, *value, value);
    return err;
}

/* Bytes of memory of the process's own that are there. Counted page by page: what statm says is off by some dozen. */
static long resident(void)
{
    char line[256];
    long kilobytes = -1;
    FILE *rollup = fopen("/proc/self/smaps_rollup", "r");

    while (rollup && kilobytes < 0 && fgets(line, sizeof line, rollup))
        sscanf(line, "Anonymous: %ld kB", &kilobytes);
    if (rollup)
        fclose(rollup);
    return kilobytes * 1024;
}

static void memory_stays_flat(void **state)
{
    long switches = SANITIZER ? 1000000 : often(100000000), before;
    struct mt_greenlet *greenlet = mt_greenlet_new(goes_back_and_forth, NULL, NULL);
    void *got = NULL;

    root = mt_greenlet_current();
    for (intptr_t i = 0; i < 1000; i++)
        assert_int_equal(mt_greenlet_switch(greenlet, VALUE(i), &got), 0);
    resident(); /* stdio's buffers */
    before = resident();
    for (intptr_t i = 0; i < switches / 2; i++) {
        if (mt_greenlet_switch(greenlet, VALUE(i), &got) || NUMBER(got) != i)
            fail_msg("switch %ld", (long)i);
    }
    if (!SANITIZER)
        assert_true(resident() - before < 65536);
    assert_true(mt_greenlet_stack_used(greenlet) < 65536);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
}

static void many_come_and_go(void **state)
{
    enum { MANY = TSAN ? 200 : 3000 }; /* ThreadSanitizer takes long for each */
    static struct mt_greenlet *greenlets[MANY];
    void *got = NULL;

    root = mt_greenlet_current();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            assert_non_null(greenlets[i] = mt_greenlet_new(goes_back_and_forth, NULL, NULL));
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < MANY; i++) {
                assert_int_equal(mt_greenlet_switch(greenlets[i], VALUE(i + k), &got), 0);
                assert_int_equal(NUMBER(got), i + k);
            }
        for (int i = 0; i < MANY; i++)
            assert_int_equal(mt_greenlet_free(greenlets[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_both_ways),
        cmocka_unit_test(to_oneself),
        cmocka_unit_test(errors_go_up_when_not_caught),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(an_end_without_catch_reaches_the_root),
        cmocka_unit_test(one_that_has_not_begun_never_does),
        cmocka_unit_test(a_parent_is_changed_but_not_into_a_circle),
        cmocka_unit_test(one_that_is_dropped_cleans_up),
        cmocka_unit_test(ends_nest_and_closers_are_busy),
        cmocka_unit_test(a_thread_that_ends_ends_its_own),
        cmocka_unit_test(another_threads_is_refused),
        cmocka_unit_test(a_coroutine_waits_inside_a_greenlet_as_a_whole),
        cmocka_unit_test(errno_is_each_ones_own),
        cmocka_unit_test(every_switch_is_traced),
        cmocka_unit_test(context_goes_along),
        cmocka_unit_test(memory_stays_flat),
        cmocka_unit_test(many_come_and_go),
    };

    return RUN(tests);
}
