/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The probes of liblinuxmt (lib/base/probes.def), attached by mtrace to the library of the processes that it follows:
 * what a task waits for in the library's own words, and threads' names. Other processes hit them too and leave at once.
 */
#ifndef BPF_WAIT_LIBRARY_H
#define BPF_WAIT_LIBRARY_H

#include "wait-coro.h"
#include "wait-count.h"
#include "wait-unseen.h"
#include <bpf/usdt.bpf.h>

/* enum mt_reason -> enum wait_kind. */
static __always_inline __u32 kind_of_library(__u64 reason)
{
    switch (reason) {
    case 1:
        return WAIT_KIND_MTLOCK;
    case 2:
        return WAIT_KIND_COND;
    case 3:
        return WAIT_KIND_SEM;
    case 4:
        return WAIT_KIND_EVENT;
    case 5:
        return WAIT_KIND_ONCE;
    case 6:
        return WAIT_KIND_JOIN;
    case 7:
        return WAIT_KIND_SLEEP;
    case 8:
        return WAIT_KIND_LATCH;
    case 9:
        return WAIT_KIND_BARRIER;
    case 10:
        return WAIT_KIND_READ;
    case 11:
        return WAIT_KIND_WRITE;
    case 12:
        return WAIT_KIND_FUTURE;
    case 13:
        return WAIT_KIND_POOL;
    case 14:
        return WAIT_KIND_TIMER;
    case 15:
        return WAIT_KIND_PUT;
    case 16:
        return WAIT_KIND_GET;
    case 17:
        return WAIT_KIND_DONE;
    case 19:
        return WAIT_KIND_CHANNEL;
    default: /* I/O is told by its system call */
        return WAIT_KIND_PLAIN;
    }
}

SEC("usdt")
int BPF_USDT(library_wait_begin, __u64 task, __u64 reason, __u64 object, __u64 name, __u64 owner, __u64 place)
{
    struct wait_task *t = recording ? task_find(bpf_get_current_task_btf()) : NULL;
    if (!t)
        return 0;
    t->hub_coro = task;
    if (t->is_hub) {
        coro_wait_begin(t, task, reason, object, name, owner, place);
        return 0;
    }
    see_running(t);
    library_settle(t);
    t->flags |= WAIT_TASK_LINUXMT;
    t->lib_object = object;
    t->lib_name = name;
    t->lib_owner = (__u32)owner;
    t->lib_kind = kind_of_library(reason);
    return 0;
}

SEC("usdt")
int BPF_USDT(library_wait_end, __u64 task, __u64 reason, __u64 object, __s64 result, __u64 ns)
{
    struct wait_task *t = recording ? task_find(bpf_get_current_task_btf()) : NULL;
    if (!t)
        return 0;
    if (t->is_hub) {
        coro_wait_end(t, ctx, task, reason, object, result, ns);
    } else if (t->lib_kind) {
        see_running(t);
        library_settle(t);
    }
    return 0;
}

SEC("usdt")
int BPF_USDT(library_thread_start, __u64 id, __u64 tid, __u64 name)
{
    struct wait_task *t = task_find(bpf_get_current_task_btf());
    if (!t)
        return 0;
    t->flags |= WAIT_TASK_LINUXMT;
    if (name)
        bpf_probe_read_user_str(t->name, sizeof t->name, (void *)name);
    return 0;
}

#endif
