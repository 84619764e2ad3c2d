/* SPDX-License-Identifier: MIT
 *
 * The kernel's futex as the models see it: who sleeps on the one word there is. A wake may choose any sleeper, which is
 * more than the kernel does, so that what is proved does not lean on the order; with FIFO=1 it takes the one that has
 * slept longest, as the kernel does among tasks of the same priority.
 *
 * The including model says how many tasks there are, by TASKS, and numbers them from 1.
 */
bool asleep[TASKS + 1];
bool killed[TASKS + 1];

#if FIFO
byte since[TASKS + 1];
byte now;
#define NEXT(i) (asleep[i] && (!asleep[1] || since[1] >= since[i]) && (!asleep[2] || since[2] >= since[i]))
#else
#define NEXT(i) asleep[i]
#endif

/* Sleeps if the word still holds what the caller saw, in one step as in the kernel. woken says whether a wake ended the
 * sleep; else it was never begun, or its time slice was over, or the task was killed. A sleep that is no slice and of a task
 * that nobody kills only ends by a wake: if none comes, spin finds an invalid end state. */
inline futex_wait(word, seen, slice)
{
    d_step {
        woken = (word == seen);
        asleep[me] = woken;
#if FIFO
        now++;
        since[me] = now;
#endif
    };
    if
    :: !asleep[me] -> skip
    :: d_step { asleep[me] && (slice || killed[me]) -> asleep[me] = false; woken = false }
    fi
}

inline futex_wake_one()
{
    atomic {
        if
        :: NEXT(1) -> asleep[1] = false
        :: NEXT(2) -> asleep[2] = false
#if TASKS > 2
        :: NEXT(3) -> asleep[3] = false
#endif
#if TASKS > 3
        :: NEXT(4) -> asleep[4] = false
#endif
        :: else -> skip
        fi
    }
}

inline futex_wake_all()
{
    d_step {
        asleep[1] = false;
        asleep[2] = false;
#if TASKS > 2
        asleep[3] = false;
#endif
#if TASKS > 3
        asleep[4] = false;
#endif
    }
}
