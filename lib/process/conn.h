/* SPDX-License-Identifier: MIT
 *
 * Inside the room: a connection, and what its parts lend each other.
 */
#ifndef PROCESS_CONN_H
#define PROCESS_CONN_H

#include "wait/wait.h"
#include <linuxmt/conn.h>
#include <linuxmt/lock.h>

enum { MT__FRAME_DATA = 1, MT__FRAME_FD = 2 };

/* What stands before each message. */
struct mt__frame {
    uint8_t magic[2]; /* "MT" */
    uint8_t kind;
    uint8_t zero;
    uint8_t size[4]; /* of what follows, the most significant byte first */
};

struct mt_conn {
    int fd;
    int is_unix;
    uint32_t limit;
    uint32_t spoilt; /* what it is spoilt by, an error number; 0: not */
    struct mt_lock sending, receiving;

    /* under `receiving` */
    struct mt__frame frame;
    size_t frame_have; /* bytes of it that have come */
    char *body;        /* of the message that is coming, NULL between two */
    size_t body_size, body_have;
    uint32_t whole; /* all of it has come: also read without the lock */
    int passed_fd;  /* a descriptor that came along, -1: none */
};

/* conn.c. Waits until the descriptor is ready for poll(2)'s `events`. 0, -ETIMEDOUT or -EBUSY, -ECANCELED. */
int mt__conn_wait_fd(int fd, short events, mt_deadline deadline);

/* Makes the connection of a stream socket: non-blocking from now on. NULL with errno. */
struct mt_conn *mt__conn_new(int fd, int is_unix);

/* conn-address.c. mt_listener_accept in two steps, for who does not want to wait for the greeting: a socket or -errno, and the
 * connection on it, which owns it, also when it fails. */
int mt__listener_take(struct mt_listener *listener, mt_deadline deadline);
struct mt_conn *mt__listener_greet(const struct mt_listener *listener, int fd);
int mt__listener_fd(const struct mt_listener *listener); /* for poll(2) */

/* conn-auth.c. Both sides say who they are and, with a key, prove it. 0 or -errno. */
int mt__conn_greet(struct mt_conn *conn, const void *key, size_t key_size, int server, mt_deadline deadline);
int mt__conn_can_prove(void); /* libcrypto is there */

#endif
