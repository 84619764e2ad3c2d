/* SPDX-License-Identifier: MIT
 *
 * Addresses, listening and connecting. A host has several addresses at times: listening takes the first that works,
 * connecting tries them in the resolver's order (RFC 6724) until one answers.
 */
#include "base/clock.h"
#include "process/conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG  128
#define GREETING MT_SEC(2) /* how long one who has come may take to say who he is: others wait meanwhile */

struct mt_listener {
    int fd;
    int is_unix;
    char *key;
    size_t key_size;
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* of the socket's file, "" if there is none */
    dev_t device;
    ino_t inode;
    char address[1100];
};

/* -- Addresses ---------------------------------------------------------------------------------------------------- */

static int unix_address(const char *path, struct sockaddr_un *to, socklen_t *size)
{
    size_t length = strlen(path);

    if (!length || !strcmp(path, "@") || length >= sizeof to->sun_path)
        return -EINVAL;
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path, length);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] == '@')
        to->sun_path[0] = 0;
    else
        ++*size;
    return 0;
}

/* "HOST:PORT" or "[HOST]:PORT". */
static int resolve(const char *text, int flags, struct addrinfo **list)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    char host[1025];
    const char *colon = strrchr(text, ':'), *end = colon;
    int error;

    if (colon && text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
        text++;
        end--;
    } else if (!colon || memchr(text, ':', (size_t)(colon - text))) {
        return -EINVAL;
    }
    if (!colon[1] || end == text || (size_t)(end - text) >= sizeof host)
        return -EINVAL;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = 0;
    error = getaddrinfo(host, colon + 1, &hints, list);
    switch (error) {
    case 0:
        return 0;
    case EAI_SYSTEM:
        return -errno;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_SERVICE:
        return -EINVAL;
    default:
        return -EHOSTUNREACH;
    }
}

static const char *after(const char *address, const char *scheme)
{
    size_t length = strlen(scheme);

    return strncmp(address, scheme, length) ? NULL : address + length;
}

static int check_key(const void *key, size_t key_size)
{
    if (!key)
        return key_size ? -EINVAL : 0;
    if (!key_size || key_size > 4096)
        return -EINVAL;
    return mt__conn_can_prove() ? 0 : -ENOTSUP;
}

static int make_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

/* -- Listening ---------------------------------------------------------------------------------------------------- */

/* A socket's file whose listener has ended refuses whoever comes: it may go. The one who comes is of the wrong type, so
 * that a living listener does not hear of it. */
static int is_stale(const struct sockaddr_un *address, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), stale;

    if (fd < 0)
        return 0;
    stale = connect(fd, (const struct sockaddr *)address, size) < 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int listen_unix(struct mt_listener *listener, const char *path)
{
    struct sockaddr_un address;
    struct stat status;
    socklen_t size;
    int error = unix_address(path, &address, &size), fd;

    if (error)
        return error;
    fd = make_socket(AF_UNIX);
    if (fd < 0)
        return fd;
    error = bind(fd, (struct sockaddr *)&address, size) ? -errno : 0;
    if (error == -EADDRINUSE && path[0] != '@' && is_stale(&address, size) && unlink(path) == 0)
        error = bind(fd, (struct sockaddr *)&address, size) ? -errno : 0;
    if (!error && listen(fd, BACKLOG))
        error = -errno;
    if (error) {
        close(fd);
        return error;
    }
    if (path[0] != '@' && stat(path, &status) == 0) {
        strcpy(listener->path, path);
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
    listener->fd = fd;
    listener->is_unix = 1;
    snprintf(listener->address, sizeof listener->address, "unix:%s", path);
    return 0;
}

static void describe(struct mt_listener *listener)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

    if (getsockname(listener->fd, (struct sockaddr *)&address, &size) == 0)
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(listener->address, sizeof listener->address, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
}

static int listen_on(const struct addrinfo *address)
{
    int fd = make_socket(address->ai_family), yes = 1, error;

    if (fd < 0)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

static int listen_tcp(struct mt_listener *listener, const char *text)
{
    struct addrinfo *list = NULL;
    int result = resolve(text, AI_PASSIVE, &list);

    if (result)
        return result;
    result = -EADDRNOTAVAIL;
    for (const struct addrinfo *address = list; address && result < 0; address = address->ai_next)
        result = listen_on(address);
    freeaddrinfo(list);
    if (result < 0)
        return result;
    listener->fd = result;
    describe(listener);
    return 0;
}

static int copy_key(struct mt_listener *listener, const void *key, size_t key_size)
{
    if (!key)
        return 0;
    listener->key = malloc(key_size);
    if (!listener->key)
        return -ENOMEM;
    memcpy(listener->key, key, key_size);
    listener->key_size = key_size;
    return 0;
}

struct mt_listener *mt_listen(const char *address, const void *key, size_t key_size)
{
    const char *path = after(address, "unix:"), *host = after(address, "tcp:");
    struct mt_listener *listener;
    int error = path || host ? check_key(key, key_size) : -EINVAL;

    if (error) {
        errno = -error;
        return NULL;
    }
    listener = mt__alloc(sizeof *listener);
    error = listener ? copy_key(listener, key, key_size) : -ENOMEM;
    if (!error)
        error = path ? listen_unix(listener, path) : listen_tcp(listener, host);
    if (!error)
        return listener;
    if (listener)
        free(listener->key);
    free(listener);
    errno = -error;
    return NULL;
}

const char *mt_listener_address(const struct mt_listener *listener)
{
    return listener->address;
}

void mt_listener_close(struct mt_listener *listener)
{
    struct stat status;

    if (!listener)
        return;
    if (listener->path[0] && stat(listener->path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode)
        unlink(listener->path);
    close(listener->fd);
    if (listener->key)
        explicit_bzero(listener->key, listener->key_size);
    free(listener->key);
    free(listener);
}

/* -- Coming and going --------------------------------------------------------------------------------------------- */

/* Owns fd. */
static struct mt_conn *greeted(int fd, int is_unix, const void *key, size_t key_size, int server, mt_deadline deadline)
{
    struct mt_conn *conn = mt__conn_new(fd, is_unix);
    int error, yes = 1;

    if (!conn) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    if (!is_unix)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    error = mt__conn_greet(conn, key, key_size, server, deadline);
    if (!error)
        return conn;
    mt_conn_close(conn);
    errno = -error;
    return NULL;
}

int mt__listener_take(struct mt_listener *listener, mt_deadline deadline)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC), result = 0;
        if (fd >= 0)
            return fd;
        if (errno == EAGAIN)
            result = mt__conn_wait_fd(listener->fd, POLLIN, deadline);
        else if (errno != EINTR)
            result = -errno;
        if (result)
            return result;
    }
}

struct mt_conn *mt__listener_greet(const struct mt_listener *listener, int fd)
{
    struct mt_conn *conn = greeted(fd, listener->is_unix, listener->key, listener->key_size, 1, mt_after(GREETING));

    if (!conn && (errno == ETIMEDOUT || errno == ECONNRESET))
        errno = ECONNABORTED;
    return conn;
}

struct mt_conn *mt_listener_accept(struct mt_listener *listener, mt_deadline deadline)
{
    int fd = mt__listener_take(listener, deadline);

    if (fd >= 0)
        return mt__listener_greet(listener, fd);
    errno = -fd;
    return NULL;
}

int mt__listener_fd(const struct mt_listener *listener)
{
    return listener->fd;
}

static int connect_to(int family, const struct sockaddr *address, socklen_t size, mt_deadline deadline)
{
    int fd = make_socket(family), error = 0;
    socklen_t error_size = sizeof error;

    if (fd < 0)
        return fd;
    if (connect(fd, address, size) == 0)
        return fd;
    if (errno == EINPROGRESS) {
        error = mt__conn_wait_fd(fd, POLLOUT, deadline);
        if (!error && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) == 0)
            error = -error;
        if (!error)
            return fd;
    } else {
        error = -errno;
    }
    close(fd);
    return error;
}

static int connect_unix(const char *path, mt_deadline deadline)
{
    struct sockaddr_un address;
    socklen_t size;
    int fd = unix_address(path, &address, &size);

    if (fd)
        return fd;
    /* A full backlog answers EAGAIN and wakes nobody. */
    while ((fd = connect_to(AF_UNIX, (struct sockaddr *)&address, size, deadline)) == -EAGAIN) {
        int result = mt_now() < deadline ? mt_sleep(MT_MS(2)) : mt__late(deadline);
        if (result)
            return result;
    }
    return fd;
}

static int connect_tcp(const char *text, mt_deadline deadline)
{
    struct addrinfo *list = NULL;
    int result = resolve(text, 0, &list);

    if (result)
        return result;
    result = -EHOSTUNREACH;
    for (const struct addrinfo *address = list; address && result < 0 && result != -ECANCELED && result != -EBUSY;
         address = address->ai_next)
        result = connect_to(address->ai_family, address->ai_addr, address->ai_addrlen, deadline);
    freeaddrinfo(list);
    return result;
}

struct mt_conn *mt_conn_connect(const char *address, const void *key, size_t key_size, mt_deadline deadline)
{
    const char *path = after(address, "unix:"), *host = after(address, "tcp:");
    int fd = path || host ? check_key(key, key_size) : -EINVAL;

    if (!fd)
        fd = path ? connect_unix(path, deadline) : connect_tcp(host, deadline);
    if (fd < 0) {
        errno = -fd;
        return NULL;
    }
    return greeted(fd, path != NULL, key, key_size, 0, deadline);
}
