/* SPDX-License-Identifier: MIT
 *
 * The end of main, which others outlive. See pthreads.h.
 */
#include "pthreads.h"

static void *late(void *arg)
{
    usleep(20000);
    printf("the last one\n");
    return NULL;
}

static void *join_main(void *arg)
{
    void *value;

    SAY(pthread_join(*(pthread_t *)arg, &value));
    printf("main left %s\n", (char *)value);
    start(late, NULL);
    start(late, NULL);
    return NULL;
}

void leave_main(void)
{
    static pthread_t self;

    self = pthread_self();
    start(join_main, &self);
    pthread_exit("this");
}
