/* SPDX-License-Identifier: MIT */
#include "posix.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static int ready, cleaned;

static void clean(void *arg)
{
    cleaned = cleaned * 10 + (int)(intptr_t)arg;
}

static void unlock(void *arg)
{
    cleaned = 5;
    IS(pthread_mutex_unlock(arg), 0); /* it is held: EPERM otherwise, with this type */
}

static void *wait_cond(void *arg)
{
    static pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

    IS(pthread_mutex_lock(&checked), 0);
    pthread_cleanup_push(unlock, &checked);
    SET(ready);
    for (;;)
        pthread_cond_wait(&cond, &checked);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *wait_sem(void *arg)
{
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)2);
    SET(ready);
    for (;;)
        sem_wait(&sem);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *wait_sleep(void *arg)
{
    SET(ready);
    for (;;)
        nap(1000);
    return NULL;
}

static void *wait_join(void *arg)
{
    SET(ready);
    pthread_join(*(pthread_t *)arg, NULL);
    return NULL;
}

static void *test_cancel(void *arg)
{
    SET(ready);
    for (;;)
        pthread_testcancel();
    return NULL;
}

static pthread_t begin(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    ready = cleaned = 0;
    thread = start(fn, arg);
    while (!SEEN(ready))
        nap(1);
    nap(10);
    return thread;
}

static void cancel(pthread_t thread)
{
    IS(pthread_cancel(thread), 0);
    CHECK(finish(thread) == PTHREAD_CANCELED);
}

static void points(void)
{
    pthread_t sleeper;

    IS(sem_init(&sem, 0, 0), 0);
    cancel(begin(wait_sem, NULL));
    IS(cleaned, 21); /* the last handler first */
    cancel(begin(wait_cond, NULL));
    IS(cleaned, 5);
    cancel(begin(test_cancel, NULL));
    sleeper = begin(wait_sleep, NULL);
    cancel(begin(wait_join, &sleeper));
    cancel(sleeper); /* a join that was cancelled has not joined */
}

static void *disabled(void *arg)
{
    int before = -1;

    IS(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before), 0);
    IS(before, PTHREAD_CANCEL_ENABLE);
    SET(ready);
    while (!__atomic_load_n((int *)arg, __ATOMIC_SEQ_CST)) {
        pthread_testcancel();
        nap(1);
    }
    cleaned = 1;
    IS(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before), 0);
    IS(before, PTHREAD_CANCEL_DISABLE);
    pthread_testcancel();
    cleaned = 2;
    return NULL;
}

static void a_request_waits_until_enabled(void)
{
    int go = 0;
    pthread_t thread = begin(disabled, &go);

    IS(pthread_cancel(thread), 0);
    nap(20);
    SET(go);
    CHECK(finish(thread) == PTHREAD_CANCELED);
    IS(cleaned, 1);
    IS(pthread_setcancelstate(99, NULL), EINVAL);
    IS(pthread_setcanceltype(99, NULL), EINVAL);
}

static void *lock_it(void *arg)
{
    SET(ready);
    IS(pthread_mutex_lock(&mutex), 0); /* not a cancellation point */
    cleaned = 1;
    IS(pthread_mutex_unlock(&mutex), 0);
    pthread_testcancel();
    return NULL;
}

static void a_mutex_is_no_point(void)
{
    pthread_t thread;

    IS(pthread_mutex_lock(&mutex), 0);
    thread = begin(lock_it, NULL);
    IS(pthread_cancel(thread), 0);
    nap(20);
    IS(cleaned, 0);
    IS(pthread_mutex_unlock(&mutex), 0);
    CHECK(finish(thread) == PTHREAD_CANCELED);
    IS(cleaned, 1);
}

static void *handlers(void *arg)
{
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)2);
    pthread_cleanup_pop(1);
    pthread_cleanup_push(clean, (void *)3);
    pthread_cleanup_pop(0);
    if (arg)
        pthread_exit(NULL);
    pthread_cleanup_pop(0);
    return NULL;
}

static void handlers_run_when_they_should(void)
{
    cleaned = 0;
    finish(start(handlers, NULL));
    IS(cleaned, 2);
    cleaned = 0;
    finish(start(handlers, &cleaned));
    IS(cleaned, 21);
}

static void *wait_in_handler(void *arg)
{
    pthread_cleanup_push(clean, (void *)1);
    SET(ready);
    for (;;)
        sem_wait(&sem);
    pthread_cleanup_pop(0);
    return NULL;
}

/* A wake-up and a cancellation at the same moment: one of the two is what happened, and the wake-up is not lost. */
static void no_post_is_lost(void)
{
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        int value = -1;
        ready = 0;
        thread = start(wait_in_handler, NULL);
        while (!SEEN(ready))
            sched_yield();
        IS(sem_post(&sem), 0);
        IS(pthread_cancel(thread), 0);
        CHECK(finish(thread) == PTHREAD_CANCELED);
        IS(sem_getvalue(&sem, &value), 0);
        if (value)
            IS(sem_wait(&sem), 0);
        CHECK(value == 0 || value == 1);
    }
}

int main(void)
{
    static const struct requirement list[] = {
        {"the waiting calls are cancellation points, and cleanup handlers run", points},
        {"a request is held while cancellation is disabled", a_request_waits_until_enabled},
        {"pthread_mutex_lock is not a cancellation point", a_mutex_is_no_point},
        {"cleanup handlers run when popped with 1 and at pthread_exit, the last first", handlers_run_when_they_should},
        {"a post at the moment of a cancellation is not lost", no_post_is_lost},
    };
    return RUN(list);
}
