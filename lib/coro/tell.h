/* SPDX-License-Identifier: MIT
 *
 * What the hub tells to tracers: its probes, each behind the test of its semaphore. What works out arguments is out of
 * line, so that the paths of every switch carry a test and no more.
 */
#ifndef CORO_TELL_H
#define CORO_TELL_H

#include "base/probe.h"
#include "coro/hub.h"

/* What the ring calls operations, also where the loop has none. */
#define MT__OP_POLL  6
#define MT__OP_FUTEX 51

void mt__told_spawn(const struct mt__coro *coro, uint64_t spawner);
void mt__told_park(const struct mt__coro *coro, const struct mt__parked *parked);
void mt__told_unpark(const struct mt__coro *coro, int result);
void mt__told_exit(const struct mt__coro *coro, int outcome);
void mt__told_sleep(const struct mt__hub *hub, mt_deadline until);
void mt__told_turn(const struct mt__hub *hub);
void mt__told_begin(const struct mt__hub *hub, const struct mt__op *op, int opcode, uint64_t on,
                    const struct mt__coro *coro);
void mt__told_end(const struct mt__hub *hub, const struct mt__op *op, int result);
void mt__told_passed(const struct mt__hub *hub, const uint32_t *word);

static inline void mt__tell_spawn(const struct mt__coro *coro, uint64_t spawner)
{
    if (MT__PROBED(coro__spawn))
        mt__told_spawn(coro, spawner);
}

static inline void mt__tell_park(const struct mt__coro *coro, const struct mt__parked *parked)
{
    if (MT__PROBED(coro__park))
        mt__told_park(coro, parked);
}

static inline void mt__tell_unpark(const struct mt__coro *coro, int result)
{
    if (MT__PROBED(coro__unpark))
        mt__told_unpark(coro, result);
}

static inline void mt__tell_exit(const struct mt__coro *coro, int outcome)
{
    if (MT__PROBED(coro__exit))
        mt__told_exit(coro, outcome);
}

static inline void mt__tell_sleep(const struct mt__hub *hub, mt_deadline until)
{
    if (MT__PROBED(hub__sleep))
        mt__told_sleep(hub, until);
}

static inline void mt__tell_turn(const struct mt__hub *hub)
{
    if (MT__PROBED(hub__turn))
        mt__told_turn(hub);
}

/* An operation is under way in the loop for a coroutine (NULL: for the hub itself), on a descriptor or a word; */
static inline void mt__tell_begin(struct mt__hub *hub, const struct mt__op *op, int opcode, uint64_t on,
                                  const struct mt__coro *coro)
{
    hub->submitted++;
    if (MT__PROBED(hub__op_begin))
        mt__told_begin(hub, op, opcode, on, coro);
}

/* and is not any more. */
static inline void mt__tell_end(struct mt__hub *hub, const struct mt__op *op, int result)
{
    hub->completed++;
    if (MT__PROBED(hub__op_end))
        mt__told_end(hub, op, result);
}

static inline void mt__tell_passed(const struct mt__hub *hub, const uint32_t *word)
{
    if (MT__PROBED(hub__passed))
        mt__told_passed(hub, word);
}

#endif
