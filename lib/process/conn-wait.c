/* SPDX-License-Identifier: MIT
 *
 * Waiting for any of several connections. A message that has come already, or a part of one, is with the connection and
 * not in its socket: those are looked at first.
 */
#include "base/clock.h"
#include "process/conn.h"

#include <errno.h>
#include <poll.h>

static int is_ready(const struct mt_conn *conn)
{
    return __atomic_load_n(&conn->whole, __ATOMIC_ACQUIRE) || __atomic_load_n(&conn->spoilt, __ATOMIC_ACQUIRE);
}

static int first_ready(struct mt_conn *const *conns, const struct pollfd *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fds[i].revents || is_ready(conns[i]))
            return (int)i;
    return -EAGAIN;
}

int mt_conn_wait(struct mt_conn *const *conns, unsigned count, mt_deadline deadline)
{
    struct pollfd fds[MT_CONN_WAIT_MAX + 1];
    struct mt__wait wait = {.reason = MT_WAIT_IO, .object = conns, .deadline = deadline};
    int result = 0, ready;

    if (!count || count > MT_CONN_WAIT_MAX)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = conns[i]->fd, .events = POLLIN};
    poll(fds, count, 0);
    ready = first_ready(conns, fds, count);
    if (ready >= 0)
        return ready;
    if (deadline == MT_NOWAIT)
        return -EBUSY;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    do {
        result = mt__wait_round_fds(&wait, fds, count, deadline);
        ready = first_ready(conns, fds, count);
    } while (!result && ready < 0);
    return mt__wait_end(&wait, ready >= 0 ? ready : result);
}
