/* SPDX-License-Identifier: MIT
 *
 * Iterators. `open` counts what has been opened and not closed: whatever a test does half way, it ends at 0.
 */
#include "base/sys.h"
#include "unit.h"

static int open_now;

/* One of the user's own: n items, then MT_STOP or an error. */
struct source {
    struct mt_iter iter;
    int64_t number, count;
    int error, asked;
};

static int source_next(struct mt_iter *iter, void *item)
{
    struct source *self = mt_container_of(iter, struct source, iter);

    self->asked++;
    if (self->number == self->count)
        return self->error ? self->error : MT_STOP;
    *(int64_t *)item = self->number++;
    return 0;
}

static void source_close(struct mt_iter *iter)
{
    open_now--;
}

static struct source sources[3];

static struct mt_iter *source(int number, int64_t count, int error)
{
    sources[number] =
        (struct source){.iter = {.next = source_next, .close = source_close, .item_size = sizeof(int64_t)},
                        .count = count,
                        .error = error};
    open_now++;
    return &sources[number].iter;
}

/* The iterator gives exactly these, and then ends that way, again and again. */
static void gives(struct mt_iter *iter, const int64_t *items, size_t count, int end)
{
    int64_t item = -77;

    assert_non_null(iter);
    assert_int_equal(iter->item_size, sizeof(int64_t));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(mt_iter_next(iter, &item), 0);
        assert_int_equal(item, items[i]);
    }
    assert_int_equal(mt_iter_next(iter, &item), end);
    assert_int_equal(mt_iter_next(iter, &item), MT_STOP);
    if (count)
        assert_int_equal(item, items[count - 1]); /* is left alone at the end */
    mt_iter_close(iter);
    assert_int_equal(open_now, 0);
}
#define GIVES(iter, end, ...)                                     \
    do {                                                          \
        const int64_t items_[] = {__VA_ARGS__};                   \
        gives(iter, items_, sizeof items_ / sizeof *items_, end); \
    } while (0)

static void ranges(void **state)
{
    int64_t item;
    struct mt_iter *huge = mt_iter_range(0, 1000000000000, 1);

    GIVES(mt_iter_range(0, 5, 2), MT_STOP, 0, 2, 4);
    GIVES(mt_iter_range(3, -4, -3), MT_STOP, 3, 0, -3);
    gives(mt_iter_range(5, 5, 1), NULL, 0, MT_STOP);
    gives(mt_iter_range(5, 4, 1), NULL, 0, MT_STOP);
    GIVES(mt_iter_range(INT64_MAX - 1, INT64_MAX, 5), MT_STOP, INT64_MAX - 1); /* without overflow */
    GIVES(mt_iter_range(INT64_MIN, INT64_MAX, INT64_MAX), MT_STOP, INT64_MIN, -1, INT64_MAX - 1);
    GIVES(mt_iter_range(INT64_MAX, INT64_MIN, INT64_MIN), MT_STOP, INT64_MAX, -1);
    assert_null(mt_iter_range(0, 1, 0));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mt_iter_next(huge, &item), 0); /* takes no more room than a small one */
    assert_int_equal(item, 0);
    mt_iter_close(huge);
}

static int square(void *arg, const void *item, void *result)
{
    int64_t number = *(const int64_t *)item;

    if (arg && number == *(int64_t *)arg)
        return -EDOM;
    *(int64_t *)result = number * number;
    return 0;
}

static int is_odd(void *arg, const void *item)
{
    int64_t number = *(const int64_t *)item;

    return arg && number == *(int64_t *)arg ? -EDOM : (int)(number & 1);
}

static int is_small(void *arg, const void *item)
{
    return *(const int64_t *)item < *(int64_t *)arg;
}

static void adaptors(void **state)
{
    int64_t three = 3;

    GIVES(mt_iter_map(source(0, 4, 0), square, NULL, sizeof(int64_t)), MT_STOP, 0, 1, 4, 9);
    GIVES(mt_iter_filter(source(0, 6, 0), is_odd, NULL), MT_STOP, 1, 3, 5);
    GIVES(mt_iter_take_while(source(0, 9, 0), is_small, &three), MT_STOP, 0, 1, 2);
    assert_int_equal(sources[0].asked, 4); /* and no further */
    GIVES(mt_iter_slice(source(0, 100, 0), 2, 9, 3), MT_STOP, 2, 5, 8);
    assert_true(sources[0].asked <= 9);
    gives(mt_iter_slice(source(0, 9, 0), 5, 5, 1), NULL, 0, MT_STOP);
    assert_int_equal(sources[0].asked, 0);
    GIVES(mt_iter_slice(source(0, 4, 0), 1, SIZE_MAX, 1), MT_STOP, 1, 2, 3);
    GIVES(mt_iter_map(mt_iter_filter(mt_iter_range(0, 10, 1), is_odd, NULL), square, NULL, sizeof(int64_t)), MT_STOP, 1,
          9, 25, 49, 81);
    assert_null(mt_iter_slice(source(0, 4, 0), 0, 1, 0));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(open_now, 0);
}

static void errors_pass_through(void **state)
{
    int64_t two = 2, nine = 9;
    struct mt_iter *both[2];

    GIVES(mt_iter_map(source(0, 2, -EIO), square, NULL, sizeof(int64_t)), -EIO, 0, 1);
    GIVES(mt_iter_map(source(0, 5, 0), square, &two, sizeof(int64_t)), -EDOM, 0, 1);
    GIVES(mt_iter_filter(source(0, 2, -EIO), is_odd, NULL), -EIO, 1);
    GIVES(mt_iter_filter(source(0, 5, 0), is_odd, &two), -EDOM, 1);
    GIVES(mt_iter_take_while(source(0, 2, -EIO), is_small, &nine), -EIO, 0, 1);
    GIVES(mt_iter_slice(source(0, 2, -EIO), 1, 5, 1), -EIO, 1);
    both[0] = source(0, 1, -EIO);
    both[1] = source(1, 1, 0);
    GIVES(mt_iter_chain(both, 2), -EIO, 0); /* an error is not the end of the first */
    gives(source(0, 0, 0), NULL, 0, MT_STOP);
    gives(source(0, 0, -EIO), NULL, 0, -EIO);
}

static void numbers_and_zips(void **state)
{
    struct mt_numbered numbered;
    struct mt_iter *iter = mt_iter_enumerate(mt_iter_array("ab", 2, 1), 5), *both[2];
    const void *pair[2];

    assert_int_equal(mt_iter_next(iter, &numbered), 0);
    assert_int_equal(numbered.number, 5);
    assert_int_equal(*(const char *)numbered.item, 'a');
    assert_int_equal(mt_iter_next(iter, &numbered), 0);
    assert_int_equal(numbered.number, 6);
    assert_int_equal(*(const char *)numbered.item, 'b');
    assert_int_equal(mt_iter_next(iter, &numbered), MT_STOP);
    mt_iter_close(iter);

    both[0] = source(0, 2, 0);
    both[1] = mt_iter_array("xyz", 3, 1);
    iter = mt_iter_zip(both, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mt_iter_next(iter, pair), 0);
        assert_int_equal(*(const int64_t *)pair[0], i);
        assert_int_equal(*(const char *)pair[1], 'x' + i);
    }
    assert_int_equal(mt_iter_next(iter, pair), MT_STOP);
    mt_iter_close(iter);
    both[0] = source(0, 2, 0);
    both[1] = source(1, 2, 0);
    GIVES(mt_iter_chain(both, 2), MT_STOP, 0, 1, 0, 1);
    both[0] = source(0, 2, 0);
    both[1] = mt_iter_array("xyz", 3, 1);
    assert_null(mt_iter_chain(both, 2)); /* of different sizes */
    assert_int_equal(errno, EINVAL);
    assert_null(mt_iter_zip(both, 0));
    assert_int_equal(open_now, 0);
}

static void products(void **state)
{
    static const char letters[] = {'a', 'b'};
    struct mt_range range = MT_RANGE(0, 3, 1), none = MT_RANGE(0, 0, 1);
    struct mt_items items = MT_ITEMS(letters);
    const struct mt_iterable *both[] = {&items.iterable, &range.iterable};
    const struct mt_iterable *empty[] = {&items.iterable, &none.iterable};
    struct mt_iter *iter = mt_iter_product(both, 2), *again;
    const void *pair[2];
    int64_t item;

    for (int i = 0; i < 6; i++) {
        assert_int_equal(mt_iter_next(iter, pair), 0);
        assert_int_equal(*(const char *)pair[0], letters[i / 3]);
        assert_int_equal(*(const int64_t *)pair[1], i % 3);
    }
    assert_int_equal(mt_iter_next(iter, pair), MT_STOP);
    mt_iter_close(iter);
    iter = mt_iter_product(empty, 2);
    assert_int_equal(mt_iter_next(iter, pair), MT_STOP);
    mt_iter_close(iter);
    assert_null(mt_iter_product(both, 0));
    assert_int_equal(errno, EINVAL);
    /* each iterator of an iterable is fresh, and they do not share a place */
    iter = mt_iter_of(&range.iterable);
    again = mt_iter_of(&range.iterable);
    assert_int_equal(mt_iter_next(iter, &item), 0);
    assert_int_equal(mt_iter_next(iter, &item), 0);
    assert_int_equal(mt_iter_next(again, &item), 0);
    assert_int_equal(item, 0);
    mt_iter_close(iter);
    mt_iter_close(again);
}

static void lines(void **state)
{
    char path[] = "/tmp/mt-iter-XXXXXX";
    int fd = mkstemp(path);
    const char text[] = "one\n\nthree";
    struct mt_line line;
    struct mt_iter *iter;

    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    iter = mt_iter_lines(path);
    assert_int_equal(mt_iter_next(iter, &line), 0);
    assert_string_equal(line.text, "one");
    assert_int_equal(mt_iter_next(iter, &line), 0);
    assert_int_equal(line.length, 0);
    assert_int_equal(mt_iter_next(iter, &line), 0);
    assert_string_equal(line.text, "three");
    assert_int_equal(line.length, 5);
    assert_int_equal(mt_iter_next(iter, &line), MT_STOP);
    mt_iter_close(iter);
    unlink(path);
    assert_null(mt_iter_lines("/nowhere/at/all"));
    assert_int_equal(errno, ENOENT);
    iter = mt_iter_lines("/tmp"); /* opens, but cannot be read */
    assert_int_equal(mt_iter_next(iter, &line), -EISDIR);
    mt_iter_close(iter);
}

static void collecting(void **state)
{
    void *items = &items;
    size_t count = 9;

    assert_int_equal(mt_iter_collect(mt_iter_range(0, 1000, 1), &items, &count), 0);
    assert_int_equal(count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((int64_t *)items)[i], i);
    free(items);
    items = &items;
    assert_int_equal(mt_iter_collect(source(0, 20, -EIO), &items, &count), -EIO);
    assert_ptr_equal(items, &items); /* left alone */
    assert_int_equal(count, 1000);
    assert_int_equal(mt_iter_collect(source(0, 0, 0), &items, &count), 0);
    assert_null(items);
    assert_int_equal(count, 0);
    assert_int_equal(mt_iter_collect(mt_iter_range(0, 1, 0), &items, &count), -EINVAL);
    assert_int_equal(mt_iter_count(source(0, 12, 0)), 12);
    assert_int_equal(mt_iter_count(source(0, 12, -EIO)), -EIO);
    assert_int_equal(mt_iter_count(mt_iter_range(0, 1, 0)), -EINVAL);
    assert_int_equal(open_now, 0);
}

static int first_above(int64_t least)
{
    int err;

    mt_foreach (int64_t, item, source(0, 100, 0), &err)
        if (item > least)
            return (int)item;
    return -1;
}

static void foreach_closes_however_it_is_left(void **state)
{
    int64_t sum = 0;
    int err = 5;

    mt_foreach (int64_t, item, source(0, 5, 0), &err) {
        if (item == 1)
            continue;
        mt_foreach (int64_t, inner, source(1, 2, 0), &err) /* nested */
            sum += inner;
        sum += item;
    }
    assert_int_equal(sum, 9 + 4);
    assert_int_equal(err, 0);
    assert_int_equal(open_now, 0);
    mt_foreach (int64_t, item, source(0, 5, 0), &err)
        if (item == 2)
            break;
    assert_int_equal(open_now, 0);
    assert_int_equal(first_above(10), 11);
    assert_int_equal(open_now, 0);
    sum = 0;
    mt_foreach (int64_t, item, source(0, 3, -EIO), &err)
        sum += item;
    assert_int_equal(sum, 3);
    assert_int_equal(err, -EIO);
    mt_foreach (int64_t, item, mt_iter_range(0, 1, 0), &err)
        sum += item;
    assert_int_equal(sum, 3);
    assert_int_equal(err, -EINVAL);
}

static struct mt_iter *everything(void)
{
    struct mt_iter *both[2] = {source(0, 3, 0), mt_iter_map(source(1, 3, 0), square, NULL, sizeof(int64_t))};
    struct mt_iter *pair[2] = {mt_iter_chain(both, 2), mt_iter_filter(source(2, 9, 0), is_odd, NULL)};

    return mt_iter_enumerate(mt_iter_slice(mt_iter_zip(pair, 2), 0, 5, 1), 0);
}

/* Whichever allocation fails: NULL, ENOMEM, and all sources closed. */
static void no_memory(void **state)
{
    int failed = 0;

    for (long skip = 0; skip < 20; skip++) {
        struct mt_iter *iter;
        mt__sys_fail(MT__SYS_ALLOC, skip, ENOMEM);
        errno = 0;
        iter = everything();
        mt__sys_fail(-1, 0, 0);
        failed += !iter;
        if (!iter)
            assert_int_equal(errno, ENOMEM);
        mt_iter_close(iter);
        assert_int_equal(open_now, 0);
    }
    assert_true(failed >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(adaptors),
        cmocka_unit_test(errors_pass_through),
        cmocka_unit_test(numbers_and_zips),
        cmocka_unit_test(products),
        cmocka_unit_test(lines),
        cmocka_unit_test(collecting),
        cmocka_unit_test(foreach_closes_however_it_is_left),
        cmocka_unit_test(no_memory),
    };

    return RUN(tests);
}
