/* SPDX-License-Identifier: MIT
 *
 * The choice among channels of lib/coro/channel.c: tasks that each wait for the first of two puts and gets, on two channels.
 *
 *   who       does                                                     sleeps on       left by
 *   choice    takes the guards of its channels in order; looks at
 *             its cases, from any of them on: takes the first offer of
 *             the other kind that is OPEN, copies the item; or leaves
 *             an offer a case; gives the guards back; wakes            its word, OPEN  the wake of who takes
 *                                                                                      an offer of it
 *   the same  gives up, at any time: OPEN -> GIVEN_UP, or its case
 *             has happened; takes its offers out, with each guard;
 *             returns, and its stack is gone
 *   closer    with the guard: marks the channel, takes the offers
 *             that are OPEN and wakes
 *
 * A compare-and-swap is an atomic step. The lists are first come, first served.
 *
 * Checked: a choice meets one other and never itself; a hand-over touches no stack that is gone; who returns that its case has
 * happened has handed over once, and who returns otherwise never; when nobody can go on, no two that wait fit each other, and
 * nobody sleeps who was taken.
 *
 * BUG=1 to 8 break the algorithm in one place each: spin has to find every one of them.
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef SHAPE
#define SHAPE 1
#endif
#ifndef CLOSES
#define CLOSES 0 /* or 1: somebody closes channel 0 */
#endif

#define GET 0
#define PUT 1
#define LIST(channel, kind) (2 * (channel) + (kind))
#define CHANNEL(list)       ((list) / 2)
#define OTHER(list)         ((list) ^ 1)

#define GET_0 LIST(0, GET)
#define PUT_0 LIST(0, PUT)
#define GET_1 LIST(1, GET)
#define PUT_1 LIST(1, PUT)

#define OPEN     0
#define GIVEN_UP 9

#if SHAPE == 4
#define TASKS 4
#else
#define TASKS 3
#endif
#define ROOM (TASKS + 1)

bit guard[2];
bool closed[2];
byte offers[4 * ROOM]; /* of each list: whose, in order */
byte count[4];

byte taken[TASKS + 1];
bool asleep[TASKS + 1];
bool there[TASKS + 1];  /* its stack */
byte handed[TASKS + 1]; /* how often an item was copied to or from it */
bool was_closed[TASKS + 1];
bool released; /* nobody can go on: all that wait may go */

#define AT(list, i) offers[(list) * ROOM + (i)]

inline acquire(channel)
{
    atomic { !guard[channel] -> guard[channel] = 1 }
}

inline release(channel)
{
    guard[channel] = 0
}

inline append(list)
{
    d_step {
        AT(list, count[list]) = me;
        count[list]++
    }
}

/* If it is there. */
inline take_out(list, who)
{
    d_step {
        k = 0;
        do
        :: k < count[list] && AT(list, k) != who -> k++
        :: else -> break
        od;
        if
        :: k < count[list] ->
            count[list]--;
            do
            :: k < count[list] -> AT(list, k) = AT(list, k + 1); k++
            :: else -> break
            od
        :: else -> skip
        fi;
        k = 0
    }
}

/* The number of the case of `who` that lies on the list. */
#define NUMBER(who, list) (1 + (list))

/* With the guard: partner becomes the first on the list that can be had, which is taken and off it; 0: none. */
inline take_first(list)
{
    partner = 0;
    i = 0;
    do
    :: i < count[list] ->
        who = AT(list, i);
#if BUG == 1
        if
        :: taken[who] == OPEN -> taken[who] = NUMBER(who, list); partner = who
        :: else -> skip
        fi;
#else
        atomic {
            if
            :: taken[who] == OPEN -> taken[who] = NUMBER(who, list); partner = who
            :: else -> skip
            fi
        };
#endif
        if
        :: partner != 0 -> take_out(list, partner); break
        :: else ->
#if BUG == 7
            break
#else
            i++
#endif
        fi
    :: else -> break
    od
}

inline wake(who)
{
    asleep[who] = false
}

/* With the guard: sets happened if the case has, and to_wake. */
inline try_case(list)
{
    if
    :: closed[CHANNEL(list)] -> was_closed[me] = true; happened = NUMBER(me, list)
    :: else ->
        take_first(OTHER(list));
        if
        :: partner != 0 ->
            assert(partner != me);
#if BUG == 2
            to_wake = partner; /* the copy is made without the guard: below */
#else
            assert(there[partner]);
            d_step { handed[me]++; handed[partner]++ };
            to_wake = partner;
#endif
            happened = NUMBER(me, list)
        :: else -> skip
        fi
    fi
}

proctype choice(byte me; byte first; byte second; bool gives_up)
{
    byte i, k, who, partner, happened, to_wake;
    byte low, high;

    /* the channels in order, each once */
    d_step {
        low = (CHANNEL(first) < CHANNEL(second) -> CHANNEL(first) : CHANNEL(second));
        high = (CHANNEL(first) < CHANNEL(second) -> CHANNEL(second) : CHANNEL(first));
        there[me] = true
    };
#if BUG == 4
    low = CHANNEL(first);
    high = CHANNEL(second);
#endif
#if BUG == 3
    /* looks at one channel after the other, and leaves its offers there */
    acquire(CHANNEL(first));
    try_case(first);
    if
    :: !happened -> append(first)
    :: else -> skip
    fi;
    release(CHANNEL(first));
    if
    :: !happened ->
        acquire(CHANNEL(second));
        atomic {
            if
            :: taken[me] == OPEN -> taken[me] = GIVEN_UP
            :: else -> skip
            fi
        };
        if
        :: taken[me] == GIVEN_UP ->
            try_case(second);
            if
            :: !happened -> append(second); taken[me] = OPEN
            :: else -> skip
            fi
        :: else -> skip
        fi;
        release(CHANNEL(second))
    :: else -> skip
    fi;
#else
    acquire(low);
    if
    :: high != low -> acquire(high)
    :: else -> skip
    fi;
    if
    :: true ->
        try_case(first);
        if
        :: !happened && second != first -> try_case(second)
        :: else -> skip
        fi
    :: second != first ->
        try_case(second);
        if
        :: !happened -> try_case(first)
        :: else -> skip
        fi
    fi;
    if
    :: !happened ->
        append(first);
        if
        :: second != first -> append(second)
        :: else -> skip
        fi
    :: else -> skip
    fi;
    release(low);
    if
    :: high != low -> release(high)
    :: else -> skip
    fi;
#endif
    if
    :: happened ->
#if BUG == 2
        if
        :: to_wake != 0 ->
            assert(there[to_wake]);
            d_step { handed[me]++; handed[to_wake]++ }
        :: else -> skip
        fi;
#endif
        if
        :: to_wake != 0 -> wake(to_wake)
        :: else -> skip
        fi;
        goto done
    :: else -> skip
    fi;

    /* waits to be taken */
    do
    :: taken[me] != OPEN -> break
    :: else ->
        atomic { asleep[me] = (taken[me] == OPEN) };
        if
        :: !asleep[me] -> skip
        :: atomic { gives_up -> asleep[me] = false }; break
        :: atomic { released -> asleep[me] = false }; break
        fi
    od;
#if BUG == 5
    if
    :: taken[me] == OPEN -> taken[me] = GIVEN_UP
    :: else -> skip
    fi;
#else
    atomic {
        if
        :: taken[me] == OPEN -> taken[me] = GIVEN_UP
        :: else -> skip
        fi
    };
#endif
    happened = (taken[me] == GIVEN_UP -> 0 : taken[me]);

    /* takes its offers out */
#if BUG == 6
    if
    :: happened != 0 -> goto done /* somebody has taken it out, it thinks */
    :: else -> skip
    fi;
#endif
    acquire(CHANNEL(first));
    take_out(first, me);
    release(CHANNEL(first));
    if
    :: second != first ->
        acquire(CHANNEL(second));
        take_out(second, me);
        release(CHANNEL(second))
    :: else -> skip
    fi;

done:
    there[me] = false;
    assert(handed[me] == (happened != 0 && !was_closed[me] -> 1 : 0))
}

#if CLOSES
proctype closer()
{
    byte i, k, who, partner, me;

    acquire(0);
    closed[0] = true;
    do
    :: take_first(GET_0);
        if
        :: partner != 0 -> assert(there[partner]); was_closed[partner] = true; wake(partner)
        :: else -> break
        fi
    od;
#if BUG != 8
    do
    :: take_first(PUT_0);
        if
        :: partner != 0 -> assert(there[partner]); was_closed[partner] = true; wake(partner)
        :: else -> break
        fi
    od;
#endif
    release(0)
}
#endif

#define WAITS(who) (asleep[who] && taken[who] == OPEN)

/* Two different tasks that wait, one on each list. */
inline check_channel(channel)
{
    n = 0;
    do
    :: n < count[LIST(channel, GET)] ->
        m = 0;
        do
        :: m < count[LIST(channel, PUT)] ->
            assert(AT(LIST(channel, GET), n) == AT(LIST(channel, PUT), m) || !WAITS(AT(LIST(channel, GET), n)) ||
                   !WAITS(AT(LIST(channel, PUT), m)));
            m++
        :: else -> break
        od;
        n++
    :: else -> break
    od;
    n = 0;
    m = 0
}

/* Nobody waits at a channel that is closed. */
inline check_closed(list)
{
    n = 0;
    do
    :: closed[0] && n < count[list] -> assert(!WAITS(AT(list, n))); n++
    :: else -> break
    od;
    n = 0
}

init
{
    byte n, m;

    atomic {
#if SHAPE == 1
        run choice(1, PUT_0, PUT_1, false);
        run choice(2, GET_1, GET_0, false);
        run choice(3, GET_0, PUT_1, true);
#elif SHAPE == 2
        run choice(1, PUT_0, GET_1, false);
        run choice(2, PUT_1, GET_0, true);
        run choice(3, PUT_0, GET_0, false);
#elif SHAPE == 3
        run choice(1, PUT_0, PUT_0, true);
        run choice(2, GET_0, GET_0, true);
        run choice(3, GET_0, GET_1, false);
#else
        run choice(1, PUT_0, PUT_1, false);
        run choice(2, GET_1, GET_0, false);
        run choice(3, GET_0, GET_0, false);
        run choice(4, PUT_1, PUT_1, false);
#endif
#if CLOSES
        run closer();
#endif
    };
    if
    :: timeout -> /* nobody can go on */
        d_step {
            check_channel(0);
            check_channel(1);
            n = 1;
            do
            :: n <= TASKS -> assert(!asleep[n] || taken[n] == OPEN); n++
            :: else -> break
            od;
            check_closed(GET_0);
            check_closed(PUT_0);
            assert(!guard[0] && !guard[1]);
            released = true
        }
    fi
}
