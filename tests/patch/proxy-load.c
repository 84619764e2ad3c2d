/* SPDX-License-Identifier: MIT
 *
 * Both sides of a proxy: COUNT clients that ask through it, each for something else, and the origin server, which
 * answers none of them before it has heard them all. So there is a moment when the proxy holds COUNT connections and as
 * many to the origin: that is when its threads are counted. Then every byte of the answers is looked at.
 *
 *     proxy-load ADDRESS PORT COUNT PID     the proxy's address and port, and its process
 *
 * One loop of epoll has both sides, so that this needs no threads itself. An entry of its is a client's number, or,
 * from COUNT on, COUNT plus the descriptor of a connection to the origin; the listener's is NONE.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NONE   UINT32_MAX
#define LINES  100 /* of an answer's body */
#define ENOUGH (LINES * 16 + 1024)
#define AHEAD  256 /* asked and not heard, so that no queue of connections overflows */

static struct client {
    int fd, origin; /* ours to the proxy, and the proxy's to us */
    size_t size;
    char *answer;
} * clients;
static int loop, listener, count, asked, heard, answered, wrong;
static uint16_t origin_port;

static _Noreturn void die(const char *what, int number)
{
    fprintf(stderr, "%s (%d): %s; %d asked, %d heard, %d answered\n", what, number, strerror(errno), asked, heard,
            answered);
    exit(1);
}

static void watch(int fd, uint32_t entry)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = entry};

    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl", fd);
}

static void listen_as_origin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        die("listen", 0);
    origin_port = ntohs(address.sin_port);
    watch(listener, NONE);
}

/* The first waits until the proxy is there. */
static void ask(const struct sockaddr_in *proxy)
{
    struct client *client = &clients[asked];
    char request[128];
    int tries = 0, length, fd;

    while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && connect(fd, (const struct sockaddr *)proxy, sizeof *proxy)) {
        if (asked || errno != ECONNREFUSED || ++tries == 1200)
            die("connect", asked);
        close(fd);
        usleep(50000);
    }
    length = snprintf(request, sizeof request, "GET http://127.0.0.1:%u/%d HTTP/1.0\r\n\r\n", origin_port, asked);
    if (fd < 0 || write(fd, request, (size_t)length) != length || !(client->answer = malloc(ENOUGH)))
        die("ask", asked);
    client->fd = fd;
    watch(fd, (uint32_t)asked++);
}

static void accept_all(void)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        watch(fd, (uint32_t)(count + fd));
    if (errno != EAGAIN)
        die("accept", heard);
}

/* A request comes in one piece or in more: its end is looked for without taking it. */
static void hear(int fd)
{
    char request[4096], *end;
    ssize_t size = recv(fd, request, sizeof request - 1, MSG_PEEK);
    int number;

    if (size <= 0)
        die("request", fd);
    request[size] = '\0';
    end = strstr(request, "\r\n\r\n");
    if (!end) {
        usleep(1000);
        return;
    }
    if (sscanf(request, "GET /%d HTTP", &number) != 1 || number < 0 || number >= asked || clients[number].origin >= 0)
        die("request of nobody", fd);
    if (recv(fd, request, (size_t)(end + 4 - request), 0) != end + 4 - request)
        die("request", number);
    clients[number].origin = fd;
    heard++;
}

static size_t body_of(int number, char *body)
{
    size_t size = 0;

    for (int i = 0; i < LINES; i++)
        size += (size_t)sprintf(body + size, "%d: %d\n", number, i);
    return size;
}

static void answer(int number)
{
    char text[ENOUGH] = "HTTP/1.0 200 OK\r\n\r\n";
    size_t head = strlen(text), size = head + body_of(number, text + head);
    int fd = clients[number].origin;

    if (write(fd, text, size) != (ssize_t)size)
        die("answer", number);
    close(fd);
}

/* The proxy adds lines to the head; the body is the origin's to the byte. */
static int is_right(int number)
{
    struct client *client = &clients[number];
    char body[ENOUGH], *end = strstr(client->answer, "\r\n\r\n");
    size_t size = body_of(number, body);

    return end && !strncmp(client->answer, "HTTP/1.0 200 ", 13) &&
           client->size == (size_t)(end + 4 - client->answer) + size && !memcmp(end + 4, body, size);
}

static void receive(int number)
{
    struct client *client = &clients[number];
    ssize_t got = read(client->fd, client->answer + client->size, ENOUGH - 1 - client->size);

    if (got > 0) {
        client->size += (size_t)got;
        return;
    }
    client->answer[client->size] = '\0';
    if ((got < 0 || !is_right(number)) && !wrong++)
        fprintf(stderr, "client %d, %zd, got %zu: %s\n", number, got, client->size, client->answer);
    free(client->answer);
    close(client->fd);
    answered++;
}

static void turn(void)
{
    struct epoll_event events[64];
    int found = epoll_wait(loop, events, 64, 60000);

    if (found <= 0)
        die("nothing happens", found);
    for (int i = 0; i < found; i++) {
        uint32_t entry = events[i].data.u32;
        if (entry == NONE)
            accept_all();
        else if (entry >= (uint32_t)count)
            hear((int)entry - count);
        else
            receive((int)entry);
    }
}

static void tell_of(const char *pid)
{
    char path[64], line[256];
    FILE *status;

    snprintf(path, sizeof path, "/proc/%s/status", pid);
    status = fopen(path, "r");
    if (!status)
        die(path, 0);
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "Name:", 5) || !strncmp(line, "VmRSS:", 6) || !strncmp(line, "Threads:", 8))
            fputs(line, stdout);
    fclose(status);
}

int main(int argc, char **argv)
{
    struct sockaddr_in proxy = {.sin_family = AF_INET};
    struct rlimit files;

    if (argc < 5 || inet_pton(AF_INET, argv[1], &proxy.sin_addr) != 1)
        return 2;
    proxy.sin_port = htons((uint16_t)atoi(argv[2]));
    count = atoi(argv[3]);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    loop = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc((size_t)count + 1, sizeof *clients);
    if (loop < 0 || !clients)
        die("loop", 0);
    for (int i = 0; i < count; i++)
        clients[i].origin = -1;
    listen_as_origin();
    while (heard < count) {
        while (asked < count && asked - heard < AHEAD)
            ask(&proxy);
        turn();
    }
    tell_of(argv[4]);
    for (int i = 0; i < count; i++) {
        answer(i);
        while (i - answered >= AHEAD)
            turn();
    }
    while (answered < count)
        turn();
    printf("answered %d, wrong %d\n", answered, wrong);
    return wrong != 0;
}
