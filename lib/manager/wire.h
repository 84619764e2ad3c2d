/* SPDX-License-Identifier: MIT
 *
 * What clients and the server of a manager say to each other, each in one message of a connection (mt_conn(3)).
 *
 *   request   op, flags, object's id, timeout, and what the op wants
 *   reply     result, and what the op gives; below 0: a text for people
 *
 * Numbers are little-endian; strings and values have their size before them. The first request of a connection is
 * MT__OP_HELLO. An op that hands something over (a message, a lock, one of a semaphore) has a third step: the client
 * answers the reply by MT__OP_TAKEN. Without it the server takes it back: whoever goes away before loses nothing.
 *
 * The timeout is what was left of the client's deadline, in nanoseconds: clocks of hosts have nothing in common.
 */
#ifndef MANAGER_WIRE_H
#define MANAGER_WIRE_H

#include <linuxmt/manager.h>

#define MT__MANAGER_LANGUAGE 1
#define MT__REQUEST_ROOM     4096 /* a request's bytes beside its value */
#define MT__VALUE_COST       64   /* bytes that each value counts beside its own */

enum mt__managed_kind {
    MT__MANAGED_NONE,
    MT__MANAGED_QUEUE,
    MT__MANAGED_LOCK,
    MT__MANAGED_EVENT,
    MT__MANAGED_SEM,
    MT__MANAGED_COUNTER,
    MT__MANAGED_DICT,
    MT__MANAGED_LIST,
    MT__MANAGED_NAMESPACE,
    MT__MANAGED_COND,
    MT__MANAGED_BARRIER,
    MT__MANAGED_RWLOCK,
    MT__MANAGED_KINDS
};

enum mt__op {
    MT__OP_NONE,
    MT__OP_HELLO,
    MT__OP_TAKEN,
    MT__OP_OPEN,
    MT__OP_REMOVE,
    MT__OP_INFO,
    MT__OP_PUT,
    MT__OP_GET,
    MT__OP_CLOSE,
    MT__OP_SIZE,
    MT__OP_DONE,
    MT__OP_JOIN,
    MT__OP_ACQUIRE,
    MT__OP_CONSISTENT,
    MT__OP_RELEASE,
    MT__OP_EVENT_SET,
    MT__OP_EVENT_CLEAR,
    MT__OP_EVENT_IS_SET,
    MT__OP_EVENT_WAIT,
    MT__OP_SEM_ACQUIRE,
    MT__OP_SEM_RELEASE,
    MT__OP_SEM_VALUE,
    MT__OP_COUNT_ADD,
    MT__OP_COUNT_SET,
    MT__OP_DICT_SET,
    MT__OP_DICT_GET,
    MT__OP_DICT_POP,
    MT__OP_DICT_SETDEFAULT,
    MT__OP_DICT_REPLACE,
    MT__OP_DICT_DEL,
    MT__OP_DICT_CONTAINS,
    MT__OP_DICT_LEN,
    MT__OP_DICT_CLEAR,
    MT__OP_DICT_ITEMS,
    MT__OP_LIST_EXTEND,
    MT__OP_LIST_INSERT,
    MT__OP_LIST_SET,
    MT__OP_LIST_GET,
    MT__OP_LIST_POP,
    MT__OP_LIST_LEN,
    MT__OP_LIST_CLEAR,
    MT__OP_LIST_SLICE,
    MT__OP_COND_WAIT,
    MT__OP_COND_NOTIFY,
    MT__OP_BARRIER_WAIT,
    MT__OP_BARRIER_STOP,
    MT__OP_BARRIER_STATE,
    MT__OP_RW_ACQUIRE,
    MT__OP_RW_CONSISTENT,
    MT__OP_RW_RELEASE,
    MT__OPS
};

#define MT__TIMEOUT_NEVER  UINT64_MAX
#define MT__REQUEST_NOWAIT 0x8000 /* among the flags: MT_NOWAIT, whose error is -EBUSY */

/* -- Writing: into memory that grows; what did not fit is remembered ---------------------------------------------- */

struct mt__pack {
    unsigned char *data;
    size_t size, room;
    int failed; /* there was no memory: nothing is added any more */
};

void mt__pack_bytes(struct mt__pack *pack, const void *bytes, size_t size);
void mt__pack_number(struct mt__pack *pack, uint64_t number, unsigned bytes);
void mt__pack_value(struct mt__pack *pack, const void *value, size_t size); /* its size, and it */
void mt__pack_text(struct mt__pack *pack, const char *text);                /* as a value, without its end */
void mt__pack_free(struct mt__pack *pack);

static inline void mt__pack_u8(struct mt__pack *pack, unsigned number)
{
    mt__pack_number(pack, number, 1);
}

static inline void mt__pack_u32(struct mt__pack *pack, uint32_t number)
{
    mt__pack_number(pack, number, 4);
}

static inline void mt__pack_u64(struct mt__pack *pack, uint64_t number)
{
    mt__pack_number(pack, number, 8);
}

/* -- Reading: what is not there reads as 0, and is remembered ----------------------------------------------------- */

struct mt__unpack {
    const unsigned char *at;
    size_t left;
    int bad; /* it has ended too early, or held what may not be */
};

uint64_t mt__unpack_number(struct mt__unpack *unpack, unsigned bytes);
const void *mt__unpack_value(struct mt__unpack *unpack, size_t *size);

/* A string of 1 to room - 1 bytes, none of them 0, copied to `to`. */
void mt__unpack_text(struct mt__unpack *unpack, char *to, size_t room);

/* Whether all was there, and no more. */
int mt__unpack_is_whole(const struct mt__unpack *unpack);

static inline uint8_t mt__unpack_u8(struct mt__unpack *unpack)
{
    return (uint8_t)mt__unpack_number(unpack, 1);
}

static inline uint32_t mt__unpack_u32(struct mt__unpack *unpack)
{
    return (uint32_t)mt__unpack_number(unpack, 4);
}

static inline uint64_t mt__unpack_u64(struct mt__unpack *unpack)
{
    return mt__unpack_number(unpack, 8);
}

/* Whether a key may be one of an attribute. */
int mt__is_attribute(const char *key);

#endif
