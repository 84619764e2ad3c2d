/* SPDX-License-Identifier: MIT
 *
 * The lock of lib/sync/lock.c. Its word, an owner's id and two flags, and who may change it to what:
 *
 *   word                        means                         left by
 *   0                           free                          acquire, never slept           -> owner
 *                                                             acquire, has slept             -> owner | WAITERS
 *   owner                       held                          release                        -> 0
 *                                                             a task about to sleep          -> owner | WAITERS
 *   owner | WAITERS             held, somebody may sleep      release                        -> 0, then wakes one
 *                                                             a starving task before it sleeps
 *                                                                                  -> owner | STARVED | WAITERS
 *   owner | STARVED | WAITERS   held, somebody starves        release      -> STARVED | WAITERS, then wakes one
 *   STARVED | WAITERS           reserved: free, but only      acquire, has slept -> owner | STARVED | WAITERS
 *                               for a task that has slept     acquire, starving  -> owner | WAITERS
 *                                                             a starving task that gives up  -> 0
 * A starving task that gives up while the lock is held takes STARVED back.
 *
 * A task starves when it has waited for 1 ms. A sleep of a task that does not starve yet is a slice that ends by
 * itself. A task that leaves without the lock wakes another in its place.
 *
 * With QUIET=1 also the release of a lock that nobody has slept for: two looks and a store in a restartable sequence, which the
 * first one to set WAITERS puts an end to by a fence. (That all processors see a store at once is right here: the fence is
 * also a barrier on each.)
 *
 * Checked: never two owners; nobody sleeps for ever; the word ends as 0, reserved for nobody; and, with weak fairness, no endless run in
 * which nobody gets the lock. BUG=1 to 7, and with QUIET=1 8 and 9, break the algorithm in one place each: spin has to find every one of them.
 * The first task takes the lock ROUNDS times, the others once.
 */
#ifndef TASKS
#define TASKS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef BUG
#define BUG 0
#endif

#ifndef QUIET
#define QUIET 0
#endif

#include "futex.h"

#define OWNER(w) ((w) & 7)
#define WAITERS  8
#define STARVED  16
#define RESERVED 24 /* STARVED | WAITERS */

byte word;
byte inside; /* tasks between acquire and release */
byte ended;
#if QUIET
byte contended; /* 1: one is about to fence; 2: it has */
bool in_sequence[TASKS + 1];

inline fence()
{
    d_step {
        in_sequence[1] = false;
        in_sequence[2] = false;
#if TASKS > 2
        in_sequence[3] = false;
#endif
    }
}
#endif

/* Compare and swap; got says whether it did. */
inline cas(old, new)
{
#if BUG == 6 /* compares, then swaps */
    got = (word == old);
#endif
    d_step {
#if BUG != 6
        got = (word == old);
#endif
        if
        :: got -> word = new
        :: else -> skip
        fi
    }
}

inline sleep_on_it()
{
#if QUIET
    if
    :: contended != 2 ->
#if BUG == 9 /* the next one to come does not wait for the fence */
        contended = 2;
        fence()
#else
        contended = 1;
#if BUG != 8 /* does not fence */
        fence();
#endif
        contended = 2
#endif
    :: else -> skip
    fi;
#endif
    /* the flags that the word must carry before this task may sleep on it */
    want = seen | WAITERS | (starving -> STARVED : 0);
    if
    :: want != seen -> cas(seen, want)
    :: else -> got = true
    fi;
    if
    :: got ->
        got = false;
        futex_wait(word, want, !starving);
#if BUG == 7 /* only a wake lets an arrival at a reserved word take it */
        slept = slept || woken;
#else
        slept = true;
#endif
        if
        :: starving = true /* the millisecond is over, or it is not */
        :: skip
        fi
    :: else -> skip
    fi;
    want = 0
}

/* Takes back what it asked for as a starving task, so that the word is not reserved for nobody. */
inline give_up()
{
    seen = word;
    do
    :: starving && (seen & STARVED) ->
        want = (OWNER(seen) != 0 -> seen - STARVED : 0);
        cas(seen, want);
        if
        :: got -> break
        :: else -> seen = word
        fi
    :: else -> break
    od;
    got = false;
    want = 0
}

inline acquire_slowly()
{
    do
    :: got -> break
    :: !got && slept && killed[me] ->
#if BUG != 5 /* leaves the word reserved for nobody */
        give_up();
#endif
#if BUG != 3 /* keeps a wake that was for somebody else */
        futex_wake_one();
#endif
        break
    :: !got && !(slept && killed[me]) ->
        seen = word;
        if
        :: seen == 0 ->
#if BUG == 4 /* takes it as if nobody else could be asleep */
            cas(0, me)
#else
            cas(0, (me | (slept -> WAITERS : 0)))
#endif
        :: seen == RESERVED && slept -> cas(RESERVED, (me | WAITERS | (starving -> 0 : STARVED)))
        :: else -> sleep_on_it()
        fi
    od;
    atomic { seen = 0; slept = false; starving = false; woken = false }
}

inline release()
{
#if QUIET
    in_sequence[me] = true;
    if
    :: contended == 0 -> skip
    :: else -> in_sequence[me] = false
    fi;
    if
    :: word == me -> skip
    :: else -> in_sequence[me] = false
    fi;
    d_step {
        if
        :: in_sequence[me] ->
            word = 0;
            in_sequence[me] = false;
            got = true
        :: else -> skip
        fi
    };
    seen = (got -> 0 : word);
#else
    seen = word;
#endif
    do
    :: got -> break
    :: else ->
       assert(OWNER(seen) == me);
#if BUG == 2 /* not in one step: a flag set in between is lost */
       word = (seen & STARVED -> RESERVED : 0);
       got = true;
#else
       cas(seen, (seen & STARVED -> RESERVED : 0));
#endif
       if
       :: got -> break
       :: else -> seen = word
       fi
    od;
    got = false;
#if BUG != 1 /* forgets that somebody may sleep */
    if
    :: seen & WAITERS -> futex_wake_one()
    :: else -> skip
    fi;
#endif
    seen = 0
}

proctype task(byte me)
{
    byte round, seen, want;
    bool got, slept, starving, woken;

    do
    :: round == (me == 1 -> ROUNDS : 1) -> break
    :: else ->
        cas(0, me);
        acquire_slowly();
        if
        :: got ->
progress_in:
            inside++;
            assert(inside == 1);
            inside--;
            got = false;
            release()
        :: else -> skip
        fi;
progress_round:
        round++
    od;
    atomic {
        ended++;
        assert(ended < TASKS || word == 0)
    }
}

/* May kill the first task, at any moment. */
proctype killer()
{
    if
    :: killed[1] = true
    :: skip
    fi
}

init
{
    byte i = 1;
    atomic {
        run killer();
        do
        :: i > TASKS -> break
        :: else -> run task(i); i++
        od
    }
}
