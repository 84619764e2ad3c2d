/* SPDX-License-Identifier: MIT
 *
 * Inside the room: what libc's look-ups answer in memory of their own. Here it is memory of the task's, one for each
 * name as in libc, so that one coroutine does not overwrite another's answer: static struct mt_local, of MT__ANSWERS.
 */
#ifndef PATCH_ANSWER_H
#define PATCH_ANSWER_H

#include "patch/fd.h"

#include <aliases.h>
#include <grp.h>
#include <gshadow.h>
#include <linuxmt/local.h>
#include <netdb.h>
#include <pwd.h>
#include <shadow.h>

struct mt__answer {
    union {
        struct passwd passwd;
        struct group group;
        struct spwd spwd;
        struct sgrp sgrp;
        struct hostent hostent;
        struct netent netent;
        struct servent servent;
        struct protoent protoent;
        struct rpcent rpcent;
        struct aliasent aliasent;
    } entry;
    char *buffer; /* of what the entry points to */
    size_t size;
};

void mt__answer_free(void *answer);

#define MT__ANSWERS MT_LOCAL_INIT(mt__answer_free)

/* The task's; NULL with errno. */
struct mt__answer *mt__answer(struct mt_local *answers);

/* After ERANGE. Whether there was memory. */
int mt__answer_grow(struct mt__answer *answer);

/* name##_r, and name by it. */
#define MT__BY_KEY_R(name, key_type, entry_type)                                                                    \
    MT__PATCHED int name(key_type key, struct entry_type *restrict entry, char *restrict buffer, size_t size,       \
                         struct entry_type **restrict result)                                                       \
    {                                                                                                               \
        if (!mt__patched(DNS))                                                                                      \
            return mt__libc(name)(key, entry, buffer, size, result);                                                \
        return (int)mt__look_up(MT__N_##name, mt__original(MT__N_##name),                                           \
                                (const long[]){(long)key, (long)entry, (long)buffer, (long)size, (long)result}, 5); \
    }

/* parameters: in parentheses; the rest: their names. */
#define MT__BY_KEY(name, entry_type, parameters, ...)                                                       \
    static struct mt_local name##_answers = MT__ANSWERS;                                                    \
    MT__PATCHED struct entry_type *name parameters                                                          \
    {                                                                                                       \
        struct entry_type *found = NULL;                                                                    \
        struct mt__answer *answer;                                                                          \
        int error;                                                                                          \
        if (!mt__patched(DNS))                                                                              \
            return mt__libc(name)(__VA_ARGS__);                                                             \
        answer = mt__answer(&name##_answers);                                                               \
        if (!answer)                                                                                        \
            return NULL;                                                                                    \
        do                                                                                                  \
            error = name##_r(__VA_ARGS__, &answer->entry.entry_type, answer->buffer, answer->size, &found); \
        while (error == ERANGE && mt__answer_grow(answer));                                                 \
        if (error)                                                                                          \
            errno = error == ERANGE ? ENOMEM : error;                                                       \
        return found;                                                                                       \
    }

#endif
