/* SPDX-License-Identifier: MIT
 *
 * Reading by eBPF: a read(2) of an iterator runs bpf/stuck.bpf.c over the threads. Before 6.1 the kernel walks all
 * tasks of the machine for that; since then only those asked for.
 */
#include "reader.h"
#include "stuck.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bpf_link *attach(const struct bpf_program *program, pid_t pid, pid_t tid)
{
    union bpf_iter_link_info info = {0};
    DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
    info.task.pid = pid;
    info.task.tid = tid;
    struct bpf_link *link = bpf_program__attach_iter(program, &options);
    if (link || errno == ESRCH || errno == ENOMEM)
        return link;
    return bpf_program__attach_iter(program, NULL);
}

/* Runs the iterator once and gives each record of `size` bytes to take(). */
static int run(const struct bpf_link *link, void *record, size_t size, int (*take)(void *argument), void *argument)
{
    int error = 0, fd = bpf_iter_create(bpf_link__fd(link));
    size_t filled = 0;
    if (fd < 0)
        return -errno;
    while (!error) {
        ssize_t got = read(fd, (char *)record + filled, size - filled);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0) {
            error = got < 0 ? -errno : 0;
            break;
        }
        filled += got;
        if (filled == size) {
            error = take(argument);
            filled = 0;
        }
    }
    close(fd);
    return error;
}

struct listing {
    struct stuck_task task;
    struct stuck_task **tasks;
    size_t *count;
};

static int take_task(void *argument)
{
    struct listing *listing = argument;
    return reader_add(listing->tasks, listing->count, &listing->task);
}

static int list(struct reader *reader, pid_t pid, struct stuck_task **tasks, size_t *count)
{
    struct stuck_bpf *skeleton = reader->state;
    struct listing listing = {.tasks = tasks, .count = count};
    skeleton->bss->wanted_pid = pid;
    struct bpf_link *link = attach(skeleton->progs.list_tasks, pid, 0);
    if (!link)
        return -errno;
    int error = run(link, &listing.task, sizeof(listing.task), take_task, &listing);
    bpf_link__destroy(link);
    return error;
}

struct copying {
    struct stuck_memory memory;
    void *bytes;
    uint64_t address;
    size_t got;
};

static int take_memory(void *argument)
{
    struct copying *copying = argument;
    if (copying->memory.size > STUCK_PAGE || copying->memory.address != copying->address)
        return -EPROTO;
    memcpy(copying->bytes, copying->memory.bytes, copying->memory.size);
    copying->got = copying->memory.size;
    return 0;
}

static size_t memory(struct reader *reader, const struct stuck_task *task, uint64_t address, void *bytes, size_t size)
{
    struct stuck_bpf *skeleton = reader->state;
    struct copying copying = {.bytes = bytes, .address = address};
    skeleton->bss->wanted_tid = task->tid;
    skeleton->bss->wanted_address = address;
    skeleton->bss->wanted_size = size;
    struct bpf_link *link = attach(skeleton->progs.read_memory, 0, task->tid);
    if (!link)
        return 0;
    run(link, &copying.memory, sizeof(copying.memory), take_memory, &copying);
    bpf_link__destroy(link);
    return copying.got;
}

static void close_bpf(struct reader *reader)
{
    stuck_bpf__destroy(reader->state);
}

static const struct reader_means by_bpf = {.name = "eBPF", .list = list, .memory = memory, .close = close_bpf};

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level, (void)format, (void)arguments;
    return 0;
}

int reader_open_bpf(struct reader *reader)
{
    libbpf_print_fn_t before = libbpf_set_print(silent);
    errno = 0;
    struct stuck_bpf *skeleton = stuck_bpf__open_and_load();
    int error = skeleton ? 0 : errno ? -errno : -EINVAL;
    libbpf_set_print(before);
    if (!skeleton)
        return error;
    *reader = (struct reader){.means = &by_bpf, .state = skeleton};
    return 0;
}
