/* SPDX-License-Identifier: MIT
 *
 * sqlite3: not a server, but a lock on a file that each of them wants.
 */
#include "clients.h"

#include <sqlite3.h>
#include <stdio.h>

#define ROWS 20

void *client_open(int number)
{
    sqlite3 *base;

    if (sqlite3_open(clients_where, &base)) {
        client_fail("no database");
        return NULL;
    }
    sqlite3_busy_timeout(base, 600000);
    return base;
}

void client_close(void *client)
{
    sqlite3_close(client);
}

static int run(sqlite3 *base, const char *command)
{
    return sqlite3_exec(base, command, NULL, NULL, NULL) ? client_fail(sqlite3_errmsg(base)) : 0;
}

int clients_begin(void)
{
    sqlite3 *base = client_open(-1);
    int result = base ? run(base, "create table if not exists t(a)") : -EIO;

    sqlite3_close(base);
    return result;
}

void clients_end(void) {}

int client_query(void *client, int number)
{
    char command[64];
    int result = 0;

    snprintf(command, sizeof command, "insert into t values(%d)", number);
    for (int i = 0; i < ROWS && !result; i++)
        result = run(client, command);
    return result;
}

int (*const client_lets_go)(void) = NULL;
int (*const client_naps)(void *client) = NULL;
