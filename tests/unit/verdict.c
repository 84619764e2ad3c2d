/* SPDX-License-Identifier: MIT
 *
 * mtrace's verdicts, from models made by hand.
 */
#include "../../tools/mtrace/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define SECOND 1000000000ull

static struct model_task tasks[] = {
    {.label = "one", .life = SECOND}, {.label = "two", .life = SECOND}, {.label = "three", .life = SECOND}};

static void begins(const struct model *model, const char *text)
{
    if (strncmp(model->verdict, text, strlen(text)))
        fail_msg("verdict: %s\nexpected: %s", model->verdict, text);
}

static struct model empty_model(void)
{
    return (struct model){.duration = SECOND, .tasks = tasks, .task_count = 3};
}

/* Tasks one and two on the side of putting, three on that of getting. */
static struct model_queue_part putters[] = {{.task = 0}, {.task = 1}}, getters[] = {{.task = 2}};

static struct model_queue queue_of(const char *label)
{
    return (struct model_queue){.label = label,
                                .capacity = 4,
                                .looks = 1,
                                .sides = {{.parts = putters, .part_count = 2}, {.parts = getters, .part_count = 1}}};
}

static void test_no_queue(void **state)
{
    struct model model = empty_model();
    (void)state;
    model_judge_queues(&model);
    begins(&model, "no queue of liblinuxmt was used");
}

/* Consumers that wait longer must not hide the queue that producers wait for. */
static void test_full_first(void **state)
{
    struct model_queue queues[] = {queue_of("\"idle\""), queue_of("\"jobs\"")};
    struct model model = empty_model();
    (void)state;
    queues[0].sides[QUEUE_GET].ns = SECOND;
    queues[0].sides[QUEUE_PUT].moved = 1;
    queues[1].full = 0.6;
    queues[1].sides[QUEUE_PUT].ns = SECOND;
    queues[1].sides[QUEUE_GET].moved = 12;
    model.queues = queues;
    model.queue_count = 2;
    model_judge_queues(&model);
    begins(&model,
           "queue \"jobs\" is full 60 % of the time: its 2 producers (one, two) waited for room 50 % of their time; "
           "its 1 consumer (three) got 12 messages a second and waited 0 % of the time for them: getting is too slow");
}

static void test_empty(void **state)
{
    struct model_queue queue = queue_of("\"jobs\"");
    struct model model = empty_model();
    (void)state;
    queue.empty = 0.9;
    queue.sides[QUEUE_GET].ns = SECOND * 8 / 10;
    queue.sides[QUEUE_PUT].moved = 3;
    queue.sides[QUEUE_PUT].ns = SECOND / 100; /* not worth a word */
    model.queues = &queue;
    model.queue_count = 1;
    model_judge_queues(&model);
    begins(&model, "nobody waits for room; queue \"jobs\" is empty 90 % of the time: its 1 consumer (three) waited for "
                   "messages 80 % of their time; 3 were put a second");
}

static void test_still(void **state)
{
    struct model_queue queue = queue_of("\"jobs\"");
    struct model model = empty_model();
    (void)state;
    putters[1].waits_now = true;
    queue.depth = 4;
    queue.sides[QUEUE_PUT].open = 1;
    queue.sides[QUEUE_PUT].ns = queue.sides[QUEUE_PUT].max = SECOND;
    model.queues = &queue;
    model.queue_count = 1;
    model_judge_queues(&model);
    begins(&model,
           "queue \"jobs\" stands still: it is full (4 of 4 messages), 1 producer (two) waits for room, all the "
           "1.00 s that were recorded, and nobody gets");
    model.verdict[0] = 0;
    queue.sides[QUEUE_GET].moved = 1; /* it does move */
    model_judge_queues(&model);
    begins(&model, "queue \"jobs\" is full");
    putters[1].waits_now = false;
}

/* Its users may not be seen, or never wait. */
static void test_full_unseen(void **state)
{
    struct model_queue queue = queue_of("\"jobs\"");
    struct model model = empty_model();
    (void)state;
    queue.full = 0.93;
    queue.sides[QUEUE_PUT].moved = 92;
    queue.sides[QUEUE_GET].moved = 96;
    model.queues = &queue;
    model.queue_count = 1;
    model_judge_queues(&model);
    begins(&model,
           "queue \"jobs\" is full 93 % of the time, though nobody was seen to wait for room; 92 messages a second "
           "were put, 96 got");
    model.verdict[0] = 0;
    queue.sides[QUEUE_PUT].waits = 3;
    queue.sides[QUEUE_PUT].ns = SECOND / 50;
    model_judge_queues(&model);
    begins(&model, "queue \"jobs\" is full 93 % of the time, but who puts waited for room only 1.0 % of the time;");
}

static void test_quiet(void **state)
{
    struct model_queue queue = queue_of("\"jobs\"");
    struct model model = empty_model();
    (void)state;
    queue.sides[QUEUE_PUT].moved = queue.sides[QUEUE_GET].moved = 5;
    queue.sides[QUEUE_GET].max = 2000;
    model.queues = &queue;
    model.queue_count = 1;
    model_judge_queues(&model);
    begins(&model, "1 queue: nobody waits long; 5 messages put, 5 got, the longest wait 2.00 us");
}

/* -- Pools -------------------------------------------------------------------------------------------------------- */

static struct model_worker workers[] = {{.task = 0, .body = ""}, {.task = 1, .body = ""}};

static struct model_pool pool_of(double busy)
{
    return (struct model_pool){.name = "render",
                               .workers = workers,
                               .worker_count = 2,
                               .life = 2 * SECOND,
                               .busy = (uint64_t)(busy * 2 * SECOND)};
}

static void add_times(struct histogram *times, uint64_t ns)
{
    __u32 buckets[WAIT_BUCKETS] = {0};
    buckets[histogram_bucket(ns)] = 10;
    histogram_add(times, buckets, ns, ns);
}

static void judge(struct model *model, struct model_pool *pool)
{
    *model = empty_model();
    model->pools = pool;
    model->pool_count = pool ? 1 : 0;
    model_judge_pools(model);
}

static void test_pools(void **state)
{
    struct model_pool pool = pool_of(0.25);
    struct model model;
    (void)state;
    judge(&model, NULL);
    begins(&model, "no pool of liblinuxmt did anything");
    add_times(&pool.waits, 1000);
    add_times(&pool.runs, 1000000);
    judge(&model, &pool);
    begins(&model,
           "pool \"render\" keeps up: 2 workers were busy 25 % of the time; half of the tasks waited longer than "
           "1.00 us for a worker, half ran longer than 1.00 ms");
}

static void test_too_few(void **state)
{
    struct model_pool pool = pool_of(0.9);
    struct model model;
    (void)state;
    add_times(&pool.waits, 2000000);
    add_times(&pool.runs, 1000000);
    pool.most = 2;
    judge(&model, &pool);
    begins(&model, "pool \"render\" keeps up"); /* no more tasks than workers */
    pool.most = 30;
    pool.queued = 7;
    judge(&model, &pool);
    begins(&model, "pool \"render\" has too few workers: 2 workers were busy 90 % of the time");
    assert_non_null(strstr(model.verdict, "; 7 in the queue now, 30 at the most"));
}

static void test_failures(void **state)
{
    struct model_failure failures[] = {{.code = -EIO, .message = "", .count = 3},
                                       {.code = 7, .message = "no", .count = 1}};
    struct model_pool pool = pool_of(0.1);
    struct model model;
    (void)state;
    pool.failed = 4;
    pool.done = 9;
    pool.failures = failures;
    pool.failure_count = 2;
    judge(&model, &pool);
    begins(&model, "pool \"render\": 4 of 9 tasks failed, 3 of them with -5 (Input/output error); it keeps up");
    pool.failed = pool.failure_count = 1;
    pool.failures = failures + 1;
    judge(&model, &pool);
    begins(&model, "pool \"render\": 1 of 9 tasks failed with 7 \"no\"; it keeps up");
}

static void test_stands_still(void **state)
{
    struct model_worker stuck[] = {{.task = 0, .running = SECOND, .body = "hang"},
                                   {.task = 1, .running = SECOND, .body = ""}};
    struct model_pool pool = pool_of(1);
    struct model model;
    (void)state;
    pool.workers = stuck;
    pool.queued = 3;
    judge(&model, &pool);
    begins(&model,
           "pool \"render\" stands still: all 2 workers are in tasks, the longest for 1.00 s (hang), and 3 tasks "
           "are in the queue");
    stuck[1].running = 0;
    judge(&model, &pool);
    begins(&model, "pool \"render\" keeps up");
}

/* -- Coroutines --------------------------------------------------------------------------------------------------- */

static struct model coro_model(struct model_hub *hub, struct model_coro *coros, size_t count)
{
    struct model model = empty_model();
    *hub = (struct model_hub){.task = 0, .name = "server", .slept = SECOND / 2, .monitor_name = ""};
    for (size_t i = 0; i < count; i++)
        coros[i] = (struct model_coro){.id = i + 1,
                                       .name = i ? "worker" : "main",
                                       .root = !i,
                                       .what = "",
                                       .call = "",
                                       .place = "",
                                       .body = "",
                                       .state = MT_WAITING};
    model.hubs = hub;
    model.hub_count = 1;
    model.coros = coros;
    model.coro_count = count;
    model.threshold = SECOND / 10;
    return model;
}

static void test_no_coroutine(void **state)
{
    struct model model = empty_model();
    (void)state;
    model_judge_coros(&model);
    begins(&model, "no coroutine of liblinuxmt was there");
}

static void test_quiet_hub(void **state)
{
    struct model_hub hub;
    struct model_coro coros[3];
    struct model model = coro_model(&hub, coros, 3);
    (void)state;
    coros[1].what = coros[2].what = "event \"go\"";
    coros[0].longest_run = SECOND; /* the thread's own does not count */
    model_judge_coros(&model);
    begins(&model,
           "nothing keeps a hub: the busiest, of \"server\", is asleep 50 % of the time; 2 coroutines in 1 hub, 0 "
           "ended; 2 wait for event \"go\"");
}

static void test_busy_hub(void **state)
{
    struct model_hub hub;
    struct model_coro coros[2];
    struct model model = coro_model(&hub, coros, 2);
    (void)state;
    hub.slept = SECOND / 50;
    model_judge_coros(&model);
    begins(&model, "the hub of \"server\" is busy 98 % of the time; 1 coroutine in 1 hub");
}

/* A call that keeps the hub is also a long run: it says more. */
static void test_kept_before_run(void **state)
{
    struct model_kept kept = {
        .coro = "worker", .what = "fsync", .place = "save at db.c:7", .count = 3, .ns = SECOND / 2, .max = SECOND / 4};
    struct model_hub hub;
    struct model_coro coros[2];
    struct model model = coro_model(&hub, coros, 2);
    (void)state;
    coros[1].longest_run = SECOND / 4;
    hub.kept = &kept;
    hub.kept_count = 1;
    model_judge_coros(&model);
    begins(&model,
           "the hub of \"server\" was kept for 500 ms by \"worker\" in fsync (save at db.c:7), 3 times, for 250 ms "
           "at the most: nothing else of it ran meanwhile");
}

static void test_long_run_before_lost(void **state)
{
    struct model_hub hub;
    struct model_coro coros[2];
    struct model model = coro_model(&hub, coros, 2);
    (void)state;
    coros[1].longest_run = SECOND / 4;
    coros[1].body = "think";
    coros[1].overdue = true;
    model_judge_coros(&model);
    begins(&model,
           "\"worker\" ran for 250 ms without a wait or a yield (think): nothing else of its hub \"server\" ran");
}

static void test_lost_wakeup(void **state)
{
    struct model_hub hub;
    struct model_coro coros[3];
    struct model model = coro_model(&hub, coros, 3);
    (void)state;
    coros[1].longest_run = SECOND / 20;
    coros[1].overdue = coros[2].overdue = true;
    coros[1].what = "event \"go\"";
    coros[1].place = "main.c:3";
    model_judge_coros(&model);
    begins(&model,
           "a wake-up was lost: \"worker\" waits for event \"go\" at main.c:3, which has happened; there are 1 more "
           "such");
}

static void test_snapshot(void **state)
{
    struct model_hub hub;
    struct model_coro coros[3];
    struct model model = coro_model(&hub, coros, 3);
    (void)state;
    model.snapshot = true;
    coros[2].state = MT_RUNNING;
    coros[2].name = "spinner";
    model_judge_coros(&model);
    begins(&model, "2 coroutines in 1 hub; \"spinner\" runs");
}

const char *model_holders(struct model *model, const struct model_lock *lock)
{
    (void)model, (void)lock;
    return "";
}

/* One task runs, another wants to: that "nothing waits" would be no answer. */
static void test_bound(void **state)
{
    struct model_task pair[] = {{.label = "one", .life = SECOND, .raw.running = SECOND * 8 / 10},
                                {.label = "two", .life = SECOND, .raw.running = SECOND * 4 / 10}};
    struct model_part part = {.task = 1, .ns = SECOND * 3 / 10};
    struct model_wait wait = {.class = MODEL_BLOCKED,
                              .reason = WAIT_DISK,
                              .what = "file",
                              .place = "",
                              .ns = SECOND * 3 / 10,
                              .parts = &part,
                              .part_count = 1,
                              .waker_name = ""};
    struct model model = {
        .duration = SECOND, .life = 2 * SECOND, .running = SECOND * 12 / 10, .tasks = pair, .task_count = 2};
    (void)state;
    model_judge(&model);
    begins(&model, "nothing waits: CPU-bound; one ran 80 % of its time");
    model.verdict[0] = 0;
    model.ready = SECOND * 4 / 10;
    model_judge(&model);
    begins(&model,
           "mostly CPU-bound; one ran 80 % of its time; tasks that could run waited for a CPU 25 % of the time");
    model.verdict[0] = 0;
    model.ready = SECOND / 10;
    model.waiting[MODEL_BLOCKED] = SECOND * 3 / 10;
    model.waits = &wait;
    model.wait_count = 1;
    model_judge(&model);
    begins(&model, "mostly CPU-bound; one ran 80 % of its time; two, 1 of 2 tasks, spent 30 % of its time waiting for "
                   "the disk: file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_queue),
        cmocka_unit_test(test_full_first),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_still),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_full_unseen),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_stands_still),
        cmocka_unit_test(test_no_coroutine),
        cmocka_unit_test(test_quiet_hub),
        cmocka_unit_test(test_busy_hub),
        cmocka_unit_test(test_kept_before_run),
        cmocka_unit_test(test_long_run_before_lost),
        cmocka_unit_test(test_lost_wakeup),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
