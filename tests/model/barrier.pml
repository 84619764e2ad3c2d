/* SPDX-License-Identifier: MIT
 *
 * The barrier of lib/sync/barrier.c: a number of rounds, `phase`, on which those who have come sleep, and a number of those
 * who have not left a broken round yet, `leaving`, on which those sleep who want to enter after a reset.
 *
 *   a task                          holds the lock   sleeps on           left by
 *   comes                           yes                                  leaving == 0 -> is counted
 *                                                                        broken -> fails
 *   waits for the leavers           no               leaving == value    a change of leaving, its deadline
 *   late, and some still leave      yes                                  breaks the barrier, fails
 *   is counted, reads phase         yes                                  waiting == PARTIES -> ends the round
 *   sleeps                          no               phase == seen       a change of phase, its deadline
 *   awake, the round was not broken no                                   has passed
 *   awake, the round was broken     yes                                  leaving - 1, and at 0 wakes the second kind
 *   late, the round is still on     yes                                  breaks it
 *
 * The lock is one bit here: lock.pml is about the lock. What its holder does to fields that nobody looks at without it is one
 * step with what goes before. A deadline may come at any moment of a sleep, and being killed is the same to the barrier. An
 * action that fails, abort, and reset break rounds at any moment too. The first task comes WAITS times, the others once.
 *
 * Checked: a round passes only with all its parties; what a task is told of its round, passed or broken, is what became of
 * it; and when nothing moves any more, those who sleep are those who have come to the round that is on. Then the closer
 * aborts the barrier, after which everybody has to end. There is no endless run.
 *
 * BUG=1 to 7 break the algorithm in one place each: spin has to find every one of them.
 */
#ifndef TASKS
#define TASKS 3
#endif
#ifndef PARTIES
#define PARTIES 2
#endif
#ifndef WAITS
#define WAITS 2
#endif
#ifndef BUG
#define BUG 0
#endif

#define ON_PHASE   1
#define ON_LEAVING 2

#define PASSED 1
#define BROKEN 2

#define ROUNDS 24 /* more than can end in one run */

byte phase, leaving, waiting, broken_phase;
bool broken;

bit locked;
bool closed;
byte sleeps_on[TASKS + 1]; /* futex.h knows one word, here there are two */
byte came[ROUNDS];
byte became[ROUNDS]; /* what became of each round */

inline acquire()
{
    d_step { !locked -> locked = 1 }
}

inline release()
{
    d_step { assert(locked); locked = 0 }
}

inline wake_all(which)
{
    d_step {
        i = 1;
        do
        :: i > TASKS -> break
        :: else -> sleeps_on[i] = (sleeps_on[i] == which -> 0 : sleeps_on[i]); i++
        od;
        i = 0
    }
}

/* late says whether the deadline ended it. */
inline sleep_while(word, value, which)
{
    do
    :: late || word != value -> break
    :: else ->
        d_step { /* the kernel compares and falls asleep in one step */
            if
            :: word == value -> sleeps_on[me] = which
            :: else -> skip
            fi
        };
        if
        :: sleeps_on[me] == 0 -> skip
        :: d_step { sleeps_on[me] != 0 && hurried -> sleeps_on[me] = 0; late = true }
        fi
    od;
#if BUG != 6 /* does not look again whether it was the deadline alone */
    late = late && word == value
#endif
}

inline end_round(outcome)
{
    assert(outcome == BROKEN || came[phase] == PARTIES);
    waiting = 0;
#if BUG == 1 /* wakes before there is a reason to be awake */
    wake_all(ON_PHASE);
    d_step { became[phase] = outcome; phase++ };
    release()
#else
    d_step { became[phase] = outcome; phase++ };
    release();
    wake_all(ON_PHASE)
#endif
}

inline break_round(sleepers)
{
    if
    :: sleepers > 0 ->
        count = sleepers;
#if BUG == 2 /* says that the round is over before it says that it was broken */
        end_round(BROKEN);
        broken_phase = phase - 1;
        leaving = count
#else
        broken_phase = phase;
        leaving = count;
        end_round(BROKEN)
#endif
        ;
        count = 0
    :: else -> end_round(BROKEN)
    fi
}

inline wait_for_leavers()
{
    do
    :: late || broken || leaving == 0 -> break
    :: else ->
        atomic { seen = leaving; release() };
        sleep_while(leaving, seen, ON_LEAVING);
        acquire();
        if
        :: late && leaving > 0 -> assert(waiting == 0); broken = true
        :: else -> late = false
        fi
    od
}

/* The last one has come; the action may fail. */
inline complete()
{
    if
    :: end_round(PASSED)
    :: broken = true; break_round(PARTIES - 1)
    fi
}

inline leave_broken_round()
{
    leaving--;
#if BUG != 5 /* the last one to leave tells nobody */
    if
    :: leaving == 0 -> wake_all(ON_LEAVING)
    :: else -> skip
    fi
#endif
}

inline after_sleep()
{
    told = 0;
    if
    :: late -> skip
    :: !late && leaving == 0 -> told = PASSED
    :: else ->
        if
        :: broken_phase != seen -> told = PASSED
        :: else -> skip
        fi
    fi;
    if
    :: told == PASSED -> skip
    :: else ->
        acquire();
        if
#if BUG == 6
        :: late ->
#else
        :: phase == seen ->
            assert(late);
#endif
            told = BROKEN;
            broken = true;
#if BUG == 4 /* counts itself among those who have to leave */
            break_round(waiting)
#else
            break_round(waiting - 1)
#endif
        :: else ->
            if
            :: leaving > 0 && broken_phase == seen -> told = BROKEN; leave_broken_round()
            :: else -> told = PASSED
            fi;
            release()
        fi
    fi;
    failed = (told == BROKEN);
    d_step { assert(became[seen] == told); told = 0 }
}

inline barrier_wait()
{
    acquire();
#if BUG != 3 /* enters while others have not left a broken round */
    wait_for_leavers();
#endif
    if
    :: late || broken -> assert(broken); failed = true; release()
    :: else ->
        d_step { waiting++; came[phase]++ };
        if
        :: waiting == PARTIES -> complete()
        :: else ->
#if BUG == 7 /* reads the phase when the lock is free already */
            release();
            seen = phase;
#else
            atomic { seen = phase; release() };
#endif
            sleep_while(phase, seen, ON_PHASE);
            after_sleep()
        fi
    fi
}

/* abort and reset */
inline stop(breaks)
{
    acquire();
    broken = breaks;
    if
    :: waiting > 0 -> break_round(waiting)
    :: else -> release()
    fi
}

proctype task(byte me)
{
    byte i, round, seen, count, told;
    bool hurried, late, failed;

    do
    :: round == (me == 1 -> WAITS : 1) -> break
    :: else ->
        if
        :: me < TASKS -> hurried = true
        :: hurried = false
        fi;
        barrier_wait();
        if
        :: failed && !closed -> stop(false)
        :: true
        fi;
        d_step { failed = false; late = false; hurried = false; seen = 0; round++ }
    od
}

/* May abort or reset, once, at any moment. */
proctype stopper()
{
    byte i, count;

    if
    :: stop(true)
    :: stop(false)
    :: skip
    fi
}

proctype closer()
{
    byte i, count;

    timeout;
    d_step {
        i = 1;
        do
        :: i > TASKS -> break
        :: else ->
            assert(sleeps_on[i] != ON_LEAVING);
            count = count + (sleeps_on[i] == ON_PHASE -> 1 : 0);
            i++
        od;
        assert(count == waiting);
        i = 0;
        count = 0;
        closed = true
    };
    stop(true)
}

init
{
    byte i = 1;
    atomic {
        run closer();
        run stopper();
        do
        :: i > TASKS -> break
        :: else -> run task(i); i++
        od
    }
}
