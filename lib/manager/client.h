/* SPDX-License-Identifier: MIT
 *
 * Inside the room: the client's side of a manager.
 */
#ifndef MANAGER_CLIENT_H
#define MANAGER_CLIENT_H

#include "base/mini.h"
#include "manager/page.h"
#include <linuxmt/conn.h>
#include <linuxmt/managed.h>

/* A connection to the server. It serves one call at a time, or the lock that was acquired over it. */
struct mt__line {
    struct mt_conn *conn;
    struct mt_manager *manager;
    struct mt__line *previous, *next; /* among all of this process */
    struct mt__line *idle;            /* the next that nobody uses */
};

struct mt_manager {
    uint32_t references; /* the handle, and each object that is open */
    uint32_t closed;
    uint32_t forks; /* what mt__manager_forks was when it was made: another, and the server is not this process's */
    char *address, *tcp;
    void *key;
    size_t key_size;
    uint32_t message_max;
    struct mt_task *task;     /* the server, if it was started here, */
    struct mt__line *control; /* and the line that it ends with */
    struct mt__line *idle;
    unsigned idle_count;
};

/* Lines write it, calls read it: always the same number. */
static inline uint32_t mt__message_max(const struct mt_manager *manager)
{
    return __atomic_load_n(&manager->message_max, __ATOMIC_RELAXED);
}

struct mt__managed {
    struct mt_manager *manager;
    enum mt__managed_kind kind;
    uint64_t id;
    struct mt_queue *queue; /* NULL: by requests */
    struct mt_shm *page;    /* NULL: by requests */

    /* a lock by requests: what it is held over, and by whom. Written by the holder only */
    struct mt__line *held;
    uint32_t holder;
    uint32_t forks;
    struct mt__mini guard;       /* of these: */
    struct mt__rw_hold *rw_held; /* a read-write lock by requests: what its holders in this process hold it over */
    char name[MT_MANAGER_NAME_MAX];
};

struct mt_managed_queue {
    struct mt__managed of;
};
struct mt_managed_lock {
    struct mt__managed of;
};
struct mt_managed_event {
    struct mt__managed of;
};
struct mt_managed_sem {
    struct mt__managed of;
};
struct mt_managed_counter {
    struct mt__managed of;
};
struct mt_managed_cond {
    struct mt__managed of;
};
struct mt_managed_barrier {
    struct mt__managed of;
};
struct mt_managed_rwlock {
    struct mt__managed of;
};
struct mt_managed_dict {
    struct mt__managed of;
};
struct mt_managed_list {
    struct mt__managed of;
};

/* -- line.c ------------------------------------------------------------------------------------------------------- */

/* How often this process has been forked since the first line. */
extern uint32_t mt__manager_forks;

/* Keeps the message for mt_manager_message; returns code. */
int mt__manager_say(int code, const char *format, ...) MT__PRINTF(2, 3);

/* Owns the connection, also when it fails. NULL: no memory. */
struct mt__line *mt__line_new(struct mt_manager *manager, struct mt_conn *conn);

/* One that nobody uses, or a new one. 0 or -errno. */
int mt__line_take(struct mt_manager *manager, struct mt__line **line, mt_deadline deadline);
void mt__line_give(struct mt__line *line);
void mt__line_end(struct mt__line *line);
void mt__lines_end(struct mt_manager *manager); /* all that nobody uses */

/* Has the kernel find out when the other side's host has vanished. */
void mt__keep_alive(struct mt_conn *conn);

/* -- call.c ------------------------------------------------------------------------------------------------------- */

struct mt__reply {
    int64_t result;
    struct mt__unpack body;
    unsigned char *data; /* what body points into: to be freed */
};

/* Begins a request. What it wants is packed behind. */
void mt__request(struct mt__pack *pack, enum mt__op op, unsigned flags, uint64_t id);

/* Sends the request, frees it, and waits for the reply. The result, or what went wrong on the way: then *broken is 1,
 * and the line is good for nothing any more. */
int64_t mt__ask(struct mt__line *line, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline,
                int *broken);

/* The same, of a reply of which only the result counts; and of one that hands something over, which is said to be
 * taken.
 */
int64_t mt__ask_result(struct mt__line *line, struct mt__pack *pack, mt_deadline deadline, int *broken);
int64_t mt__ask_to_hold(struct mt__line *line, struct mt__pack *pack, mt_deadline deadline, int *broken);

/* The same as mt__ask, but the server may need longer than the deadline to say that it has passed. */
int64_t mt__ask_patiently(struct mt__line *line, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline,
                          int *broken);

/* A line for a call with that deadline. 0 or -errno: -EPIPE if the server cannot be reached any more. */
int mt__call_line(struct mt_manager *manager, struct mt__line **line, mt_deadline deadline);

/* Says that what the reply hands over has been taken. */
int mt__taken(struct mt__line *line, mt_deadline deadline);

/* All of that, over any line. The reply is the caller's to free, whatever the result. */
int64_t mt__call(struct mt_manager *manager, struct mt__pack *pack, struct mt__reply *reply, mt_deadline deadline);

/* The same for replies without a body, and for ops that hand something over. */
int64_t mt__call_plain(struct mt_manager *manager, struct mt__pack *pack, mt_deadline deadline);
int64_t mt__call_taking(struct mt_manager *manager, struct mt__pack *pack, struct mt__reply *reply,
                        mt_deadline deadline);

/* The one value of a reply, copied out: its size, or -ENOBUFS. value NULL: only its size. Frees the reply. */
ssize_t mt__reply_value(struct mt__reply *reply, int64_t result, void *value, size_t size);

/* Items of a reply, in one piece of memory: how many. Frees the reply. */
ssize_t mt__reply_items(struct mt__reply *reply, int64_t result, struct mt_managed_item **items);

/* -- use-sync.c: a lock, or a condition's ------------------------------------------------------------------------- */

int mt__hold(struct mt__managed *lock, mt_deadline deadline, const char *place);
int mt__hold_consistent(struct mt__managed *lock);
int mt__hold_release(struct mt__managed *lock);

/* By requests: the line over which the calling task holds it, who holds it no more; NULL: it does not. And back. */
struct mt__line *mt__hold_lend(struct mt__managed *lock);
void mt__hold_back(struct mt__managed *lock, struct mt__line *line);

/* use-monitor.c: what is held goes with its handle. */
void mt__rw_holds_end(struct mt__managed *managed);

/* -- open.c ------------------------------------------------------------------------------------------------------- */

struct mt__managed *mt__managed_open(struct mt_manager *manager, enum mt__managed_kind kind, const char *name,
                                     const struct mt__pack *options, unsigned flags, mt_deadline deadline);
void mt__managed_free(struct mt__managed *managed);

void mt__manager_retain(struct mt_manager *manager);
void mt__manager_release(struct mt_manager *manager);

#endif
