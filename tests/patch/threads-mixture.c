/* SPDX-License-Identifier: MIT
 *
 * Threads before and after a module is loaded whose runtime wants the kernel's threads: the first are coroutines if it
 * is patched, the others are not, and all share locks, conditions, keys and each other's ends. The module is the
 * argument; without one there are too many variables of threads. The same with and without the patch.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT  4 /* of each */
#define ROUNDS 50

#ifdef LARGE
static __thread char large[LARGE];
#endif
static __thread long mine = 3;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t together;
static pthread_key_t key;
static sem_t sem, loaded;
static long count, written, turn, destroyed;
static pthread_t threads[2 * COUNT];

static void destroy(void *value)
{
    __atomic_fetch_add(&destroyed, (intptr_t)value, __ATOMIC_RELAXED);
}

static void share(long id)
{
    for (int i = 0; i < ROUNDS; i++) {
        while (sem_wait(&sem)) {
        }
        pthread_mutex_lock(&mutex);
        long now = count;
        if (i % 10 == 0)
            usleep(50);
        count = now + 1;
        pthread_mutex_unlock(&mutex);
        sem_post(&sem);
        pthread_rwlock_wrlock(&lock);
        now = written;
        if (i % 10 == 5)
            sched_yield();
        written = now + 1;
        pthread_rwlock_unlock(&lock);
        mine += id;
    }
}

static void take_turns(long id)
{
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % (2 * COUNT) != id)
            pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
}

static void *body(void *arg)
{
    long id = (intptr_t)arg, good;
    void *other = NULL;

    pthread_setspecific(key, (void *)(intptr_t)(id + 1));
    if (id < COUNT)
        while (sem_wait(&loaded)) {
        }
    share(id);
    pthread_barrier_wait(&together);
    take_turns(id);
#ifdef LARGE
    large[id]++;
#endif
    good = mine == 3 + ROUNDS * id && pthread_getspecific(key) == (void *)(intptr_t)(id + 1);
    if (id % COUNT) /* each joins the one before, and the last of the first those of the others */
        pthread_join(threads[id - 1], &other);
    else if (!id)
        pthread_join(threads[2 * COUNT - 1], &other);
    return (void *)((intptr_t)other + good);
}

int main(int argc, char **argv)
{
    void *good = NULL;

    pthread_key_create(&key, destroy);
    pthread_barrier_init(&together, NULL, 2 * COUNT);
    sem_init(&sem, 0, 2);
    sem_init(&loaded, 0, 0);
    for (long i = 0; i < COUNT; i++)
        pthread_create(&threads[i], NULL, body, (void *)i);
    usleep(1000);
    if (argc > 1 && !dlopen(argv[1], RTLD_NOW)) {
        printf("%s\n", dlerror());
        return 1;
    }
    for (long i = COUNT; i < 2 * COUNT; i++)
        pthread_create(&threads[i], NULL, body, (void *)i);
    for (int i = 0; i < COUNT; i++)
        sem_post(&loaded);
    pthread_join(threads[COUNT - 1], &good);
    printf("good %d, count %ld, written %ld, turns %ld, destroyed %ld, main's %ld\n", (int)(intptr_t)good, count,
           written, turn, destroyed, mine);
    return 0;
}
