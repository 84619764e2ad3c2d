/* SPDX-License-Identifier: MIT
 *
 * The verdict on coroutines: a call that kept a hub, else one that ran for long without a wait or a yield, else a
 * wake-up that was lost, else a hub that has no time left; else where they wait.
 */
#include "code-text.h"
#include "format.h"
#include "model.h"
#include <string.h>

#define BUSY_ABOVE 0.9 /* a hub that sleeps for less than the rest of the time is busy */

static const struct model_hub *most_kept(const struct model *model)
{
    const struct model_hub *worst = NULL;
    for (size_t i = 0; i < model->hub_count; i++)
        if (model->hubs[i].kept_count && (!worst || model->hubs[i].kept[0].ns > worst->kept[0].ns))
            worst = &model->hubs[i];
    return worst;
}

/* One that a call kept is told of by that. */
static bool is_kept_by(const struct model *model, const struct model_coro *coro)
{
    const struct model_hub *hub = &model->hubs[coro->hub];
    for (size_t i = 0; i < hub->kept_count; i++)
        if (!strcmp(hub->kept[i].coro, coro->name))
            return true;
    return false;
}

/* A thread's own longest run keeps the others only if there are any: it is judged by its hub's coroutines. */
static const struct model_coro *longest_run(const struct model *model)
{
    const struct model_coro *longest = NULL;
    for (size_t i = 0; i < model->coro_count; i++)
        if (!model->coros[i].root && !is_kept_by(model, &model->coros[i]) &&
            (!longest || model->coros[i].longest_run > longest->longest_run))
            longest = &model->coros[i];
    return longest;
}

static const struct model_coro *first_overdue(const struct model *model, size_t *count)
{
    const struct model_coro *first = NULL;
    *count = 0;
    for (size_t i = 0; i < model->coro_count; i++)
        if (model->coros[i].overdue && !(*count)++)
            first = &model->coros[i];
    return first;
}

static void judge_kept(struct model *model, const struct model_hub *hub)
{
    const struct model_kept *kept = &hub->kept[0];
    model_say(model, "the hub of \"%s\" was kept for %s by \"%s\" in %s", hub->name, format_time(kept->ns), kept->coro,
              kept->what);
    if (*kept->place)
        model_say(model, " (%s)", code_text(kept->place));
    if (kept->count > 1)
        model_say(model, ", %s times, for %s at the most", format_count(kept->count), format_time(kept->max));
    model_say(model, "%s: nothing else of it ran meanwhile", kept->open ? ", and still is" : "");
    if (hub->kept_count > 1)
        model_say(model, "; there are %zu more such calls", hub->kept_count - 1);
}

static void judge_run(struct model *model, const struct model_coro *coro)
{
    model_say(model, "\"%s\" ran for %s without a wait or a yield", coro->name, format_time(coro->longest_run));
    if (*coro->body)
        model_say(model, " (%s)", code_text(coro->body));
    model_say(model, "%s: nothing else of its hub \"%s\" ran meanwhile",
              coro->state == MT_RUNNING && !model->hubs[coro->hub].ended ? ", and may still do" : "",
              model->hubs[coro->hub].name);
}

static void judge_overdue(struct model *model, const struct model_coro *coro, size_t count)
{
    model_say(model, "a wake-up was lost: \"%s\" waits for %s", coro->name, *coro->what ? coro->what : "a word");
    model_say(model, "%s%s, which has happened", code_at(coro->place), code_text(coro->place));
    if (count > 1)
        model_say(model, "; there are %zu more such", count - 1);
}

static size_t living(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->coro_count; i++)
        count += !model->coros[i].root && model->coros[i].state != MT_DEAD;
    return count;
}

/* Each descriptor is another one, and sleeps end by themselves. */
static bool waits_alike(const struct model_coro *a, const struct model_coro *b)
{
    if (b->root || !*b->what || a->reason != b->reason || a->reason == MT_WAIT_SLEEP)
        return !b->root && *b->what && a->reason == b->reason;
    if (a->reason == MT_WAIT_IO)
        return !strcmp(a->call, b->call) && !strcmp(a->place, b->place);
    return !strcmp(a->what, b->what);
}

static void say_most(struct model *model, const struct model_coro *coro, size_t most)
{
    const char *s = most == 1 ? "s" : "";
    if (coro->reason == MT_WAIT_SLEEP)
        model_say(model, "; %zu sleep%s", most, s);
    else if (coro->reason != MT_WAIT_IO)
        model_say(model, "; %zu wait%s for %s", most, s, coro->what);
    else if (*coro->call)
        model_say(model, "; %zu wait%s in %s%s%s", most, s, coro->call, code_at(coro->place), code_text(coro->place));
    else
        model_say(model, "; %zu wait%s for %s%s%s", most, s, most == 1 ? coro->what : "descriptors",
                  code_at(coro->place), code_text(coro->place));
}

/* What most of them wait for at the end. */
static void say_waits(struct model *model)
{
    const struct model_coro *what = NULL;
    size_t most = 0;
    for (size_t i = 0; i < model->coro_count && most <= model->coro_count / 2 && i <= 2000; i++) {
        size_t same = 0;
        if (model->coros[i].root || !*model->coros[i].what)
            continue;
        for (size_t j = i; j < model->coro_count; j++)
            same += waits_alike(&model->coros[i], &model->coros[j]);
        if (same > most) {
            most = same;
            what = &model->coros[i];
        }
    }
    if (what && (most > 1 || living(model) == 1))
        say_most(model, what, most);
}

static void judge_hubs(struct model *model)
{
    const struct model_hub *busiest = NULL;
    size_t ended = 0;
    for (size_t i = 0; i < model->hub_count; i++)
        if (!busiest || model->hubs[i].slept < busiest->slept)
            busiest = &model->hubs[i];
    for (size_t i = 0; i < model->ended_count; i++)
        ended += model->ended[i].count;
    double busy = model->duration ? 1 - (double)busiest->slept / (double)model->duration : 0;
    if (busy >= BUSY_ABOVE && model->duration)
        model_say(model, "the hub of \"%s\" is busy %s of the time", busiest->name, format_share(busy));
    else
        model_say(model, "nothing keeps a hub: the busiest, of \"%s\", is asleep %s of the time", busiest->name,
                  format_share(1 - busy));
    for (size_t i = 0; i < model->coro_count; i++)
        ended += !model->coros[i].root && model->coros[i].state == MT_DEAD;
    model_say(model, "; %zu coroutine%s in %zu hub%s, %zu ended", living(model), living(model) == 1 ? "" : "s",
              model->hub_count, model->hub_count == 1 ? "" : "s", ended);
    say_waits(model);
}

static void say_run(struct model *model, const struct model_coro *coro)
{
    model_say(model, "; \"%s\" runs", coro->name);
    if (*coro->call)
        model_say(model, ", in %s%s%s", coro->call, *coro->place ? ", " : "", code_text(coro->place));
}

static void judge_snapshot(struct model *model)
{
    size_t count = living(model);
    model_say(model, "%zu coroutine%s in %zu hub%s", count, count == 1 ? "" : "s", model->hub_count,
              model->hub_count == 1 ? "" : "s");
    say_waits(model);
    for (size_t i = 0; i < model->coro_count; i++)
        if (!model->coros[i].root && model->coros[i].state == MT_RUNNING)
            say_run(model, &model->coros[i]);
}

void model_judge_coros(struct model *model)
{
    const struct model_hub *kept = most_kept(model);
    const struct model_coro *run = longest_run(model), *overdue;
    size_t count;
    if (!model->hub_count) {
        model_say(model, "no coroutine of liblinuxmt %s", model->snapshot ? "is there" : "was there, or did anything");
        return;
    }
    overdue = first_overdue(model, &count);
    if (run && (run->longest_run < model->threshold || model->snapshot))
        run = NULL;
    if (kept)
        judge_kept(model, kept);
    if (kept && run)
        model_say(model, "; and ");
    if (run)
        judge_run(model, run);
    if (kept || run)
        return;
    if (overdue)
        judge_overdue(model, overdue, count);
    else if (model->snapshot)
        judge_snapshot(model);
    else
        judge_hubs(model);
}
