/* SPDX-License-Identifier: MIT
 *
 * Messages from one process to another: our queue, a pipe with the same framing (a length, then the bytes), and for
 * round trips a pair of eventfds too. usage: queue VARIANT; prints "metric unit value" a line. queue-boost.cc and
 * queue-python.py do the same with Boost.Interprocess and with Python's multiprocessing.Queue.
 *
 *   N-bytes       messages of N bytes, one a call
 *   N-batch       the same, ours in batches of 64, the peers as above
 *   round-trip    8 bytes there and back
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_MS   400
#define TRIPS    20000
#define BATCH    64
#define SIZES    1024
#define CAPACITY 256

struct channel {
    int pipe[2];
    int event;
    struct mt_queue *queue;
};

struct result {
    volatile long messages;
    volatile int64_t elapsed;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void check(int good, const char *what)
{
    if (!good)
        die(what);
}

/* -- Each kind: one message ------------------------------------------------------------------------------------------
 */

static void mt_put(struct channel *channel, const void *data, uint32_t size)
{
    check(mt_queue_put(channel->queue, data, size, MT_FOREVER) == 0, "mt_queue_put");
}

static uint32_t mt_get(struct channel *channel, void *data)
{
    ssize_t size = mt_queue_get(channel->queue, data, SIZES, MT_FOREVER);

    check(size >= 0, "mt_queue_get");
    return (uint32_t)size;
}

static void pipe_put(struct channel *channel, const void *data, uint32_t size)
{
    struct iovec parts[2] = {{&size, sizeof size}, {(void *)(uintptr_t)data, size}};

    check(writev(channel->pipe[1], parts, 2) == (ssize_t)(size + sizeof size), "writev");
}

static void read_all(int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t part = read(fd, (char *)data + done, size - done);
        check(part > 0, "read");
        done += (size_t)part;
    }
}

static uint32_t pipe_get(struct channel *channel, void *data)
{
    uint32_t size;

    read_all(channel->pipe[0], &size, sizeof size);
    check(size <= SIZES, "size");
    read_all(channel->pipe[0], data, size);
    return size;
}

static void event_put(struct channel *channel, const void *data, uint32_t size)
{
    uint64_t one = 1;

    check(write(channel->event, &one, sizeof one) == sizeof one, "write");
}

static uint32_t event_get(struct channel *channel, void *data)
{
    check(read(channel->event, data, 8) == 8, "read");
    return 8;
}

/* -- Runs
 * -------------------------------------------------------------------------------------------------------------- */

struct kind {
    const char *name;
    void (*put)(struct channel *channel, const void *data, uint32_t size);
    uint32_t (*get)(struct channel *channel, void *data);
    int carries; /* bytes, not only a count */
};

static const struct kind kinds[] = {
    {"mt", mt_put, mt_get, 1}, {"pipe", pipe_put, pipe_get, 1}, {"eventfd", event_put, event_get, 0}};

static void open_channel(struct channel *channel, uint32_t size)
{
    struct mt_queue_options options = {.capacity = CAPACITY, .message_max = size};

    channel->queue = mt_queue_new(&options);
    channel->event = eventfd(0, EFD_SEMAPHORE);
    check(channel->queue && channel->event >= 0 && pipe(channel->pipe) == 0, "open");
}

static void close_channel(struct channel *channel)
{
    mt_queue_free(channel->queue);
    close(channel->event);
    close(channel->pipe[0]);
    close(channel->pipe[1]);
}

/* The consumer: until a message of one byte. */
static void consume(const struct kind *kind, struct channel *channel, struct result *result)
{
    char buffer[SIZES];
    int64_t start;
    long count = 0;

    kind->get(channel, buffer);
    start = mt_now();
    while (kind->get(channel, buffer) != 1)
        count++;
    result->elapsed = mt_now() - start;
    result->messages = count;
}

static void consume_batches(struct channel *channel, struct result *result)
{
    static char buffers[BATCH][SIZES];
    struct iovec batch[BATCH];
    int64_t start = 0;
    long count = 0;
    int got;

    do {
        for (int i = 0; i < BATCH; i++)
            batch[i] = (struct iovec){buffers[i], SIZES};
        got = mt_queue_get_many(channel->queue, batch, BATCH, MT_FOREVER);
        check(got > 0, "mt_queue_get_many");
        if (!start)
            start = mt_now();
        else
            count += got;
    } while (batch[got - 1].iov_len != 1);
    result->elapsed = mt_now() - start;
    result->messages = count;
}

static void produce(const struct kind *kind, struct channel *channel, uint32_t size)
{
    char buffer[SIZES] = {0};
    int64_t end = mt_now() + MT_MS(RUN_MS);

    do
        for (int i = 0; i < 256; i++)
            kind->put(channel, buffer, size);
    while (mt_now() < end);
    kind->put(channel, buffer, 1);
}

static void produce_batches(struct channel *channel, uint32_t size)
{
    char buffer[SIZES] = {0};
    struct iovec batch[BATCH];
    int64_t end = mt_now() + MT_MS(RUN_MS);

    for (int i = 0; i < BATCH; i++)
        batch[i] = (struct iovec){buffer, size};
    do {
        for (int put = 0; put < BATCH;) {
            int some = mt_queue_put_many(channel->queue, batch + put, (size_t)(BATCH - put), MT_FOREVER);
            check(some > 0, "mt_queue_put_many");
            put += some;
        }
    } while (mt_now() < end);
    mt_put(channel, buffer, 1);
}

static void throughput(const struct kind *kind, struct result *result, uint32_t size, int batches)
{
    struct channel channel;
    pid_t child;
    int status;

    open_channel(&channel, size);
    child = fork();
    check(child >= 0, "fork");
    if (!child) {
        if (batches)
            consume_batches(&channel, result);
        else
            consume(kind, &channel, result);
        _exit(0);
    }
    if (batches)
        produce_batches(&channel, size);
    else
        produce(kind, &channel, size);
    check(waitpid(child, &status, 0) == child && !status, "the consumer");
    printf("%u-%s Mops/s %.4f\n", size, batches || kind->put != mt_put ? "batch" : "bytes",
           (double)result->messages * 1000 / (double)result->elapsed);
    if (!batches && kind->put != mt_put)
        printf("%u-bytes Mops/s %.4f\n", size, (double)result->messages * 1000 / (double)result->elapsed);
    close_channel(&channel);
}

static void round_trip(const struct kind *kind)
{
    struct channel there, back;
    char buffer[SIZES] = {0};
    int64_t start = 0;
    pid_t child;

    open_channel(&there, 8);
    open_channel(&back, 8);
    child = fork();
    check(child >= 0, "fork");
    for (int i = 0; i < TRIPS + TRIPS / 10; i++) {
        if (i == TRIPS / 10)
            start = mt_now();
        if (child) {
            kind->put(&there, buffer, 8);
            kind->get(&back, buffer);
        } else {
            kind->get(&there, buffer);
            kind->put(&back, buffer, 8);
        }
    }
    if (!child)
        _exit(0);
    printf("round-trip us %.3f\n", (double)(mt_now() - start) / 1000 / TRIPS);
    waitpid(child, NULL, 0);
    close_channel(&there);
    close_channel(&back);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {8, 64, 1024};
    struct result *result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    check(result != MAP_FAILED, "mmap");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (argc != 2 || strcmp(argv[1], kinds[k].name))
            continue;
        for (int i = 0; i < 3 && kinds[k].carries; i++) {
            throughput(&kinds[k], result, sizes[i], 0);
            if (kinds[k].put == mt_put)
                throughput(&kinds[k], result, sizes[i], 1);
        }
        round_trip(&kinds[k]);
        return 0;
    }
    fprintf(stderr, "usage: queue mt|pipe|eventfd\n");
    return 2;
}
