/* SPDX-License-Identifier: MIT
 *
 * Threads that wait by liburing, or, compiled with AIO, by libaio, for what another thread does: if one keeps the hub,
 * none goes on. The same with and without the patch.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef AIO
#include <linux/aio_abi.h>
#else
#include <liburing.h>
#include <sys/eventfd.h>
#endif

#define PIPES 3

static int pipes[PIPES][2];

static int check(int result, const char *what)
{
    if (result < 0) {
        printf("%s: %s\n", what, strerror(-result));
        exit(1);
    }
    return result;
}

/* One after the other, so that who wants all has to wait more than once. */
static void *feed(void *count)
{
    for (long i = 0; i < (long)count; i++) {
        usleep(2000);
        check((int)write(pipes[i][1], "abc" + i, 1), "write");
    }
    return NULL;
}

static pthread_t feeder(long count)
{
    pthread_t thread;

    check(-pthread_create(&thread, NULL, feed, (void *)count), "pthread_create");
    return thread;
}

static void run(void *(*body)(void *arg), void *arg)
{
    pthread_t thread;

    check(-pthread_create(&thread, NULL, body, arg), "pthread_create");
    pthread_join(thread, NULL);
}

#ifdef AIO

int io_getevents(aio_context_t context, long least, long most, struct io_event *events, struct timespec *timeout);
int io_pgetevents(aio_context_t context, long least, long most, struct io_event *events, struct timespec *timeout,
                  const sigset_t *mask);

static int by_library(aio_context_t context, long least, long most, struct io_event *events, struct timespec *timeout)
{
    return io_getevents(context, least, most, events, timeout);
}

static int by_library_masked(aio_context_t context, long least, long most, struct io_event *events,
                             struct timespec *timeout)
{
    return io_pgetevents(context, least, most, events, timeout, NULL);
}

static int by_call(aio_context_t context, long least, long most, struct io_event *events, struct timespec *timeout)
{
    int result = (int)syscall(SYS_io_getevents, context, least, most, events, timeout);

    return result < 0 ? -errno : result;
}

static struct way {
    const char *name;
    int (*get)(aio_context_t context, long least, long most, struct io_event *events, struct timespec *timeout);
} ways[] = {{"io_getevents", by_library}, {"io_pgetevents", by_library_masked}, {"syscall", by_call}};

static void submit(aio_context_t context, struct iocb *poll, int count)
{
    for (int i = 0; i < count; i++) {
        struct iocb *one = &poll[i];
        *one = (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL,
                             .aio_fildes = (unsigned)pipes[i][0],
                             .aio_buf = POLLIN,
                             .aio_data = 1u << i};
        check((int)syscall(SYS_io_submit, context, 1L, &one), "io_submit");
    }
}

static void drain(int count)
{
    char byte;

    for (int i = 0; i < count; i++)
        check((int)read(pipes[i][0], &byte, 1), "read");
}

static void *wait_for_events(void *arg)
{
    const struct way *way = arg;
    struct timespec soon = {0, 2000000}, long_time = {50, 0};
    struct io_event events[2 * PIPES];
    struct iocb polls[PIPES];
    aio_context_t context = 0;
    unsigned found = 0;
    pthread_t other;
    int got;

    check((int)syscall(SYS_io_setup, 8L, &context), "io_setup");
    printf("%s: nothing %d", way->name, way->get(context, 1, 1, events, &soon));
    submit(context, polls, PIPES);
    other = feeder(PIPES);
    got = way->get(context, PIPES, 2 * PIPES, events, NULL);
    for (int i = 0; i < got; i++)
        found |= (unsigned)events[i].data;
    pthread_join(other, NULL);
    printf(", all %d %u", got, found);
    drain(PIPES);
    check((int)write(pipes[0][1], "x", 1), "write");
    submit(context, polls, 2);
    printf(", one of two %d", way->get(context, 2, 2, events, &soon));
    other = feeder(2); /* a second byte for the first */
    got = way->get(context, 1, 2, events, &long_time);
    pthread_join(other, NULL);
    printf(", the other %d %u", got, (unsigned)events[0].data);
    drain(2);
    drain(1);
    printf(", none %d, bad %d\n", way->get(context, 0, 1, events, NULL), way->get(0, 1, 1, events, NULL));
    syscall(SYS_io_destroy, context);
    return NULL;
}

static void scenarios(void)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        run(wait_for_events, &ways[i]);
}

#else

static struct kind {
    const char *name;
    unsigned flags;
    enum { NOTHING, DESCRIPTOR, EVENTS } registers;
} kinds[] = {{"plain", 0, NOTHING},
             {"registered", 0, DESCRIPTOR},
             {"cooperative", IORING_SETUP_COOP_TASKRUN, NOTHING},
             {"deferred", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, NOTHING},
             {"deferred with events", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, EVENTS},
             {"polled", IORING_SETUP_SQPOLL, NOTHING}};

static int events;

static void open_ring(struct io_uring *ring, const struct kind *kind)
{
    check(io_uring_queue_init(8, ring, kind->flags), "io_uring_queue_init");
    if (kind->registers == DESCRIPTOR)
        check(io_uring_register_ring_fd(ring), "io_uring_register_ring_fd");
    else if (kind->registers == EVENTS)
        check(io_uring_register_eventfd(ring, events), "io_uring_register_eventfd");
}

static char bytes[PIPES];

static void prepare(struct io_uring *ring, int count)
{
    for (int i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
        io_uring_prep_read(sqe, pipes[i][0], &bytes[i], 1, 0);
        sqe->user_data = 1u << i;
    }
}

/* What has come. */
static unsigned reap(struct io_uring *ring)
{
    struct io_uring_cqe *cqe;
    unsigned found = 0;

    while (!io_uring_peek_cqe(ring, &cqe)) {
        found |= cqe->res == 1 ? (unsigned)cqe->user_data : 1u << 8;
        io_uring_cqe_seen(ring, cqe);
    }
    return found;
}

/* Each of the calls, by number, until `count` have come. */
static int wait_by(struct io_uring *ring, int call, unsigned count)
{
    struct __kernel_timespec long_time = {50, 0};
    struct io_uring_cqe *cqe = NULL;

    switch (call) {
    case 0:
        check(io_uring_submit(ring), "io_uring_submit");
        return io_uring_wait_cqe_nr(ring, &cqe, count);
    case 1:
        return io_uring_submit_and_wait(ring, count);
    case 2:
        return io_uring_submit_and_wait_timeout(ring, &cqe, count, &long_time, NULL);
    case 3:
        check(io_uring_submit(ring), "io_uring_submit");
        return io_uring_wait_cqes(ring, &cqe, count, NULL, NULL);
    case 4:
        check(io_uring_submit(ring), "io_uring_submit");
        check(io_uring_wait_cqe_timeout(ring, &cqe, &long_time), "io_uring_wait_cqe_timeout");
        return io_uring_wait_cqes(ring, &cqe, count, &long_time, NULL);
    case 5:
        check(io_uring_submit(ring), "io_uring_submit");
        return io_uring_enter((unsigned)ring->ring_fd, 0, count, IORING_ENTER_GETEVENTS, NULL);
    default:
        check(io_uring_submit(ring), "io_uring_submit");
        return (int)syscall(SYS_io_uring_enter, ring->ring_fd, 0, count, IORING_ENTER_GETEVENTS, NULL, 0L);
    }
}

static void *wait_for_completions(void *arg)
{
    struct io_uring ring;
    pthread_t other;
    int result;

    open_ring(&ring, arg);
    printf("%s:", ((const struct kind *)arg)->name);
    for (int call = 0; call < 7; call++)
        for (int count = 1; count <= PIPES; count += PIPES - 1) {
            prepare(&ring, count);
            other = feeder(count);
            result = wait_by(&ring, call, (unsigned)count);
            printf(" %d/%u/%.*s", result, reap(&ring), count, bytes);
            pthread_join(other, NULL);
        }
    printf("\n");
    io_uring_queue_exit(&ring);
    return NULL;
}

/* Times that come, with nothing and with less than is wanted. */
static void *wait_in_vain(void *arg)
{
    struct __kernel_timespec soon = {0, 2000000}, none = {0, 0};
    struct io_uring_cqe *cqe = NULL;
    struct io_uring ring;

    open_ring(&ring, arg);
    printf("%s in vain: %d", ((const struct kind *)arg)->name, io_uring_wait_cqe_timeout(&ring, &cqe, &soon));
    printf(" %d", io_uring_wait_cqes(&ring, &cqe, 2, &soon, NULL));
    printf(" %d", io_uring_wait_cqes(&ring, &cqe, 2, &none, NULL));
    printf(" %d", io_uring_submit_and_wait_timeout(&ring, &cqe, 2, &soon, NULL));
    prepare(&ring, 2);
    check((int)write(pipes[0][1], "x", 1), "write");
    printf(" %d", io_uring_submit_and_wait_timeout(&ring, &cqe, 2, &soon, NULL));
    check(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    printf(" %d", io_uring_wait_cqes(&ring, &cqe, 2, &soon, NULL));
    check((int)write(pipes[1][1], "y", 1), "write");
    printf(" %d", io_uring_wait_cqe_nr(&ring, &cqe, 2));
    printf("/%u", reap(&ring));
    printf(" %d %d\n", io_uring_peek_cqe(&ring, &cqe), io_uring_enter(9999, 0, 1, IORING_ENTER_GETEVENTS, NULL));
    io_uring_queue_exit(&ring);
    return NULL;
}

static int done;

static void handle(int signal) {}

static void *interrupt(void *arg)
{
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        pthread_kill(*(pthread_t *)arg, SIGUSR1);
        usleep(1000);
    }
    return NULL;
}

static void *wait_until_interrupted(void *arg)
{
    struct io_uring_cqe *cqe;
    struct io_uring ring;
    sigset_t mask, before;
    pthread_t self = pthread_self(), other;
    int result;

    open_ring(&ring, arg);
    prepare(&ring, 1);
    check(io_uring_submit(&ring), "io_uring_submit");
    done = 0;
    pthread_create(&other, NULL, interrupt, &self);
    result = io_uring_wait_cqe(&ring, &cqe);
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    pthread_join(other, NULL);
    printf("%s interrupted: %d", ((const struct kind *)arg)->name, result);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    pthread_kill(self, SIGUSR1);
    printf(" %d\n", io_uring_wait_cqes(&ring, &cqe, 1, NULL, &before)); /* which lets it in */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    check((int)write(pipes[0][1], "x", 1), "write");
    check(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    io_uring_queue_exit(&ring);
    return NULL;
}

static sigjmp_buf way_out;
static pthread_t leaver;

static void leave(int signal)
{
    siglongjmp(way_out, 1);
}

static void *have_left(void *arg)
{
    usleep(20000);
    pthread_kill(*(pthread_t *)arg, SIGUSR2);
    return NULL;
}

/* With less than is wanted. */
static void *wait_until_left(void *arg)
{
    struct io_uring_cqe *cqe;
    struct io_uring ring;
    pthread_t self = pthread_self();

    open_ring(&ring, arg);
    prepare(&ring, 2);
    check((int)write(pipes[0][1], "x", 1), "write");
    check(io_uring_submit(&ring), "io_uring_submit");
    if (!sigsetjmp(way_out, 1)) {
        pthread_create(&leaver, NULL, have_left, &self);
        printf("not left: %d\n", io_uring_wait_cqe_nr(&ring, &cqe, 2));
    }
    pthread_join(leaver, NULL);
    check((int)write(pipes[1][1], "y", 1), "write");
    printf("%s left: %d", ((const struct kind *)arg)->name, io_uring_wait_cqe_nr(&ring, &cqe, 2));
    printf("/%u\n", reap(&ring));
    io_uring_queue_exit(&ring);
    return NULL;
}

/* Each waits for the one before. */
static int links[9][2];

static void *link_of_chain(void *arg)
{
    long at = (long)arg;
    struct io_uring_cqe *cqe;
    struct io_uring ring;
    char byte = 0;

    open_ring(&ring, &kinds[0]);
    for (int i = 0; i < 20; i++) {
        io_uring_prep_read(io_uring_get_sqe(&ring), links[at][0], &byte, 1, 0);
        check(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
        check(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
        io_uring_cqe_seen(&ring, cqe);
        byte++;
        check((int)write(links[at + 1][1], &byte, 1), "write");
    }
    io_uring_queue_exit(&ring);
    return NULL;
}

static void chain(void)
{
    pthread_t threads[8];
    unsigned char byte = 0;

    for (int i = 0; i < 9; i++)
        check(pipe(links[i]), "pipe");
    for (long i = 0; i < 8; i++)
        check(-pthread_create(&threads[i], NULL, link_of_chain, (void *)i), "pthread_create");
    for (int i = 0; i < 20; i++) {
        check((int)write(links[0][1], &byte, 1), "write");
        check((int)read(links[8][0], &byte, 1), "read");
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    printf("chain: %d\n", byte);
}

static void scenarios(void)
{
    struct sigaction action = {.sa_handler = handle};

    events = eventfd(0, EFD_NONBLOCK);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, leave);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        run(wait_for_completions, &kinds[i]);
        run(wait_in_vain, &kinds[i]);
        run(wait_until_interrupted, &kinds[i]);
        run(wait_until_left, &kinds[i]);
    }
    chain();
}

#endif

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < PIPES; i++)
        check(pipe(pipes[i]), "pipe");
    scenarios();
    return 0;
}
