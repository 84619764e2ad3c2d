/* SPDX-License-Identifier: MIT
 *
 * A peer that scribbles over the queue: known places by hand, and anything at random with the fuzzer's own target
 * (tests/fuzz/queue.c), for machines without libFuzzer.
 */
#include "queue/segment.h"
#include "unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mt_queue *make(enum mt_queue_order order)
{
    struct mt_queue_options options = {"hostile", order, 4, 100, 0};
    struct mt_queue *queue = mt_queue_new(&options);

    assert_non_null(queue);
    assert_int_equal(mt_queue_put(queue, "message", 8, MT_NOWAIT), 0);
    return queue;
}

static void sizes_and_positions(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_FIFO);
    struct mt__segment *shared = queue->shared;
    struct mt_queue_view view;
    uint32_t *size = (uint32_t *)queue->data;
    uint64_t tail = shared->tail;
    char buffer[4096] = "";

    *size = 101;
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    assert_int_equal(mt_queue_get_view(queue, &view, MT_NOWAIT), -EUCLEAN);
    *size = UINT32_MAX;
    assert_int_equal(mt_queue_peek(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    *size = 9; /* more than was put, and so beyond tail */
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_queue_put(queue, buffer, 100, MT_NOWAIT), 0);
    tail = shared->get_tail = shared->tail;
    *size = 101; /* not beyond tail, but more than the limit */
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    *size = 8;
    size[1]++; /* not the message that it should be */
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    size[1]--;
    shared->tail = shared->get_tail = tail + 5; /* five messages more than fit */
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    assert_int_equal(mt_queue_put(queue, buffer, 1, MT_NOWAIT), -EUCLEAN);
    shared->tail = shared->get_tail = tail + ((uint64_t)1 << 42);
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    assert_int_equal(mt_queue_put(queue, buffer, 1, MT_NOWAIT), -EUCLEAN);
    shared->tail = shared->get_tail = tail;
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), 8);
    assert_string_equal(buffer, "message");
    mt_queue_free(queue);
}

static void indices(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_PRIORITY);
    uint32_t *heap = (uint32_t *)queue->data, *list = heap + 4, first = heap[0], next = list[2];
    char buffer[100];

    heap[0] = 4;
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    heap[0] = next; /* a slot that is free */
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    heap[0] = first;
    list[2] = UINT32_MAX;
    assert_int_equal(mt_queue_put(queue, buffer, 1, MT_NOWAIT), -EUCLEAN);
    list[2] = first; /* a slot that is full */
    assert_int_equal(mt_queue_put(queue, buffer, 1, MT_NOWAIT), -EUCLEAN);
    list[2] = next;
    queue->shared->unused = 1000000;
    assert_int_equal(mt_queue_put(queue, buffer, 1, MT_NOWAIT), -EUCLEAN);
    queue->shared->used = 1000000;
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EUCLEAN);
    assert_int_equal(mt_queue_size(queue), 0);
    mt_queue_free(queue);
}

/* A guard that a peer never gives back, or says that it does not: calls come back with their deadline. */
static void guards(void **state)
{
    static const uint32_t words[] = {1, 0x3fffffff, 0x80000001, 0xc0000001, 0xffffffff};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct mt_queue *queue = make(MT_QUEUE_FIFO);
        mt_deadline start = mt_now();
        char buffer[100];
        queue->shared->get.word = queue->shared->put.word = queue->shared->done.word = words[i];
        assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_queue_put(queue, buffer, 1, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, mt_after(MT_MS(10))), -ETIMEDOUT);
        assert_int_equal(mt_queue_put(queue, buffer, 1, mt_after(MT_MS(10))), -ETIMEDOUT);
        assert_int_equal(mt_queue_join(queue, mt_after(MT_MS(10))), -ETIMEDOUT);
        mt__queue_patience = MT_MS(10);
        assert_int_equal(mt_queue_close(queue), -ETIMEDOUT);
        assert_int_equal(mt_queue_task_done(queue), -ETIMEDOUT);
        mt__queue_patience = MT_SEC(10);
        assert_true(elapsed(start) >= 50);
        mt_queue_free(queue);
    }
}

/* What the head says counts for nothing once the handle is made, and is checked before. */
static void the_head(void **state)
{
    struct mt_queue *queue = make(MT_QUEUE_FIFO);
    struct mt__segment *shared = queue->shared, good = *shared;
    char buffer[100];

#define EXPECT(field, value)                              \
    do {                                                  \
        shared->field = (value);                          \
        errno = 0;                                        \
        assert_null(mt_queue_attach(mt_queue_fd(queue))); \
        assert_int_equal(errno, EUCLEAN);                 \
        shared->field = good.field;                       \
    } while (0)
    EXPECT(order, 3);
    EXPECT(capacity, 0);
    EXPECT(capacity, UINT32_MAX);
    EXPECT(message_max, UINT32_MAX);
    EXPECT(message_max, 1 << 20);
    EXPECT(head_size, 0);
    EXPECT(head_size, good.head_size + 4096);
    EXPECT(data_size, 0);
    EXPECT(data_size, good.data_size + 1);
    EXPECT(data_size, good.data_size * 2);
    shared->capacity = shared->message_max = UINT32_MAX;
    shared->data_size = shared->head_size = 0;
    assert_int_equal(mt_queue_get(queue, buffer, sizeof buffer, MT_NOWAIT), 8);
    assert_int_equal(mt_queue_put(queue, buffer, 100, MT_NOWAIT), 0);
    assert_int_equal(mt_queue_put(queue, buffer, 101, MT_NOWAIT), -EMSGSIZE);
    mt_queue_free(queue);
}

static void anything(void **state)
{
    static uint8_t input[400];
    mt_deadline start = mt_now();
    unsigned seed = 12345;

    for (int i = 0; goes_on(i, SANITIZER ? 500 : often(3000), start); i++) {
        size_t size = 20 + (size_t)i % (sizeof input - 20);
        for (size_t j = 0; j < size; j++) {
            seed = seed * 1103515245u + 12345u;
            input[j] = (uint8_t)(seed >> 16);
        }
        assert_int_equal(LLVMFuzzerTestOneInput(input, size), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_positions),
        cmocka_unit_test(indices),
        cmocka_unit_test(guards),
        cmocka_unit_test(the_head),
        cmocka_unit_test(anything),
    };
    return RUN(tests);
}
