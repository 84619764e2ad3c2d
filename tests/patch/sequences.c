/* SPDX-License-Identifier: MIT
 *
 * Calls on sockets and pipes in an order that nobody would think of: the same for the same seed.
 *
 *     MT_TEST_SEED=n MT_TEST_SEEDS=m sequences main|coro     seeds n to n + m - 1; else a few
 *
 * Each sequence has one pair of ends, whose calls come by turns. All waits have an end: sockets have timeouts, and a
 * pipe is only asked for what is there. Some receives begin before what they are to get is sent, by a peer.
 *
 * Here are the dice and the loop; sequences-ends.c opens the ends, and of the calls each group has its file.
 */
#include "sequences.h"

#define CALLS 30

/* -- The dice ----------------------------------------------------------------------------------------------------- */

static uint64_t state;

unsigned below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

static void take_seed(unsigned seed)
{
    state = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 5; i++)
        below(2);
}

int chance(unsigned in)
{
    return below(in) == 0;
}

size_t some_size(void)
{
    switch (below(8)) {
    case 0:
        return 0;
    case 1:
        return kind == TCP || kind == UDP ? 100 : below(LARGEST);
    case 2:
        return below(5000);
    default:
        return 1 + below(40);
    }
}

int some_flags(const int *flags, unsigned count, unsigned in)
{
    int result = 0;

    for (unsigned i = 0; i < count; i++)
        if (chance(in))
            result |= flags[i];
    return result;
}

unsigned cut(struct iovec *vectors, char *bytes, size_t size)
{
    unsigned count = 1 + below(4);
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        size_t piece = i + 1 == count ? size - at : below((unsigned)(size - at) + 1);
        vectors[i] = (struct iovec){bytes + at, piece};
        at += piece;
    }
    return count;
}

/* -- The loop ----------------------------------------------------------------------------------------------------- */

static void run_sequence(unsigned seed)
{
    take_seed(seed);
    sends_begin();
    open_ends();
    say("seed %u, kind %d\n", seed, (int)kind);
    for (int i = 0; i < CALLS; i++) {
        int end = (int)below(2);
        switch (below(8)) {
        case 0:
            ask(end);
            break;
        case 1:
            change(end);
            break;
        case 2:
        case 3:
        case 4:
            say(" %d:", end);
            send_some(end);
            break;
        default:
            say(" %d:", end);
            receive_some(end);
        }
    }
    close_both(ends);
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void sequences(void)
{
    unsigned first = number_of("MT_TEST_SEED", 1), count = number_of("MT_TEST_SEEDS", 24);

    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < count; i++)
        run_sequence(first + i);
}

const struct scenario scenarios[] = {
    {"sequences", sequences},
    {NULL, NULL},
};
