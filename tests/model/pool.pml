/* SPDX-License-Identifier: MIT
 *
 * How the workers of lib/pool/queue.c come to know of work: whoever puts a task into the queue wakes a worker only if none
 * looks for work without the lock (spinning) and none has been woken and is not back (waking); one that comes back and sees
 * more than it takes wakes the next.
 *
 *   a worker                      holds the lock   sleeps on        left by
 *   looks at the queue            yes                               a task, nothing there
 *   spinning (one at a time)      no                                something there, or enough of it
 *   idle, counted                 no               work == seen     work is raised and the kernel wakes it
 *   woken                         no                                idle - 1, waking - 1 if it is not 0
 *   runs a task                   no
 *
 * The lock is one bit. A worker may also wake for no reason (a signal), SPURIOUS times. A task can be put into the queue by anybody at any
 * time; each waits for nothing.
 *
 * Checked: when nothing moves any more, the queue is empty: no task is left while a worker sleeps. Then the pool is closed, and
 * every worker ends. With APART=1 tasks do not end before the last one is put in, so those that sleep have to be woken: as
 * many workers run as there are tasks.
 *
 * BUG=1 to 5 break the algorithm in one place each: spin has to find every one of them.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef TASKS
#define TASKS 3
#endif
#ifndef APART
#define APART 0
#endif
#ifndef SPURIOUS
#define SPURIOUS 1
#endif
#ifndef BUG
#define BUG 0
#endif

bit locked;
byte queued, done, begun, put;
byte idle, waking, work;
bool spinning, closed;
bool asleep[WORKERS + 1];

inline acquire()
{
    d_step { !locked -> locked = 1 }
}

inline release()
{
    locked = 0
}

inline must_wake()
{
    d_step {
#if BUG == 1 /* counts before it knows whether anybody is idle */
        needed = queued > 0 && !spinning && waking == 0;
        if
        :: needed -> waking++; work = work + 1
        :: else -> skip
        fi
#else
        needed = queued > 0 && !spinning && waking == 0 && idle > 0;
        if
        :: needed -> waking++;
#if BUG != 2 /* does not raise the word */
            work = work + 1
#endif
        :: else -> skip
        fi
#endif
    }
}

inline wake_one()
{
    if
    :: needed ->
        atomic {
            if
            :: asleep[1] -> asleep[1] = false
            :: asleep[2] -> asleep[2] = false
#if WORKERS > 2
            :: asleep[3] -> asleep[3] = false
#endif
            :: else -> skip
            fi
        }
    :: else -> skip
    fi
}

inline spin()
{
    spinning = true;
    release();
    if
    :: queued > 0
    :: true /* enough of it */
    fi;
    acquire();
    spinning = false
}

inline sleep()
{
    idle++;
#if BUG == 3 /* reads the word without the lock */
    release();
    seen = work;
#else
    seen = work;
    release();
#endif
    d_step { asleep[me] = (work == seen) };
    if
    :: !asleep[me]
    :: d_step { asleep[me] && spurious > 0 -> asleep[me] = false; spurious-- }
    fi;
    acquire();
    idle--;
#if BUG != 4 /* is never back */
    d_step {
        if
        :: waking > 0 -> waking--
        :: else -> skip
        fi
    }
#endif
}

proctype worker(byte me)
{
    byte seen, spurious = SPURIOUS;
    bool needed, spun, over;

    do
    :: over -> break
    :: else ->
        acquire();
        do
        :: queued > 0 -> queued--; break
        :: queued == 0 && closed -> over = true; break
        :: queued == 0 && !closed ->
            if
            :: !spun && !spinning -> spin(); spun = true
            :: else -> sleep(); spun = false
            fi
        od;
        spun = false;
#if BUG == 5 /* one that has been woken does not wake the next */
        needed = false;
#else
        must_wake();
#endif
        release();
        wake_one();
        if
        :: over -> skip
        :: else ->
            begun++;
#if APART
            begun == TASKS;
#endif
            d_step { done++; seen = 0 }
        fi
    od
}

proctype submitter()
{
    bool needed;

    do
    :: put == TASKS -> break
    :: else ->
        acquire();
        d_step { queued++; put++ };
        must_wake();
        release();
        wake_one()
    od
}

init
{
    byte i = 1;
    atomic {
        run submitter();
        do
        :: i > WORKERS -> break
        :: else -> run worker(i); i++
        od
    };
    timeout;
    assert(put == TASKS && queued == 0 && done == TASKS);
    acquire();
    closed = true;
    d_step {
        work = work + 1;
        i = 1;
        do
        :: i > WORKERS -> break
        :: else -> asleep[i] = false; i++
        od
    };
    release();
    timeout;
    assert(_nr_pr == 1)
}
