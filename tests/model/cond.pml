/* SPDX-License-Identifier: MIT
 *
 * The condition variable of lib/sync/cond.c: a count of notifications, on which waiters sleep, and a count of waiters, by
 * which a notification finds out that there is nobody to wake.
 *
 *   a waiter                     waiters   sleeps on          left by
 *   holds the lock               0
 *   is counted, reads sequence   1                            the release of the lock
 *   may sleep                    1         sequence == seen   a notification: sequence moves -> awake
 *                                                             a wake from before that -> sleeps again
 *                                                             being killed -> passes a wake on, awake
 *   awake                        0                            the lock's acquisition
 *
 * The lock is one bit here: lock.pml is about the lock. Waiters wait for an item or for the end; each producer makes one item
 * and notifies one, and when nothing moves any more the closer looks for somebody who sleeps beside an item, then notifies
 * all, after which everybody has to end. There is no endless run.
 *
 * LATE=1 is another program: the second waiter waits for something else, and comes when the first one's notification has
 * begun but has not woken yet. It must not get that wake, for it would sleep again and the first one sleep on. It does not,
 * because the kernel wakes the one that slept first (FIFO=1); in another order (BUG=5), which real-time priorities can bring
 * about, it would. To pass such a wake on is no cure: two that come late would pass it to each other without end.
 *
 * BUG=1 to 5 break the algorithm in one place each: spin has to find every one of them.
 */
#define TASKS 3
#ifndef BUG
#define BUG 0
#endif
#ifndef LATE
#define LATE 0
#endif
#if LATE && BUG != 5
#define FIFO 1
#endif

#include "futex.h"

byte sequence;
byte waiters;

bit locked;
byte items;
bool closed, first_ended;
byte waiting; /* waiters between their count and their end, for the closer */

inline acquire()
{
    d_step { !locked -> locked = 1 }
}

inline release()
{
    d_step { assert(locked); locked = 0 }
}

inline cond_wait()
{
#if BUG == 1 /* reads the sequence when the lock is free already */
    waiters++;
    release();
    seen = sequence;
#elif BUG == 4 /* is counted when the lock is free already */
    seen = sequence;
    release();
    waiters++;
#else
    waiters++;
    seen = sequence;
    release();
#endif
    woken = false;
    do
    :: sequence != seen -> break
    :: killed[me] ->
#if BUG != 3 /* keeps a wake that was for somebody else */
        if
        :: woken -> futex_wake_one()
        :: else -> skip
        fi;
#endif
        leaves = true;
        break
    :: sequence == seen && !killed[me] ->
        futex_wait(sequence, seen, false)
    od;
    waiters--;
    acquire()
}

inline wake(all)
{
    if
    :: all -> futex_wake_all()
    :: !all -> futex_wake_one()
    fi
}

inline notify(all)
{
    if
    :: waiters == 0 -> skip
    :: else ->
#if BUG == 2 /* wakes before there is a reason to be awake */
        wake(all);
        sequence++
#else
        sequence++;
        wake(all)
#endif
    fi
}

#if LATE
#define GOES (me == 1 -> items > 0 : closed)
#else
#define GOES (items > 0 || closed)
#endif

proctype waiter(byte me)
{
    byte seen;
    bool woken, leaves;

    acquire();
    waiting++;
    do
    :: GOES || leaves -> break
    :: else -> cond_wait()
    od;
    waiting--;
#if LATE
    first_ended = first_ended || me == 1;
#else
    if
    :: leaves || items == 0 -> skip
    :: else -> items--
    fi;
#endif
    release()
}

/* Notifies with the lock held or, which is allowed, after it. */
proctype producer()
{
    acquire();
    items++;
    if
    :: notify(false); release()
    :: release(); notify(false)
    fi
}

proctype closer()
{
#if LATE
    first_ended; /* and nobody but the producer helps it to end */
#else
    timeout;
    assert(items == 0 || waiting == 0);
#endif
    acquire();
    closed = true;
    notify(true);
    release()
}

/* May kill the first waiter, at any moment. */
proctype killer()
{
    if
    :: killed[1] = true
    :: skip
    fi
}

init
{
    atomic {
        run closer();
        run producer();
        run waiter(1);
#if LATE
        sequence > 0 || first_ended; /* too late for the notification that has begun */
        run waiter(2)
#else
        run producer();
        run waiter(2);
        run waiter(3);
        run killer()
#endif
    }
}
