/* SPDX-License-Identifier: MIT
 *
 * Keys and their destructors. See pthreads.h.
 */
#include "pthreads.h"

static pthread_key_t keys[4];
static int destroyed, again_set;

static void destroy(void *value)
{
    __atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST);
}

static void set_again(void *value)
{
    if ((intptr_t)value < 3)
        pthread_setspecific(keys[1], (void *)((intptr_t)value + 1));
    pthread_setspecific(keys[0], (void *)(intptr_t)100);
    __atomic_add_fetch(&again_set, 1, __ATOMIC_SEQ_CST);
}

static void *use_keys(void *arg)
{
    pthread_setspecific(keys[0], arg);
    pthread_setspecific(keys[1], (void *)(intptr_t)1);
    pthread_setspecific(keys[2], arg);
    usleep(500);
    if (pthread_getspecific(keys[0]) != arg || pthread_getspecific(keys[2]) != arg || pthread_getspecific(keys[3]))
        printf("wrong value\n");
    return NULL;
}

static void *after_delete(void *arg)
{
    pthread_key_t key;

    SAY(pthread_key_create(&key, NULL));
    SAY(pthread_setspecific(key, "x"));
    SAY(pthread_key_delete(key));
    SAY(pthread_key_create(&key, NULL));
    printf("again %s\n", pthread_getspecific(key) ? "set" : "not set");
    SAY(pthread_setspecific(key, NULL));
    SAY(pthread_key_delete(key));
    SAY(pthread_key_delete(key));
    SAY(pthread_setspecific(key, "x"));
    SAY(pthread_setspecific(4711, "x"));
    printf("%s\n", pthread_getspecific(4711) ? "set" : "not set");
    return NULL;
}

void keyed(void)
{
    pthread_t threads[COUNT];
    tss_t tss;

    pthread_key_create(&keys[0], destroy);
    pthread_key_create(&keys[1], set_again);
    pthread_key_create(&keys[2], NULL);
    pthread_key_create(&keys[3], destroy);
    pthread_setspecific(keys[0], &tss);
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(use_keys, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("destroyed %d again %d own %d\n", destroyed, again_set, pthread_getspecific(keys[0]) == &tss);
    after_delete(NULL);
    finish(start(after_delete, NULL));
    printf("%d\n", tss_create(&tss, NULL) == thrd_success);
    printf("%d\n", tss_set(tss, &tss) == thrd_success);
    printf("%d\n", tss_get(tss) == &tss);
    tss_delete(tss);
}
