/* SPDX-License-Identifier: MIT */
#include "unit.h"

#define VALUE(n)  ((void *)(intptr_t)(n))
#define NUMBER(p) ((intptr_t)(p))

static int saw[16], seen;

static void note(int result)
{
    saw[seen++ & 15] = result;
}

static int count_to(struct mt_generator *self, void *arg)
{
    int err = 0;

    for (long i = 0; i < NUMBER(arg) && !err; i++)
        err = mt_yield(self, &i, NULL);
    if (err)
        return err;
    return mt_generator_return(self, VALUE(NUMBER(arg) * 2));
}

static void items_come_one_by_one(void **state)
{
    struct mt_generator *generator = mt_generator_new(count_to, VALUE(3), sizeof(long), NULL);
    long item = -1;

    assert_non_null(generator);
    for (long i = 0; i < 3; i++) {
        assert_int_equal(mt_generator_next(generator, &item), 0);
        assert_int_equal(item, i);
        assert_false(mt_generator_is_running(generator));
    }
    assert_false(mt_generator_has_ended(generator));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mt_generator_next(generator, &item), MT_STOP);
        assert_int_equal(item, 2);
        assert_true(mt_generator_has_ended(generator));
    }
    assert_int_equal(NUMBER(mt_generator_value(generator)), 6);
    assert_int_equal(mt_generator_close(generator), 0);
    assert_int_equal(mt_generator_free(generator), 0);
    assert_int_equal(mt_generator_free(NULL), 0);
    assert_null(mt_generator_new(count_to, NULL, 8, &(struct mt_generator_options){.stack_size = SIZE_MAX}));
    assert_int_equal(errno, EINVAL);
}

/* -- send and throw ------------------------------------------------------------------------------------------------ */

static int doubles(struct mt_generator *self, void *arg)
{
    void *sent = VALUE(7);
    long item = 0;
    int err;

    for (;;) {
        err = mt_yield(self, &item, &sent);
        if (err == -EAGAIN) { /* is caught */
            item = -1;
            continue;
        }
        if (err)
            return err;
        item = 2 * NUMBER(sent);
    }
}

static void what_is_sent_comes_out_of_yield(void **state)
{
    struct mt_generator *generator = mt_generator_new(doubles, NULL, sizeof(long), NULL);
    long item = -1;

    assert_int_equal(mt_generator_send(generator, VALUE(1), &item), -EINVAL); /* nobody waits for it yet */
    assert_int_equal(mt_generator_send(generator, NULL, &item), 0);
    assert_int_equal(item, 0);
    assert_int_equal(mt_generator_send(generator, VALUE(21), &item), 0);
    assert_int_equal(item, 42);
    assert_int_equal(mt_generator_next(generator, &item), 0); /* nothing is sent: NULL, not what was sent before */
    assert_int_equal(item, 0);
    assert_int_equal(mt_generator_throw(generator, -EAGAIN, &item), 0);
    assert_int_equal(item, -1);
    assert_int_equal(mt_generator_throw(generator, 0, &item), -EINVAL);
    assert_int_equal(mt_generator_throw(generator, -EIO, &item), -EIO); /* is not caught */
    assert_int_equal(mt_generator_throw(generator, -EIO, &item), -EIO); /* of one that has ended */
    assert_int_equal(mt_generator_next(generator, &item), MT_STOP);
    assert_int_equal(mt_generator_send(generator, VALUE(1), &item), MT_STOP);
    assert_int_equal(item, -1);
    assert_int_equal(mt_generator_free(generator), 0);
}

static void one_that_has_not_begun_never_does(void **state)
{
    struct mt_generator *generator = mt_generator_new(doubles, NULL, sizeof(long), NULL);
    long item;

    assert_int_equal(mt_generator_throw(generator, -EIO, &item), -EIO);
    assert_int_equal(mt_generator_next(generator, &item), MT_STOP);
    assert_int_equal(mt_generator_free(generator), 0);
    generator = mt_generator_new(doubles, NULL, sizeof(long), NULL);
    assert_int_equal(mt_generator_free(generator), 0);
}

/* -- Closing ------------------------------------------------------------------------------------------------------- */

static int holds_memory(struct mt_generator *self, void *arg)
{
    char *memory = strdup("leaks if the cleanup does not run");
    int err = 0, later;

    while (!err)
        err = mt_yield(self, &memory, NULL);
    later = mt_yield(self, &memory, NULL);
    note(err);
    note(later);
    free(memory);
    return arg ? (int)NUMBER(arg) : err;
}

static void closing_runs_the_cleanup(void **state)
{
    struct mt_generator *generator = mt_generator_new(holds_memory, NULL, sizeof(char *), NULL);
    char *item;

    seen = 0;
    assert_int_equal(mt_generator_next(generator, &item), 0);
    assert_int_equal(mt_generator_close(generator), 0);
    assert_int_equal(seen, 2);
    assert_int_equal(saw[0], -ECANCELED);
    assert_int_equal(saw[1], -ECANCELED);
    assert_int_equal(mt_generator_next(generator, &item), MT_STOP);
    assert_int_equal(mt_generator_free(generator), 0);

    generator = mt_generator_new(holds_memory, VALUE(-ENOSPC), sizeof(char *), NULL);
    assert_int_equal(mt_generator_next(generator, &item), 0);
    assert_int_equal(mt_generator_close(generator), -ENOSPC); /* the cleanup failed: that shows */
    assert_int_equal(mt_generator_free(generator), 0);

    generator = mt_generator_new(holds_memory, NULL, sizeof(char *), NULL);
    assert_int_equal(mt_generator_next(generator, &item), 0);
    assert_int_equal(mt_generator_free(generator), 0); /* dropped while suspended */
    assert_int_equal(seen, 6);
}

static struct mt_generator *itself;

static int enters_itself(struct mt_generator *self, void *arg)
{
    long item = 0;

    note(mt_generator_next(itself, &item));
    note(mt_generator_send(itself, NULL, &item));
    note(mt_generator_throw(itself, -EIO, &item));
    note(mt_generator_close(itself));
    note(mt_generator_free(itself));
    note(mt_generator_is_running(itself));
    return mt_yield(self, &item, NULL);
}

static void one_that_is_running_is_busy(void **state)
{
    long item;

    seen = 0;
    itself = mt_generator_new(enters_itself, NULL, sizeof(long), NULL);
    assert_int_equal(mt_generator_next(itself, &item), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(saw[i], -EBUSY);
    assert_int_equal(saw[5], 1);
    assert_int_equal(mt_yield(itself, &item, NULL), -EINVAL); /* not from outside */
    assert_int_equal(mt_generator_free(itself), 0);
}

/* -- Iterators ----------------------------------------------------------------------------------------------------- */

static void it_is_an_iterator(void **state)
{
    struct mt_generator *generator = mt_generator_new(count_to, VALUE(5), sizeof(long), NULL);
    void *items = NULL;
    size_t count = 0;
    int err;

    assert_int_equal(mt_iter_collect(mt_generator_iter(generator), &items, &count), 0); /* which frees it */
    assert_int_equal(count, 5);
    assert_int_equal(((long *)items)[4], 4);
    free(items);
    assert_null(mt_generator_iter(NULL));
    seen = 0;
    mt_foreach (char *, text, mt_generator_iter(mt_generator_new(holds_memory, NULL, sizeof(char *), NULL)), &err) {
        assert_int_equal(text[0], 'l');
        break; /* half way: nothing leaks */
    }
    assert_int_equal(err, 0);
    assert_int_equal(seen, 2);
}

static int from_both(struct mt_generator *self, void *arg)
{
    struct mt_generator *inner = mt_generator_new(arg ? doubles : count_to, VALUE(2), sizeof(long), NULL);
    void *value = NULL;
    int err = mt_yield_from(self, mt_iter_range(10, 12, 1));

    if (!err)
        err = mt_yield_from_generator(self, inner, &value);
    note(err);
    note((int)NUMBER(value));
    note(mt_generator_has_ended(inner));
    mt_generator_free(inner);
    return err;
}

static void one_hands_out_what_another_has(void **state)
{
    const long expected[] = {10, 11, 0, 1};
    struct mt_generator *generator = mt_generator_new(from_both, NULL, sizeof(long), NULL);
    long item;

    seen = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(mt_generator_next(generator, &item), 0);
        assert_int_equal(item, expected[i]);
    }
    assert_int_equal(mt_generator_next(generator, &item), MT_STOP);
    assert_int_equal(saw[0], 0);
    assert_int_equal(saw[1], 4); /* the inner one's value */
    assert_int_equal(mt_generator_free(generator), 0);

    /* what is sent and thrown goes through to the inner one, and so does the close */
    generator = mt_generator_new(from_both, VALUE(1), sizeof(long), NULL);
    seen = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_generator_next(generator, &item), 0);
    assert_int_equal(mt_generator_send(generator, VALUE(4), &item), 0);
    assert_int_equal(item, 8);
    assert_int_equal(mt_generator_throw(generator, -EAGAIN, &item), 0);
    assert_int_equal(item, -1);
    assert_int_equal(mt_generator_close(generator), 0);
    assert_int_equal(saw[0], -ECANCELED);
    assert_int_equal(saw[2], 1);
    assert_int_equal(mt_generator_free(generator), 0);
}

static int wrong_size(struct mt_generator *self, void *arg)
{
    return mt_yield_from(self, mt_iter_array("abc", 3, 1));
}

static void sizes_must_agree(void **state)
{
    struct mt_generator *generator = mt_generator_new(wrong_size, NULL, sizeof(long), NULL);
    long item;

    assert_int_equal(mt_generator_next(generator, &item), -EINVAL);
    assert_int_equal(mt_generator_free(generator), 0);
}

/* -- Threads and greenlets ----------------------------------------------------------------------------------------- */

static struct mt_generator *shared;

static int uses_anothers(void *arg)
{
    char *item;

    note(mt_generator_next(shared, &item));
    note(mt_generator_close(shared));
    note(mt_generator_free(shared));
    return 0;
}

static int begins_and_ends(void *arg)
{
    char *item;

    return mt_generator_next(shared, &item);
}

static void threads(void **state)
{
    char *item;

    seen = 0;
    shared = mt_generator_new(holds_memory, NULL, sizeof(char *), NULL);
    assert_int_equal(mt_generator_next(shared, &item), 0);
    assert_int_equal(finish(spawn(uses_anothers, NULL)), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(saw[i], -EXDEV);
    assert_int_equal(mt_generator_free(shared), 0);

    /* made here, begun there, where the thread's end ends it */
    seen = 0;
    shared = mt_generator_new(holds_memory, NULL, sizeof(char *), NULL);
    assert_int_equal(finish(spawn(begins_and_ends, NULL)), 0);
    assert_int_equal(seen, 2);
    assert_true(mt_generator_has_ended(shared));
    assert_int_equal(mt_generator_free(shared), 0);
}

static struct mt_greenlet *root;

static int switches_inside(struct mt_generator *self, void *arg)
{
    long item = 1;
    int err = mt_greenlet_switch(root, NULL, NULL); /* leaves the greenlet that asks, from within */

    return err ? err : mt_yield(self, &item, NULL);
}

static int asks(void *arg, void **value)
{
    long item = 0;
    int err = mt_generator_next(arg, &item);

    *value = VALUE(item);
    return err;
}

static void a_greenlet_may_switch_inside_a_generator(void **state)
{
    struct mt_generator *generator = mt_generator_new(switches_inside, NULL, sizeof(long), NULL);
    struct mt_greenlet *greenlet = mt_greenlet_new(asks, generator, NULL);
    void *got = NULL;
    long item;

    root = mt_greenlet_current();
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(mt_generator_next(generator, &item), -EBUSY); /* the greenlet is still in it */
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, &got), 0);
    assert_int_equal(NUMBER(got), 1);
    assert_true(mt_greenlet_is_dead(greenlet));
    assert_int_equal(mt_greenlet_free(greenlet), 0);
    assert_int_equal(mt_generator_free(generator), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_one_by_one),
        cmocka_unit_test(what_is_sent_comes_out_of_yield),
        cmocka_unit_test(one_that_has_not_begun_never_does),
        cmocka_unit_test(closing_runs_the_cleanup),
        cmocka_unit_test(one_that_is_running_is_busy),
        cmocka_unit_test(it_is_an_iterator),
        cmocka_unit_test(one_hands_out_what_another_has),
        cmocka_unit_test(sizes_must_agree),
        cmocka_unit_test(threads),
        cmocka_unit_test(a_greenlet_may_switch_inside_a_generator),
    };

    return RUN(tests);
}
