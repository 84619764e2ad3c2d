/* SPDX-License-Identifier: MIT
 *
 * The semaphore of lib/sync/sem.c. Value and number of waiters change together, in one step:
 *
 *   value, waiters                         by
 *   v > 0, w   -> v - 1, w                 acquire, at once
 *   v > 0, w   -> v - 1, w - 1             acquire, by one that waits
 *   v, w       -> v, w + 1                 one that begins to wait; it sleeps while v is 0
 *   v, w       -> v, w - 1                 one that leaves without
 *   v, w       -> v + n, w                 release; wakes up to n if w was not 0
 *
 * What all but the first task need is given, by one release or by two tasks at once; the first, which may be killed,
 * gives back what it takes. So each wake counts. Checked: none is lost or taken twice; nobody sleeps for ever; nobody
 * is left counted; no run is endless. BUG=1 to 6 break the algorithm in one place each: spin has to find every one of
 * them.
 */
#ifndef TASKS
#define TASKS 3
#endif
#ifndef BUG
#define BUG 0
#endif

#include "futex.h"

byte value;
byte waiters;
byte taken;
byte ended;

inline take(less)
{
#if BUG == 5 /* looks, then takes */
    got = (value > 0);
    d_step {
        if
        :: got -> assert(value > 0); value--; waiters = waiters - less
        :: else -> skip
        fi
    }
#else
    d_step {
        got = (value > 0);
        if
        :: got -> assert(value > 0); value--; waiters = waiters - less
        :: else -> skip
        fi
    }
#endif
}

inline wait_for_one()
{
#if BUG != 2 /* counts itself after it has slept */
    waiters++;
#endif
    do
    :: true ->
#if BUG == 3 /* leaves without a last look, and keeps a wake that came meanwhile */
        if
        :: !leaving -> take(1)
        :: else -> skip
        fi;
#elif BUG == 2
        take(0);
#else
        take(1);
#endif
        if
        :: got -> break
        :: !got && leaving ->
#if BUG != 4 && BUG != 2 /* stays counted */
            waiters--;
#endif
            break
        :: else -> skip
        fi;
        if
        :: killed[me] -> leaving = true
        :: else ->
            futex_wait(value, 0, false);
            if
            :: killed[me] -> /* even if a wake came too: the kernel tells of one of the two */
                leaving = true;
#if BUG != 3
                futex_wake_one()
#endif
            :: else -> skip
            fi
        fi
    od
}

inline release(n)
{
#if BUG == 1 /* looks for waiters, then gives */
    seen = waiters;
    value = value + n;
#else
    d_step { seen = waiters; value = value + n };
#endif
    if
    :: seen > 0 ->
#if BUG != 6 /* wakes one, however many were given */
        left = n;
#else
        left = 1;
#endif
        do
        :: left > 0 -> futex_wake_one(); left--
        :: else -> break
        od
    :: else -> skip
    fi;
    atomic { seen = 0; left = 0 }
}

proctype taker(byte me)
{
    bool got, woken, leaving;
    byte seen, left;

    take(0);
    if
    :: got -> skip
    :: else -> wait_for_one()
    fi;
    if
    :: got ->
        taken++;
        if
        :: me == 1 -> release(1)
        :: else -> skip
        fi
    :: else -> skip
    fi;
    ended++
}

proctype giver(byte n)
{
    byte seen, left;

    release(n);
    ended++
}

/* Kills the first task, at any moment, or gives what it needs. */
proctype killer()
{
    byte seen, left;

    if
    :: killed[1] = true
    :: release(1)
    fi;
    ended++
}

init
{
    byte i = 1;
    atomic {
        run killer();
        do
        :: i > TASKS -> break
        :: else -> run taker(i); i++
        od;
        if
        :: run giver(1); run giver(TASKS - 2)
        :: run giver(TASKS - 1); ended++
        fi
    };
    atomic {
        ended == TASKS + 3;
        assert(taken >= TASKS - (killed[1] -> 1 : 0));
        assert(value == (killed[1] -> 0 : 1));
        assert(waiters == 0)
    }
}
