/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Locks that are taken in both orders, by liblinuxmt's probe lock__inversion: it fires once for each pair.
 */
#ifndef BPF_WAIT_ORDER_H
#define BPF_WAIT_ORDER_H

#include "wait-task.h"
#include <bpf/usdt.bpf.h>

__u32 inversions_used;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, WAIT_INVERSIONS);
    __type(key, __u32);
    __type(value, struct wait_inversion);
} inversions SEC(".maps");

static __always_inline void order_read(struct wait_ordered *lock, __u64 address, __u64 name, __u64 place)
{
    lock->address = address;
    if (name)
        bpf_probe_read_user_str(lock->name, sizeof lock->name, (void *)name);
    if (place)
        bpf_probe_read_user_str(lock->place, sizeof lock->place, (void *)place);
}

SEC("usdt")
int BPF_USDT(library_inversion, __u64 wanted, __u64 wanted_name, __u64 wanted_place, __u64 held, __u64 held_name,
             __u64 held_place)
{
    __u32 slot = slot_of(bpf_get_current_task_btf());
    if (!recording || !slot)
        return 0;
    __u32 index = inversions_used < WAIT_INVERSIONS ? __sync_fetch_and_add(&inversions_used, 1) : WAIT_INVERSIONS;
    struct wait_inversion *inversion = bpf_map_lookup_elem(&inversions, &index);
    if (!inversion) {
        count_lost(&lost.inversions);
        return 0;
    }
    inversion->tgid = current_tgid();
    order_read(&inversion->wanted, wanted, wanted_name, wanted_place);
    order_read(&inversion->held, held, held_name, held_place);
    inversion->slot = slot;
    return 0;
}

#endif
