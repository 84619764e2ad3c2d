/* SPDX-License-Identifier: MIT
 *
 * A module with a destructor of a variable of threads is closed while a thread has still to run it. Another one, that a
 * thread of the kernel's has made, ran it before; that thread is gone. The module's name is the argument. The same with
 * and without the patch.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static int (*add)(int what);
static pthread_barrier_t together;

static void *use(void *arg)
{
    printf("sum %d\n", add(1));
    if (arg) {
        pthread_barrier_wait(&together); /* the destructor is registered, */
        pthread_barrier_wait(&together); /* and the module closed */
    }
    return NULL;
}

static void *make(void *arg)
{
    pthread_t thread;

    pthread_create(&thread, NULL, use, NULL);
    pthread_join(thread, NULL);
    return arg;
}

/* Real time makes it the kernel's, where that is allowed. */
static void make_in_thread(void)
{
    struct sched_param priority = {.sched_priority = 1};
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_RR);
    pthread_attr_setschedparam(&attributes, &priority);
    if (pthread_create(&thread, &attributes, make, NULL))
        make(NULL);
    else
        pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv)
{
    void *module = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
    pthread_t thread;

    if (!module) {
        printf("%s\n", dlerror());
        return 1;
    }
    *(void **)&add = dlsym(module, "add");
    make_in_thread();
    pthread_barrier_init(&together, NULL, 2);
    pthread_create(&thread, NULL, use, module);
    pthread_barrier_wait(&together);
    dlclose(module);
    pthread_barrier_wait(&together);
    pthread_join(thread, NULL);
    printf("alive\n");
    return 0;
}
