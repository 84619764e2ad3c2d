/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <hiredis/hiredis.h>

void *client_open(const char *where)
{
    redisContext *redis = redisConnectUnix(where);

    if (!redis || redis->err)
        client_die(redis ? redis->errstr : "no memory");
    return redis;
}

void client_close(void *client)
{
    redisFree(client);
}

static void run(redisContext *redis, const char *command)
{
    redisReply *reply = redisCommand(redis, command);

    if (!reply || reply->type != REDIS_REPLY_NIL)
        client_die(reply && reply->str ? reply->str : redis->errstr);
    freeReplyObject(reply);
}

void client_ask(void *client)
{
    run(client, "GET nothing");
}

void client_nap(void *client)
{
    run(client, "BLPOP nothing 0.1");
}
