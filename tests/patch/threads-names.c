/* SPDX-License-Identifier: MIT
 *
 * A program that has a name of libc's itself, and finds the next by another of its names, as Erlang's does.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t handled;

int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    static int (*next)(int number, const struct sigaction *action, struct sigaction *before);

    if (!next)
        next = (__typeof__(next))dlsym(RTLD_NEXT, "__sigaction");
    return next ? next(number, action, before) : -1;
}

static void handle(int number)
{
    handled += number == SIGUSR1;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handle};

    if (sigaction(SIGUSR1, &action, NULL))
        abort();
    raise(SIGUSR1);
    printf("handled %d\n", (int)handled);
    return 0;
}
