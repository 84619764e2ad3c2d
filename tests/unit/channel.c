/* SPDX-License-Identifier: MIT */
#include "hub.h"

static int put_number(void *arg)
{
    int number = 7;

    return mt_channel_put(arg, &number, MT_FOREVER);
}

static int get_number(void *arg)
{
    int number = 0, result = mt_channel_get(arg, &number, MT_FOREVER);

    return result ? result : number;
}

static void test_hands_over_between_coroutines(void **state)
{
    struct mt_channel channel = MT_CHANNEL_INIT_NAMED(sizeof(int), "numbers");
    struct mt_task *putter = spawn_coro(put_number, &channel);
    struct mt_task *getter = spawn_coro(get_number, &channel);

    assert_int_equal(finish(putter), 0);
    assert_int_equal(mt_task_join(getter, MT_FOREVER), 0);
    assert_int_equal(mt_task_outcome(getter), 7);
    mt_task_release(getter);
}

static void test_waits_for_the_other_side(void **state)
{
    struct mt_channel channel = MT_CHANNEL_INIT_NAMED(sizeof(int), "numbers");
    struct mt_task *putter = spawn_coro(put_number, &channel);
    struct mt_task_info info;
    int number = 0;

    assert_int_equal(mt_sleep(MT_MS(5)), 0);
    assert_true(mt_task_is_alive(putter));
    mt_task_info(putter, &info);
    assert_int_equal(info.reason, MT_WAIT_CHANNEL);
    assert_string_equal(info.object_name, "numbers");
    assert_string_equal(mt_reason_name(info.reason), "channel");
    assert_int_equal(mt_channel_putting(&channel), 1);
    assert_int_equal(mt_channel_getting(&channel), 0);
    assert_int_equal(mt_channel_get(&channel, &number, MT_NOWAIT), 0);
    assert_int_equal(number, 7);
    assert_int_equal(mt_channel_putting(&channel), 0);
    assert_int_equal(finish(putter), 0);
}

static void test_nobody_there(void **state)
{
    struct mt_channel channel = MT_CHANNEL_INIT(sizeof(int));
    mt_deadline start = mt_now();
    int number = 3;

    assert_int_equal(mt_channel_put(&channel, &number, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_channel_get(&channel, &number, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_channel_get(&channel, &number, mt_after(MT_MS(20))), -ETIMEDOUT);
    assert_true(elapsed(start) >= 20);
    assert_int_equal(mt_channel_put(&channel, &number, mt_after(MT_MS(5))), -ETIMEDOUT);
    assert_int_equal(number, 3);
    assert_int_equal(mt_channel_getting(&channel), 0);
    assert_int_equal(mt_channel_putting(&channel), 0);
}

static void test_killed_while_it_waits(void **state)
{
    struct mt_channel channel = MT_CHANNEL_INIT(sizeof(int));
    struct mt_task *coro = spawn_coro(get_number, &channel), *thread = spawn(put_number, &channel);
    int number = 5;

    assert_int_equal(finish(thread), 0); /* the coroutine has got it */
    assert_int_equal(mt_task_join(coro, MT_FOREVER), 0);
    assert_int_equal(mt_task_outcome(coro), 7);
    mt_task_release(coro);

    coro = spawn_coro(get_number, &channel);
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    assert_int_equal(mt_channel_getting(&channel), 1);
    mt_task_kill(coro);
    assert_int_equal(mt_task_join(coro, MT_FOREVER), 0);
    assert_int_equal(mt_task_outcome(coro), -ECANCELED);
    assert_int_equal(mt_channel_put(&channel, &number, MT_NOWAIT), -EBUSY);
    mt_task_release(coro);
    assert_int_equal(mt_channel_getting(&channel), 0);

    coro = spawn_coro(get_number, &channel);
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    mt_task_kill(coro);
    assert_int_equal(mt_channel_put(&channel, &number, MT_NOWAIT), 0); /* it has not left yet: so it has got it */
    assert_int_equal(mt_task_join(coro, MT_FOREVER), 0);
    assert_int_equal(mt_task_outcome(coro), 5);
    mt_task_release(coro);
}

static void test_close_turns_all_away(void **state)
{
    struct mt_channel channel = MT_CHANNEL_INIT(sizeof(int));
    struct mt_task *tasks[4];
    int number = 1;

    for (int i = 0; i < 4; i++)
        tasks[i] = i % 2 ? spawn_coro(get_number, &channel) : spawn(get_number, &channel);
    while (mt_channel_getting(&channel) < 4)
        assert_int_equal(mt_sleep(MT_MS(1)), 0);
    assert_false(mt_channel_is_closed(&channel));
    mt_channel_close(&channel);
    assert_true(mt_channel_is_closed(&channel));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(mt_task_join(tasks[i], in_time()), 0);
        assert_int_equal(mt_task_outcome(tasks[i]), -EPIPE);
        mt_task_release(tasks[i]);
    }
    assert_int_equal(mt_channel_put(&channel, &number, MT_FOREVER), -EPIPE);
    assert_int_equal(mt_channel_get(&channel, &number, MT_NOWAIT), -EPIPE);
    mt_channel_close(&channel);
}

static int signal_twice(void *arg)
{
    int result = mt_channel_put(arg, NULL, MT_FOREVER);

    return result ? result : mt_channel_put(arg, NULL, MT_FOREVER);
}

static void test_items_of_no_size(void **state)
{
    struct mt_channel channel;
    struct mt_task *task;

    mt_channel_init(&channel, 0, "signal");
    task = spawn_coro(signal_twice, &channel);
    assert_int_equal(mt_channel_get(&channel, NULL, MT_FOREVER), 0);
    assert_int_equal(mt_channel_get(&channel, NULL, MT_FOREVER), 0);
    assert_int_equal(finish(task), 0);
}

/* -- select ------------------------------------------------------------------------------------------------------- */

static void test_select_what_is_there(void **state)
{
    struct mt_channel a = MT_CHANNEL_INIT(sizeof(int)), b = MT_CHANNEL_INIT(sizeof(int));
    int from_a = 0, from_b = 0;
    struct mt_case cases[] = {
        {MT_CASE_GET, &a, &from_a, 1}, {MT_CASE_GET, NULL, NULL, 1}, {MT_CASE_GET, &b, &from_b, 1}};
    struct mt_task *putter;

    assert_int_equal(mt_select(cases, 3, MT_NOWAIT), -EBUSY);
    assert_int_equal(mt_select(cases, 3, mt_after(MT_MS(5))), -ETIMEDOUT);
    putter = spawn_coro(put_number, &b);
    assert_int_equal(mt_select(cases, 3, MT_FOREVER), 2); /* waited for */
    assert_int_equal(from_b, 7);
    assert_int_equal(cases[2].result, 0);
    assert_int_equal(finish(putter), 0);
    putter = spawn_coro(put_number, &a);
    assert_int_equal(mt_coro_yield(), 0);
    assert_int_equal(mt_select(cases, 3, MT_NOWAIT), 0); /* found */
    assert_int_equal(from_a, 7);
    assert_int_equal(finish(putter), 0);
    mt_channel_close(&b);
    assert_int_equal(mt_select(cases, 3, MT_FOREVER), 2);
    assert_int_equal(cases[2].result, -EPIPE);
    assert_int_equal(cases[1].result, 1);
    assert_int_equal(mt_channel_getting(&a), 0);
    assert_int_equal(mt_select(cases, MT_SELECT_MAX + 1, MT_NOWAIT), -EINVAL);
}

static int select_both(void *arg)
{
    struct mt_channel *channels = arg;
    int got = 0, put = 9;
    struct mt_case cases[] = {{MT_CASE_GET, &channels[0], &got, 0},
                              {MT_CASE_PUT, &channels[0], &put, 0},
                              {MT_CASE_PUT, &channels[1], &put, 0}};
    int result = mt_select(cases, 3, MT_FOREVER);

    return result < 0 ? result : result * 100 + got;
}

static void test_select_never_meets_itself(void **state)
{
    struct mt_channel channels[2] = {MT_CHANNEL_INIT(sizeof(int)), MT_CHANNEL_INIT(sizeof(int))};
    struct mt_task *one = spawn_coro(select_both, channels), *other;
    int first, second;

    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    assert_true(mt_task_is_alive(one));
    other = spawn_coro(select_both, channels);
    assert_int_equal(mt_task_join(one, MT_FOREVER), 0);
    assert_int_equal(mt_task_join(other, MT_FOREVER), 0);
    first = mt_task_outcome(one);
    second = mt_task_outcome(other);
    assert_true((first == 9 && second == 100) || (first == 100 && second == 9));
    mt_task_release(one);
    mt_task_release(other);
    assert_int_equal(mt_channel_putting(&channels[1]), 0);
}

static int keep_putting(void *arg)
{
    int result = 0, number = 0;

    while (!result)
        result = mt_channel_put(arg, &number, MT_FOREVER);
    return result == -EPIPE ? 0 : result;
}

static void test_select_is_fair(void **state)
{
    struct mt_channel channels[3];
    struct mt_task *putters[3];
    struct mt_case cases[3];
    int number, counts[3] = {0};

    for (int i = 0; i < 3; i++) {
        mt_channel_init(&channels[i], sizeof(int), NULL);
        putters[i] = spawn_coro(keep_putting, &channels[i]);
        cases[i] = (struct mt_case){MT_CASE_GET, &channels[i], &number, 0};
    }
    for (int i = 0; i < 3000; i++) {
        counts[mt_select(cases, 3, MT_FOREVER)]++;
        assert_int_equal(mt_coro_yield(), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_between(counts[i], 800, 1200);
        mt_channel_close(&channels[i]);
        assert_int_equal(finish(putters[i]), 0);
    }
}

/* -- everything at once ------------------------------------------------------------------------------------------- */

#define ROUNDS (SANITIZER ? 2000 : 10000)

struct market {
    struct mt_channel channels[3];
    uint64_t put, got, sum_put, sum_got;
};

static int trade(struct market *market, unsigned *seed)
{
    uint64_t gives = (uint64_t)rand_r(seed), gets = 0;
    struct mt_case cases[3];
    int result;

    for (unsigned i = 0; i < 3; i++) {
        int puts = rand_r(seed) & 1;
        cases[i] = (struct mt_case){puts ? MT_CASE_PUT : MT_CASE_GET, &market->channels[(i + *seed) % 3],
                                    puts ? &gives : &gets, 0};
    }
    result = mt_select(cases, 1 + (unsigned)rand_r(seed) % 3, mt_after(MT_US(rand_r(seed) % 300)));
    if (result < 0 || cases[result].result)
        return result < 0 ? result : cases[result].result;
    if (cases[result].kind == MT_CASE_PUT) {
        __atomic_fetch_add(&market->put, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&market->sum_put, gives, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_add(&market->got, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&market->sum_got, gets, __ATOMIC_RELAXED);
    }
    return 0;
}

static int trader(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)&seed ^ (unsigned)mt_now();
    int result = 0;

    for (int i = 0; i < ROUNDS && (!result || result == -ETIMEDOUT); i++)
        result = trade(arg, &seed);
    return result == -ETIMEDOUT ? 0 : result;
}

static int traders(void *arg)
{
    struct mt_task *tasks[4];
    int failed = 0;

    for (int i = 0; i < 4; i++)
        tasks[i] = mt_coro_spawn(trader, arg, NULL);
    for (int i = 0; i < 4; i++) {
        failed |= !tasks[i] || mt_task_join(tasks[i], MT_FOREVER) || mt_task_outcome(tasks[i]);
        mt_task_release(tasks[i]);
    }
    return failed ? -EIO : 0;
}

static void test_each_item_goes_to_one(void **state)
{
    struct market market = {.put = 0};
    struct mt_task *tasks[4];

    for (int i = 0; i < 3; i++)
        mt_channel_init(&market.channels[i], sizeof(uint64_t), NULL);
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(i < 2 ? trader : traders, &market);
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(tasks[i]), 0);
    assert_true(market.put > 100);
    assert_int_equal(market.put, market.got);
    assert_int_equal(market.sum_put, market.sum_got);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mt_channel_putting(&market.channels[i]), 0);
        assert_int_equal(mt_channel_getting(&market.channels[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hands_over_between_coroutines),
        cmocka_unit_test(test_waits_for_the_other_side),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_killed_while_it_waits),
        cmocka_unit_test(test_close_turns_all_away),
        cmocka_unit_test(test_items_of_no_size),
        cmocka_unit_test(test_select_what_is_there),
        cmocka_unit_test(test_select_never_meets_itself),
        cmocka_unit_test(test_select_is_fair),
        cmocka_unit_test(test_each_item_goes_to_one),
    };

    return RUN(tests);
}
