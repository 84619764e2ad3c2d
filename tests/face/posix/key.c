/* SPDX-License-Identifier: MIT */
#include "posix.h"

static pthread_key_t key, other;
static int destroyed, again;
static void *seen_in_destructor;

static void destroy(void *value)
{
    seen_in_destructor = pthread_getspecific(key);
    __atomic_fetch_add(&destroyed, *(int *)value, __ATOMIC_SEQ_CST);
}

static void *use_key(void *arg)
{
    CHECK(pthread_getspecific(key) == NULL);
    IS(pthread_setspecific(key, arg), 0);
    sched_yield();
    CHECK(pthread_getspecific(key) == arg);
    return NULL;
}

static void values_are_each_threads_own(void)
{
    pthread_t threads[4];
    int numbers[4] = {1, 10, 100, 1000}, mine = 5;

    IS(pthread_key_create(&key, destroy), 0);
    IS(pthread_setspecific(key, &mine), 0);
    for (int i = 0; i < 4; i++)
        threads[i] = start(use_key, &numbers[i]);
    for (int i = 0; i < 4; i++)
        finish(threads[i]);
    IS(destroyed, 1111);
    CHECK(seen_in_destructor == NULL); /* the value is NULL by then */
    CHECK(pthread_getspecific(key) == &mine);
    IS(pthread_key_delete(key), 0);
    IS(destroyed, 1111); /* deleting calls no destructor */
}

static void set_again(void *value)
{
    again++;
    IS(pthread_setspecific(key, value), 0);
}

static void *set_once(void *arg)
{
    IS(pthread_setspecific(key, arg), 0);
    return NULL;
}

static void destructors_are_called_in_rounds(void)
{
    int object;

    again = 0;
    IS(pthread_key_create(&key, set_again), 0);
    finish(start(set_once, &object));
    CHECK(again >= _POSIX_THREAD_DESTRUCTOR_ITERATIONS && again <= 100);
    IS(pthread_key_delete(key), 0);
}

static void set_other(void *value)
{
    IS(pthread_setspecific(other, value), 0);
}

static void a_destructor_sets_another_key(void)
{
    int number = 1;

    destroyed = 0;
    IS(pthread_key_create(&other, destroy), 0);
    IS(pthread_key_create(&key, set_other), 0);
    finish(start(set_once, &number));
    IS(destroyed, 1);
    IS(pthread_key_delete(key), 0);
    IS(pthread_key_delete(other), 0);
}

static void *leave_with_value(void *arg)
{
    IS(pthread_setspecific(key, arg), 0);
    pthread_exit(NULL);
}

static void pthread_exit_calls_them_too(void)
{
    int number = 7;

    destroyed = 0;
    IS(pthread_key_create(&key, destroy), 0);
    finish(start(leave_with_value, &number));
    IS(destroyed, 7);
    IS(pthread_key_delete(key), 0);
}

static void a_new_key_has_no_values(void)
{
    int object;

    for (int i = 0; i < 5000; i++) { /* numbers are used again */
        IS(pthread_key_create(&key, NULL), 0);
        CHECK(pthread_getspecific(key) == NULL);
        IS(pthread_setspecific(key, &object), 0);
        IS(pthread_key_delete(key), 0);
        if (failures)
            return;
    }
}

static void there_are_enough(void)
{
    static pthread_key_t keys[_POSIX_THREAD_KEYS_MAX];
    int count = 0, result = 0;

    while (count < _POSIX_THREAD_KEYS_MAX && !(result = pthread_key_create(&keys[count], NULL)))
        count++;
    IS(count, _POSIX_THREAD_KEYS_MAX);
    for (int i = 0; i < count; i++)
        IS(pthread_setspecific(keys[i], &keys[i]), 0);
    for (int i = 0; i < count; i++)
        CHECK(pthread_getspecific(keys[i]) == &keys[i]);
    while (count--)
        IS(pthread_key_delete(keys[count]), 0);
}

int main(void)
{
    static const struct requirement list[] = {
        {"values are each thread's own, and destroyed at its end", values_are_each_threads_own},
        {"destructors that set their key again are called in rounds, a bounded number of them",
         destructors_are_called_in_rounds},
        {"a value that a destructor sets for another key is destroyed", a_destructor_sets_another_key},
        {"pthread_exit calls destructors", pthread_exit_calls_them_too},
        {"a new key has no value in any thread", a_new_key_has_no_values},
        {"there are _POSIX_THREAD_KEYS_MAX keys", there_are_enough},
    };
    return RUN(list);
}
