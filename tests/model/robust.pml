/* SPDX-License-Identifier: MIT
 *
 * The robust lock of lib/sync/robust.c, with the kernel's part in it: the first task may be killed before any of its
 * steps, and then the kernel walks its list. Its word:
 *
 *   word              means                        left by
 *   0                 free                         acquire                    -> owner (| WAITERS if it has slept)
 *   DIED              its owner has died           acquire                    -> owner | DIED (| WAITERS likewise)
 *   owner             held                         release -> 0               the kernel -> DIED
 *   owner | DIED      held, not mended             mended -> owner            the kernel -> DIED
 *                                                  release -> 0, broken       the kernel -> DIED
 *   with WAITERS      somebody may sleep           whoever frees it wakes one
 *
 * Checked: never two owners; what a dead owner has torn is not used before it is mended, or never again; whoever is
 * alive gets the lock or is told that it is broken. A sleep is a slice, as a wake can be lost with a killed task:
 * NOSLICE=1 leaves that out, which must be found, but with KILLS=0 must hold: nothing else leans on the slice. BUG=1 to
 * 5 break the algorithm in one place each: spin has to find every one of them.
 */
#ifndef TASKS
#define TASKS 3
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef NOSLICE
#define NOSLICE 0
#endif
#ifndef BUG
#define BUG 0
#endif

#include "futex.h"

#define OWNER(w) ((w) & 7)
#define WAITERS  8
#define DIED     16

byte word;
bool broken;
bool torn;                 /* somebody is, or was when it died, in the middle of a change */
bool in_section[TASKS + 1];
bool listed[TASKS + 1], pending[TASKS + 1];
byte ended;

inline cas(old, new)
{
    d_step {
        got = (word == old);
        if
        :: got -> word = new
        :: else -> skip
        fi
    }
}

/* What only the task itself sees is one step with what it does next: a kill between the two is a kill before both. */
inline acquire()
{
#if BUG != 1 /* the kernel does not know yet what it is about to take */
    pending[me] = true;
#endif
    do
    :: d_step { got -> listed[me] = true; got = false; slept = 0; seen = 0 } -> break
    :: d_step { !got -> seen = word };
       if
       :: d_step {
              OWNER(seen) == 0 -> got = (word == seen);
              if
#if BUG == 2 /* as if the last owner had released it */
              :: got -> word = (me | (seen & WAITERS) | slept)
#elif BUG == 3 /* as if nobody else could be asleep */
              :: got -> word = (me | seen)
#else
              :: got -> word = (me | seen | slept)
#endif
              :: else -> skip
              fi
          }
       :: d_step { /* a sleep on the word as it was, which says that somebody may sleep */
              OWNER(seen) != 0 -> woken = (word == seen || (seen & WAITERS));
              if
              :: woken && !(seen & WAITERS) -> word = (seen | WAITERS)
              :: else -> skip
              fi;
              seen = (seen | WAITERS)
          };
          if
          :: woken -> futex_wait(word, seen, !NOSLICE); slept = WAITERS
          :: else -> skip
          fi
       fi
    od;
    pending[me] = false
}

inline release()
{
    pending[me] = true;
    listed[me] = false;
    d_step { seen = word; word = 0 };
#if BUG != 4 /* forgets that somebody may sleep */
    if
    :: atomic { seen & WAITERS -> futex_wake_one() }
    :: else -> skip
    fi;
#endif
    d_step { pending[me] = false; seen = 0 }
}

inline change_something()
{
    d_step {
        assert(!torn);
        in_section[me] = true;
        torn = true
    };
    d_step {
        torn = false;
        in_section[me] = false
    }
}

/* It is mended, or cannot be. */
inline mend_or_not()
{
    if
    :: torn = false;
       do
       :: seen = word; cas(seen, (seen & ~DIED));
          if
          :: got -> break
          :: else -> skip
          fi
       od;
       got = false
    :: skip
#if BUG != 5 /* nobody hears of it */
       -> broken = true
#endif
    fi
}

/* The kernel, at the end of a thread. */
inline die()
{
    atomic {
        asleep[me] = false;
        in_section[me] = false;
        if
        :: (listed[me] || pending[me]) && OWNER(word) == me ->
            wake = (word & WAITERS) != 0;
            word = (word & WAITERS) | DIED
        :: pending[me] && OWNER(word) == 0 -> wake = true
        :: else -> skip
        fi;
        if
        :: wake -> futex_wake_one()
        :: else -> skip
        fi
    }
}

proctype task(byte me)
{
    byte round, seen, slept;
    bool got, woken, wake;

    {
        do
        :: round == (me == 1 -> 2 : 1) -> break
        :: else ->
            acquire();
progress_in:
            if
            :: broken -> skip
            :: !broken && (word & DIED) -> mend_or_not()
            :: else -> skip
            fi;
            if
            :: !broken && !(word & DIED) -> change_something()
            :: else -> skip
            fi;
            release();
progress_round:
            round++
        od
    } unless { killed[me] };
    if
    :: killed[me] -> die()
    :: else -> skip
    fi;
    ended++
}

/* May kill the first task, at any moment. */
proctype killer()
{
    if
    :: KILLS -> killed[1] = true
    :: skip
    fi
}

init
{
    byte i = 1;
    atomic {
        run killer();
        do
        :: i > TASKS -> break
        :: else -> run task(i); i++
        od
    };
    atomic {
        ended == TASKS;
        assert(OWNER(word) == 0);
        assert(!torn || broken || (word & DIED))
    }
}
