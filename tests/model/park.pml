/* SPDX-License-Identifier: MIT
 *
 * How what runs in a hub waits for a word (lib/coro/park.c and arm.c), beside a thread that waits for the same one in the
 * kernel.
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
 * or cancelled; then its completion waits to be reaped. An arm without an owner is one whose owner has left: a taker that
 * waits again adopts it, else a turn cancels it, or sends a wake to the word, which may meet the thread, or the arm of
 * another, in its place: then it is cancelled when nothing is to be told any more.
 *
 * Checked: whatever is there to be taken is taken by those who wait: nobody sleeps beside it for ever. BUG=1 to 8 break
 * the algorithm in one place each: spin has to find every one of them.
 */
#ifndef BUG
#define BUG 0
#endif

#define TAKERS 2 /* in the hub, from 1 */
#define ARMS   4 /* from 1 */

mtype = {READY, NEW, ARMED, DONE, FREE, QUEUED, WOKEN, CANCELLED};
mtype = {NONE, IDLE, ROUSED, GIVEN_BACK};

byte value;
bool thread_asleep, thread_done;

mtype taker[TAKERS + 1];
byte arm_of[TAKERS + 1];
mtype arm[ARMS + 1];
byte owner[ARMS + 1];
mtype stage[ARMS + 1]; /* of one without an owner; NONE: it has one */

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
            stage[arm_of[t]] = IDLE;
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

#define IS_THERE(n) (arm[n] != FREE && (stage[n] == IDLE || stage[n] == ROUSED))

inline adopt(t, n)
{
    stage[n] = NONE;
    owner[n] = t;
    arm_of[t] = n;
    taker[t] = ARMED
}

inline run_taker(t)
{
    if
#if BUG == 8 /* adopts without comparing */
    :: d_step { IS_THERE(1) -> adopt(t, 1) }
    :: d_step { IS_THERE(2) -> adopt(t, 2) }
#endif
    :: d_step { value > 0 -> value--; taker[t] = DONE }
    :: d_step { /* it looks, and is entered: nobody else runs in the hub meanwhile, */
        value == 0 -> /* and what others change is seen when it is armed */
            taker[t] = NEW;
            if
            :: IS_THERE(1) -> adopt(t, 1)
            :: IS_THERE(2) -> adopt(t, 2)
            :: IS_THERE(3) -> adopt(t, 3)
            :: IS_THERE(4) -> adopt(t, 4)
            :: else -> skip
            fi
    }
    fi
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

/* A turn: of those whose wake has met another, */
inline cancel_missed(n)
{
    d_step {
        if
        :: stage[n] == ROUSED ->
            stage[n] = GIVEN_BACK;
            if
            :: arm[n] == QUEUED -> arm[n] = CANCELLED
            :: else -> skip
            fi
        :: else -> skip
        fi
    }
}

/* and those who have been left since the last one, which are cancelled where there are few. */
inline take_back(n)
{
    if
    :: stage[n] == IDLE -> stage[n] = ROUSED; kernel_wake()
    :: d_step {
        stage[n] == IDLE ->
            stage[n] = GIVEN_BACK;
            if
            :: arm[n] == QUEUED -> arm[n] = CANCELLED
            :: else -> skip
            fi
    }
    :: stage[n] != IDLE -> skip
    fi
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
#if BUG == 1 /* keeps a wake that came for one who had left */
        d_step { arm[n] = FREE; stage[n] = NONE }
#elif BUG == 7 /* takes the wake that came for its own */
        if
        :: d_step { stage[n] == ROUSED -> arm[n] = FREE; stage[n] = NONE }
        :: d_step { stage[n] != ROUSED -> arm[n] = FREE; stage[n] = NONE }; kernel_wake()
        fi
#else
        d_step { arm[n] = FREE; stage[n] = NONE };
        kernel_wake()
#endif
    :: arm[n] == CANCELLED -> d_step { arm[n] = FREE; stage[n] = NONE }
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
        arm[1] = FREE; arm[2] = FREE; arm[3] = FREE; arm[4] = FREE;
        stage[1] = NONE; stage[2] = NONE; stage[3] = NONE; stage[4] = NONE
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
        :: !SOMETHING_TOLD -> cancel_missed(1); cancel_missed(2); cancel_missed(3); cancel_missed(4)
        :: true -> skip
        fi;
        if
#if BUG == 5 /* arms only what was there at the first time: the second stays new */
        :: true -> arm_new(1)
#else
        :: true -> arm_new(1); arm_new(2)
#endif
        :: SOMETHING_READY || !given -> skip /* a busy hub leaves what is new since the last turn */
        fi;
        take_back(1); take_back(2); take_back(3); take_back(4);
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
