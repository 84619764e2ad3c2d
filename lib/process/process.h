/* SPDX-License-Identifier: MIT
 *
 * Inside the room: what a process task is made of, and the block of memory that it shares with its child.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "base/task.h"
#include <linuxmt/process.h>

#define MT__START_MAGIC  0x7472617473746d31ull
#define MT__START_NAME   "linuxmt-start"
#define MT__START_ENV    "LINUXMT_PROCESS" /* in the child's environment: the number of the descriptor of its block */
#define MT__BUILD_ID_MAX 32
#define MT__MODULE_MAX   512
#define MT__CGROUP_MAX   512
#define MT__CALLS_MAX    512 /* numbers of system calls that are told apart */

/* Beside 1 in the option `daemon`: it ends with the thread that spawns it. A pool's worker does, and needs nobody to
 * watch. */
#define MT__DAEMON_OF_THREAD 2

/* Where a function lies, said so that another process of the same program finds it. */
struct mt__function {
    char module[MT__MODULE_MAX]; /* path of the shared object, "" for the program itself */
    uint64_t offset;             /* from where that is loaded */
    uint32_t build_id_size;
    uint8_t build_id[MT__BUILD_ID_MAX];
};

/* The block: written by the parent before the start, then by the child below "from the child". The parent believes none
 * of that but copies it with its bounds: the child may have scribbled over all of it. */
struct mt__start {
    uint64_t magic;
    uint64_t size; /* bytes of the block, the argument included */
    char name[MT_NAME_MAX];
    struct mt__function function;
    uint64_t signals;  /* the mask that the child is to have */
    int32_t parent;    /* process id */
    int32_t by_thread; /* a daemon that ends with the thread that spawns it: the main one, for example */
    int32_t daemon;
    int32_t awaited; /* the parent waits until it has set itself up */
    int32_t nice;
    uint32_t sandbox;
    uint32_t limit_count;
    uint32_t fd_count;
    struct mt_process_limit limits[MT_PROCESS_LIMITS_MAX];
    int32_t fds[MT_PROCESS_FDS_MAX];
    char cgroup[MT__CGROUP_MAX];
    uint64_t argument_size;

    uint32_t go; /* futex word: 0 or MT__SLEEPS until the parent has made up its mind: MT__GO or MT__STAY */

    /* from the child */
    uint32_t settled; /* futex word: not 0 when it has set itself up, or has failed to */
    int32_t error;    /* that it failed with: the body has not been called */
    uint32_t reported;
    int32_t outcome;
    char message[MT_MESSAGE_MAX];
    int32_t refused;  /* 1 more than the number of the system call that the sandbox refused */
    int32_t notifier; /* between two threads of the child */
    uint64_t noted[MT__CALLS_MAX / 64];

    _Alignas(16) char argument[];
};

enum { MT__GO = 1, MT__STAY = 2, MT__SLEEPS = 3 };

struct mt__process {
    int pidfd;
    int watched; /* the reaper waits for it */
    int pid;
    struct mt__start *start;
    size_t start_size;
    int collected;             /* its end has been taken from the kernel, */
    struct mt_task *collector; /* by him, */
    uint32_t settled;          /* futex word: and all that its end brings about has happened */
    uint32_t awaited;          /* somebody may sleep on that */
    struct mt_exit exit;
    const char *refused;                /* when it has ended: "" if nothing was */
    uint64_t noted[MT__CALLS_MAX / 64]; /* when it has ended: what the sandbox would have refused */
};

extern const struct mt__kind mt__process_kind;

/* start.c: the block. fd: of the memfd to hand over, or NULL for one that only a fork shares. NULL with *error. */
struct mt__start *mt__start_new(size_t argument_size, int *fd, int *error);
struct mt__start *mt__start_open(int fd); /* in the child; NULL: it is none */
void mt__start_free(struct mt__start *start, size_t size);
void mt__starts_forked(void);                 /* in the child of any fork, */
void mt__starts_unlock(void);                 /* and before any block is given back there */
void mt__start_wait(struct mt__start *start); /* a moment, for the child to settle */

/* function.c. 0; -ENOEXEC: not in a file; -ENAMETOOLONG. NULL with *error: not to be found here. */
int mt__function_name(mt_fn *fn, struct mt__function *function);
mt_fn *mt__function_find(const struct mt__function *function, char *why, size_t why_size);

/* fork.c, exec.c, server.c: a child in which mt__child_run or what leads to it runs. Fill in pidfd and pid; 0 or
 * -errno. */
int mt__start_by_fork(struct mt__process *process, mt_fn *fn, void *arg);
int mt__start_by_exec(struct mt__process *process, int block);
int mt__start_by_server(struct mt__process *process, int block);

/* child.c: what the new process does. */
_Noreturn void mt__child_run(struct mt__start *start, mt_fn *fn, void *arg);
_Noreturn void mt__child_run_block(struct mt__start *start);

/* end.c: the first process of this process: for what fork has to mend. */
void mt__process_first(void);

/* init.c: whether mt_process_init has been called. */
int mt__process_is_ready(void);

#endif
