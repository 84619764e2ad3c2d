/* SPDX-License-Identifier: MIT
 *
 * The read-write lock of lib/sync/rwlock.c: a state that changes in single steps, a guard around every change while anybody
 * waits, and two numbers, read_sequence and write_sequence, on which those sleep who wait.
 *
 *   a task                      holds the guard   sleeps on              left by
 *   comes                       no                                       nobody waits, no conflict -> is in, by one step
 *   looks again                 yes                                      may enter -> is in
 *   is counted                  yes                                      may enter -> is not counted any more, tells, is in
 *   sleeps                      no                its sequence == seen   a change of the sequence, its deadline
 *   late                        yes                                      may enter -> is in, else gives up and tells
 *   is in, and leaves           no                                       nobody waits -> by one step
 *   leaves, and somebody waits  yes                                      tells: raises a sequence, wakes
 *
 * The guard is one bit here, and what its holder does to fields that nobody looks at without it is one step with what goes
 * before. Tasks 1 and 2 read, 3 and 4 write; 1 and 3 come twice and may be late at any sleep, the others come once and wait
 * for ever. Being killed is the same as being late.
 *
 * Checked, by the numbers of the claims at the head of rwlock.c: a writer is alone, and a reader enters beside waiting
 * writers only in its turn (1); the flags say who waits (2); whenever the guard is given up, no reader sleeps who could be
 * in, and not all writers if one of them could be, and in the end everybody ends (3); not more than STREAK writers
 * pass while a reader waits, and nobody waits to read in the readers' turn (4). There is no endless run.
 *
 * BUG=1 to 10 break the algorithm in one place each: spin has to find every one of them.
 */
#define READERS 2
#define TASKS   4
#ifndef STREAK
#define STREAK 1
#endif
#ifndef BUG
#define BUG 0
#endif

#define ON_READ  1
#define ON_WRITE 2

/* The state, each change of which is one step. */
byte count;
bool writer, writers_wait, readers_wait, turn;
#define SOMEBODY_WAITS (writers_wait || readers_wait || turn)

byte read_sequence, write_sequence, readers_waiting, writers_waiting, streak;
#define MY_SEQUENCE (reads -> read_sequence : write_sequence)

bit guarded;
byte sleeps_on[TASKS + 1];
byte reading, writing;      /* who is in, whatever the state says */
bool waits[READERS + 1];    /* readers between being counted and not, */
byte passed[READERS + 1];   /* and the writers that have passed them */

inline guard()
{
    d_step { !guarded -> guarded = 1 }
}

#define SLEEPS(i, which) (sleeps_on[i] == which -> 1 : 0)

inline unguard()
{
    d_step {
        assert(guarded);
        assert(writer || (writers_wait && !turn) || SLEEPS(1, ON_READ) + SLEEPS(2, ON_READ) == 0);
        assert(writer || count || turn || !writers_wait || SLEEPS(3, ON_WRITE) + SLEEPS(4, ON_WRITE) < writers_waiting);
        assert(readers_wait == (readers_waiting > 0) && writers_wait == (writers_waiting > 0));
        assert(!turn || readers_wait);
        guarded = 0
    }
}

/* Within a step. */
inline pass_readers()
{
    passed[1] = passed[1] + (waits[1] -> 1 : 0);
    passed[2] = passed[2] + (waits[2] -> 1 : 0);
    assert(passed[1] <= STREAK && passed[2] <= STREAK)
}

/* Within a step: the state has just been changed for a task that is in now. */
inline is_in()
{
    entered = true;
    assert(writing == 0 && (reads || reading == 0));
    if
    :: reads -> assert(writers_waiting == 0 || turn); reading++
    :: else ->
        writing++;
        pass_readers()
    fi
}

inline enter_in_one_step()
{
    d_step {
        if
#if BUG == 6 /* goes in though somebody waits */
        :: reads && !writer -> count++; is_in()
#else
        :: reads && !writer && !SOMEBODY_WAITS -> count++; is_in()
#endif
        :: !reads && !writer && count == 0 && !SOMEBODY_WAITS -> writer = true; is_in()
        :: else -> skip
        fi
    }
}

/* With the guard. */
inline enter()
{
    d_step {
        if
        :: reads && !writer && (!writers_wait || turn) -> count++; is_in()
#if BUG == 9 /* a writer goes in though it is the readers' turn */
        :: !reads && !writer && count == 0 -> writer = true; is_in()
#else
        :: !reads && !writer && count == 0 && !turn -> writer = true; is_in()
#endif
        :: else -> skip
        fi
    }
}

inline wake_readers()
{
    d_step {
        sleeps_on[1] = (sleeps_on[1] == ON_READ -> 0 : sleeps_on[1]);
        sleeps_on[2] = (sleeps_on[2] == ON_READ -> 0 : sleeps_on[2])
    }
}

inline wake_writer()
{
    atomic {
        if
        :: sleeps_on[3] == ON_WRITE -> sleeps_on[3] = 0
        :: sleeps_on[4] == ON_WRITE -> sleeps_on[4] = 0
        :: else -> skip
        fi
    }
}

/* With the guard: whoever may enter now is told. */
inline tell()
{
    if
    :: !writer && readers_waiting > 0 && (!writers_wait || turn) ->
        read_sequence++;
        wake_readers()
    :: !writer && !(readers_waiting > 0 && (!writers_wait || turn)) && writers_waiting > 0 && count == 0 && !turn ->
#if BUG == 4 /* wakes before there is a reason to be awake */
        wake_writer();
        write_sequence++
#else
        write_sequence++;
        wake_writer()
#endif
    :: else -> skip
    fi
}

inline count_in()
{
    d_step {
        if
        :: reads -> readers_waiting++; readers_wait = true; waits[me] = true
        :: else -> writers_waiting++; writers_wait = true
        fi
    }
}

inline count_out()
{
    d_step {
        if
        :: reads ->
            readers_waiting--;
            waits[me] = false;
            passed[me] = 0;
            if
            :: readers_waiting == 0 ->
                readers_wait = false;
#if BUG != 7 /* the turn lasts when all are in */
                turn = false
#endif
            :: else -> skip
            fi
        :: else ->
            writers_waiting--;
            writers_wait = (writers_waiting > 0)
        fi
    }
}

inline sleep()
{
    d_step { /* the kernel compares and falls asleep in one step */
        if
        :: MY_SEQUENCE == seen -> sleeps_on[me] = (reads -> ON_READ : ON_WRITE)
        :: else -> skip
        fi
    };
    if
    :: sleeps_on[me] == 0 -> skip
    :: d_step { hurried -> sleeps_on[me] = 0; late = true } /* also if it has been woken: it passes nothing on */
    fi
}

/* With the guard. */
inline wait_to_enter()
{
#if BUG == 5 /* looks before it says that it waits */
    enter();
    count_in();
#else
    count_in();
    enter();
#endif
    do
    :: entered || late -> break
    :: else ->
        assert(!reads || !turn);
#if BUG == 3 /* reads the sequence when the guard is free already */
        unguard();
        seen = MY_SEQUENCE;
#else
        atomic { seen = MY_SEQUENCE; unguard() };
#endif
        sleep();
        guard();
        enter()
    od;
    count_out();
#if BUG == 2 /* keeps to itself that it gave up */
    if
    :: entered -> tell()
    :: else -> skip
    fi
#else
    tell()
#endif
}

inline acquire()
{
    enter_in_one_step();
    if
    :: entered -> skip
    :: else ->
        guard();
        enter();
        unguard();
        if
        :: entered -> skip
        :: else ->
            guard();
            wait_to_enter();
            unguard()
        fi
    fi
}

inline release_read()
{
    d_step {
        reading--;
        if
        :: !SOMEBODY_WAITS -> count--; done = true
        :: else -> skip
        fi
    };
    if
    :: done -> skip
    :: else ->
        guard();
        count--;
#if BUG != 1 /* the last reader tells nobody */
        tell();
#endif
        unguard()
    fi
}

inline release_write()
{
    d_step {
        writing--;
        if
#if BUG == 10 /* does not look whether somebody waits */
        :: true -> writer = false; done = true
#else
        :: !SOMEBODY_WAITS -> writer = false; done = true
        :: else -> skip
#endif
        fi
    };
    if
    :: done -> skip
    :: else ->
        guard();
        d_step {
            if
            :: readers_waiting == 0 -> streak = 0
            :: readers_waiting > 0 ->
                streak++;
                if
#if BUG != 8 /* the readers' turn never comes */
                :: streak >= STREAK -> streak = 0; turn = true
#endif
                :: else -> skip
                fi
            :: else -> skip
            fi;
            writer = false
        };
        tell();
        unguard()
    fi
}

proctype task(byte me)
{
    byte round, seen;
    bool reads, hurried, entered, late, done;

    d_step { reads = (me <= READERS); hurried = (me == 1 || me == 3) };
    do
    :: round == (hurried -> 2 : 1) -> break
    :: else ->
        acquire();
        if
        :: entered && reads -> release_read()
        :: entered && !reads -> release_write()
        :: !entered -> assert(hurried)
        fi;
        d_step { entered = false; late = false; done = false; seen = 0; round++ }
    od
}

init
{
    atomic {
        run task(1);
        run task(2);
        run task(3);
        run task(4)
    }
}
