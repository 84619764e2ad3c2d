/* SPDX-License-Identifier: MIT
 *
 * Messages that are read in place, given back, and got again when their reader dies.
 */
#include "queue-unit.h"

#include <sys/wait.h>

static void views(void **state)
{
    EACH_ORDER(o)
    {
        struct mt_queue *queue = make(orders[o], 4, 8);
        struct mt_queue_view view[4], stale;
        for (int i = 0; i < 4; i++)
            assert_int_equal(put_int(queue, i, MT_NOWAIT), 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(mt_queue_get_view(queue, &view[i], MT_NOWAIT), 0);
            assert_int_equal(view[i].size, sizeof(int));
            assert_int_equal(*(const int *)view[i].data, orders[o] == MT_QUEUE_LIFO ? 3 - i : i);
        }
        assert_true(mt_queue_is_empty(queue));
        assert_int_equal(put_int(queue, 9, MT_NOWAIT), -EBUSY); /* their room is not free yet */
        stale = view[1];
        assert_int_equal(mt_queue_give_back(queue, &view[1], 0), 0);
        assert_int_equal(mt_queue_give_back(queue, &view[1], 0), -EINVAL);
        assert_int_equal(mt_queue_give_back(queue, &stale, 0), -EINVAL);
        assert_int_equal(mt_queue_give_back(queue, &view[0], 0), 0);
        assert_int_equal(put_int(queue, 10, MT_NOWAIT), 0);
        assert_int_equal(put_int(queue, 11, MT_NOWAIT), 0);
        assert_int_equal(put_int(queue, 12, MT_NOWAIT), -EBUSY);
        assert_int_equal(mt_queue_give_back(queue, &view[2], 1), 0); /* again, before the others */
        assert_int_equal(get_int(queue, MT_NOWAIT), orders[o] == MT_QUEUE_LIFO ? 1 : 2);
        assert_int_equal(mt_queue_give_back(queue, &view[3], 1), 0);
        assert_int_equal(mt_queue_get_view(queue, &view[3], MT_NOWAIT), 0);
        assert_int_equal(*(const int *)view[3].data, orders[o] == MT_QUEUE_LIFO ? 0 : 3);
        assert_int_equal(mt_queue_give_back(queue, &view[3], 0), 0);
        assert_int_equal(get_int(queue, MT_NOWAIT), orders[o] == MT_QUEUE_LIFO ? 11 : 10);
        assert_int_equal(get_int(queue, MT_NOWAIT), orders[o] == MT_QUEUE_LIFO ? 10 : 11);
        assert_int_equal(get_int(queue, MT_NOWAIT), -EBUSY);
        for (int i = 0; i < 4; i++)
            assert_int_equal(put_int(queue, i, MT_NOWAIT), 0);
        mt_queue_free(queue);
    }
}

static void too_many_views(void **state)
{
    EACH_ORDER(o)
    {
        struct mt_queue *queue = make(orders[o], MT_QUEUE_VIEWS + 1, 8);
        struct mt_queue_view view[MT_QUEUE_VIEWS + 1];
        for (int i = 0; i <= MT_QUEUE_VIEWS; i++)
            assert_int_equal(put_int(queue, i, MT_NOWAIT), 0);
        for (int i = 0; i < MT_QUEUE_VIEWS; i++)
            assert_int_equal(mt_queue_get_view(queue, &view[i], MT_NOWAIT), 0);
        assert_int_equal(mt_queue_get_view(queue, &view[MT_QUEUE_VIEWS], MT_NOWAIT), -ENOBUFS);
        assert_int_equal(get_int(queue, MT_NOWAIT), orders[o] == MT_QUEUE_LIFO ? 0 : MT_QUEUE_VIEWS);
        for (int i = MT_QUEUE_VIEWS; i-- > 0;)
            assert_int_equal(mt_queue_give_back(queue, &view[i], 0), 0);
        assert_int_equal(queue->shared->out, 0);
        mt_queue_free(queue);
    }
}

/* A process that dies with views out: what it had is got again by one who waits, before the rest. */
static void views_of_the_dead(void **state)
{
    EACH_ORDER(o)
    {
        struct mt_queue *queue = make(orders[o], 4, 8);
        int status, values, ready[2];
        pid_t child;
        char byte;
        assert_int_equal(pipe(ready), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(put_int(queue, i, MT_NOWAIT), 0);
        child = fork();
        if (!child) {
            struct mt_queue_view view[2];
            int failed = 0;
            for (int i = 0; i < 2; i++)
                failed |= mt_queue_get_view(queue, &view[i], MT_NOWAIT);
            _exit(failed || write(ready[1], "", 1) != 1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        /* The child is a zombie, or not even that yet. */
        values = get_int(queue, in_time());
        values += 10 * get_int(queue, in_time());
        assert_true(values == 1 || values == 10);
        assert_int_equal(get_int(queue, mt_after(MT_MS(1))), -ETIMEDOUT);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(mt_queue_close(queue), 0);
        assert_int_equal(get_int(queue, MT_NOWAIT), -EPIPE);
        mt_queue_free(queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views),
        cmocka_unit_test(too_many_views),
        cmocka_unit_test(views_of_the_dead),
    };
    return RUN(tests);
}
