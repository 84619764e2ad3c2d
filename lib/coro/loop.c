/* SPDX-License-Identifier: MIT
 *
 * Which loop: io_uring where it is to be had, else epoll. LINUXMT_LOOP forces one. Decided once a process, by opening
 * one: a sandbox, a sysctl and an old kernel each refuse in their own way.
 */
#include "coro/hub.h"

#include <dlfcn.h>
#include <linuxmt/coro.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_URING
int mt__uring_works(char *why_not, size_t size);
#endif

static const struct mt__loop *chosen;
static char reason[160];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* valgrind (3.19) lets no other thread run while one is in io_uring_enter: with several, all hang. It betrays itself by
 * what it loads into the process. */
static int is_under_valgrind(void)
{
    return dlsym(RTLD_DEFAULT, "_vgnU_freeres") != NULL;
}

static void choose(void)
{
    const char *asked = getenv("LINUXMT_LOOP");
    char why_not[120] = "liblinuxmt was built without liburing";
    int works = 0;

    if (asked && strcmp(asked, "uring") && strcmp(asked, "epoll")) {
        if (*asked)
            fprintf(stderr, "linuxmt: LINUXMT_LOOP=%s is neither uring nor epoll, and is ignored\n", asked);
        asked = NULL;
    }
    chosen = &mt__loop_epoll;
    if (asked && !strcmp(asked, "epoll")) {
        snprintf(reason, sizeof reason, "LINUXMT_LOOP=epoll");
        return;
    }
    if (!asked && is_under_valgrind()) {
        snprintf(reason, sizeof reason, "valgrind stops all threads while one waits by io_uring");
        return;
    }
#if HAVE_URING
    works = mt__uring_works(why_not, sizeof why_not);
    if (works)
        chosen = &mt__loop_uring;
#endif
    if (works)
        snprintf(reason, sizeof reason, "%s", asked ? "LINUXMT_LOOP=uring, and it works" : "io_uring works");
    else
        snprintf(reason, sizeof reason, "%s", why_not);
    if (!works && asked)
        fprintf(stderr, "linuxmt: LINUXMT_LOOP=uring cannot be had: %s; coroutines wait by epoll\n", why_not);
}

const struct mt__loop *mt__loop_choose(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const char *mt_loop_name(void)
{
    return mt__loop_choose()->name;
}

const char *mt_loop_reason(void)
{
    pthread_once(&once, choose);
    return reason;
}
