/* SPDX-License-Identifier: MIT
 *
 * What clients.c asks of a client library.
 */
#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

enum { NAP_MS = 100 };

/* A connection to the server that is there; all fail by exiting. */
void *client_open(const char *where);
void client_close(void *client);

/* The least that the server can be asked, and what takes it NAP_MS. */
void client_ask(void *client);
void client_nap(void *client);

_Noreturn void client_die(const char *what);

#endif
