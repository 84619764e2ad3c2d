/* SPDX-License-Identifier: MIT
 *
 * The verdict on queues. A full queue holds up who puts, an empty one who gets; only the first is a trouble by itself,
 * so it goes first. A queue that nobody moves any more while tasks wait for it goes before all.
 */
#include "format.h"
#include "model.h"

#define STILL_NS   500000000 /* one that has not moved for this long stands still */
#define WAIT_ABOVE 0.05      /* producers that wait for less than this share of their time are not held up */
#define FULL_ABOVE 0.3       /* one that is full for this share of the time is worth a word, whoever waits */
#define NAMED      3         /* tasks in a sentence */

static bool was_full(const struct model_queue *queue)
{
    return queue->sides[QUEUE_PUT].open || queue->sides[QUEUE_PUT].ns;
}

/* "2 producers (a, b)" */
static void say_tasks(struct model *model, const struct model_queue_side *side, const char *one, bool waiting)
{
    size_t count = 0, named = 0;
    for (size_t i = 0; i < side->part_count; i++)
        count += !waiting || side->parts[i].waits_now;
    model_say(model, "%zu %s%s", count, one, count == 1 ? "" : "s");
    for (size_t i = 0; i < side->part_count && named < NAMED; i++)
        if (!waiting || side->parts[i].waits_now)
            model_say(model, "%s%s", named++ ? ", " : " (", model->tasks[side->parts[i].task].label);
    if (named)
        model_say(model, "%s)", named < count ? ", ..." : "");
}

/* Of the time of all tasks on that side. */
static double waited_share(const struct model *model, const struct model_queue_side *side)
{
    uint64_t life = 0;
    for (size_t i = 0; i < side->part_count; i++)
        life += model->tasks[side->parts[i].task].life;
    return life ? (double)side->ns / (double)life : 0;
}

static double per_second(const struct model *model, uint64_t messages)
{
    return model->duration ? (double)messages * 1e9 / (double)model->duration : 0;
}

/* Tasks wait on this side, have done so for a while, and the other side moves nothing. */
static bool stands_still(const struct model *model, const struct model_queue *queue, enum queue_sides side)
{
    const struct model_queue_side *waiting = &queue->sides[side], *other = &queue->sides[!side];
    return waiting->open && !other->moved && !waiting->moved && waiting->max >= STILL_NS &&
           (double)waiting->max > 0.9 * (double)model->duration;
}

static void judge_still(struct model *model, const struct model_queue *queue, enum queue_sides side)
{
    const struct model_queue_side *waiting = &queue->sides[side], *other = &queue->sides[!side];
    model_say(model, "queue %s stands still: it is %s", queue->label, side == QUEUE_PUT ? "full" : "empty");
    if (side == QUEUE_PUT && queue->looks)
        model_say(model, " (%u of %u messages)", queue->depth, queue->capacity);
    model_say(model, ", ");
    say_tasks(model, waiting, side == QUEUE_PUT ? "producer" : "consumer", true);
    model_say(model, " wait%s for %s, all the %s that were recorded, and nobody %s", waiting->open == 1 ? "s" : "",
              side == QUEUE_PUT ? "room" : "a message", format_time(model->duration),
              side == QUEUE_PUT ? "gets" : "puts");
    if (other->open)
        model_say(model, " but waits too");
}

static void judge_full(struct model *model, const struct model_queue *queue)
{
    const struct model_queue_side *put = &queue->sides[QUEUE_PUT], *get = &queue->sides[QUEUE_GET];
    model_say(model, "queue %s is full", queue->label);
    if (queue->looks)
        model_say(model, " %s of the time", format_share(queue->full));
    model_say(model, ": its ");
    say_tasks(model, put, "producer", false);
    model_say(model, " waited for room %s of their time; ", format_share(waited_share(model, put)));
    if (!get->moved) {
        model_say(model, "nobody got a message from it");
        return;
    }
    model_say(model, "its ");
    say_tasks(model, get, "consumer", false);
    model_say(model, " got %.3g messages a second and waited %s of the time for them%s", per_second(model, get->moved),
              format_share(waited_share(model, get)),
              waited_share(model, get) < waited_share(model, put) ? ": getting is too slow" : "");
}

static void judge_empty(struct model *model, const struct model_queue *queue)
{
    const struct model_queue_side *put = &queue->sides[QUEUE_PUT], *get = &queue->sides[QUEUE_GET];
    model_say(model, "nobody waits for room; queue %s is empty", queue->label);
    if (queue->looks)
        model_say(model, " %s of the time", format_share(queue->empty));
    model_say(model, ": its ");
    say_tasks(model, get, "consumer", false);
    model_say(model, " waited for messages %s of their time; ", format_share(waited_share(model, get)));
    if (put->moved)
        model_say(model, "%.3g were put a second", per_second(model, put->moved));
    else
        model_say(model, "nobody put one");
}

static void judge_quiet(struct model *model)
{
    uint64_t put = 0, got = 0, longest = 0;
    for (size_t i = 0; i < model->queue_count; i++)
        for (unsigned side = 0; side < QUEUE_SIDES; side++) {
            const struct model_queue_side *one = &model->queues[i].sides[side];
            *(side == QUEUE_PUT ? &put : &got) += one->moved;
            longest = one->max > longest ? one->max : longest;
        }
    model_say(model, "%zu queue%s: nobody waits long; %s messages put, %s got, the longest wait %s", model->queue_count,
              model->queue_count == 1 ? "" : "s", format_count(put), format_count(got), format_time(longest));
}

/* Those who put do not wait, or they have no probes that would tell. */
static const struct model_queue *fullest(const struct model *model)
{
    const struct model_queue *most = NULL;
    for (size_t i = 0; i < model->queue_count; i++)
        if (model->queues[i].full >= FULL_ABOVE && (!most || model->queues[i].full > most->full))
            most = &model->queues[i];
    return most;
}

static void judge_fullest(struct model *model, const struct model_queue *queue)
{
    const struct model_queue_side *put = &queue->sides[QUEUE_PUT], *get = &queue->sides[QUEUE_GET];
    model_say(model, "queue %s is full %s of the time, ", queue->label, format_share(queue->full));
    if (put->waits)
        model_say(model, "but who puts waited for room only %s of the time", format_share(waited_share(model, put)));
    else
        model_say(model, "though nobody was seen to wait for room");
    model_say(model, "; %.3g messages a second were put, %.3g got", per_second(model, put->moved),
              per_second(model, get->moved));
}

/* The queue on whose side most time was waited; NULL if it was not a share worth a word. */
static const struct model_queue *most_waited(const struct model *model, enum queue_sides side)
{
    const struct model_queue *most = NULL;
    for (size_t i = 0; i < model->queue_count; i++) {
        const struct model_queue *queue = &model->queues[i];
        if (waited_share(model, &queue->sides[side]) >= WAIT_ABOVE &&
            (!most || queue->sides[side].ns > most->sides[side].ns))
            most = queue;
    }
    return most;
}

void model_judge_queues(struct model *model)
{
    const struct model_queue *full = most_waited(model, QUEUE_PUT), *empty = most_waited(model, QUEUE_GET);
    if (!model->queue_count) {
        model_say(model, "no queue of liblinuxmt was used: no traced process made, had or attached one");
        return;
    }
    for (unsigned side = 0; side < QUEUE_SIDES; side++)
        for (size_t i = 0; i < model->queue_count; i++)
            if (stands_still(model, &model->queues[i], side)) {
                judge_still(model, &model->queues[i], side);
                return;
            }
    if (full && was_full(full))
        judge_full(model, full);
    else if (fullest(model))
        judge_fullest(model, fullest(model));
    else if (empty)
        judge_empty(model, empty);
    else
        judge_quiet(model);
}
