/* SPDX-License-Identifier: MIT
 *
 * Threads by pthread_create: on a glibc that nobody has tested, under the sanitizers, which must see threads being
 * made, or when asked.
 *
 * The task ends in the destructor of a pthread key, so that it does so also after pthread_exit and cancellation, and
 * after the destructors of the user's keys: a destructor that sets its key again is called again in the next round, of
 * which there are PTHREAD_DESTRUCTOR_ITERATIONS. In the last but one the task is finished, and then alive_word, which
 * joiners wait for, is cleared; reap waits out the few instructions that are left by pthread_join, or, in the thread
 * itself, leaves them to pthread_detach.
 */
#include "thread/thread.h"
#include "wait/wait.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct start {
    struct mt_task *task;
    int named;
};

static pthread_key_t end_key;
static pthread_once_t end_key_made = PTHREAD_ONCE_INIT;
static int end_key_error;
static __thread int rounds_left, returned;

static void thread_ends(void *arg)
{
    struct mt_task *task = arg;
    uint32_t *alive = task->alive;

    if (--rounds_left > 0 && pthread_setspecific(end_key, task) == 0)
        return;
    if (!returned)
        strncpy(task->message, "it was ended by pthread_exit or pthread_cancel", sizeof task->message - 1);
    mt__task_finish(task, task->outcome);
    __atomic_store_n(alive, 0, __ATOMIC_RELEASE);
    mt__wake(alive, UINT_MAX, 0);
    mt__task_drop(task);
}

static void make_end_key(void)
{
    end_key_error = pthread_key_create(&end_key, thread_ends);
}

static void *thread_entry(void *arg)
{
    struct start start = *(struct start *)arg;
    struct mt_task *task = start.task;

    free(arg);
    rounds_left = PTHREAD_DESTRUCTOR_ITERATIONS - 1;
    task->resource = (void *)pthread_self();
    pthread_setspecific(end_key, task);
    task->outcome = mt__thread_begin(task, (uint32_t)mt__sys(SYS_gettid), start.named);
    if (!task->outcome) {
        task->outcome = -ECANCELED;
        task->outcome = task->body(task->argument);
    }
    returned = 1;
    return NULL;
}

/* glibc takes TLS out of the stack that it is asked for, which leaves little of it where TLS is large (sanitizers).
 * What it takes is what its minimum exceeds the documented one by; it tells language runtimes through this function
 * (which Rust's uses too). */
static size_t taken_by_tls(const pthread_attr_t *attributes)
{
    size_t (*get_minimum)(const pthread_attr_t *) =
        (size_t(*)(const pthread_attr_t *))dlvsym(RTLD_DEFAULT, "__pthread_get_minstack", "GLIBC_PRIVATE");
    size_t minimum = get_minimum ? get_minimum(attributes) : 0;

    return minimum > (size_t)PTHREAD_STACK_MIN ? minimum - (size_t)PTHREAD_STACK_MIN : 0;
}

static int create(const struct mt_thread_options *options, struct start *start)
{
    pthread_attr_t attributes;
    pthread_t handle;
    int error = __atomic_load_n(&mt__sys_armed, __ATOMIC_RELAXED) ? mt__sys_injected(SYS_clone) : 0;

    if (error)
        return error;
    pthread_attr_init(&attributes);
    error = pthread_attr_setstacksize(&attributes, options->stack_size + taken_by_tls(&attributes));
    if (!error)
        error = pthread_attr_setguardsize(&attributes, options->guard_size);
    if (!error)
        error = pthread_create(&handle, &attributes, thread_entry, start);
    pthread_attr_destroy(&attributes);
    return error;
}

static int pthread_spawn(struct mt_task *task, const struct mt_thread_options *options, int named)
{
    struct start *start;
    int error;

    pthread_once(&end_key_made, make_end_key);
    if (end_key_error)
        return -end_key_error;
    start = mt__alloc(sizeof *start);
    if (!start)
        return -ENOMEM;
    start->task = task;
    start->named = named;
    error = create(options, start);
    if (error)
        free(start);
    return -error;
}

static void pthread_reap(struct mt_task *task)
{
    pthread_t handle = (pthread_t)task->resource;

    if (pthread_equal(handle, pthread_self()))
        pthread_detach(handle);
    else
        pthread_join(handle, NULL);
}

static const struct mt__kind pthread_kind = {.reap = pthread_reap};

const struct mt__backend mt__backend_pthread = {"pthread", &pthread_kind, pthread_spawn};
