/* SPDX-License-Identifier: MIT
 *
 * The hub's probes, where somebody looks.
 */
#include "coro/tell.h"

enum why { YIELDS, WAITS, HAS_ENDED };

static uint64_t id_of(const struct mt__coro *coro)
{
    return coro->task->record->id;
}

__attribute__((cold)) void mt__told_spawn(const struct mt__coro *coro, uint64_t spawner)
{
    const char *name = mt__task_name(coro->task);

    MT__PROBE6(coro__spawn, id_of(coro), name, coro->hub->tid, coro->task->record->body, spawner, coro->id);
}

__attribute__((cold)) void mt__told_switch(const struct mt__coro *from, const struct mt__coro *to, int ended)
{
    enum why why = ended ? HAS_ENDED : from->parked ? WAITS : YIELDS;

    MT__PROBE5(coro__switch, id_of(from), id_of(to), why, to->hub->ready_count, to->stack ? to : NULL);
}

__attribute__((cold)) void mt__told_park(const struct mt__coro *coro, const struct mt__parked *parked)
{
    const struct mt__link *link = parked->count ? &parked->links[0] : NULL;
    mt_deadline until = parked->timer.place ? parked->timer.at : MT_FOREVER;

    MT__PROBE5(coro__park, id_of(coro), link ? link->word : NULL, link ? link->expected : 0, until, parked->count);
}

__attribute__((cold)) void mt__told_unpark(const struct mt__coro *coro, int result)
{
    MT__PROBE2(coro__unpark, id_of(coro), (int64_t)result);
}

__attribute__((cold)) void mt__told_exit(const struct mt__coro *coro, int outcome)
{
    MT__PROBE3(coro__exit, id_of(coro), coro->hub->tid, (int64_t)outcome);
}

__attribute__((cold)) void mt__told_sleep(const struct mt__hub *hub, mt_deadline until)
{
    MT__PROBE2(hub__sleep, hub->tid, until);
}

/* In a turn nobody runs: who is not ready is parked. */
__attribute__((cold)) void mt__told_turn(const struct mt__hub *hub)
{
    size_t all = hub->living_count + 1, parked = all > hub->ready_count ? all - hub->ready_count : 0;

    MT__PROBE6(hub__turn, hub->tid, hub->turns, hub->ready_count, parked, hub->submitted, hub->completed);
}

__attribute__((cold)) void mt__told_begin(const struct mt__hub *hub, const struct mt__op *op, int opcode, uint64_t on,
                                          const struct mt__coro *coro)
{
    MT__PROBE5(hub__op_begin, hub->tid, op, opcode, on, coro ? id_of(coro) : 0);
}

__attribute__((cold)) void mt__told_end(const struct mt__hub *hub, const struct mt__op *op, int result)
{
    MT__PROBE3(hub__op_end, hub->tid, op, (int64_t)result);
}

__attribute__((cold)) void mt__told_passed(const struct mt__hub *hub, const uint32_t *word)
{
    MT__PROBE2(hub__passed, hub->tid, word);
}
