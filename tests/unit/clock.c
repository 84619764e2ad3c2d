/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "base/clock.h"
#include <time.h>

static void now_is_monotonic_nanoseconds(void **state)
{
    struct timespec before;
    mt_deadline now;

    clock_gettime(CLOCK_MONOTONIC, &before);
    now = mt_now();
    assert_between((now - (before.tv_sec * 1000000000L + before.tv_nsec)) / 1000, 0, 1000000);
    assert_true(mt_now() >= now);
}

static void after_saturates(void **state)
{
    assert_true(mt_after(INT64_MAX) == MT_FOREVER);
    assert_true(mt_after(INT64_MAX - 1) == MT_FOREVER);
    assert_true(mt_after(-MT_SEC(1)) < mt_now());
    assert_true(mt_after(INT64_MIN) < 0);
    assert_true(mt_after(MT_MS(500)) > mt_now() + MT_MS(400));
}

static void units(void **state)
{
    assert_true(MT_US(3) == 3000);
    assert_true(MT_MS(3) == 3000000);
    assert_true(MT_SEC(3000000) == 3000000000000000);
}

static void kernel_form(void **state)
{
    struct mt__timespec buffer;

    assert_null(mt__timespec(MT_FOREVER, &buffer));
    assert_ptr_equal(mt__timespec(MT_NOWAIT, &buffer), &buffer);
    assert_true(buffer.seconds == 0 && buffer.nanoseconds == 0);
    mt__timespec(MT_SEC(7) + 9, &buffer);
    assert_true(buffer.seconds == 7 && buffer.nanoseconds == 9);
}

static void sleep_lasts(void **state)
{
    mt_deadline start = mt_now();

    assert_int_equal(mt_sleep(MT_MS(60)), 0);
    assert_between(elapsed(start), 60, 60000);
    assert_int_equal(mt_sleep(0), 0);
    assert_int_equal(mt_sleep(-5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(now_is_monotonic_nanoseconds),
        cmocka_unit_test(after_saturates),
        cmocka_unit_test(units),
        cmocka_unit_test(kernel_form),
        cmocka_unit_test(sleep_lasts),
    };
    return RUN(tests);
}
