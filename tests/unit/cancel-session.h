/* SPDX-License-Identifier: MIT
 *
 * The session that tests/unit/cancel.c disturbs: four coroutines, and all that they hand on to each other.
 */
#ifndef TESTS_CANCEL_SESSION_H
#define TESTS_CANCEL_SESSION_H

#include "hub.h"

#include <sys/un.h>

#define END in_time()

enum { BYTES = 20000, PARTIES = 4 };

/* Bytes of one direction: the one at offset k has the value k * 7. */
struct stream {
    long sent, received;
    int broken;
};

struct session {
    int listener, server_fd, client_fd;
    struct stream there, back;
    struct mt_lock lock;
    struct mt_queue *queue;
    struct mt_channel channel, never;
    struct mt_future *total;
    long put, got, given, taken; /* sums of what went through the queue and the channel */
    struct mt_task *writer;
    struct sockaddr_un address;
    unsigned address_size;
};

void session_begin(struct session *session);
extern mt_fn *const session_parties[PARTIES]; /* each with the session; their outcome is 0 if nobody was disturbed */
void session_end(struct session *session);    /* nothing was lost */

#endif
