/* SPDX-License-Identifier: MIT
 *
 * A process that owns named objects for others to share: queues, locks, read-write locks, conditions, barriers, events,
 * semaphores, counters, dicts, lists and namespaces. See mt_manager(3); what is done with the objects is in
 * linuxmt/managed.h.
 */
#ifndef LINUXMT_MANAGER_H
#define LINUXMT_MANAGER_H

#include <linuxmt/compiler.h>
#include <linuxmt/process.h>
#include <linuxmt/queue.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

MT__BEGIN

struct mt_manager;

struct mt_manager_options {
    const char *name;    /* of the server's task; NULL: "manager" */
    const char *address; /* "unix:PATH" or "unix:@NAME", for this user's programs; NULL: a name nobody can guess */
    const char *tcp;     /* "tcp:HOST:PORT", for programs elsewhere, who need the key; NULL: none */
    const void *key;     /* that both sides of a TCP connection must know; copied */
    size_t key_size;
    enum mt_start_method start; /* of the server's process */
    uint32_t connections; /* at once, 0: 256. A client has one for each call under way and each lock held by request */
    uint32_t objects;     /* 0: 1024 */
    uint32_t message_max; /* bytes of the largest value or message that goes by request, 0: 1 MiB */
    uint64_t memory;      /* bytes of all that the objects hold, 0: 256 MiB */
};

#define MT_MANAGER_NAME_MAX 64   /* bytes of an object's name, its end included */
#define MT_MANAGER_KEY_MAX  1024 /* bytes of a key in a dict, its end included */

/* Starts a server, which ends with this process, and connects to it. NULL with errno: EINVAL (options; TCP without a
 * key), ENOTSUP (a key, and no libcrypto), EADDRINUSE and what else listening gives, ETIMEDOUT, ECANCELED, EPIPE (it
 * ended before it was ready), and those of mt_process_spawn: mt_manager_message says more. */
struct mt_manager *mt_manager_start(const struct mt_manager_options *options, mt_deadline deadline);

/* Connects to a server that somebody has started. The key is for TCP: on a Unix socket the server lets in who is the
 * same user. NULL with errno as mt_conn_connect; EPERM (another user's), EUSERS (it has all the connections it may
 * have), EPROTO (it is no manager, or of a version that speaks differently). */
struct mt_manager *mt_manager_connect(const char *address, const void *key, size_t key_size, mt_deadline deadline);

/* Ends the server, for who has started it; connections break. 0; -ETIMEDOUT, -ECANCELED: it may have ended or not;
 * -EPERM: somebody else has started it. */
int mt_manager_shutdown(struct mt_manager *manager, mt_deadline deadline) MT__MUST_CHECK;

/* Gives the handle back, and ends the server, by force if need be, if it was started by it. Objects that are still open
 * stay to be freed; what of them lies in memory can still be used. NULL is allowed. */
void mt_manager_close(struct mt_manager *manager);

/* Where it listens: addresses to pass on, valid as long as the handle. The second is NULL if there is none, or if the
 * server was started by somebody else. */
const char *mt_manager_address(const struct mt_manager *manager);
const char *mt_manager_tcp_address(const struct mt_manager *manager);

/* The server's task, borrowed; NULL if somebody else has started it. */
struct mt_task *mt_manager_task(const struct mt_manager *manager);

/* What was wrong with the last call of this thread on a manager or one of its objects that failed by the server's doing
 * or the lack of it, for people to read; "" if there was none. */
const char *mt_manager_message(void);

/* -- Objects: of a name, made by whoever comes first -------------------------------------------------------------- */

enum mt_manager_flags {
    MT_MANAGER_OPEN = 1,     /* it must be there: else ENOENT */
    MT_MANAGER_CREATE = 2,   /* it must not: else EEXIST */
    MT_MANAGER_REQUESTS = 4, /* use it by requests, as from another host, although its memory could be had */
};

/* All of these: NULL with errno: EINVAL (name, flags or options), ENAMETOOLONG, ENOENT, EEXIST, EMEDIUMTYPE (the name
 * is that of another kind of object), ENOSPC (the server may have no more objects or memory), EMSGSIZE (messages larger
 * than the server takes), EMFILE, ENOMEM; ETIMEDOUT (EBUSY), ECANCELED; EPIPE (the server is gone), EUSERS. The handle
 * is for all tasks of this process. */
struct mt_managed_queue *mt_manager_queue(struct mt_manager *manager, const char *name,
                                          const struct mt_queue_options *options, unsigned flags, mt_deadline deadline);
struct mt_managed_lock *mt_manager_lock(struct mt_manager *manager, const char *name, unsigned flags,
                                        mt_deadline deadline);
struct mt_managed_event *mt_manager_event(struct mt_manager *manager, const char *name, unsigned flags,
                                          mt_deadline deadline);
struct mt_managed_sem *mt_manager_sem(struct mt_manager *manager, const char *name, uint32_t value, unsigned flags,
                                      mt_deadline deadline);
struct mt_managed_counter *mt_manager_counter(struct mt_manager *manager, const char *name, unsigned flags,
                                              mt_deadline deadline);
struct mt_managed_cond *mt_manager_cond(struct mt_manager *manager, const char *name, unsigned flags,
                                        mt_deadline deadline);
struct mt_managed_barrier *mt_manager_barrier(struct mt_manager *manager, const char *name, uint32_t parties,
                                              unsigned flags, mt_deadline deadline);
struct mt_managed_rwlock *mt_manager_rwlock(struct mt_manager *manager, const char *name, unsigned flags,
                                            mt_deadline deadline);
struct mt_managed_dict *mt_manager_dict(struct mt_manager *manager, const char *name, unsigned flags,
                                        mt_deadline deadline);
struct mt_managed_list *mt_manager_list(struct mt_manager *manager, const char *name, unsigned flags,
                                        mt_deadline deadline);

/* A dict whose keys are attributes: letters, digits and underscores, no digit first, else -EINVAL. */
struct mt_managed_dict *mt_manager_namespace(struct mt_manager *manager, const char *name, unsigned flags,
                                             mt_deadline deadline);

/* Takes the name away. Those who use its memory go on; calls that are requests fail with -ESTALE. 0; -ENOENT; -EPIPE,
 * -ETIMEDOUT (-EBUSY), -ECANCELED. */
int mt_manager_remove(struct mt_manager *manager, const char *name, mt_deadline deadline) MT__MUST_CHECK;

/* What a server has, at one moment. */
struct mt_manager_info {
    uint32_t objects, connections;
    uint64_t memory; /* bytes that count against the limit */
};

/* 0; errors as mt_manager_remove. */
int mt_manager_info(struct mt_manager *manager, struct mt_manager_info *info, mt_deadline deadline) MT__MUST_CHECK;

MT__END

#endif
