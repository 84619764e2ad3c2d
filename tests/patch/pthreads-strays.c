/* SPDX-License-Identifier: MIT
 *
 * Signals where nobody expects them. See pthreads.h.
 */
#include "pthreads.h"

static void *naps(void *arg)
{
    usleep(1000);
    return NULL;
}

/* libc asks each of its threads by a signal of its own, also those that carry nobody any more. */
static void asked_by_libc(void)
{
    pthread_t some[COUNT];

    for (int i = 0; i < COUNT; i++)
        some[i] = start(naps, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(some[i]);
    SAY(said(setgid(getgid())));
    SAY(said(setuid(getuid())));
}

void strays(void)
{
    asked_by_libc();
}
