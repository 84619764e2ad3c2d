/* SPDX-License-Identifier: MIT
 *
 * What clients.c asks of a client library: one of the files beside it is its part for one library. All of it is called
 * in coroutines, and written as for threads; what fails says so on stderr.
 */
#ifndef CLIENTS_H
#define CLIENTS_H

#include <linuxmt.h>
#include <stddef.h>

#define NAP 0.2 /* seconds */

/* How many there are, and where the server is. */
extern int clients_count;
extern const char *clients_where;

/* Says what was wrong; -EIO. */
int client_fail(const char *what);

/* Before all others, on the main task, not patched yet; and at the end. */
int clients_begin(void);
void clients_end(void);

/* A connection. NULL if there is none. */
void *client_open(int number);
void client_close(void *client);

/* A query that the server does not answer before it has heard it from all clients, or, if `lets_go` is there, before
 * that has been called; which waits until the server itself says that they all wait, and then makes it answer. */
int client_query(void *client, int number);
extern int (*const client_lets_go)(void);

/* A query that the server takes NAP for. NULL if there is no such thing. */
extern int (*const client_naps)(void *client);

#endif
