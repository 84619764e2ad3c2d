/* SPDX-License-Identifier: MIT
 *
 * The registry of the process's tasks, and the task that runs on each thread. Invariant: a task is on the list from
 * mt__task_new to its last reference; its record is taken and given back under the same lock, `registry`.
 *
 * A coroutine's end and the next one's beginning need no lock: it stays on the list with its record while it is spare,
 * not there, done, without a reference and with a record of kind 0. Whoever walks the list passes it over, or if it has
 * come back meanwhile, has met the new one; so all that is looked at on such a walk is written atomically.
 */
#include "base/task.h"
#include "base/own.h"
#include "base/probe.h"
#include "base/rseq.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

__thread struct mt__here mt__here __attribute__((tls_model("initial-exec")));
__thread struct mt_task *mt__running __attribute__((tls_model("initial-exec")));
__thread void (*mt__at_end)(void) __attribute__((tls_model("initial-exec")));

uint32_t mt__cloned;
static struct mt__mini registry;
static struct mt_task *tasks;
static struct mt_task *first_thread; /* the task of the process's first thread, while it is on the list */
static uint64_t last_id;

/* The last ones that were looked for, as many may wait for one. Some on the list, or NULL. */
#define FOUND 64
static struct mt_task *found[FOUND];

static pthread_key_t foreign_exit; /* its destructor ends the tasks of threads that the library did not make */
static pthread_once_t started = PTHREAD_ONCE_INIT;

static uint64_t next_id(void)
{
    if (!mt__is_single())
        return __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    return ++last_id;
}

static void link_task(struct mt_task *task)
{
    task->next = tasks;
    task->previous = NULL;
    if (tasks)
        tasks->previous = task;
    tasks = task;
}

static void unlink_task(struct mt_task *task)
{
    if (task->next)
        task->next->previous = task->previous;
    if (task->previous)
        task->previous->next = task->next;
    else
        tasks = task->next;
}

/* In the middle of a change of the record. */
static void describe(struct mt__record *record, enum mt_kind kind, const char *name)
{
    uint64_t id = next_id();

    __atomic_store_n(&record->id, id, __ATOMIC_RELAXED);
    record->kind = kind;
    mt__record_state(record, MT_READY);
    record->spawner = mt__running ? mt__running->record->id : 0;
    record->name[0] = 0;
    if (name)
        strncpy(record->name, name, sizeof record->name - 1);
    else if (kind != MT_COROUTINE) /* made too often for that: whoever reads the record makes up a name */
        snprintf(record->name, sizeof record->name, "thread-%llu", (unsigned long long)id);
}

int mt__task_init(struct mt_task *task, enum mt_kind kind, const char *name)
{
    struct mt__record *record;

    mt__mini_acquire(&registry);
    record = task->record = mt__record_new();
    if (record)
        link_task(task);
    mt__mini_release(&registry);
    if (!record)
        return -ENOMEM;
    describe(record, kind, name);
    mt__record_end(record);
    task->references = 1;
    task->alive = &task->alive_word;
    task->alive_word = 1;
    return 0;
}

void mt__task_again(struct mt_task *task, enum mt_kind kind, const char *name)
{
    struct mt__record *record = task->record;

    mt__record_begin(record);
    record->waits = record->waited = 0;
    describe(record, kind, name);
    mt__record_end(record);
    task->cancel_fd = task->alive_shared = task->reaped = task->lost = task->daemon = 0;
    task->outcome = 0;
    task->joiners = 0;
    task->alive = &task->alive_word;
    task->locals = task->held = task->value = NULL;
    task->locals_end = NULL;
    task->links = NULL;
    task->timeouts = NULL;
    task->limit = 0;
    task->message[0] = 0;
    __atomic_store_n(&task->alive_word, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&task->cancel, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&task->noticed, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&task->in_deadlock, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&task->done, 0, __ATOMIC_RELAXED);
}

void mt__task_forget(struct mt_task *task)
{
    mt__mini_acquire(&registry);
    unlink_task(task);
    for (int i = 0; i < FOUND && task->is_found; i++)
        if (found[i] == task)
            found[i] = NULL;
    if (task == first_thread)
        first_thread = NULL;
    mt__record_free(task->record);
    mt__mini_release(&registry);
}

struct mt_task *mt__task_new(enum mt_kind kind, const char *name)
{
    struct mt_task *task = mt__alloc(sizeof *task);

    if (task && mt__task_init(task, kind, name)) {
        free(task);
        task = NULL;
    }
    return task;
}

const char *mt__task_name(const struct mt_task *task)
{
    char *name = task->record->name;

    if (!name[0])
        snprintf(name, MT_NAME_MAX, "coroutine-%llu", (unsigned long long)task->record->id);
    return name;
}

static void task_free(struct mt_task *task)
{
    int lies_on_a_stack;

    if (task->done && task->outcome && !__atomic_exchange_n(&task->noticed, 1, __ATOMIC_RELAXED))
        mt__failure_unnoticed(task);
    if (task->cancel_fd)
        mt__own_close(task->cancel_fd - 1);
    free(task->held);
    if (task->kind && task->kind->spare && task->kind->spare(task))
        return;
    lies_on_a_stack = task->record->kind == MT_COROUTINE; /* which stays, if it is from before a fork */
    mt__task_forget(task);
    if (task->kind && task->kind->free)
        task->kind->free(task);
    else if (!lies_on_a_stack)
        free(task);
}

void mt__task_drop(struct mt_task *task)
{
    if (mt__add(&task->references, -1u))
        return;
    if (task->kind && task->kind->keep && task->kind->keep(task))
        return;
    if (task->kind && !task->reaped)
        task->kind->reap(task);
    task_free(task);
}

struct mt_task *mt__task_retain_living(struct mt_task *task)
{
    uint32_t references = __atomic_load_n(&task->references, __ATOMIC_RELAXED);

    while (references)
        if (__atomic_compare_exchange_n(&task->references, &references, references + 1, 0, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return task;
    return NULL;
}

struct mt_task *mt__task_first(void)
{
    struct mt_task *task;

    mt__tasks_acquire();
    task = first_thread && !__atomic_load_n(&first_thread->done, __ATOMIC_ACQUIRE)
               ? mt__task_retain_living(first_thread)
               : NULL;
    mt__tasks_release();
    return task;
}

void mt__tasks_acquire(void)
{
    mt__mini_acquire(&registry);
}

void mt__tasks_release(void)
{
    mt__mini_release(&registry);
}

void mt__tasks_visit_locked(void (*visit)(struct mt_task *task, void *arg), void *arg)
{
    for (struct mt_task *task = tasks; task; task = task->next)
        visit(task, arg);
}

void mt__tasks_visit(void (*visit)(struct mt_task *task, void *arg), void *arg)
{
    mt__tasks_acquire();
    mt__tasks_visit_locked(visit, arg);
    mt__tasks_release();
}

static int is_it(const struct mt_task *task, int tid, uint64_t id)
{
    return (tid && __atomic_load_n(&task->record->tid, __ATOMIC_RELAXED) == tid) ||
           (id && __atomic_load_n(&task->record->id, __ATOMIC_RELAXED) == id);
}

struct mt_task *mt__task_find_locked(int tid, uint64_t id)
{
    struct mt_task **known = &found[((uint64_t)tid + id) % FOUND], *task = *known;

    if (!tid && !id)
        return NULL;
    if (task && is_it(task, tid, id))
        return task;
    for (task = tasks; task && !is_it(task, tid, id); task = task->next)
        ;
    if (task) {
        *known = task;
        task->is_found = 1;
    }
    return task;
}

/* -- The running task --------------------------------------------------------------------------------------------- */

void mt__self_set(struct mt_task *task, uint32_t tid)
{
    mt__running = task;
    mt__here.id = mt__here.thread = tid;
    mt__here.probed = &linuxmt_lock__acquired_semaphore;
    mt__here.rseq = mt__rseq_area();
    mt__record_tid(task->record, (int)tid);
    mt__record_state(task->record, MT_RUNNING);
}

static void foreign_thread_exits(void *arg)
{
    struct mt_task *task = arg;

    mt__task_finish(task, 0);
    mt__running = NULL;
    memset(&mt__here, 0, sizeof mt__here);
    mt__task_drop(task);
}

struct mt_task *mt__self_if_known(void)
{
    return mt__running;
}

/* -- fork --------------------------------------------------------------------------------------------------------- */

/* Only the forking task is alive in the child. The others have ended, without an outcome of their own; handles to them
 * stay good. */
void mt__task_forked(void)
{
    static char why[] = "it was not carried over the fork"; /* on a page that the child has anyway */
    uint32_t tid = (uint32_t)mt__sys(SYS_gettid);

    memset(&registry, 0, sizeof registry);
    mt__records_after_fork(tid); /* the first thread's id is the process's */
    if (mt__running) {
        mt__here.former = mt__here.id;
        if (mt__running->record->kind == MT_COROUTINE) {
            mt__running->record->thread = (int32_t)tid;
        } else {
            mt__here.id = tid;
            mt__running->record->tid = (int32_t)tid;
        }
        mt__here.thread = tid;
    }
    first_thread = mt__running;
    for (struct mt_task *task = tasks; task; task = task->next) {
        task->guard.word = 0; /* its holder may be a thread of the parent */
        task->joiners = 0;
        if (task->cancel_fd) { /* the parent's too: a kill there is none here */
            mt__own_close(task->cancel_fd - 1);
            task->cancel_fd = 0;
        }
        if (task == mt__running)
            continue;
        if (task->kind && task->kind->forked)
            task->kind->forked(task);
        task->record->sequence &= ~1u; /* its task may have been in the middle of a change */
        task->record->state = MT_DEAD;
        task->record->tid = 0;
        task->reaped = 1; /* its stack stays: nothing can tell what still points into it */
        task->kind = NULL;
        if (!task->done) {
            task->outcome = -ESRCH;
            memcpy(task->message, why, sizeof why);
            task->done = 1;
        }
        task->noticed = 1; /* that it failed is the parent's to tell */
        task->alive = &task->alive_word;
        task->alive_word = 0;
    }
}

void mt__task_before_fork(void)
{
    mt__tasks_acquire();
    mt__records_before_fork();
}

void mt__task_after_fork(void)
{
    mt__records_forked();
    mt__tasks_release();
}

static void start(void)
{
    pthread_key_create(&foreign_exit, foreign_thread_exits);
    pthread_atfork(mt__task_before_fork, mt__task_after_fork, mt__task_forked);
}

/* -- Threads that the library did not make ------------------------------------------------------------------------ */

struct mt_task *mt__self_new(void)
{
    uint32_t tid = (uint32_t)mt__sys(SYS_gettid);
    char name[16] = "";
    struct mt_task *task;

    pthread_once(&started, start);
    prctl(PR_GET_NAME, name);
    task = mt__task_new(MT_THREAD, (long)tid == getpid() ? "main" : name);
    if (!task)
        return NULL;
    mt__self_set(task, tid);
    __atomic_store_n(&task->there, 1, __ATOMIC_RELEASE);
    if ((long)tid == getpid()) {
        mt__tasks_acquire();
        first_thread = task;
        mt__tasks_release();
    }
    pthread_setspecific(foreign_exit, task); /* without room for it the task is only never taken off the list */
    return task;
}
