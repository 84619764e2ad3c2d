/* SPDX-License-Identifier: MIT
 *
 * mtrace's lookup: every row with a hash is found, the newest first, and no other; also when many have the same.
 */
#include "../../tools/mtrace/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ROWS 5000

static void nothing_is_found_in_nothing(void **state)
{
    struct lookup lookup = {0};

    (void)state;
    assert_int_equal(lookup_first(&lookup, 0), -1);
    lookup_free(&lookup);
}

/* 37 hashes, of which several share each place of the table as long as it is small. */
static void all_rows_are_found(void **state)
{
    struct lookup lookup = {0};
    int found = 0;

    (void)state;
    for (int row = 0; row < ROWS; row++)
        assert_true(lookup_add(&lookup, (uint64_t)(row % 37) << 6));
    for (uint64_t hash = 0; hash < 37; hash++) {
        int newer = ROWS;
        for (int row = lookup_first(&lookup, hash << 6); row >= 0; row = lookup_next(&lookup, row)) {
            assert_true(row < newer);
            assert_int_equal(row % 37, hash);
            newer = row;
            found++;
        }
    }
    assert_int_equal(found, ROWS);
    assert_int_equal(lookup_first(&lookup, 37 << 6), -1);
    lookup_free(&lookup);
    assert_int_equal(lookup_first(&lookup, 0), -1);
}

static void hashes_differ(void **state)
{
    (void)state;
    assert_true(lookup_hash(1, "") != lookup_hash(2, ""));
    assert_true(lookup_hash(1, "a") != lookup_hash(1, "b"));
    assert_true(lookup_hash(7, "a place") == lookup_hash(7, "a place"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_found_in_nothing),
        cmocka_unit_test(all_rows_are_found),
        cmocka_unit_test(hashes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
