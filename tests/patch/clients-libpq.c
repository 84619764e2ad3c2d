/* SPDX-License-Identifier: MIT
 *
 * PostgreSQL by libpq: all wait for a lock that one more connection holds.
 */
#include "clients.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static PGconn *keeper;

void *client_open(int number)
{
    PGconn *conn = PQconnectdb(clients_where);

    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    client_fail(PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

void client_close(void *client)
{
    PQfinish(client);
}

/* The number that it answers, 0 if none. */
static int run(PGconn *conn, const char *command)
{
    PGresult *result = PQexec(conn, command);
    int value =
        PQresultStatus(result) == PGRES_TUPLES_OK ? atoi(PQgetvalue(result, 0, 0)) : client_fail(PQerrorMessage(conn));

    PQclear(result);
    return value;
}

int clients_begin(void)
{
    keeper = client_open(-1);
    return keeper ? run(keeper, "select pg_advisory_lock(1)") : -EIO;
}

void clients_end(void)
{
    PQfinish(keeper);
}

int client_query(void *client, int number)
{
    return run(client, "select pg_advisory_lock_shared(1)");
}

static int let_go(void)
{
    int count;

    while ((count = run(keeper, "select count(*) from pg_locks where not granted")) >= 0 && count < clients_count)
        if (mt_sleep(MT_MS(5)))
            return -ECANCELED;
    return count < 0 ? count : run(keeper, "select pg_advisory_unlock(1)");
}

static int nap(void *client)
{
    char command[64];

    snprintf(command, sizeof command, "select pg_sleep(%f)", NAP);
    return run(client, command);
}

int (*const client_lets_go)(void) = let_go;
int (*const client_naps)(void *client) = nap;
