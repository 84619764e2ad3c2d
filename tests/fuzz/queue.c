/* SPDX-License-Identifier: MIT
 *
 * A hostile peer: what the input says is scribbled over a queue's memory between calls that use it. Every call must
 * come back, soon, and touch nothing but its queue and its buffers. The first byte chooses the order; then each step is
 * a byte that says what, and what that needs.
 *
 * Built by tests/fuzz.t with libFuzzer, and into tests/unit/queue-hostile, which feeds it random bytes.
 */
#include "input.h"
#include "queue/segment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CAPACITY = 6, LARGEST = 200 };

struct target {
    struct mt_queue *queue;
    unsigned char *peer; /* the peer's own mapping */
    size_t length;
    struct mt_queue_view view;
};

static void put(struct target *target, struct input *input)
{
    unsigned char message[LARGEST];
    size_t size = take(input) % (LARGEST + 1);

    memset(message, 7, sizeof message);
    must(mt_queue_put(target->queue, message, size, MT_NOWAIT) <= 0, "put");
}

/* The buffer is exactly as large as it is said to be: a sanitizer sees the byte after it. */
static void get(struct target *target, struct input *input, int peek)
{
    size_t size = take(input) % (LARGEST + 1);
    unsigned char *buffer = malloc(size ? size : 1);
    ssize_t got;

    must(buffer != NULL, "no memory");
    got = peek ? mt_queue_peek(target->queue, buffer, size, MT_NOWAIT)
               : mt_queue_get(target->queue, buffer, size, MT_NOWAIT);
    must(got <= (ssize_t)size, "get gives more than there is room for");
    free(buffer);
}

static void get_many(struct target *target)
{
    unsigned char buffers[3][LARGEST];
    struct iovec batch[3] = {{buffers[0], LARGEST}, {buffers[1], LARGEST}, {buffers[2], LARGEST}};

    must(mt_queue_get_many(target->queue, batch, 3, MT_NOWAIT) <= 3, "get_many");
    must(mt_queue_put_many(target->queue, batch, 2, MT_NOWAIT) <= 2, "put_many");
}

/* Reads all that it is shown. */
static void view(struct target *target)
{
    const unsigned char *from = target->queue->data, *seen;

    if (target->view.data || mt_queue_get_view(target->queue, &target->view, MT_NOWAIT))
        return;
    seen = target->view.data;
    must(target->view.size <= LARGEST, "a view larger than any message");
    must(seen >= from && seen + target->view.size <= (unsigned char *)target->queue->shared + target->queue->mapped,
         "a view outside the queue");
    for (size_t i = 0; i < target->view.size; i++)
        (void)*(const volatile unsigned char *)&seen[i];
}

static void scribble(struct target *target, struct input *input)
{
    size_t at = (take(input) | take(input) << 8) % target->length, count = take(input) % 16 + 1;

    for (size_t i = 0; i < count && at + i < target->length; i++)
        target->peer[at + i] = (unsigned char)take(input);
}

/* A word that matters, changed a little: what random bytes seldom hit. */
static void nudge(struct target *target, struct input *input)
{
    struct mt__segment *shared = (struct mt__segment *)target->peer;
    uint32_t *words[] = {
        &shared->put.word,
        &shared->get.word,
        mt__count(&shared->tail),
        mt__count(&shared->tail) + 1,
        mt__count(&shared->head),
        mt__count(&shared->head) + 1,
        mt__count(&shared->freed),
        mt__count(&shared->freed) + 1,
        mt__count(&shared->get_tail),
        mt__count(&shared->get_tail) + 1,
        mt__count(&shared->put_freed),
        mt__count(&shared->put_freed) + 1,
        &shared->used,
        &shared->unused,
        &shared->out,
        &shared->closed,
        &shared->views[0].state,
        (uint32_t *)&shared->views[0].at,
        (uint32_t *)(target->peer + target->queue->head_size),
        &shared->done_count,
    };
    unsigned which = take(input) % (sizeof words / sizeof *words), by = take(input);

    switch (take(input) % 4) {
    case 0:
        *words[which] += by;
        break;
    case 1:
        *words[which] -= by;
        break;
    case 2:
        *words[which] ^= by << 24;
        break;
    default:
        *words[which] = 0;
    }
}

static void step(struct target *target, struct input *input)
{
    switch (take(input) % 11) {
    case 0:
    case 1:
        put(target, input);
        break;
    case 2:
        get(target, input, 0);
        break;
    case 3:
        get(target, input, 1);
        break;
    case 4:
        get_many(target);
        break;
    case 5:
        view(target);
        break;
    case 6:
        mt_queue_give_back(target->queue, &target->view, take(input) & 1);
        break;
    case 7:
        if (take(input) % 8 == 0)
            mt_queue_close(target->queue);
        mt_queue_task_done(target->queue);
        must(mt_queue_join(target->queue, MT_NOWAIT) <= 0 && mt_queue_size(target->queue) <= CAPACITY, "size");
        break;
    case 8:
        mt_queue_free(mt_queue_attach(mt_queue_fd(target->queue)));
        break;
    case 9:
        scribble(target, input);
        break;
    default:
        nudge(target, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct mt_queue_options options = {"fuzz", (enum mt_queue_order)(take(&input) % 3), CAPACITY, LARGEST, 0};
    struct target target = {.queue = mt_queue_new(&options)};

    must(target.queue != NULL, "no memory");
    mt__queue_patience = 0;
    target.length = target.queue->head_size + target.queue->data_size;
    target.peer = mmap(NULL, target.length, PROT_READ | PROT_WRITE, MAP_SHARED, mt_queue_fd(target.queue), 0);
    must(target.peer != MAP_FAILED, "no memory");
    while (input.size)
        step(&target, &input);
    munmap(target.peer, target.length);
    mt_queue_free(target.queue);
    return 0;
}
