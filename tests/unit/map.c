/* SPDX-License-Identifier: MIT
 *
 * map and imap.
 */
#include "pool-unit.h"

static void map_keeps_order(void **state)
{
    enum { COUNT = 1000 };
    struct mt_pool *pool = open_pool(3);
    int numbers[COUNT], results[COUNT] = {0};
    struct mt_outcome *outcomes = calloc(COUNT, sizeof *outcomes);

    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    assert_int_equal(
        mt_pool_map(pool, square, numbers, sizeof *numbers, COUNT, results, sizeof *results, NULL, 0, MT_FOREVER), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(results[i], i * i);
    numbers[500] = -1;
    numbers[999] = -2;
    assert_int_equal(
        mt_pool_map(pool, square, numbers, sizeof *numbers, COUNT, results, sizeof *results, outcomes, 7, MT_FOREVER),
        2);
    assert_int_equal(outcomes[500].code, -EDOM);
    assert_string_equal(outcomes[999].message, "-2 is negative");
    assert_int_equal(outcomes[501].code, 0);
    assert_int_equal(
        mt_pool_map(pool, nothing, numbers, sizeof *numbers, 3, results, sizeof *results, outcomes, 1, MT_FOREVER), 3);
    assert_int_equal(outcomes[2].code, -EMSGSIZE);
    assert_int_equal(mt_pool_map(pool, square, numbers, sizeof *numbers, 0, NULL, 0, NULL, 0, MT_FOREVER), 0);
    free(outcomes);
    close_and_free(pool);
}

static void map_takes_pointers(void **state)
{
    struct mt_pool *pool = open_pool(2);
    int numbers[3] = {1, 2, 3}, results[3];
    int *items[3] = {&numbers[2], &numbers[1], &numbers[0]};

    assert_int_equal(mt_pool_map(pool, square, items, 0, 3, results, sizeof *results, NULL, 2, MT_FOREVER), 0);
    assert_int_equal(results[0], 9);
    assert_int_equal(results[2], 1);
    close_and_free(pool);
}

struct counter {
    int next, last, most; /* most: how far it was ever ahead of `seen` */
    int seen;
    int fails_at;
};

static int count_up(void *arg, void *item)
{
    struct counter *counter = arg;

    if (counter->next == counter->fails_at)
        return -EIO;
    if (counter->next == counter->last)
        return 0;
    if (counter->next - counter->seen > counter->most)
        counter->most = counter->next - counter->seen;
    *(int *)item = counter->next++;
    return 1;
}

static void imap_in_order_with_backpressure(void **state)
{
    struct mt_pool *pool = open_pool(2);
    struct counter counter = {.last = 500, .fails_at = -1};
    struct mt_source source = {.item_size = sizeof(int), .next = count_up, .arg = &counter};
    struct mt_imap_options options = {.chunk = 3, .ahead = 12};
    struct mt_imap *imap = mt_pool_imap(pool, square, &source, &options);
    struct mt_item item;
    int result;

    assert_non_null(imap);
    while ((result = mt_imap_next(imap, &item, MT_FOREVER)) == 1) {
        assert_int_equal(item.index, counter.seen);
        assert_int_equal(*(const int *)item.value, counter.seen * counter.seen);
        counter.seen++;
    }
    assert_int_equal(result, 0);
    assert_int_equal(counter.seen, 500);
    assert_true(counter.most <= 12);
    assert_int_equal(mt_imap_next(imap, &item, MT_FOREVER), 0);
    mt_imap_free(imap);
    close_and_free(pool);
}

static void imap_as_they_end(void **state)
{
    enum { COUNT = 300 };
    struct mt_pool *pool = open_pool(3);
    int numbers[COUNT], seen[COUNT] = {0}, failed = 0;
    struct mt_source source = {.items = numbers, .item_size = sizeof(int), .count = COUNT};
    struct mt_imap *imap;
    struct mt_item item;

    for (int i = 0; i < COUNT; i++)
        numbers[i] = i % 50 ? i : -1 - i;
    imap = mt_pool_imap_unordered(pool, square, &source, NULL);
    while (mt_imap_next(imap, &item, MT_FOREVER) == 1) {
        seen[item.index]++;
        failed += item.outcome.code == -EDOM;
        if (!item.outcome.code)
            assert_int_equal(*(const int *)item.value, (int)(item.index * item.index));
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(failed, COUNT / 50);
    mt_imap_free(imap);
    close_and_free(pool);
}

static void imap_hands_on_the_sources_error(void **state)
{
    struct mt_pool_options pool_options = {.workers = 1, .backlog = 1};
    struct mt_pool *pool = mt_pool_open(&pool_options);
    struct counter counter = {.last = 500, .fails_at = 30};
    struct mt_source source = {.item_size = sizeof(int), .next = count_up, .arg = &counter};
    struct mt_imap_options options = {.chunk = 1, .ahead = 50};
    struct mt_imap *imap = mt_pool_imap(pool, square, &source, &options);
    struct mt_item item;

    for (int i = 0; i < 30; i++) {
        assert_int_equal(mt_imap_next(imap, &item, in_time()), 1);
        assert_int_equal(item.index, i);
    }
    assert_int_equal(mt_imap_next(imap, &item, MT_FOREVER), -EIO);
    mt_imap_free(imap);
    options = (struct mt_imap_options){.chunk = 4, .ahead = 2};
    assert_null(mt_pool_imap(pool, square, &source, &options));
    assert_int_equal(errno, EINVAL);
    close_and_free(pool);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_keeps_order),
        cmocka_unit_test(map_takes_pointers),
        cmocka_unit_test(imap_in_order_with_backpressure),
        cmocka_unit_test(imap_as_they_end),
        cmocka_unit_test(imap_hands_on_the_sources_error),
    };
    return RUN(tests);
}
