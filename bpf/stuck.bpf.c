/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Reads a process that stands still without stopping it: where each of its threads waits, and its memory.
 *
 * Both programs are task iterators: they run once a thread, in the reader's own read(2), and may sleep to fetch a page.
 * The reader is alone (it holds the link), so that the scratch space and the request can be plain globals.
 */
#include "kernel.h"
#include "stuck.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#if defined(__TARGET_ARCH_x86)
#define NR_FUTEX   202
#define USER_WORDS 21
#elif defined(__TARGET_ARCH_arm64)
#define NR_FUTEX   98
#define USER_WORDS 34
#else
#error "no register layout for this CPU"
#endif
#define NR_FUTEX_WAITV 449
#define NR_FUTEX_WAIT  455

#define FUTEX_COMMANDS   127 /* without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME */
#define COMMAND_WAIT     0
#define COMMAND_LOCK_PI  6
#define COMMAND_BITSET   9
#define COMMAND_REQUEUE  11 /* FUTEX_WAIT_REQUEUE_PI */
#define COMMAND_LOCK_PI2 13

/* The request, by the reader's numbers. */
__u32 wanted_pid;
__u32 wanted_tid;
__u64 wanted_address;
__u32 wanted_size;

static struct stuck_task task_record;
static struct stuck_memory memory_record;

struct waitv {
    __u64 value;
    __u64 address;
    __u32 flags;
    __u32 reserved;
};

/* The number of a task in the pid namespace `level` steps below the first one; 0 if it has none there. */
static __u32 number_at(struct pid *pid, __u32 level)
{
    __u32 deepest = BPF_CORE_READ(pid, level);
    __u32 number = 0;
    void *numbers = (void *)pid + bpf_core_field_offset(struct pid, numbers);
    if (level <= deepest && level < 32)
        bpf_core_read(&number, sizeof(number), numbers + level * bpf_core_type_size(struct upid));
    return number;
}

static __u32 reader_level(void)
{
    struct task_struct *reader = bpf_get_current_task_btf();
    return BPF_CORE_READ(reader, thread_pid, level);
}

static int is_wait(__u64 operation)
{
    __u32 command = operation & FUTEX_COMMANDS;
    return command == COMMAND_WAIT || command == COMMAND_BITSET || command == COMMAND_LOCK_PI ||
           command == COMMAND_LOCK_PI2 || command == COMMAND_REQUEUE;
}

static void read_registers(struct stuck_task *record, struct pt_regs *regs)
{
    struct call call = {};
    bpf_probe_read_kernel(record->regs, USER_WORDS * sizeof(__u64), regs);
    record->regs_whole = 1;
    read_call(regs, &call);
    for (int i = 0; i < 6; i++)
        record->args[i] = call.arg[i];
    record->syscall = call.number;
    record->narrow = call.narrow;
}

static void read_object(struct stuck_task *record, struct task_struct *task)
{
    struct waitv first;
    if (record->syscall == NR_FUTEX_WAITV) {
        if (bpf_copy_from_user_task(&first, sizeof(first), (void *)record->args[0], task, 0))
            return;
        record->word = first.address;
        record->words = record->args[1];
    } else if (record->syscall == NR_FUTEX_WAIT || (record->syscall == NR_FUTEX && is_wait(record->args[1]))) {
        record->word = record->args[0];
        record->words = 1;
    } else {
        return;
    }
    if (!bpf_copy_from_user_task(record->object, STUCK_OBJECT, (void *)record->word, task, 0))
        record->object_size = STUCK_OBJECT;
    else if (!bpf_copy_from_user_task(record->object, 24, (void *)record->word, task, 0))
        record->object_size = 24; /* a small lock at the end of its mapping */
    else if (!bpf_copy_from_user_task(record->object, 4, (void *)record->word, task, 0))
        record->object_size = 4;
}

SEC("iter.s/task")
int list_tasks(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    struct stuck_task *record = &task_record;
    if (!task || !task->mm)
        return 0;
    __u32 level = reader_level();
    struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid), *tid = BPF_CORE_READ(task, thread_pid);
    if (!pid || !tid || number_at(pid, level) != wanted_pid)
        return 0;
    __builtin_memset(record, 0, sizeof(*record));
    record->pid = wanted_pid;
    record->tid = number_at(tid, level);
    record->own_pid = number_at(pid, BPF_CORE_READ(pid, level));
    record->own_tid = number_at(tid, BPF_CORE_READ(tid, level));
    record->state = task_state(task);
    record->switches = task->nvcsw + task->nivcsw;
    record->started = task->start_time;
    BPF_CORE_READ_STR_INTO(&record->name, task, comm);
    read_registers(record, (struct pt_regs *)bpf_task_pt_regs(task));
    read_object(record, task);
    bpf_seq_write(context->meta->seq, record, sizeof(*record));
    return 0;
}

SEC("iter.s/task")
int read_memory(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    struct stuck_memory *record = &memory_record;
    if (!task || !task->mm || number_at(BPF_CORE_READ(task, thread_pid), reader_level()) != wanted_tid)
        return 0;
    __u32 size = wanted_size;
    if (size > STUCK_PAGE)
        size = STUCK_PAGE;
    record->address = wanted_address;
    record->size = bpf_copy_from_user_task(record->bytes, size, (void *)wanted_address, task, 0) ? 0 : size;
    bpf_seq_write(context->meta->seq, record, sizeof(*record));
    return 0;
}
