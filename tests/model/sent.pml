/* SPDX-License-Identifier: MIT
 *
 * A signal that is sent to a coroutine by other threads (lib/patch/sent.c, mask.c), and the summons that has it answer in
 * the midst of a wait (lib/coro/hub.c, park.c, coro.c).
 *
 *   pending    kept in its mailbox; put in, and taken out, under the guard
 *   blocked    its mask, of this one signal: changed without the guard, and then it looks for what is pending
 *   summoned   it has to look when it is its turn
 *   called     there is a letter for it, or somebody is writing one
 *   parked     it waits; up: it has been made ready for a summons, and is parked all the same
 *   sleeping   the hub is about to sleep, or does; a letter then rings
 *
 * Checked, with senders of one signal each and a coroutine that blocks the signal, lets it in and waits as it likes, for
 * something that comes at any time: every signal is handled in the end, none while it is blocked; the coroutine is never
 * twice on the ready list, and runs for a summons or the end of its wait only. BUG=1 to 6 break it in one place each: spin
 * has to find every one of them.
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 3
#endif
#ifndef BUG
#define BUG 0
#endif

bit guarded;
byte pending, handled;
bool blocked;

bool summoned, called, letter;
bool sleeping, bell;
bool parked, up;
byte ready;

inline guard()
{
    d_step { !guarded -> guarded = 1 }
}

/* mt__coro_summon, and the letter */
inline summon()
{
    summoned = true;
    if
    :: d_step { !called -> called = true }
       letter = true;
       if
       :: sleeping -> bell = true
       :: else
       fi
    :: else
    fi
}

proctype sender()
{
    bool open;

    guard();
#if BUG == 1 /* looks at the mask before the signal is there */
    open = !blocked;
    pending++;
#else
    pending++;
    open = !blocked;
#endif
    if
    :: open -> summon()
    :: else
    fi;
    guarded = 0
}

/* mt__signals_deliver: those that are let in */
inline deliver()
{
    if
    :: !blocked && pending ->
       guard();
       handled = handled + pending;
       pending = 0;
       guarded = 0
    :: else
    fi
}

inline become_ready()
{
    d_step {
        ready++;
        assert(ready == 1)
    }
}

/* mt__parked_end: what it waits for has come */
inline end_wait()
{
    parked = false;
#if BUG == 2 /* as if it were not on the list already */
    become_ready();
#else
    if
    :: !up -> become_ready()
    :: else
    fi
#endif
}

inline read_letters()
{
    if
    :: letter ->
       letter = false;
#if BUG == 3 /* the next summons writes no letter, and this one is not looked at again */
       if
       :: parked && summoned && !up -> up = true; become_ready()
       :: else
       fi;
       called = false
#else
       called = false;
       if
       :: parked && summoned && !up -> up = true; become_ready()
       :: else
       fi
#endif
    :: else
    fi
}

/* Turns until it is its turn. With `comes` what it waits for may come meanwhile. */
inline turn()
{
    do
    :: ready -> ready = 0; break
    :: !ready ->
       read_letters();
       if
       :: parked && comes -> end_wait()
       :: true
       fi;
       if
       :: !ready ->
          sleeping = true;
          if
#if BUG != 4 /* a letter that came before it slept */
          :: letter -> skip
#endif
          :: else ->
             if
             :: bell -> bell = false
             :: parked && comes -> end_wait()
             fi
          fi;
          sleeping = false
       :: else
       fi
    od
}

/* park, with mt__hub_leave and mt__hub_answer */
inline wait()
{
    parked = true;
    up = false;
    do
    :: parked ->
       turn();
       assert(up || !parked);
       do
       :: summoned ->
#if BUG == 5 /* a summons that comes while it looks is forgotten */
          deliver();
          summoned = false
#else
          summoned = false;
          deliver()
#endif
       :: else -> break
       od;
       if
       :: parked && !comes && handled == SENDERS -> end_wait() /* interrupted */
       :: parked && (comes || handled < SENDERS) -> up = false
       :: else
       fi
    :: else -> break
    od
}

active proctype coroutine()
{
    byte round;
    bool comes = true;

    do
    :: round < ROUNDS ->
       round++;
       if
       :: blocked = true
       :: blocked = false;
#if BUG != 6 /* what came while it was blocked */
          deliver()
#endif
       :: wait()
       fi
    :: else -> break
    od;
    blocked = false;
#if BUG != 6
    deliver();
#endif
    comes = false; /* nothing else will have it look */
    if
    :: handled < SENDERS -> wait()
    :: else
    fi
}

init {
    atomic {
        byte i;
        for (i : 1 .. SENDERS) {
            run sender()
        }
    }
}
