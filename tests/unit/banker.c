/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <sched.h>

/* The example of the textbooks (Silberschatz, Galvin, Gagne, "Operating System Concepts"): five tasks, three resources.
 */
static const uint32_t total[3] = {10, 5, 7};
static const uint32_t claims[5][3] = {{7, 5, 3}, {3, 2, 2}, {9, 0, 2}, {2, 2, 2}, {4, 3, 3}};
static const uint32_t held[5][3] = {{0, 1, 0}, {2, 0, 0}, {3, 0, 2}, {2, 1, 1}, {0, 0, 2}};

static struct mt_banker *textbook(void)
{
    struct mt_banker *banker = mt_banker_new(3, total);

    assert_non_null(banker);
    for (int i = 0; i < 5; i++)
        assert_int_equal(mt_banker_join(banker, claims[i]), i);
    for (int i = 0; i < 5; i++)
        assert_int_equal(mt_banker_request(banker, i, held[i], MT_NOWAIT), 0);
    return banker;
}

static void the_textbook(void **state)
{
    struct mt_banker *banker = textbook();
    static const uint32_t p1[3] = {1, 0, 2}, p4[3] = {3, 3, 0}, p0[3] = {0, 2, 0};
    uint32_t available[3], work[3] = {3, 3, 2};
    int order[5], seen = 0;

    mt_banker_available(banker, available);
    assert_int_equal(memcmp(available, work, sizeof work), 0);
    assert_int_equal(mt_banker_is_safe(banker, order, 5), 5);
    for (int i = 0; i < 5; i++) {
        seen |= 1 << order[i];
        for (int r = 0; r < 3; r++) {
            assert_true(claims[order[i]][r] - held[order[i]][r] <= work[r]);
            work[r] += held[order[i]][r];
        }
    }
    assert_int_equal(seen, 31);
    assert_int_equal(mt_banker_would_be_safe(banker, 1, p1), 1);
    assert_int_equal(mt_banker_request(banker, 1, p1, MT_NOWAIT), 0);
    assert_int_equal(mt_banker_would_be_safe(banker, 4, p4), 0);
    assert_int_equal(mt_banker_request(banker, 4, p4, MT_NOWAIT), -EBUSY); /* not there */
    assert_int_equal(mt_banker_would_be_safe(banker, 0, p0), 0);
    assert_int_equal(mt_banker_request(banker, 0, p0, MT_NOWAIT), -EBUSY); /* there, but not safe */
    assert_int_equal(mt_banker_is_safe(banker, NULL, 0), 5);
    mt_banker_free(banker);
}

static void errors(void **state)
{
    static const uint32_t much[3] = {11, 0, 0}, one[3] = {1, 0, 0}, claim[3] = {2, 0, 0}, three[3] = {3, 0, 0};
    struct mt_banker *banker = mt_banker_new(3, total);
    int customer;

    assert_null(mt_banker_new(0, total));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mt_banker_join(banker, much), -EINVAL);
    assert_int_equal(mt_banker_request(banker, 0, one, MT_FOREVER), -EINVAL);
    customer = mt_banker_join(banker, claim);
    assert_int_equal(customer, 0);
    assert_int_equal(mt_banker_request(banker, -1, one, MT_FOREVER), -EINVAL);
    assert_int_equal(mt_banker_request(banker, customer, three, MT_FOREVER), -E2BIG);
    assert_int_equal(mt_banker_would_be_safe(banker, customer, three), -E2BIG);
    assert_int_equal(mt_banker_would_be_safe(banker, 7, one), -EINVAL);
    assert_int_equal(mt_banker_release(banker, customer, one), -EINVAL);
    assert_int_equal(mt_banker_release(banker, 7, one), -EINVAL);
    assert_int_equal(mt_banker_request(banker, customer, one, MT_FOREVER), 0);
    assert_int_equal(mt_banker_release(banker, customer, one), 0);
    assert_int_equal(mt_banker_leave(banker, customer), 0);
    assert_int_equal(mt_banker_leave(banker, customer), -EINVAL);
    assert_int_equal(mt_banker_join(banker, claim), customer); /* the number is used again */
    mt_banker_free(banker);
    mt_banker_free(NULL);
}

/* Two philosophers, two forks, each takes the left one first: without the banker they deadlock, with it they never do.
 */
struct dinner {
    struct mt_banker *banker;
    int customer, meals;
    uint32_t first[2], second[2];
};

static int dine(void *arg)
{
    struct dinner *dinner = arg;

    for (int i = 0; i < dinner->meals; i++) {
        int result = mt_banker_request(dinner->banker, dinner->customer, dinner->first, MT_FOREVER);
        if (!result) {
            sched_yield();
            result = mt_banker_request(dinner->banker, dinner->customer, dinner->second, MT_FOREVER);
        }
        if (result)
            return result;
        if (mt_banker_release(dinner->banker, dinner->customer, dinner->second) ||
            mt_banker_release(dinner->banker, dinner->customer, dinner->first))
            return -EIO;
    }
    return mt_banker_leave(dinner->banker, dinner->customer);
}

static void avoids_the_embrace(void **state)
{
    static const uint32_t forks[2] = {1, 1};
    struct mt_banker *banker = mt_banker_new(2, forks);
    struct dinner dinners[2] = {{banker, 0, 3000, {1, 0}, {0, 1}}, {banker, 0, 3000, {0, 1}, {1, 0}}};
    struct mt_task *tasks[2];
    uint32_t available[2];

    for (int i = 0; i < 2; i++) {
        dinners[i].customer = mt_banker_join(banker, forks);
        assert_true(dinners[i].customer >= 0);
    }
    for (int i = 0; i < 2; i++)
        tasks[i] = spawn(dine, &dinners[i]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(tasks[i]), 0);
    mt_banker_available(banker, available);
    assert_int_equal(memcmp(available, forks, sizeof forks), 0);
    mt_banker_free(banker);
}

static struct mt_banker *busy_bank;
static int ask(void *arg)
{
    static const uint32_t one[1] = {1};

    return mt_banker_request(busy_bank, *(int *)arg, one, MT_FOREVER);
}

static void waits_end(void **state)
{
    static const uint32_t one[1] = {1};
    mt_deadline start = mt_now();
    struct mt_task *task;
    int first, second;

    busy_bank = mt_banker_new(1, one);
    first = mt_banker_join(busy_bank, one);
    second = mt_banker_join(busy_bank, one);
    assert_int_equal(mt_banker_request(busy_bank, first, one, MT_FOREVER), 0);
    assert_int_equal(mt_banker_request(busy_bank, second, one, mt_after(MT_MS(15))), -ETIMEDOUT);
    assert_between(elapsed(start), 15, 60000);
    task = spawn(ask, &second);
    until_waiting(task, MT_WAIT_COND);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), -ECANCELED);
    task = spawn(ask, &second);
    until_waiting(task, MT_WAIT_COND);
    assert_int_equal(mt_banker_leave(busy_bank, first), 0); /* what it holds comes back */
    assert_int_equal(finish(task), 0);
    mt_banker_free(busy_bank);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_textbook),
        cmocka_unit_test(errors),
        cmocka_unit_test(avoids_the_embrace),
        cmocka_unit_test(waits_end),
    };
    return RUN(tests);
}
