/* SPDX-License-Identifier: MIT
 *
 * The signal that ends a slice: a real-time one that nobody else has. Programs that block all others in a thread do not
 * mean this one: it is left out (mask.c). One that blocks it among few, or handles it, has it, and another is chosen.
 */
#include "patch/slice.h"

int mt__slice_number;
static uint64_t named; /* those that the program has for itself: bit n - 1 */

static int is_free(int number)
{
    struct sigaction now;

    return !mt__libc(sigaction)(number, NULL, &now) && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

/* Programs count theirs from either end. */
void mt__slice_choose(void)
{
    int all = SIGRTMAX - SIGRTMIN + 1, chosen = 0;

    for (int i = 0; i < all && !chosen; i++) {
        int number = SIGRTMIN + (all / 2 + i) % all;
        if (!(named >> (number - 1) & 1) && is_free(number))
            chosen = number;
    }
    mt__slice_number = chosen;
}

/* The handler runs on the stack that it is to leave, with all signals blocked. */
int mt__slice_install(void)
{
    struct sigaction action = {.sa_sigaction = mt__slice_over, .sa_flags = SA_SIGINFO | SA_RESTART};

    sigfillset(&action.sa_mask);
    return mt__slice_number && !mt__libc(sigaction)(mt__slice_number, &action, NULL);
}

/* Nobody has taken it meanwhile. */
int mt__slice_is_ours(void)
{
    struct sigaction now;

    return mt__slice_number && !mt__libc(sigaction)(mt__slice_number, NULL, &now) && now.sa_sigaction == mt__slice_over;
}

/* Not one of many: the program means it, and has a use for it. */
static int is_named_by(const sigset_t *set)
{
    int count = 0;

    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        count += sigismember(set, number) == 1;
    return count <= (SIGRTMAX - SIGRTMIN) / 2;
}

const sigset_t *mt__slice_spared(const sigset_t *set, sigset_t *room)
{
    if (!set || !mt__slice_number || sigismember(set, mt__slice_number) != 1)
        return set;
    if (is_named_by(set)) {
        named |= 1ull << (mt__slice_number - 1);
        mt__slice_choose();
        mt__slice_retire();
        return set;
    }
    *room = *set;
    sigdelset(room, mt__slice_number);
    return room;
}

void mt__slice_let_in(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, mt__slice_number);
    mt__libc(pthread_sigmask)(SIG_UNBLOCK, &set, NULL);
}
