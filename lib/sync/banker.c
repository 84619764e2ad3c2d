/* SPDX-License-Identifier: MIT
 *
 * E. W. Dijkstra, "Een algorithme ter voorkoming van de dodelijke omarming" (EWD 108), for several kinds of resources
 * after A. N. Habermann, "Prevention of System Deadlocks", CACM 12(7), 1969.
 *
 * A state is safe if the customers can be put in an order in which each can get all that it has claimed from what is
 * free once those before it have given everything back. Invariant, under `lock`: the state is safe. A request that
 * would end that waits until a release or a leave has changed what is free.
 *
 * The search is greedy: a customer that can be served is served, in any order, since serving one only ever adds to what
 * is free. That is O(customers^2 * resources).
 */
#include "base/sys.h"
#include "sync/lock.h"

#include <errno.h>
#include <linuxmt/banker.h>
#include <linuxmt/cond.h>
#include <linuxmt/lock.h>
#include <stdlib.h>
#include <string.h>

struct customer {
    int there;
    uint32_t *claim, *held;
};

struct mt_banker {
    struct mt_lock lock;
    struct mt_cond changed;
    size_t resources;
    uint32_t *total, *free;
    size_t count; /* customers, gone ones included: their numbers are used again */
    struct customer *customers;
};

/* The lock is only ever held for a moment, and what a killed task holds it gives back: so taking it does not fail. */
static void acquire(struct mt_banker *banker)
{
    mt__lock_reacquire(&banker->lock, NULL);
}

struct mt_banker *mt_banker_new(size_t resources, const uint32_t *total)
{
    struct mt_banker *banker = resources ? mt__alloc(sizeof *banker) : NULL;

    if (!banker) {
        errno = resources ? ENOMEM : EINVAL;
        return NULL;
    }
    mt_lock_init(&banker->lock, "banker", 0);
    mt_cond_init(&banker->changed, "banker: something was given back", 0);
    banker->resources = resources;
    banker->total = mt__alloc(2 * resources * sizeof *banker->total);
    if (!banker->total) {
        free(banker);
        errno = ENOMEM;
        return NULL;
    }
    banker->free = banker->total + resources;
    memcpy(banker->total, total, resources * sizeof *total);
    memcpy(banker->free, total, resources * sizeof *total);
    return banker;
}

void mt_banker_free(struct mt_banker *banker)
{
    if (!banker)
        return;
    for (size_t i = 0; i < banker->count; i++)
        free(banker->customers[i].claim);
    free(banker->customers);
    free(banker->total);
    free(banker);
}

/* -- Arithmetic on amounts ---------------------------------------------------------------------------------------- */

static int at_most(const uint32_t *amount, const uint32_t *limit, size_t resources)
{
    for (size_t i = 0; i < resources; i++)
        if (amount[i] > limit[i])
            return 0;
    return 1;
}

static void add(uint32_t *to, const uint32_t *amount, size_t resources)
{
    for (size_t i = 0; i < resources; i++)
        to[i] += amount[i];
}

static void take(uint32_t *from, const uint32_t *amount, size_t resources)
{
    for (size_t i = 0; i < resources; i++)
        from[i] -= amount[i];
}

/* Whether what it may still ask for is there. */
static int can_finish(const struct customer *customer, const uint32_t *available, size_t resources)
{
    for (size_t i = 0; i < resources; i++)
        if (customer->claim[i] - customer->held[i] > available[i])
            return 0;
    return 1;
}

/* The safe order, in `sequence` (room for count). How many of the customers are in it. */
static size_t serve_all(const struct mt_banker *banker, uint32_t *available, int *sequence)
{
    size_t served = 0, before;
    char *done = (char *)(sequence + banker->count);

    memset(done, 0, banker->count);
    do {
        before = served;
        for (size_t i = 0; i < banker->count; i++) {
            const struct customer *customer = &banker->customers[i];
            if (!customer->there || done[i] || !can_finish(customer, available, banker->resources))
                continue;
            add(available, customer->held, banker->resources);
            done[i] = 1;
            sequence[served++] = (int)i;
        }
    } while (served != before);
    return served;
}

static size_t customers_there(const struct mt_banker *banker)
{
    size_t there = 0;

    for (size_t i = 0; i < banker->count; i++)
        there += banker->customers[i].there != 0;
    return there;
}

/* With the lock held. The number of customers if the state is safe, -EDEADLK if not, -ENOMEM; *order, if wanted, is the
 * caller's to free. */
static int check(const struct mt_banker *banker, int **order)
{
    size_t amounts = banker->resources * sizeof(uint32_t), there = customers_there(banker), served;
    uint32_t *available = mt__alloc(amounts + banker->count * (sizeof(int) + 1) + 1);
    int *sequence;

    if (!available)
        return -ENOMEM;
    memcpy(available, banker->free, amounts);
    sequence = (int *)(available + banker->resources);
    served = serve_all(banker, available, sequence);
    if (order) {
        memmove(available, sequence, served * sizeof *sequence);
        *order = (int *)available;
    } else {
        free(available);
    }
    return served == there ? (int)there : -EDEADLK;
}

/* -- Customers ---------------------------------------------------------------------------------------------------- */

static struct customer *find(struct mt_banker *banker, int number)
{
    if (number < 0 || (size_t)number >= banker->count || !banker->customers[number].there)
        return NULL;
    return &banker->customers[number];
}

static int place_for_customer(struct mt_banker *banker)
{
    struct customer *more;

    for (size_t i = 0; i < banker->count; i++)
        if (!banker->customers[i].there)
            return (int)i;
    more = realloc(banker->customers, (banker->count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    banker->customers = more;
    memset(&more[banker->count], 0, sizeof *more);
    return (int)banker->count++;
}

static int add_customer(struct mt_banker *banker, const uint32_t *claim)
{
    int number = place_for_customer(banker);
    struct customer *customer;

    if (number < 0)
        return number;
    customer = &banker->customers[number];
    if (!customer->claim)
        customer->claim = mt__alloc(2 * banker->resources * sizeof *claim);
    if (!customer->claim)
        return -ENOMEM;
    customer->held = customer->claim + banker->resources;
    memcpy(customer->claim, claim, banker->resources * sizeof *claim);
    memset(customer->held, 0, banker->resources * sizeof *claim);
    customer->there = 1;
    return number;
}

int mt_banker_join(struct mt_banker *banker, const uint32_t *claim)
{
    int result;

    if (!at_most(claim, banker->total, banker->resources))
        return -EINVAL;
    acquire(banker);
    result = add_customer(banker, claim);
    mt_lock_release(&banker->lock);
    return result;
}

int mt_banker_leave(struct mt_banker *banker, int number)
{
    struct customer *customer;

    acquire(banker);
    customer = find(banker, number);
    if (customer) {
        add(banker->free, customer->held, banker->resources);
        customer->there = 0;
        mt_cond_notify_all(&banker->changed);
    }
    mt_lock_release(&banker->lock);
    return customer ? 0 : -EINVAL;
}

/* -- Requests ----------------------------------------------------------------------------------------------------- */

/* With the lock held: gives the amount if that is there and safe. 0; -EBUSY: not now; -ENOMEM. */
static int try_to_give(struct mt_banker *banker, struct customer *customer, const uint32_t *amount)
{
    int safe;

    if (!at_most(amount, banker->free, banker->resources))
        return -EBUSY;
    take(banker->free, amount, banker->resources);
    add(customer->held, amount, banker->resources);
    safe = check(banker, NULL);
    if (safe >= 0)
        return 0;
    take(customer->held, amount, banker->resources);
    add(banker->free, amount, banker->resources);
    return safe == -EDEADLK ? -EBUSY : safe;
}

static int within_claim(const struct mt_banker *banker, const struct customer *customer, const uint32_t *amount)
{
    for (size_t i = 0; i < banker->resources; i++)
        if (amount[i] > customer->claim[i] - customer->held[i])
            return 0;
    return 1;
}

static int request(struct mt_banker *banker, int number, const uint32_t *amount, mt_deadline deadline,
                   const char *place)
{
    for (;;) {
        struct customer *customer =
            find(banker, number); /* again each time: the array may have moved, the customer left */
        int result;
        if (!customer)
            return -EINVAL;
        if (!within_claim(banker, customer, amount))
            return -E2BIG;
        result = try_to_give(banker, customer, amount);
        if (result != -EBUSY || deadline == MT_NOWAIT)
            return result;
        result = mt__cond_wait(&banker->changed, &banker->lock, deadline, place);
        if (result)
            return result;
    }
}

int mt__banker_request(struct mt_banker *banker, int number, const uint32_t *amount, mt_deadline deadline,
                       const char *place)
{
    int result;

    acquire(banker);
    result = request(banker, number, amount, deadline, place);
    mt_lock_release(&banker->lock);
    return result;
}

int mt_banker_release(struct mt_banker *banker, int number, const uint32_t *amount)
{
    struct customer *customer;
    int result = 0;

    acquire(banker);
    customer = find(banker, number);
    if (customer && at_most(amount, customer->held, banker->resources)) {
        take(customer->held, amount, banker->resources);
        add(banker->free, amount, banker->resources);
        mt_cond_notify_all(&banker->changed);
    } else {
        result = -EINVAL;
    }
    mt_lock_release(&banker->lock);
    return result;
}

int mt_banker_is_safe(struct mt_banker *banker, int *sequence, size_t room)
{
    int *order = NULL, result;

    acquire(banker);
    result = check(banker, &order);
    for (size_t i = 0; sequence && result > 0 && i < room && i < (size_t)result; i++)
        sequence[i] = order[i];
    mt_lock_release(&banker->lock);
    free(order);
    return result;
}

int mt_banker_would_be_safe(struct mt_banker *banker, int number, const uint32_t *amount)
{
    struct customer *customer;
    int result;

    acquire(banker);
    customer = find(banker, number);
    if (!customer)
        result = -EINVAL;
    else if (!within_claim(banker, customer, amount))
        result = -E2BIG;
    else
        result = try_to_give(banker, customer, amount);
    if (!result) {
        take(customer->held, amount, banker->resources);
        add(banker->free, amount, banker->resources);
        result = 1;
    } else if (result == -EBUSY) {
        result = 0;
    }
    mt_lock_release(&banker->lock);
    return result;
}

void mt_banker_available(struct mt_banker *banker, uint32_t *amount)
{
    acquire(banker);
    memcpy(amount, banker->free, banker->resources * sizeof *amount);
    mt_lock_release(&banker->lock);
}
