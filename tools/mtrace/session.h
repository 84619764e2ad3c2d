/* SPDX-License-Identifier: MIT
 *
 * A recording: the eBPF programs loaded, attached and told whom to follow, from its start to its stop. Afterwards its
 * maps are read (model.h).
 */
#ifndef MTRACE_SESSION_H
#define MTRACE_SESSION_H

#include "names.h"
#include "options.h"
#include "tasks.h"
#include "../../bpf/queue.h"
#include <stdint.h>

struct queues;
struct records;
struct wait_bpf;
struct bpf_link;
struct ring_buffer;

#define SESSION_LINKS 48
#define SESSION_USERS 64

/* What else than tasks and their waits a recording looks at: probes in the paths of every message or task, which cost
 * what they tell. */
enum session_probes { SESSION_QUEUES = 1, SESSION_POOLS = 2, SESSION_COROS = 4, SESSION_HUBS = 8 };

struct session {
    struct wait_bpf *bpf;
    unsigned probes; /* enum session_probes */
    struct bpf_link *links[SESSION_LINKS];
    size_t link_count;
    struct ring_buffer *ring;
    struct wait_task *tasks; /* the map of tasks, shared with the kernel */
    size_t slots;
    struct names *names;
    int stats_fd;                    /* keeps the kernel timing the programs' runs; -1: it does not now */
    uint64_t weighed_at, weighed_ns; /* since when it does or did last, and for how long in all */
    uint64_t started, stopped;
    uint64_t own_ns; /* CPU time of mtrace itself while recording */
    uint64_t bpf_ns;
    uint64_t missed;         /* runs of a program that the kernel left out */
    bool busy;               /* wants session_poll again within milliseconds */
    struct records *records; /* of those that use liblinuxmt, where its probes cannot be had; NULL: not needed */
    struct queues *queues;   /* as their memory tells, NULL: nobody asks */
    uint64_t scanned_at;     /* when they were looked for last */
    struct tasks *users;     /* processes with liblinuxmt, their task records as they were met */
    size_t user_count;
    uint64_t threshold; /* ns: of calls that keep a hub */
    char note[512];     /* what works only in part, in sentences; "": nothing */
};

/* Loads the programs. probes: enum session_probes. Complains and returns false if that cannot be. */
bool session_open(struct session *session, const struct options *options, unsigned probes);
void session_close(struct session *session);

/* Puts a process among those followed. */
bool session_follow(struct session *session, pid_t tgid);

/* Whether a task of that process has been met since the start. */
bool session_has(const struct session *session, pid_t tgid);

/* Whether tasks were met that found no room. */
bool session_lost_tasks(const struct session *session);

/* Adds a sentence to the note, once. */
void session_note(struct session *session, const char *sentence);

/* Attaches and starts to record. launched: the process whose next exec is the beginning, or 0. */
bool session_start(struct session *session, pid_t launched);

/* Takes in news for up to milliseconds. Returns the number of tasks alive. */
unsigned session_poll(struct session *session, int milliseconds);

/* For poll(2): readable when there are news. */
int session_fd(const struct session *session);

void session_stop(struct session *session);

/* Keeps a link until the session's stop. False if there is none, or no room for it. */
bool session_keep_link(struct session *session, struct bpf_link *link);

uint64_t session_clock(void);

/* For a recording of queues, while it lasts and when it stops. */
void session_look_at_queues(struct session *session);
void session_finish_queues(struct session *session);

#endif
