/* SPDX-License-Identifier: MIT */
#include "posix.h"

static pthread_once_t control = PTHREAD_ONCE_INIT, left = PTHREAD_ONCE_INIT, inner = PTHREAD_ONCE_INIT,
                      outer = PTHREAD_ONCE_INIT;
static int calls, finished, late, inner_calls;

static void slowly(void)
{
    calls++;
    nap(30);
    SET(finished);
}

static void *call(void *arg)
{
    IS(pthread_once(&control, slowly), 0);
    if (!SEEN(finished))
        SET(late);
    return NULL;
}

static void all_wait_for_the_first(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        threads[i] = start(call, NULL);
    for (int i = 0; i < 4; i++)
        finish(threads[i]);
    IS(calls, 1);
    IS(late, 0);
}

static void count_inner(void)
{
    inner_calls++;
}

static void call_inner(void)
{
    IS(pthread_once(&inner, count_inner), 0);
}

static void once_in_once(void)
{
    IS(pthread_once(&outer, call_inner), 0);
    IS(pthread_once(&inner, count_inner), 0);
    IS(inner_calls, 1);
}

static int tries, entered;

static void cancelled_first(void)
{
    if (!tries++) {
        SET(entered);
        for (;;)
            nap(10);
    }
}

static void *call_left(void *arg)
{
    IS(pthread_once(&left, cancelled_first), 0);
    return NULL;
}

static void a_cancelled_routine_has_not_been_called(void)
{
    pthread_t thread = start(call_left, NULL);

    while (!SEEN(entered))
        nap(1);
    IS(pthread_cancel(thread), 0);
    CHECK(finish(thread) == PTHREAD_CANCELED);
    IS(pthread_once(&left, cancelled_first), 0);
    IS(tries, 2);
    IS(pthread_once(&left, cancelled_first), 0);
    IS(tries, 2);
}

int main(void)
{
    static const struct requirement list[] = {
        {"the routine is called once, and all return after it has", all_wait_for_the_first},
        {"a routine may call pthread_once with another control", once_in_once},
        {"a routine that is cancelled counts as never called", a_cancelled_routine_has_not_been_called},
    };
    return RUN(list);
}
