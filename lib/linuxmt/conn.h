/* SPDX-License-Identifier: MIT
 *
 * Connections that carry whole messages: pairs, and sockets between programs. See mt_conn(3).
 */
#ifndef LINUXMT_CONN_H
#define LINUXMT_CONN_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

MT__BEGIN

struct mt_conn;
struct mt_listener;

#define MT_CONN_LIMIT (64u << 20) /* bytes of the largest message, unless mt_conn_set_limit says otherwise */

/* Two ends of one connection. 0; -EMFILE, -ENFILE, -ENOMEM. */
int mt_conn_pair(struct mt_conn *pair[2]) MT__MUST_CHECK;

/* A connection on a stream socket that the caller has and gives away, inherited from its parent for example. NULL with
 * errno: EBADF, ENOTSOCK, EPROTOTYPE (no stream), ENOMEM: then it is still the caller's. */
struct mt_conn *mt_conn_open(int fd);

/* address: "unix:PATH", "unix:@NAME" (no file), "tcp:HOST:PORT", HOST in brackets if it has colons. With a key of
 * key_size bytes both sides must know it, and prove it to each other. NULL with errno: EINVAL (the address), ENOTSUP (a
 * key, and no libcrypto), and those of socket, bind and listen. */
struct mt_listener *mt_listen(const char *address, const void *key, size_t key_size);

/* The next connection. NULL with errno: ETIMEDOUT (EBUSY with MT_NOWAIT), ECANCELED; or about one who came and was sent
 * away: EACCES (does not know the key), EPROTO (does not speak this language), EPROTONOSUPPORT (one side has a key, the
 * other has none), ECONNABORTED: call again. */
struct mt_conn *mt_listener_accept(struct mt_listener *listener, mt_deadline deadline);

/* NULL with errno: as connect(2); EINVAL (the address), EHOSTUNREACH (no such host); ETIMEDOUT, ECANCELED; EACCES,
 * EPROTO, EPROTONOSUPPORT, ECONNRESET as above. */
struct mt_conn *mt_conn_connect(const char *address, const void *key, size_t key_size, mt_deadline deadline);

/* The address with what the system has filled in, such as the port. Valid as long as the listener. */
const char *mt_listener_address(const struct mt_listener *listener);
void mt_listener_close(struct mt_listener *listener);
void mt_conn_close(struct mt_conn *conn);

/* Sends a message of `size` bytes. 0; -EMSGSIZE (above the limit; nothing was sent); -ETIMEDOUT (-EBUSY), -ECANCELED;
 * -EPIPE (the other side is gone, or the connection was spoilt before). An end in the middle of a message spoils the
 * connection. */
int mt_conn_send(struct mt_conn *conn, const void *message, size_t size, mt_deadline deadline) MT__MUST_CHECK;

/* Takes the next message and returns its size. -ENOBUFS: it is larger than `size`, and stays: mt_conn_next_size.
 * -ETIMEDOUT
 * (-EBUSY), -ECANCELED: nothing is lost; -EPIPE: the other side has closed; -EPROTO, -EMSGSIZE: what comes is no
 * message, or above the limit: the connection is spoilt. */
ssize_t mt_conn_receive(struct mt_conn *conn, void *message, size_t size, mt_deadline deadline) MT__MUST_CHECK;

/* Waits for the next message and returns its size without taking it. Errors as mt_conn_receive's. */
ssize_t mt_conn_next_size(struct mt_conn *conn, mt_deadline deadline);

/* Hands a descriptor over, and takes one: a number of the receiver's own. -EOPNOTSUPP: not over TCP; -EBADMSG: the next
 * message is not a descriptor; the rest as above. */
int mt_conn_send_fd(struct mt_conn *conn, int fd, mt_deadline deadline) MT__MUST_CHECK;
int mt_conn_receive_fd(struct mt_conn *conn, mt_deadline deadline) MT__MUST_CHECK;

/* Waits until one of them has something to receive (or has failed) and returns its place in the list. -ETIMEDOUT
 * (-EBUSY), -ECANCELED; -EINVAL: count is 0 or above MT_CONN_WAIT_MAX. */
int mt_conn_wait(struct mt_conn *const *conns, unsigned count, mt_deadline deadline);

#define MT_CONN_WAIT_MAX 1024

/* The largest message to be sent or taken, in bytes. */
void mt_conn_set_limit(struct mt_conn *conn, uint32_t bytes);

/* The socket, for options and for poll(2); the connection's. */
int mt_conn_fd(const struct mt_conn *conn);

MT__END

#endif
