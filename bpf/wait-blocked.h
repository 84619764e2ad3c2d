/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Calls that kept a hub of liblinuxmt: its thread slept in one that was not its loop's.
 */
#ifndef BPF_WAIT_BLOCKED_H
#define BPF_WAIT_BLOCKED_H

#include "coro.h"
#include "wait-task.h"

const volatile __u64 blocked_above = ~0ull; /* ns; the longest: nobody asks */

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CORO_BLOCKED);
    __type(key, struct coro_blocked_key);
    __type(value, struct coro_blocked);
} coro_blocked SEC(".maps");

static __always_inline void note_blocked(const struct wait_task *t, __u64 ns)
{
    struct coro_blocked_key key = {t->hub_keeper, t->key.slot, t->seen_index};
    struct coro_blocked first = {}, *blocked;
    if (ns < blocked_above)
        return;
    bpf_map_update_elem(&coro_blocked, &key, &first, BPF_NOEXIST);
    blocked = bpf_map_lookup_elem(&coro_blocked, &key);
    if (!blocked) {
        count_lost(&lost.coros);
        return;
    }
    blocked->count++;
    blocked->ns += ns;
    if (ns > blocked->max)
        blocked->max = ns;
}

#endif
