/* SPDX-License-Identifier: MIT
 *
 * The future of lib/pool/future.c: one word, a state with flags, that a worker, those who wait, one who cancels, one who kills
 * and one who leaves a note change by compare-and-swap; then the next task of the same worker, which must not feel the kill.
 *
 *   who        does                                              sleeps on          left by
 *   worker     QUEUED -> STARTED, runs, STARTED -> DONE          nothing: it looks  KILLING is clear
 *              while not KILLING; wakes, tells the notes;
 *              forgets that it was killed; runs the next task
 *   waiter     sets WAITERS                                      the word, as seen  the end's wake
 *   canceller  QUEUED -> CANCELLED, then as the end
 *   killer     cancels, or sets KILLED and KILLING, tells the
 *              worker if that runs this task, clears KILLING
 *   noter      under the guard: sets NOTES, stores the note      its own word       the end's telling
 *   each       drops its reference; the last one frees
 *
 * "Runs" ends at any moment, or when the task finds itself killed. A compare-and-swap is an atomic step that may fail.
 *
 * Checked: a future ends once; nobody touches it after it was freed, and it is freed; every waiter wakes, every note is told,
 * once; a killed task is killed only if somebody killed it, and the next task never is. That nobody sleeps for ever is spin's
 * check of end states.
 *
 * BUG=1 to 8 break the algorithm in one place each: spin has to find every one of them.
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef WAITERS_THERE
#define WAITERS_THERE 1
#endif
#ifndef KILLERS
#define KILLERS 1 /* or 0 */
#endif

#define QUEUED    0
#define STARTED   1
#define DONE      2
#define CANCELLED 3

byte state;
bool f_waiters, f_notes, f_killed, f_killing; /* with state: the word, changed in one step */

byte references;
bool freed;
bit guard;
bool note_stored, note_told;
byte ends;

bool asleep[WAITERS_THERE + 1];

byte current; /* what the worker runs: 0 nothing, 1 this future, 2 the next task */
bit worker_guard;
bool cancel_flag; /* of the worker's task */
bool was_killed;  /* somebody asked */
bool worker_gone; /* its memory too */

#define TOUCH assert(!freed)

inline drop()
{
    d_step {
        TOUCH;
        assert(references > 0);
        references--;
        if
        :: references == 0 -> freed = true
        :: else -> skip
        fi
    }
}

inline acquire(lock)
{
    d_step { lock == 0 -> lock = 1 }
}

inline wake_all()
{
    d_step {
        i = 1;
        do
        :: i > WAITERS_THERE -> break
        :: else -> asleep[i] = false; i++
        od;
        i = 0
    }
}

/* After the change of the word: what it had is in had_waiters and had_notes. */
inline finish()
{
    if
    :: had_waiters -> wake_all()
    :: else -> skip
    fi;
    if
    :: had_notes ->
        acquire(guard);
        TOUCH;
        if
        :: note_stored -> assert(!note_told); note_told = true; note_stored = false
        :: else -> skip
        fi;
        guard = 0
    :: else -> skip
    fi
}

/* from -> to, unless it is being killed. swapped says whether it did. */
inline end_it(from, to)
{
    swapped = false;
    atomic {
#if BUG != 1 /* ends while the kill is on its way */
        !f_killing || state != from -> /* the code looks again and again */
#endif
        TOUCH;
        if
        :: state == from ->
            had_waiters = f_waiters;
            had_notes = f_notes;
            state = to;
            f_waiters = false;
            f_notes = false;
            ends++;
            assert(ends == 1);
            swapped = true
        :: else -> skip
        fi
    };
    if
    :: swapped -> finish()
    :: else -> skip
    fi
}

/* It may run another task inside, which nobody kills; and after that, if it was killed, it knows. */
inline body()
{
    if
    :: inside()
    :: true
    fi;
    d_step {
        assert(!cancel_flag || was_killed);
        assert(!f_killed || f_killing || cancel_flag)
    }
}

inline inside()
{
    current = 3;
    acquire(worker_guard);
    cancel_flag = false;
    worker_guard = 0;
    assert(!cancel_flag);
    current = 1;
    acquire(worker_guard);
#if BUG != 8 /* forgets that the outer one was killed meanwhile */
    cancel_flag = f_killed;
#endif
    worker_guard = 0
}

proctype worker()
{
    byte i;
    bool had_waiters, had_notes, swapped, ran;

    current = 1; /* before it is started: a kill can come as soon as it is */
    atomic {
        TOUCH;
        if
        :: state == QUEUED -> state = STARTED; ran = true
        :: else -> ran = false
        fi
    };
    if
    :: ran ->
        body();
        end_it(STARTED, DONE);
        assert(swapped)
    :: else -> skip
    fi;
    current = 0;
    drop();
    /* forgets the kill, and runs another */
#if BUG != 2 /* does not forget */
    acquire(worker_guard);
    cancel_flag = false;
    worker_guard = 0;
#endif
    current = 2;
    assert(!cancel_flag);
    current = 0;
    assert(!cancel_flag);
    d_step { assert(worker_guard == 0); worker_gone = true }
}

proctype waiter(byte me)
{
    bool seen_waiters, seen_killed, seen_killing, seen_notes;
    byte seen;

    do
    :: TOUCH;
       d_step {
           seen = state;
           seen_waiters = f_waiters;
           seen_killed = f_killed;
           seen_killing = f_killing;
           seen_notes = f_notes
       };
       if
       :: seen >= DONE -> break
       :: else -> skip
       fi;
       if
       :: !seen_waiters ->
           atomic { /* compare and swap, which may fail */
               TOUCH;
               if
               :: state == seen && !f_waiters && f_killed == seen_killed && f_killing == seen_killing &&
                  f_notes == seen_notes -> f_waiters = true; seen_waiters = true
               :: else -> skip
               fi
           }
       :: else -> skip
       fi;
       if
       :: seen_waiters ->
           d_step { /* the kernel compares and falls asleep */
#if BUG == 3 /* sleeps without comparing */
               asleep[me] = true
#else
               asleep[me] = state == seen && f_waiters && f_killed == seen_killed && f_killing == seen_killing &&
                            f_notes == seen_notes
#endif
           };
           !asleep[me]
       :: else -> skip
       fi
    od;
    drop()
}

inline cancel_it()
{
    end_it(QUEUED, CANCELLED)
}

proctype canceller()
{
    byte i;
    bool had_waiters, had_notes, swapped;

    if
    :: cancel_it()
    :: skip
    fi;
    drop()
}

proctype killer()
{
    byte i;
    bool had_waiters, had_notes, swapped, mine;

    cancel_it();
    if
    :: swapped -> skip
    :: else ->
        atomic {
            TOUCH;
            if
            :: state == STARTED -> f_killed = true; f_killing = true; was_killed = true; mine = true
            :: else -> skip
            fi
        };
        if
        :: mine ->
            assert(!worker_gone);
            acquire(worker_guard);
            if
#if BUG == 4 /* does not look what the worker runs */
            :: true -> cancel_flag = true
#else
            :: current == 1 -> cancel_flag = true
            :: else -> skip
#endif
            fi;
            d_step { assert(!worker_gone); worker_guard = 0 };
#if BUG != 5 /* the worker waits for ever */
            d_step { TOUCH; f_killing = false }
#endif
        :: else -> skip
        fi
    fi;
    drop()
}

/* Leaves a note, and waits until it is told; or finds that the future has ended. */
proctype noter()
{
    bool stored;

#if BUG != 6 /* stores it without the guard, after NOTES */
    acquire(guard);
#endif
    atomic {
        TOUCH;
        if
        :: state >= DONE -> skip
        :: else -> f_notes = true; stored = true
        fi
    };
    if
    :: stored -> TOUCH; note_stored = true
    :: else -> skip
    fi;
#if BUG != 6
    guard = 0;
#endif
    if
    :: stored -> note_told
    :: else -> skip
    fi;
#if BUG == 7 /* gives back one reference too many */
    drop();
#endif
    drop()
}

init
{
    byte i = 1;
    atomic {
        references = 1 + WAITERS_THERE + 2 + KILLERS;
        run worker();
        run canceller();
#if KILLERS
        run killer();
#endif
        run noter();
        do
        :: i > WAITERS_THERE -> break
        :: else -> run waiter(i); i++
        od
    };
    timeout;
    assert(freed && references == 0 && ends == 1)
}
