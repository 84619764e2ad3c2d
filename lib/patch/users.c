/* SPDX-License-Identifier: MIT
 *
 * Users and groups: a file, or whatever NSS has been told to ask, so off the hub. The calls that answer in memory of
 * their own do so in memory of the coroutine's.
 */
#include "patch/fd.h"

#include <grp.h>
#include <linuxmt/local.h>
#include <pwd.h>
#include <shadow.h>
#include <stdlib.h>

#define BY_KEY_R(name, key_type, entry_type)                                                                        \
    MT__PATCHED int name(key_type key, struct entry_type *restrict entry, char *restrict buffer, size_t size,       \
                         struct entry_type **restrict result)                                                       \
    {                                                                                                               \
        if (!mt__patched(DNS))                                                                                      \
            return mt__libc(name)(key, entry, buffer, size, result);                                                \
        return (int)mt__look_up(MT__N_##name, mt__original(MT__N_##name),                                           \
                                (const long[]){(long)key, (long)entry, (long)buffer, (long)size, (long)result}, 5); \
    }
BY_KEY_R(getpwnam_r, const char *restrict, passwd)
BY_KEY_R(getpwuid_r, uid_t, passwd)
BY_KEY_R(getgrnam_r, const char *restrict, group)
BY_KEY_R(getgrgid_r, gid_t, group)
BY_KEY_R(getspnam_r, const char *restrict, spwd)

MT__PATCHED int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
    if (!mt__patched(DNS))
        return mt__libc(getgrouplist)(user, group, groups, count);
    return (int)mt__look_up(MT__N_getgrouplist, mt__original(MT__N_getgrouplist),
                            (const long[]){(long)user, (long)group, (long)groups, (long)count}, 4);
}

/* -- Answers in memory of their own ------------------------------------------------------------------------------- */

struct answer {
    union {
        struct passwd passwd;
        struct group group;
        struct spwd spwd;
    } entry;
    char *buffer;
    size_t size;
};

static void free_answer(void *arg)
{
    struct answer *answer = arg;

    free(answer->buffer);
    free(answer);
}

static int grow(struct answer *answer)
{
    size_t size = answer->size ? answer->size * 2 : 1024;
    char *buffer = realloc(answer->buffer, size);

    if (!buffer)
        return 0;
    answer->buffer = buffer;
    answer->size = size;
    return 1;
}

static struct answer *answer_of_task(struct mt_local *answers)
{
    struct answer *answer = mt_local_get(answers);

    if (answer || !(answer = mt__alloc(sizeof *answer)))
        return answer;
    if (!grow(answer) || mt_local_set(answers, answer)) {
        free_answer(answer);
        return NULL;
    }
    return answer;
}

/* Each name has memory of its own, as it has in libc. */
#define BY_KEY(name, key_type, entry_type)                                                          \
    static struct mt_local name##_answers = MT_LOCAL_INIT(free_answer);                             \
    MT__PATCHED struct entry_type *name(key_type key)                                               \
    {                                                                                               \
        struct entry_type *found = NULL;                                                            \
        struct answer *answer;                                                                      \
        int error;                                                                                  \
        if (!mt__patched(DNS))                                                                      \
            return mt__libc(name)(key);                                                             \
        answer = answer_of_task(&name##_answers);                                                   \
        if (!answer) {                                                                              \
            errno = ENOMEM;                                                                         \
            return NULL;                                                                            \
        }                                                                                           \
        do                                                                                          \
            error = name##_r(key, &answer->entry.entry_type, answer->buffer, answer->size, &found); \
        while (error == ERANGE && grow(answer));                                                    \
        if (error)                                                                                  \
            errno = error == ERANGE ? ENOMEM : error;                                               \
        return found;                                                                               \
    }
BY_KEY(getpwnam, const char *, passwd)
BY_KEY(getpwuid, uid_t, passwd)
BY_KEY(getgrnam, const char *, group)
BY_KEY(getgrgid, gid_t, group)
BY_KEY(getspnam, const char *, spwd)
