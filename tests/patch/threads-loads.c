/* SPDX-License-Identifier: MIT
 *
 * A program without variables of threads, which loads the first module that has some while threads are there: its name
 * is the argument. The same with and without the patch.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT 10

static int (*add)(int what);
static pthread_barrier_t together;

static void *use(void *arg)
{
    int id = (int)(intptr_t)arg, good = 0;

    pthread_barrier_wait(&together); /* all are there, */
    pthread_barrier_wait(&together); /* and it is loaded */
    for (int round = 1; round <= 5; round++) {
        good += add(id) == 1000 + id * round;
        usleep(100);
    }
    return (void *)(intptr_t)good;
}

int main(int argc, char **argv)
{
    pthread_t threads[COUNT];
    void *module, *good;

    pthread_barrier_init(&together, NULL, COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        pthread_create(&threads[i], NULL, use, (void *)(intptr_t)i);
    pthread_barrier_wait(&together);
    module = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
    if (!module) {
        printf("%s\n", dlerror());
        return 1;
    }
    *(void **)&add = dlsym(module, "add");
    printf("main's %d\n", add(5));
    pthread_barrier_wait(&together);
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], &good);
        printf("good: %d\n", (int)(intptr_t)good);
    }
    printf("main's %d\n", add(1));
    return 0;
}
