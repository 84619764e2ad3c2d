/* SPDX-License-Identifier: MIT
 *
 * Inside the room: the server's side of a manager.
 */
#ifndef MANAGER_SERVER_H
#define MANAGER_SERVER_H

#include "manager/page.h"
#include <linuxmt/conn.h>
#include <linuxmt/lock.h>

#define MT__KEY_MAX     4096
#define MT__ADDRESS_MAX 1100

/* What mt_manager_start hands to the server's process, whose descriptor 0 is the connection to it. */
struct mt__server_start {
    uint32_t connections, objects, message_max;
    uint32_t key_size;
    uint64_t memory;
    char address[MT__ADDRESS_MAX];
    char tcp[MT__ADDRESS_MAX]; /* "": none */
    unsigned char key[MT__KEY_MAX];
};

int mt__server_main(void *start);

struct mt__visitor;

struct mt__server {
    const struct mt__server_start *limits;
    struct mt_conn *control;
    struct mt_listener *listeners[2]; /* the second may be NULL */
    int epoll;
    int ended; /* an eventfd: a visitor has */

    struct mt__visitor *visitors; /* those with a task are there */
    uint32_t visitor_count;       /* how many are there: written by the main task only */
    uint32_t serial;

    struct mt_lock lock; /* of what follows */
    struct mt__object **objects;
    uint32_t object_room, object_count;
    uint64_t objects_made;

    uint64_t memory; /* bytes that count: atomic */
};

/* -- object.c: a name's, or one that is in use though its name has been taken away -------------------------------- */

struct mt__value { /* in a dict, or a list */
    size_t size;
    uint32_t key_size;
    char key[]; /* with its end, and behind it the value */
};

struct mt__object {
    struct mt__server *server;
    uint32_t references;
    enum mt__managed_kind kind;
    uint64_t id; /* never used again */
    uint64_t charged;
    char name[MT_MANAGER_NAME_MAX];

    struct mt_queue *queue;
    struct mt_shm *page;

    struct mt_lock lock; /* of what follows */
    void *tree;          /* of a dict, as tsearch(3) makes it */
    struct mt__value **items;
    size_t count, room;
};

/* Whatever gives an object counts one reference, which mt__object_release gives back. */
int mt__object_open(struct mt__server *server, enum mt__managed_kind kind, const char *name, unsigned flags,
                    const struct mt_queue_options *options, uint32_t value, struct mt__object **object);
struct mt__object *mt__object_find(struct mt__server *server, uint64_t id); /* NULL: -ESTALE or -ECANCELED, in errno */
int mt__object_remove(struct mt__server *server, const char *name);
void mt__object_retain(struct mt__object *object);
void mt__object_release(struct mt__object *object);

/* Counts bytes (fewer, if below 0) against the limit. 0; -ENOSPC. Gives room back in any case. */
int mt__object_charge(struct mt__object *object, int64_t bytes);

/* -- visitor.c: the thread of a connection ------------------------------------------------------------------------ */

struct mt__visitor {
    struct mt__server *server;
    struct mt_task *task; /* NULL: nobody is here */
    struct mt_listener *listener;
    uint32_t serial;
    uint32_t ended; /* the task has, nearly */
    int is_refused; /* there are too many */
    int is_local;   /* on this host: descriptors can be passed */
    int fd;
    struct mt_conn *conn;
    struct mt__object *held; /* the lock that this thread holds */
    char text[200];          /* about the error, for people */

    /* what the reply hands over, until the client has said that it has it: how to take it back or, with taken, to be
     * done with it */
    void (*settle)(struct mt__visitor *visitor, struct mt__object *object, int taken);
    struct mt_queue_view view;
    int64_t handed; /* the reply's result */
    int must_end;   /* after this reply */
    int passed_fd;  /* a descriptor to be sent behind the reply, of the object; -1: none */
};

int mt__visitor_main(void *visitor);

/* Sets the text, and returns the code. */
int mt__visitor_say(struct mt__visitor *visitor, int code, const char *format, ...) MT__PRINTF(3, 4);

/* -- serve-*.c: what each op does --------------------------------------------------------------------------------- */

/* Reads what the op wants, packs what it gives. The result, >= 0, or -errno: with -EPROTO the connection ends. */
typedef int64_t mt__serve_fn(struct mt__visitor *visitor, struct mt__object *object, struct mt__unpack *in,
                             struct mt__pack *out, mt_deadline deadline);

struct mt__served_op {
    uint16_t kinds; /* a bit for each */
    mt__serve_fn *serve;
};

extern const struct mt__served_op mt__serve_queue[MT__OPS], mt__serve_sync[MT__OPS], mt__serve_monitor[MT__OPS],
    mt__serve_dict[MT__OPS], mt__serve_list[MT__OPS];

/* The thread holds nothing any more. */
void mt__visitor_drop(struct mt__visitor *visitor);

/* dict.c, list.c: gives all back that it holds. */
void mt__dict_end(struct mt__object *object);
void mt__list_end(struct mt__object *object);

/* A value in memory of its own, NULL: no memory; and what it counts. */
struct mt__value *mt__value_new(const char *key, const void *bytes, size_t size);

static inline const void *mt__value_bytes(const struct mt__value *value)
{
    return value->key + value->key_size + 1;
}

static inline int64_t mt__value_cost(const struct mt__value *value)
{
    return (int64_t)(value->size + value->key_size + MT__VALUE_COST);
}

#endif
