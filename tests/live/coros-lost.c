/* SPDX-License-Identifier: MIT
 *
 * The wake-up of pthread_join, lost by arrangement, for a run in which threads are coroutines: the library is made to
 * forget it by writing into what it keeps of the thread.
 */
#include "patch/pthreads.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];
static pthread_t quitter;

static void *wait_for_ever(void *unused)
{
    char byte;

    return recv(ends[0], &byte, 1, 0) == 1 ? &ends : unused;
}

/* In the joiner's own hub: it has parked when this sees that it joins, and has run. */
static void *lose(void *unused)
{
    struct mt__pthread *thread = (struct mt__pthread *)(quitter - 1);

    while (!__atomic_load_n(&thread->joiner, __ATOMIC_ACQUIRE))
        usleep(1000);
    usleep(300000); /* and nothing has come for it meanwhile: its word is armed in whatever way the loop has */
    __atomic_store_n(&thread->ended, 1, __ATOMIC_RELEASE);
    puts("ready");
    fflush(stdout);
    return unused;
}

int main(void)
{
    pthread_t loser;

    alarm(120);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || pthread_create(&quitter, NULL, wait_for_ever, NULL) ||
        pthread_create(&loser, NULL, lose, NULL))
        return 1;
    pthread_setname_np(quitter, "quitter");
    pthread_join(quitter, NULL);
    return 0;
}
