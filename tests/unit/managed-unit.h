/* SPDX-License-Identifier: MIT
 *
 * What the tests of a manager's objects share: a server, and the three ways to use what it has.
 */
#ifndef TESTS_MANAGED_UNIT_H
#define TESTS_MANAGED_UNIT_H

#include "manager-unit.h"

static struct mt_manager *owner, *remote;

/* Ways to use an object: 0 in memory, 1 by requests over the Unix socket, 2 over TCP. */
static int ways;
#define EACH_WAY(way) for (int way = 0; way < ways; way++)

static inline struct mt_manager *manager_of(int way)
{
    return way == 2 ? remote : owner;
}

static inline unsigned flags_of(int way)
{
    return way == 1 ? MT_MANAGER_REQUESTS : 0;
}

#define OPEN(noun, way, name, ...) mt_manager_##noun(manager_of(way), name, ##__VA_ARGS__, flags_of(way), SOON)

static inline void take_away(const char *name)
{
    assert_int_equal(mt_manager_remove(owner, name, SOON), 0);
}

static inline int set_up(void **state)
{
    owner = start_both((struct mt_manager_options){0});
    ways = owner ? 3 : 2;
    if (owner)
        remote = connect_tcp(owner);
    else
        owner = start_local();
    return 0;
}

static inline int tear_down(void **state)
{
    mt_manager_close(remote);
    mt_manager_close(owner);
    return 0;
}

/* Without waiting for it: who held a lock that the task wants would wait in a circle. */
static inline int outcome_of(struct mt_task *task)
{
    int outcome;

    while ((outcome = mt_task_outcome(task)) == -EINPROGRESS)
        usleep(1000);
    mt_task_release(task);
    return outcome;
}

#endif
