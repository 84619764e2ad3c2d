/* SPDX-License-Identifier: MIT
 *
 * The timers of a hub, by themselves: whatever is added and given up in whatever order, what expires is what a plain
 * list would say, in order.
 */
#include "base/sys.h"
#include "coro/hub.h"
#include "unit.h"

enum { TIMERS = 500 };

static struct mt__timers timers;
static struct mt__timer made[TIMERS];
static uint64_t seed = 88172645463325252ull;

static uint32_t any(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % below;
}

static mt_deadline first_by_hand(void)
{
    mt_deadline first = MT_FOREVER;

    for (int i = 0; i < TIMERS; i++)
        if (made[i].place && made[i].at < first)
            first = made[i].at;
    return first;
}

static size_t count_by_hand(void)
{
    size_t count = 0;

    for (int i = 0; i < TIMERS; i++)
        count += made[i].place != 0;
    return count;
}

static void expire_until(mt_deadline now)
{
    struct mt__timer *timer;
    mt_deadline last = 0;

    while ((timer = mt__timers_expired(&timers, now))) {
        assert_true(timer->at >= last && timer->at <= now);
        assert_int_equal(timer->place, 0);
        last = timer->at;
    }
    assert_true(first_by_hand() > now);
}

static void set_up(void)
{
    memset(made, 0, sizeof made);
    mt__timers_clear(&timers);
}

/* Of as many lengths as that: few go into the runs, of many most go to the heap. */
static void at_random(uint32_t lengths)
{
    mt_deadline now = 1000;

    set_up();
    for (int step = 0; step < 20000; step++) {
        struct mt__timer *timer = &made[any(TIMERS)];
        if (timer->place) {
            mt__timers_remove(&timers, timer);
            assert_int_equal(timer->place, 0);
        } else {
            timer->at = now + 50 * (1 + any(lengths));
            assert_int_equal(mt__timers_add(&timers, timer), 0);
        }
        now += any(3);
        if (step % 8)
            continue;
        assert_true(mt__timers_first(&timers) == first_by_hand());
        assert_int_equal(timers.count, count_by_hand());
        expire_until(now);
    }
    expire_until(MT_FOREVER - 1);
    assert_int_equal(timers.count, 0);
    assert_true(mt__timers_first(&timers) == MT_FOREVER);
    mt__timers_free(&timers);
}

static void they_expire_in_order(void **state)
{
    at_random(1);
    at_random(3);
    at_random(1000);
}

/* A long one, and behind it one after the other that is given up: their entries are not kept. */
static void given_up_ones_leave_no_room_behind(void **state)
{
    set_up();
    for (int i = 0; i < 2; i++) {
        made[i].at = 1000 + i;
        assert_int_equal(mt__timers_add(&timers, &made[i]), 0);
    }
    for (int i = 2; i < 100000; i++) {
        struct mt__timer *timer = &made[2 + i % 2], *last = &made[2 + !(i % 2)];
        timer->at = 1000 + i;
        assert_int_equal(mt__timers_add(&timers, timer), 0);
        mt__timers_remove(&timers, last); /* never the last entry */
    }
    assert_true(timers.runs[0].room <= 64);
    assert_int_equal(timers.in_heap, 0);
    assert_int_equal(timers.count, 3);
    expire_until(MT_FOREVER - 1);
    mt__timers_free(&timers);
}

static void without_memory(void **state)
{
    int added = 0;

    set_up();
    mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM); /* a run's: then it is the heap's */
    made[0].at = 5;
    assert_int_equal(mt__timers_add(&timers, &made[0]), 0);
    assert_int_equal(timers.in_heap, 1);
    for (int i = 1; i < TIMERS; i++) {
        made[i].at = TIMERS - i;
        mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
        added += mt__timers_add(&timers, &made[i]) == 0;
    }
    mt__sys_fail(-1, 0, 0);
    assert_int_equal(timers.count, (size_t)added + 1);
    assert_true(mt__timers_first(&timers) == first_by_hand());
    expire_until(MT_FOREVER - 1);
    mt__timers_free(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_expire_in_order),
        cmocka_unit_test(given_up_ones_leave_no_room_behind),
        cmocka_unit_test(without_memory),
    };

    return RUN(tests);
}
