/* SPDX-License-Identifier: MIT
 *
 * Redis by hiredis: a pop of a list where nothing is waits for somebody's push, and for no longer than it is told.
 */
#include "clients.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

int clients_begin(void)
{
    return 0;
}

void clients_end(void) {}

void *client_open(int number)
{
    redisContext *redis = redisConnectUnix(clients_where);

    if (redis && !redis->err)
        return redis;
    client_fail(redis ? redis->errstr : "no connection");
    if (redis)
        redisFree(redis);
    return NULL;
}

void client_close(void *client)
{
    redisFree(client);
}

int client_query(void *client, int number)
{
    redisContext *redis = client;
    redisReply *reply = redisCommand(redis, "BLPOP answers 0");
    int good = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;

    if (reply)
        freeReplyObject(reply);
    return good ? 0 : client_fail(redis->errstr);
}

static int waiting(redisContext *redis)
{
    redisReply *reply = redisCommand(redis, "INFO clients");
    const char *found = reply && reply->str ? strstr(reply->str, "blocked_clients:") : NULL;
    int count = -1;

    if (found)
        sscanf(found, "blocked_clients:%d", &count);
    if (reply)
        freeReplyObject(reply);
    return count;
}

static int let_go(void)
{
    redisContext *redis = client_open(-1);
    int count = -1;

    while (redis && (count = waiting(redis)) >= 0 && count < clients_count)
        if (mt_sleep(MT_MS(5)))
            return -ECANCELED;
    if (count < 0)
        return client_fail("who waits is not known");
    for (int i = 0; i < clients_count; i++)
        freeReplyObject(redisCommand(redis, "RPUSH answers %d", i));
    redisFree(redis);
    return 0;
}

static int nap(void *client)
{
    redisContext *redis = client;
    redisReply *reply = redisCommand(redis, "BLPOP nothing %f", NAP);
    int good = reply && reply->type == REDIS_REPLY_NIL;

    if (reply)
        freeReplyObject(reply);
    return good ? 0 : client_fail(redis->errstr);
}

int (*const client_lets_go)(void) = let_go;
int (*const client_naps)(void *client) = nap;
