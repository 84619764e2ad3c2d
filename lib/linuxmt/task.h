/* SPDX-License-Identifier: MIT
 *
 * A task is a thread, a process or a coroutine: one handle and one set of verbs for all three. See mt_task(3).
 *
 * A handle is counted. Whoever spawned a task owns one count and gives it back by mt_task_release or mt_task_detach;
 * until then the outcome, the message and the name can be read, also long after the task's end.
 */
#ifndef LINUXMT_TASK_H
#define LINUXMT_TASK_H

#include <linuxmt/compiler.h>
#include <linuxmt/time.h>
#include <stddef.h>
#include <stdint.h>

MT__BEGIN

struct mt_task;

/* A task's body. 0 or -errno is its outcome. */
typedef int mt_fn(void *arg);

enum mt_kind { MT_THREAD = 1, MT_PROCESS = 2, MT_COROUTINE = 3 };

enum mt_state { MT_READY = 1, MT_RUNNING = 2, MT_WAITING = 3, MT_DEAD = 4 };

/* What a waiting task waits for. */
enum mt_reason {
    MT_WAIT_NONE = 0,
    MT_WAIT_LOCK = 1,
    MT_WAIT_COND = 2,
    MT_WAIT_SEM = 3,
    MT_WAIT_EVENT = 4,
    MT_WAIT_ONCE = 5,
    MT_WAIT_JOIN = 6,
    MT_WAIT_SLEEP = 7,
    MT_WAIT_LATCH = 8,
    MT_WAIT_BARRIER = 9,
    MT_WAIT_READ = 10,  /* a read-write lock, to read */
    MT_WAIT_WRITE = 11, /* or to write */
    MT_WAIT_FUTURE = 12,
    MT_WAIT_POOL = 13,    /* a worker: for something to do */
    MT_WAIT_TIMER = 14,   /* the end of a timer, or of a call that it makes */
    MT_WAIT_PUT = 15,     /* room in a queue, */
    MT_WAIT_GET = 16,     /* a message from one, */
    MT_WAIT_DONE = 17,    /* or that all of one have been dealt with */
    MT_WAIT_IO = 18,      /* a descriptor */
    MT_WAIT_CHANNEL = 19, /* somebody at the other side of a channel */
};

#define MT_PLACE_MAX 64
#define MT_NAME_MAX  32 /* bytes of a name that are kept, its end included */

/* What is known of a task at one moment, by value. */
struct mt_task_info {
    uint64_t id; /* unique in this process, never used again */
    enum mt_kind kind;
    enum mt_state state;
    int tid;                       /* kernel thread id, 0 before the start and after the end */
    enum mt_reason reason;         /* while waiting: for what, */
    const void *object;            /* on which object, */
    char object_name[MT_NAME_MAX]; /* with which name ("" if it has none), */
    int owner;                     /* held by which kernel thread id (0: nobody is known), */
    mt_deadline since;             /* since when (a coroutine's may be some ms early), */
    char place[MT_PLACE_MAX];      /* and where: the tail of "file:line", "" if that is not known */
    char name[MT_NAME_MAX];
};

/* The calling task. Threads that the library did not make (main, pthread_create) become tasks by their first call; the
 * handle is borrowed: it lives as long as the task and is not released. NULL with errno ENOMEM if there is no memory
 * for it. */
struct mt_task *mt_task_current(void);

/* Waits until the task has ended. Any number of tasks may join one, any number of times.
 * 0; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -EDEADLK (the task itself, or a cycle of tasks that wait for each other);
 * -ECANCELED; -EINVAL (a thread that the library did not make). */
int mt__task_join(struct mt_task *task, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_task_join(task, deadline) mt__task_join(task, deadline, MT__HERE)

/* Waits until all have ended, of whatever kind. Errors as mt_task_join's; on an error some may have ended. */
int mt__joinall(struct mt_task *const *tasks, size_t count, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_joinall(tasks, count, deadline) mt__joinall(tasks, count, deadline, MT__HERE)

/* Waits until `enough` of them have ended (0, or more than there are: all). Returns how many have, which may be more.
 * Errors as mt_task_join's, and -ENOMEM; -EAGAIN (a process, and no thread to watch it). */
int mt__joinall_some(struct mt_task *const *tasks, size_t count, size_t enough, mt_deadline deadline,
                     const char *place) MT__MUST_CHECK;
#define mt_joinall_some(tasks, count, enough, deadline) mt__joinall_some(tasks, count, enough, deadline, MT__HERE)

/* Waits until all have ended well, or one has not: that one is *failed then, and the others may be running. Returns 0,
 * 1 (*failed is set), or an error as mt_joinall_some's. */
int mt__joinall_well(struct mt_task *const *tasks, size_t count, struct mt_task **failed, mt_deadline deadline,
                     const char *place) MT__MUST_CHECK;
#define mt_joinall_well(tasks, count, failed, deadline) mt__joinall_well(tasks, count, failed, deadline, MT__HERE)

/* Asks all to end, then waits for them, as mt_joinall does. */
int mt__killall(struct mt_task *const *tasks, size_t count, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_killall(tasks, count, deadline) mt__killall(tasks, count, deadline, MT__HERE)

/* The tasks one by one, in the order in which they end. Handles stay the caller's and must be good until mt_iwait_free.
 * NULL with errno ENOMEM; EAGAIN (a process, and no thread to watch it); EINVAL (more than UINT32_MAX). */
struct mt_iwait;
struct mt_iwait *mt_iwait_new(struct mt_task *const *tasks, size_t count);

/* 1: *task is the next that has ended; 0: there are no more; -ETIMEDOUT (with MT_NOWAIT: -EBUSY); -ECANCELED; -ENOMEM.
 */
int mt__iwait_next(struct mt_iwait *iwait, struct mt_task **task, mt_deadline deadline,
                   const char *place) MT__MUST_CHECK;
#define mt_iwait_next(iwait, task, deadline) mt__iwait_next(iwait, task, deadline, MT__HERE)
void mt_iwait_free(struct mt_iwait *iwait);

/* Calls fn(task, arg) once when the task has ended: as the last act of a thread or coroutine, with nothing of its body
 * left on the stack; of a process in whichever task notices first. Who joins comes back after the call. It should not
 * block. If the task has ended already the call is made at once, in the caller. 0; -ENOMEM; -EAGAIN (a process, and no
 * thread to watch it). */
typedef void mt_link_fn(struct mt_task *task, void *arg);
int mt_task_link(struct mt_task *task, mt_link_fn *fn, void *arg);

/* Takes back one such call. 0; -ESRCH: there is none; it may have been made, or be under way. */
int mt_task_unlink(struct mt_task *task, mt_link_fn *fn, void *arg);

/* Asks the task to end: the call it waits in returns -ECANCELED, and so does each after it that would have to wait.
 * What can be had at once still is: a free lock is acquired. 0; -ESRCH if it has ended. */
int mt_task_kill(struct mt_task *task);

/* Whether the calling task has been asked to end: for loops that never block. */
int mt_task_killed(void);

/* Gives the handle back. After mt_task_detach nobody will join the task; its failure, if any, goes to the failure hook.
 */
void mt_task_release(struct mt_task *task);
void mt_task_detach(struct mt_task *task);

/* Takes one more count on a handle, for somebody else to release. Returns the task. */
struct mt_task *mt_task_retain(struct mt_task *task);

/* The value that the body returned; -EINPROGRESS while the task has not ended. */
int mt_task_outcome(const struct mt_task *task);

/* Whether it has ended; whether with outcome 0. */
int mt_task_ready(const struct mt_task *task);
int mt_task_successful(const struct mt_task *task);

/* A pointer that the calling task, a thread or a coroutine, leaves beside its outcome. 0; -ENOMEM. */
int mt_task_set_value(void *value);

/* What the task has set so far, NULL if nothing; of one that has ended, what it has left. */
void *mt_task_value(const struct mt_task *task);

/* Joins, and gives what the task has left: 0 and *value, if it ended well; else its outcome, or mt_task_join's error.
 */
int mt__task_get(struct mt_task *task, void **value, mt_deadline deadline, const char *place) MT__MUST_CHECK;
#define mt_task_get(task, value, deadline) mt__task_get(task, value, deadline, MT__HERE)

/* The id of the task that spawned it, 0 if the library did not: the tree of tasks. */
uint64_t mt_task_spawner(const struct mt_task *task);

/* The message set by mt_fail, "" if there is none. Valid as long as the handle. */
const char *mt_task_message(const struct mt_task *task);

uint64_t mt_task_id(const struct mt_task *task);
int mt_task_tid(const struct mt_task *task);
int mt_task_is_alive(const struct mt_task *task);
enum mt_kind mt_task_kind(const struct mt_task *task);
enum mt_state mt_task_state(const struct mt_task *task);
const char *mt_task_name(const struct mt_task *task);

/* Names the task; the kernel's name of a thread follows (its first 15 bytes). Longer names are cut. */
void mt_task_set_name(struct mt_task *task, const char *name);

/* What is known of a task now. */
void mt_task_info(const struct mt_task *task, struct mt_task_info *info);

/* Fills info with up to count living tasks of this process and returns how many there are. */
size_t mt_task_enumerate(struct mt_task_info *info, size_t count);

/* Fills tasks with the handles of up to count of them, each yours to release, and returns how many there are. */
size_t mt_task_list(struct mt_task **tasks, size_t count);

/* How many there are, the caller included. */
size_t mt_task_count(void);

/* The task of the process's first thread, yours to release. NULL with errno ESRCH: it has ended, or has not called the
 * library yet. */
struct mt_task *mt_task_main(void);

const char *mt_state_name(enum mt_state state);
const char *mt_reason_name(enum mt_reason reason);

MT__END

#endif
