/* SPDX-License-Identifier: MIT
 *
 * Functions in processes that are no copies of the pool's: their addresses differ. Before the first task of a function
 * that goes to a process, the pool sends where it lies in its file (lib/process/function.c); from then on both call it
 * by its address in the pool. A chunk has two functions, its own and that of its items.
 */
#include "pool/remote.h"

#include <stdlib.h>
#include <string.h>

static int is_copy(const struct mt__worker *worker)
{
    return worker->pool->process.start == MT_FORK;
}

static int is_known(const struct mt__remote *remote, mt_fn *fn)
{
    for (size_t i = remote->known_count; i-- > 0;)
        if (remote->known[i] == fn)
            return 1;
    return !fn;
}

unsigned mt__names_missing(const struct mt__worker *worker, const struct mt_future *future)
{
    const struct mt__remote *remote = worker->remote;

    if (is_copy(worker))
        return 0;
    return (unsigned)!is_known(remote, future->fn) + (unsigned)!is_known(remote, mt__chunk_function(future));
}

int mt__names_check(const struct mt_future *future)
{
    struct mt__function at;
    mt_fn *inner = mt__chunk_function(future);
    int result = mt__function_name(future->fn, &at);

    return !result && inner ? mt__function_name(inner, &at) : result;
}

/* What cannot be noted is sent again the next time. */
static void note(struct mt__remote *remote, mt_fn *fn)
{
    if (remote->known_count == remote->known_room) {
        size_t room = remote->known_room ? remote->known_room * 2 : 8;
        mt_fn **known = realloc(remote->known, room * sizeof *known);
        if (!known)
            return;
        remote->known = known;
        remote->known_room = room;
    }
    remote->known[remote->known_count++] = fn;
}

static int send_one(struct mt__worker *worker, mt_fn *fn)
{
    struct mt__named named;
    int result;

    if (is_known(worker->remote, fn))
        return 0;
    memset(&named, 0, sizeof named);
    named.fn = (uint64_t)(uintptr_t)fn;
    result = mt__function_name(fn, &named.at);
    if (!result)
        result = mt__remote_write(worker, &named, sizeof named);
    if (!result)
        note(worker->remote, fn);
    return result;
}

int mt__names_send(struct mt__worker *worker, const struct mt_future *future)
{
    int result = send_one(worker, future->fn);

    return result ? result : send_one(worker, mt__chunk_function(future));
}
