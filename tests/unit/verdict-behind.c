/* SPDX-License-Identifier: MIT
 *
 * What mtrace's verdict says of those behind a wait, from models made by hand.
 */
#include "../../tools/mtrace/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define SECOND         1000000000ull
#define SHARE(percent) ((percent)*SECOND / 100)

const char *model_holders(struct model *model, const struct model_lock *lock)
{
    (void)model, (void)lock;
    return "two 90 %";
}

/* A pipeline: "last" waits for a pipe from "middle", and that one for something. */
struct chain {
    struct model_task tasks[4];
    struct model_part parts[3];
    struct model_wait waits[3];
    struct model_waker wakers[3];
    struct model_lock lock;
    struct model model;
};

static struct model_wait wait_of(struct model_part *part, enum wait_reason reason, enum model_class class)
{
    return (struct model_wait){.reason = reason,
                               .class = class,
                               .what = "pipe",
                               .place = "",
                               .ns = part->ns,
                               .parts = part,
                               .part_count = 1,
                               .lock = -1,
                               .waker = -1,
                               .waker_name = "",
                               .other_end = -1};
}

static void set_up(struct chain *chain)
{
    static const char *const names[] = {"last", "middle", "first", "two"};
    *chain = (struct chain){.parts = {{0, 1, SHARE(90)}, {1, 1, SHARE(80)}, {2, 1, SHARE(70)}}};
    for (unsigned i = 0; i < 4; i++)
        chain->tasks[i] = (struct model_task){
            .label = names[i], .life = SECOND, .slot = i + 1, .raw = {.tid = i + 10, .tgid = i + 10, .parent = 1}};
    chain->waits[0] = wait_of(&chain->parts[0], WAIT_PIPE, MODEL_PEER);
    chain->waits[1] = wait_of(&chain->parts[1], WAIT_PIPE, MODEL_PEER);
    chain->waits[2] = wait_of(&chain->parts[2], WAIT_SLEEP, MODEL_IDLE);
    chain->waits[2].what = "sleep";
    chain->wakers[0] = (struct model_waker){.waker = 1, .wakee = 0, .reason = WAIT_PIPE, .ns = SHARE(90)};
    chain->wakers[1] = (struct model_waker){.waker = 2, .wakee = 1, .reason = WAIT_PIPE, .ns = SHARE(80)};
    chain->model = (struct model){.duration = SECOND,
                                  .life = 4 * SECOND,
                                  .tasks = chain->tasks,
                                  .task_count = 4,
                                  .waits = chain->waits,
                                  .wait_count = 3,
                                  .wakers = chain->wakers,
                                  .waker_count = 2,
                                  .locks = &chain->lock,
                                  .waiting = {[MODEL_PEER] = SHARE(170), [MODEL_IDLE] = SHARE(70)}};
}

static void says(struct chain *chain, const char *text)
{
    static const char begin[] = "last, 1 of 4 tasks, spent 90 % of its time waiting for the other end of pipe";
    chain->model.verdict[0] = 0;
    model_judge(&chain->model);
    if (strncmp(chain->model.verdict, begin, strlen(begin)) || strcmp(chain->model.verdict + strlen(begin), text))
        fail_msg("verdict: %s\nexpected: %s%s", chain->model.verdict, begin, text);
}

#define MIDDLE ": middle, which waited 80 % of its time for the other end of pipe"

static void test_sleeps(void **state)
{
    struct chain chain;
    (void)state;
    set_up(&chain);
    says(&chain, MIDDLE ": first, which slept 70 % of its time");
}

static void test_runs(void **state)
{
    struct chain chain;
    (void)state;
    set_up(&chain);
    chain.tasks[2].raw.running = SHARE(75);
    says(&chain, MIDDLE ": first, which ran 75 % of its time");
    chain.tasks[2].raw.running = SHARE(9);
    chain.tasks[2].raw.ready = SHARE(75);
    says(&chain, MIDDLE ": first, which was ready to run 75 % of its time and had no CPU");
}

static void test_lock(void **state)
{
    struct chain chain;
    (void)state;
    set_up(&chain);
    chain.lock.holder_count = 1;
    chain.waits[2].reason = WAIT_LOCK;
    chain.waits[2].class = MODEL_BLOCKED;
    chain.waits[2].lock = 0;
    chain.waits[2].what = "mutex m";
    chain.waits[2].place = "f at x.c:3";
    says(&chain,
         MIDDLE ": first, which waited 70 % of its time for mutex m in f at x.c:3, held by two 90 % of that time");
    chain.waits[2].reason = WAIT_DISK;
    chain.waits[2].lock = -1;
    chain.waits[2].what = "disk (fsync)";
    says(&chain, MIDDLE ": first, which waited 70 % of its time for the disk: disk (fsync) in f at x.c:3");
}

/* Those who wake each other in turn are no chain without an end. */
static void test_circle(void **state)
{
    struct chain chain;
    (void)state;
    set_up(&chain);
    chain.wakers[1].waker = 0;
    says(&chain, MIDDLE ": last");
}

static void test_several(void **state)
{
    struct chain chain;
    (void)state;
    set_up(&chain);
    chain.wakers[0].ns = SHARE(50);
    chain.tasks[1].raw.running = SHARE(85);
    says(&chain, ": mostly middle, which ran 85 % of its time");
    chain.wakers[0].ns = SHARE(10); /* it does not stand for the others */
    says(&chain, "");
    chain.wakers[0].waker = -1;
    chain.wakers[0].ns = SHARE(90);
    says(&chain, "");
}

/* Nobody has ended these waits yet. */
static void test_open(void **state)
{
    struct chain chain;
    (void)state;
    set_up(&chain);
    chain.model.waker_count = 0;
    chain.tasks[2].raw.running = SHARE(75);
    says(&chain, "");
    chain.waits[0].open = 1;
    chain.waits[0].other_end = 1;
    says(&chain, MIDDLE);
    chain.waits[1].reason = WAIT_CHILD;
    chain.waits[1].class = MODEL_IDLE;
    chain.waits[1].what = "child (wait4)";
    chain.waits[1].open = 1;
    chain.tasks[2].raw.parent = chain.tasks[1].slot;
    says(&chain, ": middle, which waited 80 % of its time for child (wait4): first, which ran 75 % of its time");
}

/* One that the verdict has told of is not told of twice. */
static void test_told(void **state)
{
    struct chain chain;
    static const char text[] =
        "mostly CPU-bound; middle ran 85 % of its time; last, 1 of 4 tasks, spent 40 % of its time "
        "waiting for the other end of pipe: middle";
    (void)state;
    set_up(&chain);
    chain.tasks[1].raw.running = chain.model.running = SHARE(85);
    chain.parts[0].ns = chain.waits[0].ns = chain.wakers[0].ns = chain.model.waiting[MODEL_PEER] = SHARE(40);
    model_judge(&chain.model);
    assert_string_equal(chain.model.verdict, text);
}

static void test_idle(void **state)
{
    struct chain chain;
    (void)state;
    set_up(&chain);
    chain.model.waits = chain.waits + 1;
    chain.model.wait_count = 1;
    chain.model.waiting[MODEL_PEER] = 0;
    chain.waits[1].class = MODEL_IDLE;
    chain.tasks[2].raw.running = SHARE(5);
    model_judge(&chain.model);
    assert_string_equal(chain.model.verdict,
                        "idle 18 % of the time, mostly waiting for pipe: first, which ran 5.0 % of its time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleeps), cmocka_unit_test(test_runs),    cmocka_unit_test(test_lock),
        cmocka_unit_test(test_circle), cmocka_unit_test(test_several), cmocka_unit_test(test_open),
        cmocka_unit_test(test_told),   cmocka_unit_test(test_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
