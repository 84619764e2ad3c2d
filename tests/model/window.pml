/* SPDX-License-Identifier: MIT
 *
 * The window of lib/pool/window.c: a worker sends tasks to a process that may die at any moment, somebody cancels one, and the
 * worker takes those back that have not begun. The table of a slot's states is in that file; of a future's word here:
 *
 *   Q   queued             S   sent               B   has begun, as far as the worker knows
 *   D   done               C   cancelled          H   hit: it ran when its process died
 *
 * The guard is one bit. The word that the process sleeps on counts to 4. The process is killed at most DEATHS times and started anew; BACKS times the worker
 * takes back what is behind the first; the tasks 1 to CANCELS are cancelled by somebody each.
 *
 * Checked: a task runs once if it is done, at most once if it is hit, and never if it was cancelled; an answer is read that was written; as many
 * are hit as there are deaths, at most; and when nothing moves any more all tasks have ended and the worker too: nobody sleeps
 * while there is something to do.
 *
 * BUG=1 to 9 break it in one place each: spin has to find every one of them.
 */
#ifndef TASKS
#define TASKS 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef BACKS
#define BACKS 1
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef BUG
#define BUG 0
#endif

#if BUG == 6 /* uses a slot that the process is still on its way to */
#define USABLE true
#else
#define USABLE (!back[tail % SLOTS] || state[tail % SLOTS] == PASSED)
#endif

#define FREE 0
#define SENT 1
#define RUNS 2
#define DONE 3
#define BACK 4
#define PASSED 5

#define Q 0
#define S 1
#define B 2
#define D 3
#define C 4
#define H 5

byte word[TASKS + 1], runs[TASKS + 1], where[TASKS + 1];
bool queued[TASKS + 1], killing[TASKS + 1], answered[TASKS + 1], taken[TASKS + 1];

byte state[SLOTS], slot_task[SLOTS]; /* shared with the process, as these are: */
byte shared_tail = 1;
bool process_sleeps, pool_sleeps, bell, asleep;
byte work;

byte sent[SLOTS]; /* the worker's */
bool back[SLOTS];
byte first = 1, tail = 1, live;

bool guard, dead, gone, over;
byte deaths, backs, hits;

inline acquire()
{
    atomic { !guard -> guard = true }
}

inline release()
{
    guard = false
}

inline ring()
{
    atomic {
        if
        :: pool_sleeps -> pool_sleeps = false; bell = true
        :: else -> skip
        fi
    }
}

proctype process()
{
    byte number = 1, seen, task;

    {
        do
        :: shared_tail != number ->
            atomic { /* the compare-and-swap */
                if
                :: state[number % SLOTS] == SENT ->
#if BUG != 1
                    state[number % SLOTS] = RUNS;
#endif
                    task = slot_task[number % SLOTS]
                :: else -> state[number % SLOTS] = PASSED; task = 0
                fi
            };
#if BUG == 1 /* looks, and then writes */
            if
            :: task -> state[number % SLOTS] = RUNS
            :: else -> skip
            fi;
#endif
            if
            :: task ->
                runs[task]++;
#if BUG == 2 /* says that it is done before the answer is there */
                state[number % SLOTS] = DONE;
                answered[task] = true;
#else
                answered[task] = true;
                state[number % SLOTS] = DONE;
#endif
                if
                :: ring()
                :: skip /* not enough yet */
                fi
            :: else -> skip
            fi;
            d_step { number++; task = 0 }
        :: shared_tail == number ->
            ring();
            seen = work;
            process_sleeps = true;
#if BUG != 3 /* does not look again */
            if
            :: shared_tail != number -> d_step { process_sleeps = false; seen = 0 }
            :: else ->
#endif
                d_step { asleep = (work == seen) };
end_asleep:
                !asleep; /* for good, when all is over: init looks */
                d_step { process_sleeps = false; seen = 0 }
#if BUG != 3
            fi
#endif
        od
    } unless { dead -> gone = true }
}

proctype killer()
{
    do
    :: atomic { deaths < DEATHS && !dead -> dead = true; deaths++ }
    :: break
    od
}

proctype canceller(byte task)
{
    byte result = 2, slot;

    do
    :: atomic { word[task] == Q -> word[task] = C; break }
    :: atomic { word[task] == S && !killing[task] -> killing[task] = true };
        acquire();
        slot = where[task];
        atomic {
            if
            :: sent[slot] != task -> result = 2
#if BUG == 4 /* does not ask the slot */
            :: sent[slot] == task ->
#else
            :: sent[slot] == task && state[slot] == SENT ->
#endif
                state[slot] = BACK; sent[slot] = 0; back[slot] = true; live--; result = 1
#if BUG != 4
            :: sent[slot] == task && state[slot] != SENT -> result = 0
#endif
            fi
        };
        release();
        atomic {
            if
            :: result == 1 -> assert(word[task] == S && !runs[task]); word[task] = C
            :: else -> skip
            fi;
            killing[task] = false
        };
        if
        :: result == 2 -> skip
        :: else -> break
        fi
    :: word[task] != Q && word[task] != S -> break
    od
}

/* Out of the window what is done: taken[] */
inline collect()
{
    acquire();
    do
    :: first != tail && !sent[first % SLOTS] -> first++
    :: first != tail && sent[first % SLOTS] && state[first % SLOTS] == DONE ->
        d_step {
            taken[sent[first % SLOTS]] = true;
            sent[first % SLOTS] = 0;
            live--;
            first++
        };
        got = true
    :: else -> break
    od;
    release();
    atomic {
        t = 1;
        do
        :: t > TASKS -> break
        :: else ->
            if
            :: taken[t] ->
                !killing[t];
                assert(answered[t] && word[t] != C);
                taken[t] = false;
                word[t] = D
            :: else -> skip
            fi;
            t++
        od;
        t = 0
    }
}

/* The first one has begun, as far as its word says. */
inline look()
{
    begun = false;
    do
    :: begun -> break
    :: else ->
        atomic { !guard ->
            do
            :: first != tail && !sent[first % SLOTS] -> first++
            :: else -> break
            od;
            t = (first != tail -> sent[first % SLOTS] : 0)
        };
        if
        :: !t -> begun = true
        :: else ->
#if BUG == 5 /* does not wait for who is looking at it */
            atomic {
#else
            atomic { !killing[t] ->
#endif
                if
                :: word[t] == S || word[t] == B -> word[t] = B; begun = true
                :: else -> skip /* was cancelled meanwhile */
                fi
            }
        fi
    od
}

inline send()
{
    acquire();
    do
    :: live < SLOTS && tail - first < SLOTS && USABLE ->
        atomic {
            t = 1;
            do
            :: t > TASKS || queued[t] -> break
            :: else -> t++
            od
        };
        if
        :: t > TASKS -> break
        :: else ->
            d_step {
                queued[t] = false;
                where[t] = tail % SLOTS;
                if
                :: word[t] == C -> skip
                :: else ->
                    word[t] = (word[t] == Q -> S : word[t]);
                    slot_task[tail % SLOTS] = t;
                    state[tail % SLOTS] = SENT;
                    sent[tail % SLOTS] = t;
                    back[tail % SLOTS] = false;
                    live++;
                    tail++
                fi
            }
        fi
    :: else -> break
    od;
    release();
    shared_tail = tail;
#if BUG == 9 /* changes the word before it knows that the process sleeps */
    work = (work + 1) % 4;
#endif
    if
    :: atomic { process_sleeps -> process_sleeps = false };
#if BUG != 9
        work = (work + 1) % 4;
#endif
        asleep = false
    :: atomic { !process_sleeps -> skip }
    fi
}

inline unsend(task)
{
    atomic { !killing[task] ->
        if
        :: word[task] == S -> word[task] = Q
        :: else -> skip
        fi;
        queued[task] = true
    }
}

/* What is behind the first. */
inline hand_back()
{
    n = first + 1;
    do
    :: n >= tail -> break
    :: else ->
        acquire();
        t = 0;
        atomic {
            if
            :: sent[n % SLOTS] && state[n % SLOTS] == SENT ->
                state[n % SLOTS] = BACK; t = sent[n % SLOTS]; sent[n % SLOTS] = 0; back[n % SLOTS] = true; live--
            :: else -> skip
            fi
        };
        release();
        if
        :: t -> unsend(t)
        :: else -> skip
        fi;
        n++
    od
}

inline bury()
{
    collect();
    n = first;
    do
    :: n >= tail -> break
    :: else ->
        acquire();
        t = sent[n % SLOTS];
        d_step {
            if
            :: t -> sent[n % SLOTS] = 0; live--
            :: else -> skip
            fi
        };
        release();
        if
        :: !t -> skip
#if BUG != 7 /* runs again what has begun */
        :: t && state[n % SLOTS] == RUNS ->
            !killing[t];
            d_step { word[t] = H; hits++ }
        :: t && state[n % SLOTS] != RUNS -> unsend(t)
#else
        :: t -> unsend(t)
#endif
        fi;
        n++
    od;
    atomic {
        n = 0;
        do
        :: n == SLOTS -> break
        :: else -> state[n] = FREE; back[n] = false; n++
        od;
        first = 1; tail = 1; shared_tail = 1;
        process_sleeps = false; pool_sleeps = false; bell = false; asleep = false
    };
    atomic { gone -> gone = false; dead = false; run process() }
}

inline all_ended()
{
    atomic {
        over = true;
        n = 1;
        do
        :: n > TASKS -> break
        :: else -> over = over && word[n] >= D; n++
        od;
        n = 0
    }
}

proctype worker()
{
    bool got, begun;
    byte t, n;

    do
    :: d_step { got = false; n = 0; t = 0; begun = false };
        collect();
        look();
        all_ended();
        if
        :: over -> break
        :: !over && (got || !live) -> send()
        :: !over && !got && live && backs < BACKS -> backs++; hand_back()
        :: !over && !got && live ->
            pool_sleeps = true;
#if BUG != 8 /* does not look again */
            if
            :: first != tail && sent[first % SLOTS] && state[first % SLOTS] == DONE -> pool_sleeps = false
            :: else ->
#endif
                bell || dead;
                if
                :: bell -> d_step { bell = false; pool_sleeps = false }
                :: !bell && dead -> bury()
                fi
#if BUG != 8
            fi
#endif
        fi
    od
}

init
{
    byte i = 1;

    atomic {
        do
        :: i > TASKS -> break
        :: else -> queued[i] = true; i++
        od;
        run process();
        run killer();
        i = 1;
        do
        :: i > CANCELS -> break
        :: else -> run canceller(i); i++
        od;
        run worker()
    };
    timeout;
    assert(over && hits <= deaths);
    i = 1;
    do
    :: i > TASKS -> break
    :: else ->
        assert((word[i] == C -> runs[i] == 0 : runs[i] == 1) || (word[i] == H && runs[i] == 0));
        i++
    od
}
