/* SPDX-License-Identifier: MIT
 *
 * Deadlock avoidance: Dijkstra's banker's algorithm. Tasks claim beforehand how much of each resource they may ever
 * need; a request is granted only when everybody could still be served to the end afterwards, in some order. See
 * mt_banker(3).
 */
#ifndef LINUXMT_BANKER_H
#define LINUXMT_BANKER_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

struct mt_banker;

/* A bank with that many of each of `resources` kinds. NULL with errno ENOMEM, or EINVAL if resources is 0. */
struct mt_banker *mt_banker_new(size_t resources, const uint32_t *total);

/* Nobody may use it any more. */
void mt_banker_free(struct mt_banker *banker);

/* A new customer, with the most of each kind that it will ever hold. Returns its number, >= 0; -EINVAL: it claims more
 * than there is; -ENOMEM. */
int mt_banker_join(struct mt_banker *banker, const uint32_t *claim);

/* The customer leaves; what it holds is given back. 0; -EINVAL: no such customer. */
int mt_banker_leave(struct mt_banker *banker, int customer);

/* Takes that many of each kind, as soon as that is safe. 0; -EINVAL: no such customer; -E2BIG: more than its claim;
 * -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -ENOMEM (to look whether it is safe). Nothing is taken on an error.
 */
int mt__banker_request(struct mt_banker *banker, int customer, const uint32_t *amount, mt_deadline deadline,
                       const char *place) MT__MUST_CHECK;
#define mt_banker_request(banker, customer, amount, deadline) \
    mt__banker_request(banker, customer, amount, deadline, MT__HERE)

/* Gives back. 0; -EINVAL: no such customer, or more than it holds: nothing is given back then. */
int mt_banker_release(struct mt_banker *banker, int customer, const uint32_t *amount);

/* Whether everybody could be served to the end, which is always so; and in which order: sequence, if not NULL, gets up
 * to room customer numbers. Returns how many customers there are; -ENOMEM. */
int mt_banker_is_safe(struct mt_banker *banker, int *sequence, size_t room);

/* Whether it would stay so if the customer were given that much now: 1 or 0; -EINVAL, -E2BIG, -ENOMEM as in
 * mt_banker_request.
 */
int mt_banker_would_be_safe(struct mt_banker *banker, int customer, const uint32_t *amount);

/* What is left of each kind. */
void mt_banker_available(struct mt_banker *banker, uint32_t *amount);

MT__END

#endif
