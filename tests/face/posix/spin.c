/* SPDX-License-Identifier: MIT */
#include "posix.h"

static pthread_spinlock_t spin;
static int counter;

static void *count(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        IS(pthread_spin_lock(&spin), 0);
        counter++;
        IS(pthread_spin_unlock(&spin), 0);
    }
    return NULL;
}

static void it_excludes(void)
{
    pthread_t threads[3];

    IS(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE), 0);
    for (int i = 0; i < 3; i++)
        threads[i] = start(count, NULL);
    for (int i = 0; i < 3; i++)
        finish(threads[i]);
    IS(counter, 15000);
    IS(pthread_spin_destroy(&spin), 0);
}

static void *try(void *arg)
{
    return (void *)(intptr_t)pthread_spin_trylock(&spin);
}

static void trylock(void)
{
    IS(pthread_spin_init(&spin, PTHREAD_PROCESS_SHARED), 0);
    IS(pthread_spin_trylock(&spin), 0);
    IS((int)(intptr_t)finish(start(try, NULL)), EBUSY);
    IS(pthread_spin_trylock(&spin), EBUSY);
    IS(pthread_spin_unlock(&spin), 0);
}

int main(void)
{
    static const struct requirement list[] = {
        {"a spin lock excludes", it_excludes},
        {"pthread_spin_trylock returns EBUSY for a held lock", trylock},
    };
    return RUN(list);
}
