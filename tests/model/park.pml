/* SPDX-License-Identifier: MIT
 *
 * How what runs in a hub waits for a word (lib/coro/park.c), beside a thread that waits for the same one in the kernel.
 *
 * The word is a count of things to take; who finds none waits while it is 0. In the hub: two takers, of whom the first
 * may give up at any time while it waits, and a giver. Outside: a thread that takes, and one that gives. As many are
 * given as there are takers. The kernel's wake takes any sleeper; the hub's wake takes any of its own first, and asks the
 * kernel when it has none.
 *
 * The hub finds its own by a table, or knows whom it wakes (MT__WAIT_KNOWN): both are one here. A new one may be sent to
 * look again in place of being armed, once, as one that might close a circle of waits is.
 *
 * A taker in the hub is ready, new (entered, not armed), armed, or done. An arm is queued in the kernel until it is woken
 * or cancelled; then its completion waits to be reaped. An arm without an owner is one whose owner has left.
 *
 * Checked: whatever is there to be taken is taken by those who wait: nobody sleeps beside it for ever. BUG=1 to 6 break
 * the algorithm in one place each: spin has to find every one of them.
 */
#ifndef BUG
#define BUG 0
#endif

#define TAKERS 2 /* in the hub, from 1 */
#define ARMS   4 /* from 1 */

mtype = {READY, NEW, ARMED, DONE, FREE, QUEUED, WOKEN, CANCELLED};

byte value;
bool thread_asleep, thread_done;

mtype taker[TAKERS + 1];
byte arm_of[TAKERS + 1];
mtype arm[ARMS + 1];
byte owner[ARMS + 1];
bool to_cancel[ARMS + 1];

inline kernel_wake()
{
    atomic {
        if
        :: thread_asleep -> thread_asleep = false
        :: arm[1] == QUEUED -> arm[1] = WOKEN
        :: arm[2] == QUEUED -> arm[2] = WOKEN
        :: arm[3] == QUEUED -> arm[3] = WOKEN
        :: arm[4] == QUEUED -> arm[4] = WOKEN
        :: else -> skip
        fi
    }
}

/* The taker is off the table and ready (or done); its arm lives on without it. */
inline leave(t, state)
{
    d_step {
        taker[t] = state;
        if
        :: arm_of[t] ->
#if BUG == 3 /* forgets the arm, and with it what it was told */
            arm[arm_of[t]] = FREE;
#else
            to_cancel[arm_of[t]] = true;
#endif
            owner[arm_of[t]] = 0;
            arm_of[t] = 0
        :: else -> skip
        fi
    }
}

inline hub_wake()
{
    if
    :: taker[1] == NEW || taker[1] == ARMED -> leave(1, READY)
    :: taker[2] == NEW || taker[2] == ARMED -> leave(2, READY)
    :: !(taker[1] == NEW || taker[1] == ARMED) && !(taker[2] == NEW || taker[2] == ARMED) ->
#if BUG != 4 /* does not ask the kernel */
        kernel_wake()
#else
        skip
#endif
    fi
}

inline run_taker(t)
{
    if
    :: d_step { value > 0 -> value--; taker[t] = DONE }
    :: d_step { value == 0 -> taker[t] = NEW } /* it looks, and is entered: nobody else runs in the hub meanwhile, */
    fi                                         /* and what others change is seen when it is armed */
}

/* The kernel compares and queues in one step. */
inline arm_new(t)
{
    d_step {
        if
        :: taker[t] == NEW ->
            if
            :: arm[1] == FREE -> a = 1
            :: arm[1] != FREE && arm[2] == FREE -> a = 2
            :: arm[1] != FREE && arm[2] != FREE && arm[3] == FREE -> a = 3
            :: else -> a = 4
            fi;
            assert(arm[a] == FREE);
            if
#if BUG == 2 /* queues without comparing */
            :: true ->
#else
            :: value > 0 -> taker[t] = READY
            :: else ->
#endif
                arm[a] = QUEUED;
                owner[a] = t;
                arm_of[t] = a;
                taker[t] = ARMED
            fi;
            a = 0
        :: else -> skip
        fi
    }
}

inline cancel(n)
{
    d_step {
        if
        :: to_cancel[n] ->
            to_cancel[n] = false;
            if
            :: arm[n] == QUEUED -> arm[n] = CANCELLED
            :: else -> skip
            fi
        :: else -> skip
        fi
    }
}

inline reap(n)
{
    if
    :: arm[n] == WOKEN && owner[n] ->
        d_step {
            taker[owner[n]] = READY;
            arm_of[owner[n]] = 0;
            owner[n] = 0;
            arm[n] = FREE
        }
    :: arm[n] == WOKEN && !owner[n] ->
        d_step { arm[n] = FREE; to_cancel[n] = false };
#if BUG != 1 /* keeps a wake that came for one who had left */
        hub_wake()
#endif
    :: arm[n] == CANCELLED -> d_step { arm[n] = FREE; to_cancel[n] = false }
    :: arm[n] == FREE || arm[n] == QUEUED -> skip
    fi
}

#define SOMETHING_READY (taker[1] == READY || taker[2] == READY)
#define SOMETHING_TOLD                                                                                                    \
    (arm[1] == WOKEN || arm[2] == WOKEN || arm[3] == WOKEN || arm[4] == WOKEN || arm[1] == CANCELLED ||                   \
     arm[2] == CANCELLED || arm[3] == CANCELLED || arm[4] == CANCELLED)

active proctype hub()
{
    byte a;
    bool given, looked;

    d_step {
        taker[1] = READY; taker[2] = READY;
        arm[1] = FREE; arm[2] = FREE; arm[3] = FREE; arm[4] = FREE
    };
    do
    :: taker[1] == READY -> run_taker(1)
    :: taker[2] == READY -> run_taker(2)
    :: !given -> value++; hub_wake(); given = true
    :: taker[1] == NEW || taker[1] == ARMED -> leave(1, DONE) /* gives up */
#if BUG == 6 /* ends, or goes on without a turn, while there are arms that may take a wake */
    :: taker[1] == DONE && taker[2] == DONE && given -> break
#else
    :: taker[1] == DONE && taker[2] == DONE && given && !SOMETHING_TOLD &&
       arm[1] == FREE && arm[2] == FREE && arm[3] == FREE && arm[4] == FREE -> break
#endif
    :: taker[2] == NEW && !looked -> looked = true; leave(2, READY)
    :: true -> /* a turn */
        if
#if BUG == 5 /* arms only what was there at the first time: the second stays new */
        :: true -> arm_new(1)
#else
        :: true -> arm_new(1); arm_new(2)
#endif
        :: SOMETHING_READY || !given -> skip /* a busy hub leaves what is new since the last turn */
        fi;
        cancel(1); cancel(2); cancel(3); cancel(4);
        if
        :: SOMETHING_READY || !given -> skip
        :: !SOMETHING_READY && given -> /* asleep: a completion, or the time of one who may give up */
            if
            :: SOMETHING_TOLD -> skip
            :: taker[1] == NEW || taker[1] == ARMED -> leave(1, DONE)
            :: taker[1] == DONE && taker[2] == DONE -> skip
            fi
        fi;
        reap(1); reap(2); reap(3); reap(4)
    od
}

active proctype thread()
{
    do
    :: d_step { value > 0 -> value--; thread_done = true }; break
    :: d_step { value == 0 -> thread_asleep = true }; /* the kernel compares and queues in one step */
        !thread_asleep
    od
}

active proctype giver()
{
    value++;
    kernel_wake();
    value++;
    kernel_wake()
}
