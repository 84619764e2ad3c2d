/* SPDX-License-Identifier: MIT
 *
 * The load for echo servers, whoever wrote them: starts one, drives it over loopback with 1, 100 and 1,000 connections,
 * each with one request of 64 bytes under way, and prints how many it answers, how long they take, and how much of its
 * processor's time each takes.
 *
 *     echo [-c CONNECTIONS] [-s SECONDS] SERVER [ARGUMENT...]
 *
 * The server finds its listening socket as descriptor 3, runs on processor 0 alone, and is killed when this ends. The
 * load runs on processor 1, by io_uring: one system call for whatever has gathered, so that it waits for the server and
 * not the other way round.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, MOST = 4000, BUFFERS = 4096, DEADLINE = 120 };

struct connection {
    int fd;
    unsigned got;
    uint64_t sent_at, number;
    unsigned char message[SIZE];
};

static struct connection connections[MOST];
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static unsigned char memory[BUFFERS][SIZE];
static pid_t server;

static _Noreturn void die(const char *what, int error)
{
    fprintf(stderr, "echo: %s%s%s\n", what, error ? ": " : "", error ? strerror(error) : "");
    exit(1);
}

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t server_cpu(void)
{
    clockid_t clock;

    return clock_getcpuclockid(server, &clock) ? 0 : clock_of(clock);
}

/* -- Latencies: 32 buckets an octave, each at most 3 % wide ------------------------------------------------------- */

enum { SUB = 32, OCTAVES = 40 };
static uint64_t histogram[SUB * OCTAVES], answers;

static void count_latency(uint64_t ns)
{
    unsigned octave = ns < SUB ? 0 : 58 - (unsigned)__builtin_clzll(ns); /* 5 bits of it are the bucket */

    histogram[octave * SUB + (ns >> octave)]++;
    answers++;
}

static double percentile(double share)
{
    uint64_t below = (uint64_t)((double)answers * share);

    for (unsigned i = 0; i < SUB * OCTAVES; i++) {
        if (histogram[i] > below) {
            unsigned octave = i < 2 * SUB ? 0 : i / SUB - 1;
            return (double)((uint64_t)(i - octave * SUB) << octave);
        }
        below -= histogram[i];
    }
    return 0;
}

/* -- The server --------------------------------------------------------------------------------------------------- */

static void run_on(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        fprintf(stderr, "echo: cannot run on processor %d alone: %s\n", processor, strerror(errno));
}

static void start(char **command, struct sockaddr_in *address)
{
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof *address;
    pid_t parent = getpid();

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* what it accepts inherits it */
    if (listener < 0 || bind(listener, (struct sockaddr *)address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)address, &size))
        die("a listening socket", errno);
    server = fork();
    if (server < 0)
        die("fork", errno);
    if (!server) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        run_on(0);
        if (listener != 3) {
            dup2(listener, 3);
            close(listener);
        }
        setenv("GOMAXPROCS", "1", 1);
        execvp(command[0], command);
        fprintf(stderr, "echo: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    close(listener);
}

/* -- The load ----------------------------------------------------------------------------------------------------- */

static void open_ring(void)
{
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE, .cq_entries = 16384};
    int error = io_uring_queue_init_params(4096, &ring, &parameters);
    struct io_uring_buf_reg registration = {.ring_entries = BUFFERS};

    if (error)
        die("io_uring, which the load needs", -error);
    io_uring_register_ring_fd(&ring);
    if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)))
        die("memory", ENOMEM);
    registration.ring_addr = (uintptr_t)buffers;
    error = io_uring_register_buf_ring(&ring, &registration, 0);
    if (error)
        die("a ring of buffers", -error);
    io_uring_buf_ring_init(buffers);
    for (unsigned short i = 0; i < BUFFERS; i++)
        io_uring_buf_ring_add(buffers, memory[i], SIZE, i, BUFFERS - 1, i);
    io_uring_buf_ring_advance(buffers, BUFFERS);
}

static struct io_uring_sqe *entry(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    while (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    return sqe;
}

static void receive(unsigned index)
{
    struct io_uring_sqe *sqe = entry();

    io_uring_prep_recv_multishot(sqe, connections[index].fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->user_data = index + 1;
}

static void ask(unsigned index, uint64_t now)
{
    struct connection *connection = &connections[index];
    struct io_uring_sqe *sqe = entry();

    connection->number++;
    connection->sent_at = now;
    connection->got = 0;
    memcpy(connection->message, &connection->number, sizeof connection->number);
    memcpy(connection->message + 8, &index, sizeof index);
    io_uring_prep_send(sqe, connection->fd, connection->message, SIZE, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 0;
}

/* Returns whether that was the whole answer. */
static int hear(struct connection *connection, const unsigned char *bytes, unsigned count)
{
    if (connection->got + count > SIZE || memcmp(bytes, connection->message + connection->got, count) != 0)
        die("the server has answered something else", 0);
    connection->got += count;
    return connection->got == SIZE;
}

/* Waits for answers. Returns how many connections have got theirs, and asks again on each if `more`. */
static unsigned turn(int more)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0, given = 0, done = 0;
    uint64_t now;

    io_uring_submit_and_wait(&ring, 1);
    now = clock_of(CLOCK_MONOTONIC);
    io_uring_for_each_cqe(&ring, head, cqe)
    {
        unsigned index = (unsigned)cqe->user_data - 1, buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        count++;
        if (cqe->user_data == 0 || (cqe->res <= 0 && cqe->res != -ENOBUFS))
            die("the server is gone", cqe->res < 0 ? -cqe->res : 0);
        if (!(cqe->flags & IORING_CQE_F_MORE))
            receive(index);
        if (cqe->res < 0)
            continue;
        if (hear(&connections[index], memory[buffer], (unsigned)cqe->res)) {
            count_latency(now - connections[index].sent_at);
            done++;
            if (more)
                ask(index, now);
        }
        io_uring_buf_ring_add(buffers, memory[buffer], SIZE, (unsigned short)buffer, BUFFERS - 1, (int)given++);
    }
    io_uring_buf_ring_cq_advance(&ring, buffers, (int)given);
    io_uring_cq_advance(&ring, count - given);
    return done;
}

static void load_for(double seconds)
{
    uint64_t end = clock_of(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);

    while (clock_of(CLOCK_MONOTONIC) < end)
        turn(1);
}

static void connect_all(unsigned count, const struct sockaddr_in *address)
{
    int one = 1;

    for (unsigned i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address))
            die("cannot connect", errno);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connections[i] = (struct connection){.fd = fd};
        receive(i);
        ask(i, clock_of(CLOCK_MONOTONIC));
    }
}

/* The receives hold the sockets open beyond their close. Nothing of this ring may be heard of in the next. */
static void disconnect_all(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        shutdown(connections[i].fd, SHUT_RDWR);
    io_uring_queue_exit(&ring);
    free(buffers);
    for (unsigned i = 0; i < count; i++)
        close(connections[i].fd);
}

static void measure(unsigned count, double seconds, const struct sockaddr_in *address)
{
    uint64_t start, cpu;
    double elapsed;

    open_ring();
    connect_all(count, address);
    load_for(0.3); /* all is warm, and all connections are accepted */
    memset(histogram, 0, sizeof histogram);
    answers = 0;
    cpu = server_cpu();
    start = clock_of(CLOCK_MONOTONIC);
    load_for(seconds);
    elapsed = (double)(clock_of(CLOCK_MONOTONIC) - start);
    cpu = server_cpu() - cpu;
    printf("rate-%u kreq/s %.3f\n", count, (double)answers / elapsed * 1e6);
    printf("p50-%u us %.2f\n", count, percentile(0.5) / 1e3);
    printf("p99-%u us %.2f\n", count, percentile(0.99) / 1e3);
    printf("cpu-%u us %.3f\n", count, (double)cpu / (double)answers / 1e3);
    for (unsigned left = count; left;)
        left -= turn(0);
    disconnect_all(count);
}

int main(int argc, char **argv)
{
    unsigned counts[] = {1, 100, 1000}, only = 0;
    double seconds = 1;
    struct sockaddr_in address;
    struct rlimit limit = {MOST + 100, MOST + 100};
    int option;

    while ((option = getopt(argc, argv, "+c:s:")) != -1) {
        if (option == 'c')
            only = (unsigned)atoi(optarg);
        else if (option == 's')
            seconds = atof(optarg);
        else
            return 2;
    }
    if (optind == argc || only > MOST)
        return 2;
    alarm(DEADLINE);
    if (setrlimit(RLIMIT_NOFILE, &limit) && !getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    start(argv + optind, &address);
    run_on(1);
    if (only)
        measure(only, seconds, &address);
    for (unsigned i = 0; i < sizeof counts / sizeof *counts && !only; i++)
        measure(counts[i], seconds, &address);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}
