/* SPDX-License-Identifier: MIT
 *
 * An allocator with locks of pthread.h, one inside another, as jemalloc's are; with PROGRAM, threads that allocate. The
 * hub allocates too: it must not find a lock held by a coroutine that is not running.
 */
#include <pthread.h>
#include <stddef.h>

#ifndef PROGRAM

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;

static void enter(void)
{
    pthread_mutex_lock(&outer);
    for (int i = 0; i < 50; i++) {
        while (pthread_mutex_trylock(&inner))
            ;
        pthread_mutex_unlock(&inner);
    }
}

static void *leave(void *block)
{
    pthread_mutex_unlock(&outer);
    return block;
}

void *malloc(size_t size)
{
    enter();
    return leave(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    enter();
    return leave(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    enter();
    return leave(__libc_realloc(block, size));
}

void free(void *block)
{
    enter();
    __libc_free(block);
    leave(NULL);
}

#else

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT 8

static void *allocate(void *size)
{
    void *volatile block;

    for (int i = 0; i < 100; i++) {
        block = malloc((size_t)size);
        if (i % 10 == 0)
            usleep(1);
        free(block);
    }
    return size;
}

int main(void)
{
    size_t sum = 0;
    pthread_t threads[COUNT];
    void *value;

    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < COUNT; i++)
            if (pthread_create(&threads[i], NULL, allocate, (void *)(i + 1)))
                abort();
        for (size_t i = 0; i < COUNT; i++) {
            pthread_join(threads[i], &value);
            sum += (size_t)value;
        }
    }
    printf("%zu\n", sum);
    return 0;
}

#endif
