/* SPDX-License-Identifier: MIT
 *
 * When a recording looks for queues in its processes, and at those it has found.
 */
#include "queues.h"
#include "session.h"
#include <bpf/libbpf.h>
#include "wait.skel.h"

#define SCAN_NS        20000000
#define SCAN_SELDOM_NS 1000000000

/* The processes of the recording that live. visit is NULL where only the queues are looked for. */
static void scan_queues(struct session *session, void (*visit)(struct queues *queues, pid_t pid))
{
    for (size_t slot = 1; slot < session->bpf->data->tasks_used && slot < session->slots; slot++) {
        const struct wait_task *task = &session->tasks[slot];
        if (task->tgid != task->tid || task->state == WAIT_STATE_DEAD)
            continue;
        queues_scan(session->queues, (pid_t)task->tgid);
        if (visit)
            visit(session->queues, (pid_t)task->tgid);
    }
}

/* Probes tell of new queues. Where there are none, and for news that were lost, they are looked for now and then. */
void session_look_at_queues(struct session *session)
{
    uint64_t now = session_clock();
    if (now - session->scanned_at >= (session->records ? SCAN_NS : SCAN_SELDOM_NS)) {
        scan_queues(session, NULL);
        session->scanned_at = now;
    }
    queues_sample(session->queues, now);
}

/* Also who has waited since before the recording, of whom no probe could tell. */
void session_finish_queues(struct session *session)
{
    scan_queues(session, queues_read_waiters);
    queues_sample(session->queues, session_clock());
}
