/* SPDX-License-Identifier: MIT
 *
 * The lines of this process to managers' servers. A call takes one that nobody uses, or makes one, so calls of several
 * tasks do not wait for each other, and a call that has to give up in the middle breaks its line, from which the server
 * knows, and disturbs no other.
 *
 * A fork's child must not use its parent's lines, nor keep them open when the parent ends: the server would not learn
 * of it. So all lines are in one list, and the child closes them.
 */
#include "base/clock.h"
#include "base/mini.h"
#include "base/own.h"
#include "manager/client.h"
#include "process/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MAX 8 /* lines of a manager that are kept though nobody uses them */

uint32_t mt__manager_forks;

static struct {
    struct mt__mini lock;
    struct mt__line *first;
} lines;

/* -- What went wrong, for people ---------------------------------------------------------------------------------- */

static __thread char said[MT_MESSAGE_MAX];

const char *mt_manager_message(void)
{
    return said;
}

int mt__manager_say(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    return code;
}

/* -- The list ----------------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    mt__mini_acquire(&lines.lock);
}

static void after_fork(void)
{
    mt__mini_release(&lines.lock);
}

/* Closes, and leaks the memory of those that were in use: the tasks that used them are not here. */
static void in_child(void)
{
    for (struct mt__line *line = lines.first; line; line = line->next) {
        line->manager->idle = NULL;
        line->manager->idle_count = 0;
        line->manager->control = NULL;
        mt__own_close(line->conn->fd);
        line->conn->fd = -1;
    }
    lines.first = NULL;
    mt__manager_forks++;
    lines.lock.word = 0;
}

static void at_first(void)
{
    pthread_atfork(before_fork, after_fork, in_child);
}

struct mt__line *mt__line_new(struct mt_manager *manager, struct mt_conn *conn)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct mt__line *line = mt__alloc(sizeof *line);

    pthread_once(&once, at_first);
    if (!line) {
        mt_conn_close(conn);
        return NULL;
    }
    conn->fd = mt__own(conn->fd);
    line->conn = conn;
    line->manager = manager;
    mt__mini_acquire(&lines.lock);
    line->next = lines.first;
    if (line->next)
        line->next->previous = line;
    lines.first = line;
    mt__mini_release(&lines.lock);
    return line;
}

void mt__line_end(struct mt__line *line)
{
    mt__mini_acquire(&lines.lock);
    if (line->next)
        line->next->previous = line->previous;
    if (line->previous)
        line->previous->next = line->next;
    else
        lines.first = line->next;
    mt__mini_release(&lines.lock);
    mt_conn_close(line->conn);
    free(line);
}

static struct mt__line *take_idle(struct mt_manager *manager)
{
    struct mt__line *line;

    mt__mini_acquire(&lines.lock);
    line = manager->idle;
    if (line) {
        manager->idle = line->idle;
        manager->idle_count--;
    }
    mt__mini_release(&lines.lock);
    return line;
}

void mt__line_give(struct mt__line *line)
{
    struct mt_manager *manager = line->manager;
    int kept;

    mt__mini_acquire(&lines.lock);
    kept = !manager->closed && manager->idle_count < IDLE_MAX;
    if (kept) {
        line->idle = manager->idle;
        manager->idle = line;
        manager->idle_count++;
    }
    mt__mini_release(&lines.lock);
    if (!kept)
        mt__line_end(line);
}

void mt__lines_end(struct mt_manager *manager)
{
    struct mt__line *line;

    while ((line = take_idle(manager)))
        mt__line_end(line);
}

/* -- Making one --------------------------------------------------------------------------------------------------- */

/* Who answers on a Unix socket must be this user too: anybody may take a name. */
static int check_peer(struct mt_conn *conn)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof peer;

    if (!conn->is_unix)
        return 0;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return -errno;
    if (peer.uid == geteuid())
        return 0;
    return mt__manager_say(-EPERM, "the server there is that of another user (uid %u)", (unsigned)peer.uid);
}

/* A host that has vanished is noticed within a minute. */
void mt__keep_alive(struct mt_conn *conn)
{
    int yes = 1, idle = 20, every = 10, count = 3;

    if (conn->is_unix)
        return;
    setsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static int greet(struct mt__line *line, mt_deadline deadline)
{
    struct mt__pack pack = {0};
    struct mt__reply reply = {0};
    int64_t result = check_peer(line->conn);
    uint32_t language;
    int broken = 0;

    if (result)
        return (int)result;
    mt__keep_alive(line->conn);
    mt__request(&pack, MT__OP_HELLO, 0, 0);
    mt__pack_u32(&pack, MT__MANAGER_LANGUAGE);
    result = mt__ask(line, &pack, &reply, deadline, &broken);
    if (result >= 0) {
        language = mt__unpack_u32(&reply.body);
        __atomic_store_n(&line->manager->message_max, mt__unpack_u32(&reply.body), __ATOMIC_RELAXED);
        if (!mt__unpack_is_whole(&reply.body) || language != MT__MANAGER_LANGUAGE)
            result = mt__manager_say(-EPROTO, "%s is no manager of this version", line->manager->address);
    }
    free(reply.data);
    return result < 0 ? (int)result : 0;
}

static int connect_line(struct mt_manager *manager, struct mt__line **line, mt_deadline deadline)
{
    int is_unix = !strncmp(manager->address, "unix:", 5), error;
    struct mt_conn *conn =
        mt_conn_connect(manager->address, is_unix ? NULL : manager->key, is_unix ? 0 : manager->key_size, deadline);

    if (!conn) {
        error = -errno;
        if (error == -EACCES && !is_unix)
            return mt__manager_say(error, "the manager at %s does not accept the key", manager->address);
        return mt__manager_say(error, "cannot connect to the manager at %s: %s", manager->address, strerror(-error));
    }
    *line = mt__line_new(manager, conn);
    if (!*line)
        return -ENOMEM;
    error = greet(*line, deadline);
    if (error)
        mt__line_end(*line);
    return error;
}

int mt__line_take(struct mt_manager *manager, struct mt__line **line, mt_deadline deadline)
{
    if (__atomic_load_n(&manager->closed, __ATOMIC_ACQUIRE))
        return mt__manager_say(-EPIPE, "the manager's handle was closed");
    *line = take_idle(manager);
    return *line ? 0 : connect_line(manager, line, deadline);
}
