/* SPDX-License-Identifier: MIT
 *
 * No byte is lost, whoever is killed or gives up, and whatever the last call has left. tests/loops.t runs this on each
 * loop.
 */
#include "io-unit.h"

#include <sys/socket.h>

/* -- No byte is lost ---------------------------------------------------------------------------------------------- */

struct stream {
    int ends[2];
    uint32_t next; /* the number that is read next */
    unsigned char partial[4];
    size_t has;
};

static int write_numbers(void *arg)
{
    struct stream *stream = arg;

    for (uint32_t i = 0; i < 4000; i++) {
        int result = mt_write_all(stream->ends[1], &i, sizeof i, NULL, soon());
        if (result)
            return result;
        if (i % 16 == 0)
            mt_sleep(MT_US(100));
    }
    return mt_close(stream->ends[1]);
}

static int read_numbers(void *arg)
{
    struct stream *stream = arg;
    uint32_t number;

    while (!mt_task_killed()) { /* it need not wait for long: what is there is read also by a killed task */
        ssize_t count = mt_read(stream->ends[0], stream->partial + stream->has, 4 - stream->has, soon());
        if (count <= 0)
            return (int)count;
        stream->has += (size_t)count;
        if (stream->has < 4)
            continue;
        stream->has = 0;
        memcpy(&number, stream->partial, 4);
        if (number != stream->next++)
            return mt_fail(-EILSEQ, "%u instead of %u", number, stream->next - 1);
    }
    return -ECANCELED;
}

/* Readers are killed, or give up, one after the other; each goes on where the last one was. */
static void a_cancelled_read_loses_no_byte(void **state)
{
    struct stream stream = {.next = 0};
    struct mt_task *writer, *reader;
    int outcome, readers = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream.ends), 0);
    writer = mt_coro_spawn(write_numbers, &stream, NULL);
    do {
        reader = mt_coro_spawn(read_numbers, &stream, NULL);
        if (mt_task_join(reader, mt_after(MT_US(200 + readers * 37 % 1000))))
            mt_task_kill(reader);
        assert_int_equal(mt_task_join(reader, soon()), 0);
        outcome = mt_task_outcome(reader);
        mt_task_release(reader);
        readers++;
    } while (outcome == -ECANCELED);
    assert_int_equal(outcome, 0);
    assert_int_equal(stream.next, 4000);
    print_message("# %d readers\n", readers);
    assert_true(readers > 5);
    assert_int_equal(finish(writer), 0);
    close(stream.ends[0]);
}

/* -- What is tried before it is waited for ------------------------------------------------------------------------ */

/* What the last call has left on a descriptor of that number says nothing about the next: however it was, bytes that
 * are there are had. */
static int receive_after_all(void *arg)
{
    char buffer[8];
    int ends[2], others[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(mt_send(ends[1], "12345678", 8, 0, soon()) == 8);
    CHECK(mt_recv(ends[0], buffer, 4, 0, soon()) == 4);                      /* there is more */
    CHECK(mt_recv(ends[0], buffer, 8, 0, soon()) == 4);                      /* there is not */
    CHECK(mt_recv(ends[0], buffer, 8, 0, mt_after(MT_MS(5))) == -ETIMEDOUT); /* it waits */
    CHECK(mt_send(ends[1], "12345678", 8, 0, soon()) == 8);                  /* and does not believe it: */
    CHECK(mt_recv(ends[0], buffer, 8, MSG_PEEK, soon()) == 8);
    CHECK(mt_recv(ends[0], buffer, 2, 0, MT_NOWAIT) == 2);
    CHECK(mt_recv(ends[0], buffer, 2, 0, soon()) == 2);
    CHECK(mt_recv(ends[0], buffer, 8, 0, soon()) == 4);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, others) == 0);
    CHECK(send(others[1], "abc", 3, 0) == 3);
    CHECK(dup2(others[0], ends[0]) == ends[0]); /* the number is another socket's */
    CHECK(mt_recv(ends[0], buffer, 8, 0, soon()) == 3 && !memcmp(buffer, "abc", 3));
    CHECK(mt_send(others[1], "d", 1, 0, soon()) == 1);
    CHECK(mt_close(others[1]) == 0);
    CHECK(mt_recv(ends[0], buffer, 8, 0, soon()) == 1);
    CHECK(mt_recv(ends[0], buffer, 8, 0, soon()) == 0);
    CHECK(mt_close(ends[0]) == 0 && mt_close(ends[1]) == 0 && mt_close(others[0]) == 0);
    return 0;
}

static void what_was_left_is_a_guess(void **state)
{
    both_ways(receive_after_all);
}

/* A killed task gets what is there, also where the last receive has left nothing, and is refused the wait. */
static int receive_killed(void *arg)
{
    char buffer[8];
    int fd = *(int *)arg;

    CHECK(mt_recv(fd, buffer, 8, 0, soon()) == 3);
    CHECK(mt_sleep(MT_SEC(30)) == -ECANCELED);
    CHECK(mt_recv(fd, buffer, 8, 0, soon()) == 2);
    CHECK(mt_recv(fd, buffer, 8, 0, soon()) == -ECANCELED);
    return 0;
}

static void the_killed_get_what_is_there(void **state)
{
    struct mt_task *task;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(send(ends[1], "abc", 3, 0), 3);
    task = mt_coro_spawn(receive_killed, &ends[0], NULL);
    assert_int_equal(mt_sleep(MT_MS(2)), 0);
    assert_int_equal(send(ends[1], "de", 2, 0), 2);
    assert_int_equal(mt_task_kill(task), 0);
    assert_int_equal(finish(task), 0);
    close(ends[0]);
    close(ends[1]);
}

/* Never has to wait, for it sends to itself. */
static int talk_to_oneself(void *arg)
{
    const int *others_ran = arg;
    char byte = 0;
    int ends[2], times = 0;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (; !*others_ran && times < 100000; times++) {
        CHECK(mt_send(ends[0], &byte, 1, 0, soon()) == 1);
        CHECK(mt_recv(ends[1], &byte, 1, 0, soon()) == 1);
    }
    CHECK(times < 1000);
    CHECK(mt_close(ends[0]) == 0 && mt_close(ends[1]) == 0);
    return 0;
}

static int run_once(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

static void who_never_waits_lets_others_run(void **state)
{
    int ran = 0;
    struct mt_task *busy = mt_coro_spawn(talk_to_oneself, &ran, NULL), *other = mt_coro_spawn(run_once, &ran, NULL);

    assert_int_equal(finish(busy), 0);
    assert_int_equal(finish(other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_read_loses_no_byte),
        cmocka_unit_test(what_was_left_is_a_guess),
        cmocka_unit_test(the_killed_get_what_is_there),
        cmocka_unit_test(who_never_waits_lets_others_run),
    };

    return RUN(tests);
}
