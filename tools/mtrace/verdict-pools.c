/* SPDX-License-Identifier: MIT
 *
 * The verdict on pools: the one with failures, else the one whose workers are busiest. Failures are said first, then
 * whether its workers are too few, stuck, or keep up.
 */
#include "code-text.h"
#include "format.h"
#include "model.h"
#include <inttypes.h>
#include <string.h>

#define BUSY_ABOVE  0.85       /* workers that are in tasks for this share of the time are busy */
#define STILL_NS    1000000000 /* tasks that have run for this long, with none done, stand still */
#define STILL_SHARE 0.9        /* if that is this much of the recording */

static double busy_share(const struct model_pool *pool)
{
    return pool->life ? (double)pool->busy / (double)pool->life : 0;
}

static const struct model_worker *longest_running(const struct model_pool *pool)
{
    const struct model_worker *longest = NULL;
    for (size_t i = 0; i < pool->worker_count; i++)
        if (pool->workers[i].running && (!longest || pool->workers[i].running > longest->running))
            longest = &pool->workers[i];
    return longest;
}

static bool stands_still(const struct model *model, const struct model_pool *pool)
{
    size_t stuck = 0;
    for (size_t i = 0; i < pool->worker_count; i++)
        stuck += (double)pool->workers[i].running > STILL_SHARE * (double)model->duration &&
                 pool->workers[i].running >= STILL_NS;
    return stuck && stuck == pool->worker_count;
}

static void say_failures(struct model *model, const struct model_pool *pool)
{
    const struct model_failure *most = pool->failure_count ? &pool->failures[0] : NULL;
    model_say(model, "%" PRIu64 " of %" PRIu64 " tasks failed", pool->failed, pool->done);
    if (!most)
        return;
    if (pool->failed > 1 && most->count == pool->failed)
        model_say(model, ", all");
    else if (pool->failed > 1)
        model_say(model, ", %" PRIu64 " of them", most->count);
    model_say(model, " with %d", most->code);
    if (*most->message)
        model_say(model, " \"%s\"", most->message);
    else if (most->code < 0 && most->code > -4096)
        model_say(model, " (%s)", strerror(-most->code));
    model_say(model, "; ");
}

static void say_times(struct model *model, const struct model_pool *pool)
{
    if (pool->waits.count)
        model_say(model, "; half of the tasks waited longer than %s for a worker",
                  format_time(histogram_percentile(&pool->waits, 50)));
    if (pool->runs.count)
        model_say(model, "%s ran longer than %s", pool->waits.count ? ", half" : "; half of the tasks",
                  format_time(histogram_percentile(&pool->runs, 50)));
}

static void judge(struct model *model, const struct model_pool *pool)
{
    const struct model_worker *longest = longest_running(pool);
    size_t workers = pool->worker_count;
    model_say(model, "pool \"%s\"", pool->name);
    if (pool->failed) {
        model_say(model, ": ");
        say_failures(model, pool);
    }
    if (longest && stands_still(model, pool)) {
        model_say(model, "%sstands still: %s %zu worker%s %s in tasks, the longest for %s", pool->failed ? "it " : " ",
                  workers == 1 ? "its" : "all", workers, workers == 1 ? "" : "s", workers == 1 ? "is" : "are",
                  format_time(longest->running));
        if (*longest->body)
            model_say(model, " (%s)", code_text(longest->body));
        model_say(model, ", and %u task%s in the queue", pool->queued, pool->queued == 1 ? " is" : "s are");
        return;
    }
    bool few = busy_share(pool) >= BUSY_ABOVE && pool->most > workers &&
               histogram_percentile(&pool->waits, 50) > histogram_percentile(&pool->runs, 50) / 2;
    model_say(model, "%s%s: %zu worker%s %s busy %s of the time", pool->failed ? "it " : " ",
              few ? "has too few workers" : "keeps up", workers, workers == 1 ? "" : "s", workers == 1 ? "was" : "were",
              format_share(busy_share(pool)));
    say_times(model, pool);
    if (few)
        model_say(model, "; %u in the queue now, %u at the most", pool->queued, pool->most);
}

void model_judge_pools(struct model *model)
{
    if (!model->pool_count) {
        model_say(model, "no pool of liblinuxmt did anything: no task was queued, started or done");
        return;
    }
    judge(model, &model->pools[0]);
}
