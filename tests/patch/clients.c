/* SPDX-License-Identifier: MIT
 *
 * Blocking client libraries, unchanged, in many coroutines of one thread: COUNT queries that the server answers only
 * when it has all of them, so that a thread which blocked in one would never be answered; then COUNT more that each
 * take NAP, beside one alone. clients.t builds it with the part of one library at a time: see clients.h.
 *
 *     clients COUNT WHERE
 */
#include "clients.h"

#include <linuxmt/patch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int clients_count;
const char *clients_where;
static void **clients;

int client_fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return -EIO;
}

static int opens(void *number)
{
    clients[(intptr_t)number] = client_open((int)(intptr_t)number);
    return clients[(intptr_t)number] ? 0 : -EIO;
}

static int queries(void *number)
{
    return client_query(clients[(intptr_t)number], (int)(intptr_t)number);
}

static int naps(void *number)
{
    return client_naps(clients[(intptr_t)number]);
}

static int lets_go(void *arg)
{
    return client_lets_go();
}

/* One coroutine for each of so many clients, and one more that does `beside`. How long it took, or -EIO. */
static int64_t each(mt_fn *fn, int count, mt_fn *beside)
{
    const struct mt_coro_options options = {.stack_size = 256 * 1024};
    struct mt_task **tasks = calloc((size_t)count + 1, sizeof *tasks);
    int64_t start = mt_now(), result;
    int all = count + (beside != NULL);

    for (int i = 0; i < all; i++)
        if (!(tasks[i] = mt_coro_spawn(i < count ? fn : beside, (void *)(intptr_t)i, &options)))
            return client_fail("no coroutine");
    result = mt_joinall(tasks, (size_t)all, MT_FOREVER);
    if (!result)
        result = mt_now() - start;
    for (int i = 0; i < all; i++) {
        if (mt_task_outcome(tasks[i]))
            result = -EIO;
        mt_task_release(tasks[i]);
    }
    free(tasks);
    return result;
}

static double seconds(int64_t time)
{
    return (double)time / 1e9;
}

/* That they do not sleep in a row is told apart whatever else the machine does. */
static int all_nap(void)
{
    int64_t one = each(naps, 1, NULL), all = one < 0 ? one : each(naps, clients_count, NULL);

    if (all < 0)
        return -EIO;
    printf("%d that take a while in %.3f s, one alone in %.3f s\n", clients_count, seconds(all), seconds(one));
    return clients_count > 9 && seconds(all) > clients_count * NAP / 2 ? client_fail("in a row") : 0;
}

static int run(void)
{
    int64_t opened, queried;

    if (mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK)))
        return client_fail("mt_patch");
    opened = each(opens, clients_count, NULL);
    queried = opened < 0 ? opened : each(queries, clients_count, client_lets_go ? lets_go : NULL);
    if (queried < 0)
        return -EIO;
    printf("%d connections in %.3f s, as many queries at once in %.3f s\n", clients_count, seconds(opened),
           seconds(queried));
    return client_naps ? all_nap() : 0;
}

int main(int argc, char **argv)
{
    int result;

    clients_count = argc > 1 ? atoi(argv[1]) : 1;
    clients_where = argc > 2 ? argv[2] : "";
    clients = calloc((size_t)clients_count, sizeof *clients);
    if (clients_begin())
        return 1;
    result = run();
    for (int i = 0; i < clients_count; i++)
        if (clients[i])
            client_close(clients[i]);
    clients_end();
    free(clients);
    return result != 0;
}
