/* SPDX-License-Identifier: MIT
 *
 * The end of a raw thread (lib/thread/raw.c), those who join it (lib/task/join.c), and who gives its stack slot back when
 * (lib/thread/slot.c). The slot holds the stack and the tid word that joiners sleep on; the kernel clears that word as the
 * thread's last sign of life and wakes one sleeper.
 *
 *   references   one a handle, one the thread's own; the last one to go frees the task
 *   joiners      how many look at the tid word; counted under the guard before they look
 *   reaped       the slot has been given back: by the last joiner to leave an ended task, else by the last reference
 *   idle         the slot is on the list; it may be taken when the tid word reads 0
 *
 *   the thread                        tid     references   slot
 *   runs                              tid     + its own    its own
 *   finished: outcome, done           tid     + its own    its own
 *   has dropped its reference         tid                  on the list already, if that was the last one
 *   ended: the kernel says so         0                    may be used again, once it is on the list
 *
 * Checked, with two holders of a handle who each join, or join and give up, or are killed, or never join: nobody sleeps for
 * ever; the slot is given back exactly once and the task freed exactly once; a slot is never used again while its thread
 * stands on it or a joiner looks at its word; nobody touches a freed task; a join that succeeds sees the outcome. BUG=1 to 5
 * break the algorithm in one place each: spin has to find every one of them.
 */
#define TASKS 2 /* the holders */
#ifndef BUG
#define BUG 0
#endif

#include "futex.h"

byte tid = 1;
bool stands = true; /* the thread's frames are on the slot's stack */

byte references = 3;
byte joiners;
bit guarded;
bool reaped, done, freed;

bool idle, taken;
byte given;

inline guard()
{
    d_step { !guarded -> assert(!freed); guarded = 1 }
}

inline unguard()
{
    guarded = 0
}

inline give_slot()
{
    d_step {
        assert(!idle && !taken);
        given++;
        idle = true
    }
}

/* The one who brings the count to 0 reaps, unless a joiner has, and frees. */
inline drop()
{
    d_step {
        assert(!freed && references > 0);
        references--;
        last = (references == 0)
    };
    if
    :: last && !reaped -> give_slot()
    :: else -> skip
    fi;
    if
    :: last -> freed = true
    :: else -> skip
    fi
}

/* The order of lib/thread/raw.c. */
proctype thread()
{
    bool last;

#if BUG == 4 /* drops its reference before it stores the outcome */
    drop();
    d_step { assert(!freed); done = true };
#else
    d_step { assert(!freed); done = true };
    drop();
#endif
    d_step { tid = 0; stands = false };
    futex_wake_one()
}

inline join(in_a_hurry)
{
    guard();
    ended = reaped;
#if BUG != 5 /* counts itself only after it has looked */
    if
    :: !ended -> joiners++
    :: else -> skip
    fi;
#endif
    unguard();
    if
    :: ended -> skip
    :: else ->
        do
        :: seen = tid;
           if
           :: seen == 0 -> assert(done); break
           :: else ->
                assert(!taken); /* the word would be another thread's */
                futex_wait(tid, seen, in_a_hurry);
                if
                :: !woken && (in_a_hurry || killed[me]) -> break
                :: else -> skip
                fi
           fi
        od;
        guard();
#if BUG == 5
        joiners++;
#endif
        joiners--;
        if
        :: tid != 0 -> skip
#if BUG == 1 /* the kernel's one wake is kept */
        :: tid == 0 && joiners > 0 -> skip
#elif BUG == 2 /* each one who leaves gives the slot back */
        :: tid == 0 && joiners > 0 -> futex_wake_all(); reaps = true
#else
        :: tid == 0 && joiners > 0 -> futex_wake_all()
#endif
        :: tid == 0 && joiners == 0 && !reaped -> reaped = true; reaps = true
        :: tid == 0 && joiners == 0 && reaped -> skip
        fi;
        unguard();
        if
        :: reaps -> give_slot(); reaps = false
        :: else -> skip
        fi
    fi
}

proctype holder(byte me)
{
    byte seen;
    bool ended, reaps, woken, last;

    if
    :: join(false)
    :: join(true)
    :: skip
    fi;
    drop()
}

/* Spawns the next thread when there is a slot for it. */
proctype spawner()
{
#if BUG == 3 /* takes a slot whose thread has not ended */
    d_step { idle -> idle = false; taken = true };
#else
    d_step { idle && tid == 0 -> idle = false; taken = true };
#endif
    assert(!stands);
    assert(joiners == 0 && !asleep[1] && !asleep[2]);
    tid = 2
}

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
        run thread();
        run holder(1);
        run holder(2);
        run spawner();
        run killer()
    };
    _nr_pr == 1 -> assert(given == 1 && taken && freed && references == 0)
}
