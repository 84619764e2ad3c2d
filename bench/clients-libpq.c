/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <libpq-fe.h>

void *client_open(const char *where)
{
    PGconn *connection = PQconnectdb(where);

    if (PQstatus(connection) != CONNECTION_OK)
        client_die(PQerrorMessage(connection));
    return connection;
}

void client_close(void *client)
{
    PQfinish(client);
}

static void run(PGconn *connection, const char *command)
{
    PGresult *result = PQexec(connection, command);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        client_die(PQerrorMessage(connection));
    PQclear(result);
}

void client_ask(void *client)
{
    run(client, "select 1");
}

void client_nap(void *client)
{
    run(client, "select pg_sleep(0.1)");
}
