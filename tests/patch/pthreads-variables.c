/* SPDX-License-Identifier: MIT
 *
 * Variables of threads: each has its own, begins with what they are initialised to, and keeps them. See pthreads.h.
 */
#include "pthreads.h"

#define ROUNDS 20

struct wide {
    _Alignas(64) char bytes[64];
};

static __thread int number = 7;
static __thread char text[100] = "as it was";
static __thread int zero;
static __thread struct wide wide;
static __thread const int *self = NULL;
static pthread_barrier_t together;

static int is_new(void)
{
    for (size_t i = 0; i < sizeof wide.bytes; i++)
        if (wide.bytes[i])
            return 0;
    return number == 7 && !strcmp(text, "as it was") && !zero && !self;
}

static void become(int id)
{
    number = id;
    snprintf(text, sizeof text, "of %d", id);
    zero = id + 1;
    memset(&wide, id + 1, sizeof wide);
    self = &number;
    errno = id;
}

static int is_still(int id)
{
    char mine[sizeof text];
    struct wide filled;

    snprintf(mine, sizeof mine, "of %d", id);
    memset(&filled, id + 1, sizeof filled);
    return number == id && !strcmp(text, mine) && zero == id + 1 && !memcmp(&wide, &filled, sizeof wide) &&
           self == &number && errno == id && (uintptr_t)&wide % 64 == 0;
}

static void *keep(void *arg)
{
    int id = (int)(intptr_t)arg, good = is_new();

    become(id);
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        good += is_still(id);
        if (i % 3)
            sched_yield();
        else
            usleep(100);
        good += is_still(id);
    }
    return (void *)(intptr_t)good;
}

static void *count_up(void *arg)
{
    return (void *)(intptr_t)(zero += 1 + is_new());
}

/* The child has what its thread had. */
static void *fork_with(void *arg)
{
    int status = 0;
    pid_t child;

    become(33);
    sched_yield();
    fflush(stdout);
    child = fork();
    if (!child) {
        int good = is_still(33);
        good += finish(start(count_up, NULL)) == (void *)2;
        good += is_still(33);
        printf("in the child: %d\n", good);
        fflush(stdout);
        _exit(good);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    printf("status %d, still %d\n", WEXITSTATUS(status), number);
    return NULL;
}

static void *nest(void *depth)
{
    int here = (int)(intptr_t)depth, good = is_new();

    become(here);
    if (here)
        good += (int)(intptr_t)finish(start(nest, (void *)(intptr_t)(here - 1)));
    return (void *)(intptr_t)(good + is_still(here));
}

static void fails(void *arg)
{
    printf("in the handler: %d\n", is_still(50));
}

static void *is_cancelled(void *arg)
{
    become(50);
    pthread_cleanup_push(fails, NULL);
    for (;;)
        sleep(100);
    pthread_cleanup_pop(0);
    return NULL;
}

static pthread_key_t key;

static void at_end(void *value)
{
    printf("in the key's destructor: %d\n", is_still((int)(intptr_t)value));
}

static void *has_key(void *arg)
{
    become(51);
    pthread_setspecific(key, (void *)51);
    sched_yield();
    return NULL;
}

void variables(void)
{
    pthread_t threads[COUNT * 4];
    pthread_t one;

    become(100);
    pthread_barrier_init(&together, NULL, COUNT * 4 + 1);
    for (int i = 0; i < COUNT * 4; i++)
        threads[i] = start(keep, (void *)(intptr_t)i);
    pthread_barrier_wait(&together);
    for (int i = 0; i < COUNT * 4; i++)
        if (finish(threads[i]) != (void *)(1 + 2 * ROUNDS))
            printf("thread %d has lost something\n", i);
    errno = 100;
    printf("main's: %d\n", is_still(100));
    for (int i = 0; i < 3; i++)
        printf("new each time: %d\n", (int)(intptr_t)finish(start(count_up, NULL)));
    printf("nested: %d\n", (int)(intptr_t)finish(start(nest, (void *)5)));
    finish(start(fork_with, NULL));
    one = start(is_cancelled, NULL);
    usleep(1000);
    pthread_cancel(one);
    printf("cancelled: %d\n", finish(one) == PTHREAD_CANCELED);
    one = start(is_cancelled, NULL);
    pthread_cancel(one); /* which may be before it has begun */
    printf("cancelled at once: %d\n", finish(one) == PTHREAD_CANCELED);
    pthread_key_create(&key, at_end);
    finish(start(has_key, NULL));
    errno = 100;
    printf("main's: %d\n", is_still(100));
}
