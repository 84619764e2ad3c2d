/* SPDX-License-Identifier: MIT
 *
 * How a coroutine waits for a read-write lock of libc's (lib/patch/rwlock.c, locks.c): by attempts, with a line of those
 * who wait in between, into which everybody who unlocks looks.
 *
 * Tasks 1 and 2 write, in hubs: each enters the line, tries once more, sleeps until it is woken, and tries again. Task 2 may
 * run out of time at any moment of its sleep; then it tries a last time. Task 3 has no hub: it takes the lock by libc's
 * own means, whose waiters the lock itself wakes; what it does to the line is what its unlock does.
 *
 * Checked: no two hold it; whoever has no end of time gets it. BUG=1: it does not try again once it is in the line. BUG=2:
 * whoever unlocks looks into the line first. BUG=3: who is out of time, but was woken and has the lock, goes with both
 * without looking whether the line has others (it unlocks without a look).
 */
#ifndef BUG
#define BUG 0
#endif

bool held;
bool in_line[4], woken[4];
byte holders;

inline try_lock()
{
    d_step { got = !held; held = true }
    if
    :: got -> holders++; assert(holders == 1)
    :: else
    fi
}

/* One step under the line's guard. Either may be the first there. */
inline wake_first()
{
    d_step {
        if
        :: in_line[1] -> in_line[1] = false; woken[1] = true
        :: in_line[2] -> in_line[2] = false; woken[2] = true
        :: else
        fi
    }
}

inline unlock()
{
    holders--;
#if BUG == 2
    wake_first();
    held = false
#else
    held = false;
#if BUG == 3
    if
    :: late
    :: else -> wake_first()
    fi
#else
    wake_first()
#endif
#endif
}

inline leave_line()
{
    d_step { was_woken = !in_line[me]; in_line[me] = false }
}

proctype in_hub(byte me; bool limited)
{
    bool got, was_woken, late;

    try_lock();
    do
    :: got -> break
    :: !got && late -> break
    :: else ->
        d_step { in_line[me] = true; woken[me] = false }
#if BUG != 1
        try_lock();
        if
        :: got ->
            leave_line();
            if
            :: was_woken -> wake_first()
            :: else
            fi;
            break
        :: else
        fi;
#endif
        if
        :: woken[me]
        :: limited -> late = true
        fi;
        leave_line();
        try_lock()
    od;
    if
    :: got -> unlock()
    :: else -> assert(limited)
    fi
}

proctype in_thread()
{
    bool late;

    atomic { !held -> held = true; holders++ };
    assert(holders == 1);
    unlock()
}

init {
    atomic { run in_hub(1, false); run in_hub(2, true); run in_thread() }
}
