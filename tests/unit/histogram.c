/* SPDX-License-Identifier: MIT
 *
 * mtrace's histograms: percentiles never leave the range of the times that were counted.
 */
#include "../../tools/mtrace/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void add(struct histogram *histogram, uint64_t time, unsigned count)
{
    __u32 buckets[WAIT_BUCKETS] = {0};
    buckets[histogram_bucket(time)] = count;
    histogram_add(histogram, buckets, time, time);
}

static void test_nothing(void **state)
{
    struct histogram histogram = {0};
    (void)state;
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
}

/* 501 ms lies in the bucket from 268 to 537 ms. */
static void test_one(void **state)
{
    struct histogram histogram = {0};
    (void)state;
    add(&histogram, 501000000, 1);
    assert_int_equal(histogram_percentile(&histogram, 50), 501000000);
    assert_int_equal(histogram_percentile(&histogram, 99), 501000000);
}

static void test_equal(void **state)
{
    struct histogram histogram = {0};
    (void)state;
    add(&histogram, 300, 7);
    assert_int_equal(histogram_percentile(&histogram, 1), 300);
    assert_int_equal(histogram_percentile(&histogram, 50), 300);
}

static void test_range(void **state)
{
    struct histogram histogram = {0};
    (void)state;
    add(&histogram, 300, 50);
    add(&histogram, 5000, 50);
    assert_true(histogram_percentile(&histogram, 10) >= 300);
    assert_true(histogram_percentile(&histogram, 50) <= 512);
    assert_true(histogram_percentile(&histogram, 51) >= 4096);
    assert_true(histogram_percentile(&histogram, 99.9) <= 5000);
}

/* Where the shortest is not known the bucket's start stands for it. */
static void test_unknown_shortest(void **state)
{
    struct histogram histogram = {0};
    __u32 buckets[WAIT_BUCKETS] = {[8] = 10};
    (void)state;
    histogram_add(&histogram, buckets, 0, 400);
    assert_in_range(histogram_percentile(&histogram, 1), 256, 300);
    assert_in_range(histogram_percentile(&histogram, 99), 380, 400);
}

static void test_join(void **state)
{
    struct histogram a = {0}, b = {0}, none = {0};
    (void)state;
    add(&a, 1000, 3);
    add(&b, 20, 1);
    histogram_join(&a, &b);
    histogram_join(&a, &none);
    assert_int_equal(a.count, 4);
    assert_int_equal(a.min, 20);
    assert_int_equal(a.max, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_one),  cmocka_unit_test(test_equal),
        cmocka_unit_test(test_range),   cmocka_unit_test(test_join), cmocka_unit_test(test_unknown_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
