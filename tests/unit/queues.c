/* SPDX-License-Identifier: MIT
 *
 * How mtrace reads queues: what their memory means, what it may not mean, and the sums of many looks.
 */
#include "../../tools/mtrace/queues.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mt__segment ring(uint32_t capacity, uint32_t message_max, uint64_t data_size)
{
    return (struct mt__segment){.magic = MT__QUEUE_MAGIC,
                                .version = MT__QUEUE_VERSION,
                                .order = MT_QUEUE_FIFO,
                                .capacity = capacity,
                                .message_max = message_max,
                                .data_size = data_size};
}

static uint64_t position(uint32_t count, uint32_t units)
{
    return (union mt__position){.count = count, .units = units}.both;
}

static void test_ring(void **state)
{
    struct mt__segment head = ring(4, 8, 4096);
    struct queues_state now;
    (void)state;
    assert_true(queues_decode(&head, &now));
    assert_int_equal(now.depth, 0);
    assert_false(now.full);
    head.tail = position(10, 20);
    head.head = position(7, 14);
    head.freed = position(6, 12); /* one is in a view: it takes room, and nobody can get it */
    head.closed = 1;
    assert_true(queues_decode(&head, &now));
    assert_int_equal(now.depth, 3);
    assert_int_equal(now.put, 10);
    assert_int_equal(now.got, 7);
    assert_true(now.full);
    assert_true(now.closed);
}

/* Few large messages fill it as many small ones do. */
static void test_full_by_bytes(void **state)
{
    struct mt__segment head = ring(1000, 800, 4096); /* 512 units; a message of the largest size takes 101 */
    struct queues_state now;
    (void)state;
    head.tail = position(4, 404);
    assert_true(queues_decode(&head, &now));
    assert_false(now.full);
    head.tail = position(5, 412);
    assert_true(queues_decode(&head, &now));
    assert_true(now.full);
}

/* Counts wrap, and the numbers are not all read at the same moment. */
static void test_wrap(void **state)
{
    struct mt__segment head = ring(4, 8, 4096);
    struct queues_state now;
    (void)state;
    head.tail = position(1, 2);
    head.head = head.freed = position(UINT32_MAX, UINT32_MAX - 1);
    assert_true(queues_decode(&head, &now));
    assert_int_equal(now.depth, 2);
    head.head = head.freed = position(2, 4);
    assert_true(queues_decode(&head, &now));
    assert_int_equal(now.depth, 0);
    assert_false(now.full);
}

static void test_heap(void **state)
{
    struct mt__segment head = ring(4, 8, 4096);
    struct queues_state now;
    (void)state;
    head.order = MT_QUEUE_PRIORITY;
    head.tail = 9;
    head.freed = 6;
    head.used = 3;
    head.unused = 1;
    assert_true(queues_decode(&head, &now));
    assert_int_equal(now.depth, 3);
    assert_int_equal(now.put, 9);
    assert_int_equal(now.got, 6);
    assert_false(now.full);
    head.unused = 0;
    assert_true(queues_decode(&head, &now));
    assert_true(now.full);
    head.used = 5;
    assert_false(queues_decode(&head, &now));
}

static void test_no_queue(void **state)
{
    struct queues_state now;
    struct mt__segment head = ring(4, 8, 4096);
    (void)state;
    head.magic++;
    assert_false(queues_decode(&head, &now));
    head = ring(4, 8, 4096);
    head.version++;
    assert_false(queues_decode(&head, &now));
    head = ring(0, 8, 4096);
    assert_false(queues_decode(&head, &now));
    head = ring(4, UINT32_MAX, 4096);
    assert_false(queues_decode(&head, &now));
    head = ring(4, 8, 0);
    assert_false(queues_decode(&head, &now));
}

static void test_sums(void **state)
{
    struct queues_look look = {0};
    (void)state;
    queues_add(&look, &(struct queues_state){.depth = 2}, 0);
    queues_add(&look, &(struct queues_state){.depth = 4, .full = true}, 300);
    queues_add(&look, &(struct queues_state){.depth = 0}, 100);
    assert_int_equal(look.looks, 3);
    assert_int_equal(look.ns, 400);
    assert_int_equal(look.full_ns, 300);
    assert_int_equal(look.empty_ns, 100);
    assert_int_equal(look.first.depth, 2);
    assert_int_equal(look.deepest, 4);
    assert_true(look.depth_ns == 1200);
    assert_int_equal(look.now.depth, 0);
}

/* A real one, of this process: the decoding and the library agree. */
static void test_real(void **state)
{
    struct mt_queue *queue = mt_queue_new(&(struct mt_queue_options){.name = "mine", .capacity = 3, .message_max = 16});
    struct queues *queues = queues_open();
    (void)state;
    assert_non_null(queue);
    assert_non_null(queues);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_queue_put(queue, "", 1, MT_NOWAIT), 0);
    queues_scan(queues, getpid());
    queues_scan(queues, getpid());
    assert_int_equal(queues_count(queues), 1);
    const struct queues_look *look = queues_at(queues, 0);
    assert_string_equal(look->name, "mine");
    assert_int_equal(look->capacity, 3);
    assert_int_equal(look->now.depth, 3);
    assert_true(look->now.full);
    assert_true(mt_queue_is_full(queue));
    mt_queue_free(queue);
    queues_sample(queues, 1000);
    assert_int_equal(look->now.put, 3);
    queues_close(queues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring), cmocka_unit_test(test_full_by_bytes), cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_heap), cmocka_unit_test(test_no_queue),      cmocka_unit_test(test_sums),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
