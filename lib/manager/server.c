/* SPDX-License-Identifier: MIT
 *
 * The server's process. Its main task waits for those who come, whom it gives a thread each; for those who go, whose
 * threads it kills, so that none waits on for somebody who is not there; for threads that have ended; and for the end:
 * a word of the owner, or its silence.
 *
 * Invariant: a visitor's place is filled and emptied by the main task only, and emptied after its thread has ended:
 * then the kernel has handed on the lock that the thread held, and the lock's memory may go.
 */
#include "manager/server.h"
#include "base/sys.h"
#include "process/conn.h"

#include <errno.h>
#include <linuxmt/thread.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SPARE  16        /* places for those who come too many, to be told so */
#define GOODBY MT_SEC(1) /* how long threads may take to end at the end */
#define BREATH MT_MS(50) /* when there is no descriptor or thread for one who has come */

/* What an event is about, if it is no visitor's place. */
#define CONTROL   UINT32_MAX
#define ENDED     (UINT32_MAX - 1)
#define LISTENERS (UINT32_MAX - 3) /* and one more */

static int watch(struct mt__server *server, int fd, uint32_t events, uint32_t what, uint32_t serial)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)serial << 32 | what};

    return (int)mt__sys(SYS_epoll_ctl, server->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* -- Visitors ----------------------------------------------------------------------------------------------------- */

static uint32_t places(const struct mt__server *server)
{
    return server->limits->connections + SPARE;
}

/* Its thread has ended, or is about to. */
static void see_off(struct mt__server *server, struct mt__visitor *visitor)
{
    if (mt_task_join(visitor->task, MT_FOREVER) < 0)
        return; /* this task is killed: at the end it will be seen again */
    mt_task_release(visitor->task);
    mt_conn_close(visitor->conn);
    if (visitor->held)
        mt__object_release(visitor->held);
    memset(visitor, 0, sizeof *visitor);
    __atomic_sub_fetch(&server->visitor_count, 1, __ATOMIC_RELAXED);
}

static void see_off_the_ended(struct mt__server *server)
{
    uint64_t count;

    mt__sys(SYS_read, server->ended, &count, sizeof count);
    for (uint32_t i = 0; i < places(server); i++)
        if (server->visitors[i].task && __atomic_load_n(&server->visitors[i].ended, __ATOMIC_ACQUIRE))
            see_off(server, &server->visitors[i]);
}

static struct mt__visitor *free_place(struct mt__server *server)
{
    for (uint32_t i = 0; i < places(server); i++)
        if (!server->visitors[i].task)
            return &server->visitors[i];
    return NULL;
}

/* Owns fd. */
static void receive_visitor(struct mt__server *server, struct mt_listener *listener, int is_local, int fd)
{
    struct mt_thread_options options = {.name = "manager's visitor", .daemon = 1};
    struct mt__visitor *visitor = free_place(server);

    if (!visitor) {
        close(fd);
        return;
    }
    *visitor = (struct mt__visitor){
        .server = server,
        .listener = listener,
        .serial = ++server->serial,
        .is_refused = server->visitor_count >= server->limits->connections,
        .is_local = is_local,
        .fd = fd,
        .passed_fd = -1,
    };
    __atomic_add_fetch(&server->visitor_count, 1, __ATOMIC_RELAXED); /* before it can be asked how many there are */
    if (watch(server, fd, EPOLLRDHUP | EPOLLET, (uint32_t)(visitor - server->visitors), visitor->serial) == 0)
        visitor->task = mt_thread_spawn(mt__visitor_main, visitor, &options);
    if (!visitor->task) {
        __atomic_sub_fetch(&server->visitor_count, 1, __ATOMIC_RELAXED);
        close(fd);
    }
}

static void accept_at(struct mt__server *server, unsigned which)
{
    int fd;

    while ((fd = mt__listener_take(server->listeners[which], MT_NOWAIT)) >= 0)
        receive_visitor(server, server->listeners[which], which == 0, fd);
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
        int result = mt_sleep(BREATH);
        (void)result; /* who was killed sees it in the next wait */
    }
}

static void kill_visitor(struct mt__server *server, uint32_t place, uint32_t serial)
{
    struct mt__visitor *visitor = &server->visitors[place];

    if (place < places(server) && visitor->task && visitor->serial == serial)
        mt_task_kill(visitor->task);
}

/* 1: they have all ended, and nobody uses anything any more. */
static int kill_all(struct mt__server *server)
{
    struct mt_task *task;
    mt_deadline until = mt_after(GOODBY);

    for (uint32_t i = 0; i < places(server); i++)
        if ((task = server->visitors[i].task))
            mt_task_kill(task);
    for (uint32_t i = 0; i < places(server); i++)
        if ((task = server->visitors[i].task) && mt_task_join(task, until) < 0)
            return 0;
    return 1;
}

/* -- The main task ------------------------------------------------------------------------------------------------ */

/* 1: it is the end. */
static int handle(struct mt__server *server, uint64_t data)
{
    uint32_t what = (uint32_t)data;

    switch (what) {
    case CONTROL:
        return 1;
    case ENDED:
        see_off_the_ended(server);
        return 0;
    case LISTENERS:
    case LISTENERS + 1:
        accept_at(server, what - LISTENERS);
        return 0;
    default:
        kill_visitor(server, what, (uint32_t)(data >> 32));
        return 0;
    }
}

static int run(struct mt__server *server)
{
    struct epoll_event events[64];

    for (;;) {
        int result = mt__conn_wait_fd(server->epoll, POLLIN, MT_FOREVER), count;
        if (result)
            return result == -ECANCELED ? 0 : result; /* SIGTERM is a way to ask for the end */
        count = epoll_wait(server->epoll, events, sizeof events / sizeof *events, 0);
        for (int i = 0; i < count; i++)
            if (handle(server, events[i].data.u64))
                return 0;
    }
}

static int start_listening(struct mt__server *server, const struct mt__server_start *start)
{
    server->listeners[0] = mt_listen(start->address, NULL, 0);
    if (!server->listeners[0])
        return mt_fail(-errno, "cannot listen at %.200s", start->address);
    if (start->tcp[0]) {
        server->listeners[1] = mt_listen(start->tcp, start->key, start->key_size);
        if (!server->listeners[1])
            return mt_fail(-errno, "cannot listen at %.200s", start->tcp);
    }
    for (unsigned i = 0; i < 2; i++) {
        int error =
            server->listeners[i] ? watch(server, mt__listener_fd(server->listeners[i]), EPOLLIN, LISTENERS + i, 0) : 0;
        if (error)
            return error;
    }
    return 0;
}

static int set_up(struct mt__server *server, const struct mt__server_start *start)
{
    int error;

    server->limits = start;
    server->ended = -1;
    mt_lock_init(&server->lock, "manager", 0);
    server->visitors = mt__alloc(places(server) * sizeof *server->visitors);
    if (!server->visitors)
        return -ENOMEM;
    server->epoll = (int)mt__sys(SYS_epoll_create1, EPOLL_CLOEXEC);
    if (server->epoll < 0)
        return server->epoll;
    server->ended = (int)mt__sys(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->ended < 0)
        return server->ended;
    error = watch(server, server->ended, EPOLLIN, ENDED, 0);
    if (!error)
        error = watch(server, mt_conn_fd(server->control), EPOLLIN, CONTROL, 0);
    return error ? error : start_listening(server, start);
}

/* The first message to the owner: the result, and where it listens, or what was wrong. */
static int report(struct mt__server *server, int result)
{
    struct mt__pack pack = {0};
    const char *text = mt_task_message(mt_task_current());
    int error;

    mt__pack_u64(&pack, (uint64_t)(int64_t)result);
    if (result) {
        mt__pack_text(&pack, *text ? text : strerror(-result));
    } else {
        mt__pack_text(&pack, mt_listener_address(server->listeners[0]));
        mt__pack_text(&pack, server->listeners[1] ? mt_listener_address(server->listeners[1]) : "");
    }
    error = pack.failed ? -ENOMEM : mt_conn_send(server->control, pack.data, pack.size, mt_after(MT_SEC(10)));
    mt__pack_free(&pack);
    return result ? result : error;
}

int mt__server_main(void *arg)
{
    static struct mt__server server; /* of the threads too: it must outlive this call */
    int result;

    signal(SIGINT, SIG_IGN); /* the terminal's ^C is for those who work */
    server.control = mt_conn_open(mt_process_fd(0));
    if (!server.control)
        return -errno;
    result = report(&server, set_up(&server, arg));
    if (!result)
        result = run(&server);
    if (server.visitors && !kill_all(&server))
        return result; /* the process's end ends them all */
    for (unsigned i = 0; i < 2; i++)
        mt_listener_close(server.listeners[i]);
    return result;
}
