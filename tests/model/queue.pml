/* SPDX-License-Identifier: MIT
 *
 * The queue of lib/queue, with tasks that are killed at any step. Producers share the lock PUT, consumers the lock GET; a
 * message is published by the store of `tail` and taken by the store of `head`. Consumers that find nothing sleep on the
 * producers' lock word, producers that find no room on the consumers'. A word, and who may change it to what:
 *
 *   word               means                          left by
 *   0                  free                           acquire -> me.   a task about to sleep -> WAITERS
 *   WAITERS            free, somebody may sleep       acquire -> me | WAITERS
 *   o, o | WAITERS     held                           release -> 0, or -> WAITERS and then wakes one;
 *                                                     or -> o | WAITERS | WAKING.   a task about to sleep -> o | WAITERS
 *   o | WAITERS |      the holder wakes all; nobody   release -> 0
 *     WAKING           falls asleep
 *   WAKING (| WAITERS) the holder was killed, says    acquire -> me | WAITERS, which repairs
 *                      the kernel
 *
 * The kernel, when a task dies, looks at the one word that the task has noted (`noted`, its robust list's pending entry): if
 * the task holds it, it becomes WAKING and one sleeper is woken if WAITERS was set; if nobody holds it, one sleeper is woken.
 *
 * A sleeper that is woken may be killed before it does anything: it has its word noted, so another is woken. It may note
 * another word (the lock it goes for) only after it has woken another in its place. Whoever leaves, late, does the same.
 *
 * Checked: never two holders of a lock that live; a message is whole when it is read; whoever waits for a lock gets it; and
 * when nothing moves any more, consumers sleep only if there is no message and producers only if there is no room.
 *
 * SINGLE=1 is the queue with an order of its own: one lock for both sides, whose release always wakes all.
 * BUG=1 to 10 break the algorithm in one place each: spin has to find every one of them.
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef PUTS
#define PUTS 1
#endif
#ifndef GETS
#define GETS 1
#endif
#ifndef ROOM
#define ROOM 1
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef SINGLE
#define SINGLE 0
#endif
#ifndef BUG
#define BUG 0
#endif

#define TASKS (PRODUCERS + CONSUMERS)
#define PUT   0
#define GET   (SINGLE -> 0 : 1)
#define NONE  2

#define OWNER(w) ((w) & 7)
#define WAITERS  8
#define WAKING   16

byte word[2];
byte noted[TASKS + 1] = NONE;
byte sleeps_on[TASKS + 1] = NONE;
byte inside[2];
bool kill[TASKS + 1];
bool ended[TASKS + 1];
byte holds[TASKS + 1] = NONE; /* for the checks alone */
byte waits_for[TASKS + 1];    /* 1: a message, 2: room; for the checks alone */

byte tail, head;
bit whole[ROOM];

#define EMPTY (tail == head)
#define FULL  (tail - head == ROOM)

inline wake_one(k)
{
    atomic {
        if
        :: sleeps_on[1] == k -> sleeps_on[1] = NONE
        :: sleeps_on[2] == k -> sleeps_on[2] = NONE
#if PRODUCERS + CONSUMERS > 2
        :: sleeps_on[3] == k -> sleeps_on[3] = NONE
#endif
#if PRODUCERS + CONSUMERS > 3
        :: sleeps_on[4] == k -> sleeps_on[4] = NONE
#endif
        :: else -> skip
        fi
    }
}

inline wake_all(k)
{
    d_step {
        sleeps_on[1] = (sleeps_on[1] == k -> NONE : sleeps_on[1]);
        sleeps_on[2] = (sleeps_on[2] == k -> NONE : sleeps_on[2]);
#if PRODUCERS + CONSUMERS > 2
        sleeps_on[3] = (sleeps_on[3] == k -> NONE : sleeps_on[3]);
#endif
#if PRODUCERS + CONSUMERS > 3
        sleeps_on[4] = (sleeps_on[4] == k -> NONE : sleeps_on[4]);
#endif
    }
}

/* What the kernel does when a task dies. */
inline die()
{
    atomic {
        sleeps_on[me] = NONE;
        waits_for[me] = 0;
        if
        :: holds[me] != NONE -> inside[holds[me]]--; holds[me] = NONE
        :: else -> skip
        fi;
        if
        :: noted[me] == NONE -> skip
        :: noted[me] != NONE && OWNER(word[noted[me]]) == me ->
            seen = word[noted[me]];
            word[noted[me]] = WAKING | (seen & WAITERS);
            if
            :: seen & WAITERS -> wake_one(noted[me])
            :: else -> skip
            fi
        :: noted[me] != NONE && OWNER(word[noted[me]]) == 0 -> wake_one(noted[me])
        :: else -> skip
        fi;
        ended[me] = true
    }
}

/* Falls asleep if the word is still what was seen. A sleep for a lock is cut into slices, so it also ends when the word has
 * changed; it must not be waited for by nobody. */
inline fall_asleep(k)
{
    if
    :: word[k] == seen -> sleeps_on[me] = k
    :: else -> skip
    fi
}

/* Marks the word: somebody may sleep. got: it is marked. Only then is seen what the word is to be. */
inline mark(k)
{
    got = (word[k] == seen || (seen & WAITERS));
    if
    :: got && !(seen & WAITERS) -> word[k] = (seen | WAITERS)
    :: else -> skip
    fi;
    seen = (seen | WAITERS)
}

/* What only the task itself sees is one step with what it does next: a kill between the two is a kill before both. */
inline acquire(k)
{
#if BUG == 1 /* notes the lock only when it has it */
    d_step { got = false; noted[me] = NONE };
#else
    d_step { got = false; noted[me] = k };
#endif
    do
    :: d_step { got -> got = false; seen = 0; holds[me] = k; inside[k]++ } -> break
    :: d_step { !got -> seen = word[k] };
        if
        :: d_step {
               OWNER(seen) == 0 -> got = (word[k] == seen);
               if
#if BUG == 2 /* takes the lock of a dead one as if nobody slept */
               :: got -> word[k] = me | (seen & WAKING -> 0 : seen & WAITERS)
#else
               :: got -> word[k] = me | (seen & WAKING -> WAITERS : seen & WAITERS)
#endif
               :: else -> skip
               fi
           }
        :: OWNER(seen) != 0 && (seen & WAKING) && word[k] != seen
        :: d_step { OWNER(seen) != 0 && !(seen & WAKING) -> mark(k) };
            if
            :: d_step { got -> got = false; fall_asleep(k) };
                d_step { sleeps_on[me] != k || word[k] != seen -> sleeps_on[me] = NONE }
            :: !got
            fi
        fi
    od;
#if BUG == 1
    noted[me] = k;
#endif
    assert(inside[k] == 1)
}

/* Wakes one and keeps WAITERS, or wakes all and takes it back. Which of the two is up to a count of sleeps and wakes in the
 * code; here either may happen at any time. */
inline release(k)
{
    d_step {
        inside[k]--;
        holds[me] = NONE;
        got = (word[k] == me);
        if
        :: got -> word[k] = 0
        :: else -> skip
        fi
    };
    if
    :: got -> skip
#if !SINGLE
#if BUG == 3 /* takes WAITERS back although not all were woken */
    :: d_step { !got -> word[k] = 0 };
#else
    :: d_step { !got -> word[k] = word[k] & WAITERS };
#endif
        wake_one(k)
#endif
#if BUG == 4 /* takes WAITERS back and then wakes all */
    :: d_step { !got -> word[k] = 0 };
        wake_all(k)
#else
    :: d_step { !got -> word[k] = word[k] | WAKING };
        wake_all(k);
        word[k] = 0
#endif
    fi;
    d_step { noted[me] = NONE; got = false }
}

/* One look and one sleep on a word whose next release may bring what the caller waits for, and on the number that changes
 * when it has been brought: the word alone may be what it was again. The kernel takes one after the other. */
inline sleep_while(number, k)
{
#if BUG != 5 /* does not note what it sleeps on */
    noted[me] = k;
#endif
    seen = word[k];
    if
    :: OWNER(seen) == 0 && (seen & WAKING) ->
#if BUG == 6 /* leaves a dead one's lock to those who need it */
        word[k] != seen
#else
        acquire(k);
        release(k)
#endif
    :: OWNER(seen) != 0 && (seen & WAKING) && word[k] != seen
    :: d_step { !(seen & WAKING) -> mark(k) };
        if
        :: d_step { got -> fall_asleep(k); waits_for[me] = (me > PRODUCERS -> 1 : 2) };
#if BUG != 10 /* the word alone */
            d_step {
                if
                :: number != looked -> sleeps_on[me] = NONE
                :: else -> skip
                fi
            };
#endif
end_asleep:
            d_step { sleeps_on[me] != k -> waits_for[me] = 0; slept = true }
        :: !got
        fi;
        d_step { got = false; seen = 0; looked = 0 }
    fi
}

/* Before another word is noted: somebody else takes over what this one was woken for. */
inline pass_on(k)
{
    if
    :: slept ->
#if BUG != 7 /* does not */
        wake_one(k);
#endif
        slept = false
    :: else -> skip
    fi
}

/* The same lock stays noted, and its release wakes all. */
inline before_acquire(k)
{
#if SINGLE
    slept = false
#else
    pass_on(k)
#endif
}

inline write_message()
{
    whole[tail % ROOM] = 0;
    whole[tail % ROOM] = 1;
    d_step { tail++; count++; looked = 0 }
}

inline read_message()
{
    assert(whole[head % ROOM] == 1);
#if BUG == 8 /* gives the room back before it has read */
    head++;
    skip;
    d_step { assert(whole[(head - 1) % ROOM] == 1); count++; looked = 0 }
#else
    skip;
    d_step { assert(whole[head % ROOM] == 1); head++; count++; looked = 0 }
#endif
}

proctype producer(byte me)
{
    byte seen, looked, count;
    bool got, slept;

    {
        do
        :: count == PUTS -> break
        :: d_step { count != PUTS -> looked = head };
            if
            :: tail - looked == ROOM ->
                sleep_while(head, GET);
                if
                :: slept && FULL -> /* may be late */
                    pass_on(GET);
                    noted[me] = NONE;
                    count++
                :: true
                fi
            :: else ->
                before_acquire(GET);
                acquire(PUT);
                if
                :: !FULL -> write_message()
                :: else -> skip
                fi;
                release(PUT)
            fi
        od;
        pass_on(GET);
        noted[me] = NONE;
        ended[me] = true
    } unless { kill[me] -> die() }
}

proctype consumer(byte me)
{
    byte seen, looked, count;
    bool got, slept;

    {
        do
        :: count == GETS -> break
        :: d_step { count != GETS -> looked = tail };
            if
            :: looked == head ->
                sleep_while(tail, PUT);
                if
                :: slept -> /* may be late */
#if BUG != 9 /* keeps a wake that was for somebody else */
                    pass_on(PUT);
#else
                    slept = false;
#endif
                    noted[me] = NONE;
                    count++
                :: true
                fi
            :: else ->
                before_acquire(PUT);
                acquire(GET);
                if
                :: !EMPTY -> read_message()
                :: else -> skip
                fi;
                release(GET)
            fi
        od;
        pass_on(PUT);
        noted[me] = NONE;
        ended[me] = true
    } unless { kill[me] -> die() }
}

proctype killer()
{
    byte deaths;

    do
    :: deaths == DEATHS -> break
    :: deaths < DEATHS ->
        deaths++;
        if
        :: !ended[1] -> kill[1] = true
        :: !ended[2] -> kill[2] = true
#if PRODUCERS + CONSUMERS > 2
        :: !ended[3] -> kill[3] = true
#endif
#if PRODUCERS + CONSUMERS > 3
        :: !ended[4] -> kill[4] = true
#endif
        :: true
        fi
    od
}

/* Nothing moves any more: those who sleep are right to. */
proctype judge()
{
    byte i = 1;

    timeout;
    d_step {
        do
        :: i > TASKS -> break
        :: else ->
            assert(waits_for[i] != 1 || EMPTY);
            assert(waits_for[i] != 2 || FULL);
            i++
        od;
        assert(OWNER(word[0]) == 0 && OWNER(word[1]) == 0)
    }
}

init
{
    byte i = 1;
    atomic {
        run judge();
        run killer();
        do
        :: i > TASKS -> break
        :: i <= PRODUCERS -> run producer(i); i++
        :: else -> run consumer(i); i++
        od
    }
}
