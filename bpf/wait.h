/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What wait.bpf.c writes and mtrace reads: the tasks, their waits, who held what and who woke whom. Everything is
 * aggregated in the kernel; only the comings and goings of processes are streamed (struct wait_news).
 *
 * Waits and wakers lie in arrays, entry 0 unused, and a hash finds the entry of a key; a task that does the same again,
 * as most do, goes straight to the entry.
 *
 * Times are CLOCK_MONOTONIC nanoseconds. A slot is a task's place in the array of tasks; slot 0 is nobody.
 */
#ifndef BPF_WAIT_H
#define BPF_WAIT_H

#include <linux/types.h>

/* Bucket n counts times from 2^n up to 2^(n+1) ns; the last one all that are longer. */
#define WAIT_BUCKETS     40
#define WAIT_NAME_MAX    32
#define WAIT_PLACE_MAX   64
#define WAIT_STACK_BYTES 4096
#define WAIT_REGS_MAX    34 /* words of the larger register set (aarch64) */

/* What a task waits for. The order is that of the output; wait_reason_names in mtrace follows it. */
enum wait_reason {
    WAIT_LOCK = 1, /* futex with a recorded owner */
    WAIT_FUTEX,    /* futex without: condition, semaphore, event, join, ... */
    WAIT_DISK,     /* in a system call on a file, or a page fault, with I/O going on */
    WAIT_FAULT,    /* page fault or change of the address space */
    WAIT_FILE,     /* file system call, without I/O of its own */
    WAIT_PIPE,
    WAIT_SOCKET,
    WAIT_ACCEPT, /* a socket's next connection */
    WAIT_POLL,   /* poll, select, epoll */
    WAIT_EVENT,  /* read of an eventfd, timerfd, signalfd, inotify, terminal or other device */
    WAIT_URING,  /* io_uring or AIO completion */
    WAIT_CHILD,
    WAIT_SLEEP,
    WAIT_SIGNAL,  /* sigwait, pause */
    WAIT_STOPPED, /* by a signal or a debugger */
    WAIT_OTHER,
    WAIT_REASONS
};

/* How a futex wait was made, as far as it can be told. */
enum wait_kind {
    WAIT_KIND_PLAIN,
    WAIT_KIND_PI,
    WAIT_KIND_ROBUST, /* owner in the word: robust mutexes */
    WAIT_KIND_JOIN,   /* for a thread's end */
    WAIT_KIND_BITSET, /* glibc's conditions and semaphores */
    WAIT_KIND_COND,   /* these from liblinuxmt's own words */
    WAIT_KIND_SEM,
    WAIT_KIND_EVENT,
    WAIT_KIND_ONCE,
    WAIT_KIND_SLEEP,
    WAIT_KIND_MTLOCK,
    WAIT_KIND_READ, /* liblinuxmt's read-write lock */
    WAIT_KIND_WRITE,
    WAIT_KIND_LATCH,
    WAIT_KIND_BARRIER,
    WAIT_KIND_FUTURE,
    WAIT_KIND_POOL,
    WAIT_KIND_TIMER,
    WAIT_KIND_PUT,     /* room in a queue, */
    WAIT_KIND_GET,     /* a message from one, */
    WAIT_KIND_DONE,    /* the end of one's work */
    WAIT_KIND_CHANNEL, /* somebody to hand over to, or from */
    WAIT_KIND_MUTEX,   /* glibc's normal mutex */
    WAIT_KIND_RWLOCK,  /* glibc's */
};

enum wait_state {
    WAIT_STATE_NEW,
    WAIT_STATE_READY,
    WAIT_STATE_RUNNING,
    WAIT_STATE_WAITING,
    WAIT_STATE_DEAD,
    WAIT_STATE_HELD
};

/* One place where one task waits for one thing. */
struct wait_key {
    __u64 object; /* address of the futex word, inode of the pipe or socket, descriptor of the file, number of the
                   * system call: by reason */
    __u64 sp;     /* tells a task's places apart before anything is unwound */
    __u32 slot;
    __u16 call; /* number of the system call, 0xffff outside */
    __u8 reason;
    __u8 kind;
};

struct wait_stat {
    struct wait_key key;
    __u64 count, ns, min, max;
    __u64 handed; /* how many were ended by a task that had waited for the same futex itself: so locks change hands */
    __s32 stack;  /* index in the array of stacks, -1: none */
    __s32 fd;     /* -1: none */
    __u32 shared;
    __u32 buckets[WAIT_BUCKETS];
    char name[WAIT_NAME_MAX]; /* liblinuxmt's */
};

/* A lock that tasks slept on. Tasks come, go and release it on all CPUs at once, without a lock among them; what has to
 * be exact is in two words, the rest are hints:
 *
 * integral is, in WAIT_LOCK_UNIT ns, n * 2^48 + the ended waits' times - the present waits' n starts. So a wait that
 * begins at s adds 2^48 - s, one that ends at e takes 2^48 - e away, and what all have waited until t is the low part
 * + n * t: one atomic addition each, and one load to know it.
 *
 * counted is how much of that has been given to holders: whoever moves it gives the difference away. */
struct wait_lock_key {
    __u64 object;
    __u32 tgid; /* 0: a futex that processes share */
    __u32 pad;
};

#define WAIT_LOCK_UNIT 1024

/* In place of a holder's slot: those who read under a read-write lock, of whom it keeps nothing but their number. */
#define WAIT_READERS 0xffffffffu

struct wait_lock {
    struct wait_lock_key key;
    __u64 integral, counted;
    __u64 since;  /* when it was seen to change hands last */
    __u64 place;  /* where the holder took it, liblinuxmt's "file:line"; 0: unknown */
    __u32 holder; /* slot, or WAIT_READERS */
    __u32 read;   /* 1: the lock itself said so; 0: it is who was woken to take it next */
    __u32 gone;   /* thread id of an owner that is not there any more; 0: it is, or none is recorded */
    __u32 tgid;   /* a process that waits for it */
};

/* Who held what while others waited. */
struct wait_holder_key {
    __u64 place;
    __u32 lock; /* index */
    __u32 slot; /* the holder, 0: it is not traced; or WAIT_READERS */
};

struct wait_holder {
    __u64 began;    /* waits that began while it held, */
    __u64 released; /* waits that it ended by releasing, */
    __u64 ns;       /* time that all tasks together waited while it held, in ns, */
    __u64 max;      /* and the longest that it was waited for at a stretch */
    char place[WAIT_PLACE_MAX];
};

/* In place of a waker's thread id, in a task's slot only: no program has seen who it was. */
#define WAIT_WAKER_UNSEEN 0xffffffffu

struct wait_waker_key {
    __u32 waker; /* slot, 0: not one of the tasks traced */
    __u32 tid;   /* its thread id; 0 for an interrupt */
    __u32 wakee;
    __u32 reason;
};

struct wait_waker {
    struct wait_waker_key key;
    __u64 count, ns, max;
    char comm[16];
    __s32 stack; /* the waker's, at the first time: index in the array of stacks, -1: none */
    __u32 pad;
};

struct wait_stack {
    __u32 tgid;
    __u32 size; /* bytes of stack that were read */
    __u64 regs[WAIT_REGS_MAX];
    __u8 bytes[WAIT_STACK_BYTES];
};

struct wait_sum {
    __u64 count, ns, max;
};

#define WAIT_TASK_LINUXMT 1 /* the program uses liblinuxmt: names and places may be trusted */
#define WAIT_TASK_DIED    2 /* it ended in its last wait */

#define WAIT_REMEMBERED 4 /* futexes that a task waited for last */

struct wait_task {
    /* One cache line is all that a waker on another CPU touches. */
    __u32 state;
    __u32 pending; /* ready after a wait from since until woken, which has not been counted yet */
    __u64 since;   /* of the state; of the wait while it is pending */
    __u64 woken;
    __u32 waker, waker_tid;
    __u32 reason;          /* of the wait that goes on */
    __u32 private;         /* only a task of this process can end it */
    __u32 timeout_ms;      /* of a poll, 0: none */
    __u32 tgid;            /* ids as mtrace's own PID namespace has them */
    __u32 known_waker_tid; /* whose name has been read */
    __u32 lock;            /* index of the lock that it sleeps on, 0: none */
    __u32 handed;          /* the wait was ended by one who had waited for the same */
    __u32 left_lock;       /* the one that it slept on in its last wait */

    __u32 tid;
    __u32 ns_tid, ns_inum; /* as the innermost namespace has it */
    __u32 parent;          /* slot that spawned it */
    __u32 flags;
    __u32 exit_code;   /* as wait(2) gives it */
    __u64 born, ended; /* since when it is traced; 0 while it lives */
    __u64 executed;    /* the scheduler's own count of its CPU time when it was last switched out */
    __u64 running, ready, waiting;
    __u64 ready_count, preempted, max_ready;
    __u32 runq[WAIT_BUCKETS];
    struct wait_sum reasons[WAIT_REASONS];

    struct wait_key key;  /* of the wait that goes on */
    struct wait_key seen; /* the last wait, and its index: the same again is not looked up */
    struct wait_waker_key seen_waker;
    __u32 seen_index, seen_waker_index; /* 0: it found no room */
    __u32 seen_lock;
    __u64 place;
    __u64 futex;                   /* the word that it sleeps on */
    __u64 waited[WAIT_REMEMBERED]; /* objects without owners that it waited for, and which of them is the oldest */
    __u32 waited_next;
    __u32 holder, gone;
    __u32 timed;       /* the futex wait ends by itself at some time */
    __u32 waker_stack; /* index of the last waker's picture + 1, 0: none was taken */

    /* What liblinuxmt's probes said of the wait that it is in; lib_kind 0: in none. Such a wait may have several
     * sleeps: they are one wait for the thing of the first one. */
    __u32 lib_kind;
    __u64 lib_object, lib_name;
    __u32 lib_owner;
    __u32 lib_sleeps; /* so far */
    __u64 lib_ns;     /* time in those that have ended */
    struct wait_key lib_key;
    __u32 lib_index, lib_lock;
    __u32 lib_sleeping; /* the sleep that goes on is one of them */

    /* A hub of liblinuxmt runs on it. */
    __u32 is_hub;
    __u32 hub_asleep; /* in its loop */
    __u64 hub_coro;   /* id of the task that runs in it */
    __u32 hub_kept;   /* the sleep that goes on is not the loop's: it keeps the hub */
    __u64 hub_keeper; /* and that is who runs */

    char comm[16];
    char waker_comm[16];
    char name[WAIT_NAME_MAX]; /* liblinuxmt's, if it gave one */
} __attribute__((aligned(64)));

/* Two locks that are taken in both orders, as liblinuxmt says when it sees the second. */
#define WAIT_INVERSIONS 256

struct wait_ordered {
    __u64 address;
    char name[WAIT_NAME_MAX];
    char place[WAIT_PLACE_MAX]; /* "file:line" */
};

struct wait_inversion {
    __u32 slot; /* who wanted it, 0: unused */
    __u32 tgid;
    struct wait_ordered wanted, held;
};

struct wait_lost {
    __u64 tasks, waits, locks, holders, wakers, stacks, news, queues, pools, inversions, coros;
};

enum wait_news_kind { WAIT_NEWS_PROCESS = 1, WAIT_NEWS_EXEC, WAIT_NEWS_EXIT, WAIT_NEWS_STACK, WAIT_NEWS_QUEUE };

struct wait_news {
    __u32 kind;
    __u32 tgid;
};

#endif
