/* SPDX-License-Identifier: MIT
 *
 * Threads: join, detach, exit, cancel, and threads.h's. See pthreads.h.
 */
#include "pthreads.h"

static pthread_t first, second;
static sem_t sem, ready, held;
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
} line = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

static void say(void *text)
{
    printf("cleanup: %s\n", (const char *)text);
}

static void deep(int depth)
{
    pthread_cleanup_push(say, depth % 2 ? "odd" : "even");
    if (depth)
        deep(depth - 1);
    else
        pthread_exit("left");
    pthread_cleanup_pop(0);
}

static void *leave_deep(void *arg)
{
    pthread_cleanup_push(say, "never");
    pthread_cleanup_pop(0);
    pthread_cleanup_push(say, "at once");
    pthread_cleanup_pop(1);
    deep(3);
    return "returned";
}

static void unlock(void *mutex)
{
    printf("unlock in cleanup: %s\n", name_of(pthread_mutex_unlock(mutex)));
}

static void *wait_cond(void *arg)
{
    pthread_mutex_lock(&line.mutex);
    pthread_cleanup_push(unlock, &line.mutex);
    sem_post(&ready);
    for (;;)
        pthread_cond_wait(&line.cond, &line.mutex);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *wait_sem(void *arg)
{
    sem_post(&ready);
    sem_wait(&sem);
    return "not cancelled";
}

static void *wait_sleep(void *arg)
{
    pthread_cleanup_push(say, "sleeper");
    sem_post(&ready);
    sleep(1000);
    pthread_cleanup_pop(0);
    return "not cancelled";
}

static void *wait_join(void *arg)
{
    sem_post(&ready);
    pthread_join(first, NULL);
    return "not cancelled";
}

static void *wait_test(void *arg)
{
    sem_post(&ready);
    for (;;) {
        pthread_testcancel();
        usleep(100);
    }
    return NULL;
}

static void *refuse_first(void *arg)
{
    int before;

    SAY(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before));
    printf("was enabled: %d\n", before == PTHREAD_CANCEL_ENABLE);
    sem_post(&ready);
    usleep(5000);
    sem_wait(&sem);
    printf("still here\n");
    pthread_testcancel();
    SAY(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS + 7, &before));
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    pthread_testcancel();
    return "not cancelled";
}

static void cancel_one(void *(*body)(void *), const char *name)
{
    pthread_t thread = start(body, NULL);
    void *value;

    sem_wait(&ready);
    usleep(1000);
    if (pthread_cancel(thread))
        printf("there is no such thread\n");
    sem_post(&sem);
    if (body != refuse_first)
        sem_wait(&sem);
    value = finish(thread);
    printf("%s: %s\n", name, value == PTHREAD_CANCELED ? "cancelled" : (const char *)value);
    sem_trywait(&sem);
}

static void *join_itself(void *arg)
{
    SAY(pthread_join(pthread_self(), NULL));
    return NULL;
}

static void *rename_itself(void *unused)
{
    char name[16] = "";

    SAY(prctl(PR_SET_NAME, "its-own-name-and-more"));
    SAY(prctl(PR_GET_NAME, name));
    printf("%s\n", name);
    SAY(pthread_getname_np(pthread_self(), name, sizeof name));
    printf("%s\n", name);
    return unused;
}

static void *wait_for_ready(void *arg)
{
    sem_wait(&ready);
    return arg;
}

static void *hold(void *arg)
{
    while (sem_wait(&held)) {
    }
    return arg;
}

static void *nothing(void *arg)
{
    return arg;
}

static void joins(void)
{
    struct timespec until = soon(CLOCK_REALTIME, 20);
    pthread_attr_t attributes;
    void *value = NULL;
    int state;

    first = start(wait_for_ready, "joined");
    SAY(pthread_tryjoin_np(first, &value));
    SAY(pthread_timedjoin_np(first, &value, &until));
    until = soon(CLOCK_MONOTONIC, 20);
    SAY(pthread_clockjoin_np(first, &value, CLOCK_MONOTONIC, &until));
    SAY(pthread_clockjoin_np(first, &value, CLOCK_THREAD_CPUTIME_ID, &until));
    SAY(pthread_kill(first, 0));
    SAY(pthread_kill(first, 12345));
    sem_post(&ready);
    SAY(pthread_join(first, &value));
    printf("%s\n", (char *)value);
    pthread_attr_init(&attributes);
    SAY(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
    SAY(pthread_create(&first, &attributes, wait_for_ready, NULL));
    SAY(pthread_join(first, NULL));
    SAY(pthread_detach(first));
    sem_post(&ready);
    first = start(wait_for_ready, NULL);
    SAY(pthread_detach(first));
    SAY(pthread_detach(first));
    sem_post(&ready);
    second = pthread_self();
    finish(start(join_itself, NULL));
    first = start(wait_for_ready, NULL);
    SAY(pthread_setname_np(first, "a-name"));
    char name[16] = "", tiny[2];
    SAY(pthread_getname_np(first, name, sizeof name));
    printf("%s\n", name);
    SAY(pthread_getname_np(first, tiny, sizeof tiny));
    SAY(pthread_setname_np(first, "a-name-that-is-too-long"));
    finish(start(rename_itself, NULL));
    SAY(pthread_getattr_np(first, &attributes));
    pthread_attr_getdetachstate(&attributes, &state);
    printf("joinable %d equal %d %d\n", state == PTHREAD_CREATE_JOINABLE, pthread_equal(first, first) != 0,
           pthread_equal(first, second) != 0);
    sem_post(&ready);
    finish(first);
    for (int i = 0; i < 2000; i++) {
        first = start(nothing, &first);
        if (finish(first) != &first)
            printf("lost\n");
    }
}

static int c11(void *arg)
{
    thrd_yield();
    return (int)(intptr_t)arg;
}

static int c11_exit(void *arg)
{
    thrd_exit(7);
}

static int c11_locks(void *arg)
{
    struct timespec until = soon(CLOCK_REALTIME, 20);
    mtx_t mutex;
    cnd_t cond;

    printf("%d\n", mtx_init(&mutex, mtx_timed | mtx_recursive) == thrd_success);
    printf("%d\n", mtx_lock(&mutex) == thrd_success);
    printf("%d\n", mtx_trylock(&mutex) == thrd_success);
    printf("%d\n", mtx_unlock(&mutex) == thrd_success);
    cnd_init(&cond);
    printf("%d\n", cnd_timedwait(&cond, &mutex, &until) == thrd_timedout);
    printf("%d\n", cnd_signal(&cond) == thrd_success);
    printf("%d\n", cnd_broadcast(&cond) == thrd_success);
    cnd_destroy(&cond);
    printf("%d\n", mtx_unlock(&mutex) == thrd_success);
    printf("%d\n", mtx_unlock(&mutex) == thrd_error);
    mtx_destroy(&mutex);
    return 0;
}

void threads(void)
{
    int result = 0;
    thrd_t thread;

    sem_init(&ready, 0, 0);
    sem_init(&sem, 0, 0);
    printf("%s\n", (char *)finish(start(leave_deep, NULL)));
    joins();
    sem_init(&held, 0, 0);
    first = start(hold, NULL);
    cancel_one(wait_cond, "cond");
    cancel_one(wait_sleep, "sleep");
    cancel_one(wait_test, "testcancel");
    cancel_one(refuse_first, "disabled");
    pthread_t waiter = start(wait_sem, NULL);
    sem_wait(&ready);
    usleep(1000);
    SAY(pthread_cancel(waiter));
    printf("sem: %d\n", finish(waiter) == PTHREAD_CANCELED);
    waiter = start(wait_join, NULL);
    sem_wait(&ready);
    usleep(1000);
    SAY(pthread_cancel(waiter));
    printf("join: %d\n", finish(waiter) == PTHREAD_CANCELED);
    sem_post(&held);
    finish(first);
    printf("%d\n", thrd_create(&thread, c11, (void *)(intptr_t)42) == thrd_success);
    printf("%d %d\n", thrd_join(thread, &result) == thrd_success, result);
    thrd_create(&thread, c11_exit, NULL);
    printf("%d %d\n", thrd_join(thread, &result) == thrd_success, result);
    thrd_create(&thread, c11_locks, NULL);
    thrd_join(thread, NULL);
    printf("%d\n", thrd_equal(thrd_current(), pthread_self()) != 0);
}
