/* SPDX-License-Identifier: MIT
 *
 * See queues.h. A descriptor is kept for each queue, so that its last state is read after its users are gone.
 */
#include "queues.h"
#include "../../bpf/queue.h"
#include "tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_WAITERS 4096

/* What the eBPF programs take the beginning of a queue's memory for. */
_Static_assert(offsetof(struct queue_head, name) == offsetof(struct mt__segment, name) &&
                   offsetof(struct queue_head, inode) == offsetof(struct mt__segment, inode) &&
                   sizeof(((struct queue_head *)0)->name) == sizeof(((struct mt__segment *)0)->name) &&
                   QUEUE_MAGIC == MT__QUEUE_MAGIC,
               "bpf/queue.h and lib/queue/segment.h say the same");

struct file {
    int fd;
    struct queues_look look;
};

struct queues {
    struct file files[QUEUE_MAX];
    size_t count;
    uint64_t sampled_at;
    struct queues_waiter waiters[MOST_WAITERS];
    size_t waiter_count;
};

/* -- What the memory says ----------------------------------------------------------------------------------------- */

static bool decode_ring(const struct mt__segment *head, struct queues_state *state)
{
    union mt__position tail = {.both = head->tail}, taken = {.both = head->head}, freed = {.both = head->freed};
    uint32_t all = (uint32_t)(head->data_size / 8), largest = 1 + head->message_max / 8 + (head->message_max % 8 != 0);
    uint32_t used = tail.count - freed.count;

    state->put = tail.count;
    state->got = taken.count;
    /* The three were not read at one moment: a difference may be negative for a moment. */
    state->depth = tail.count - taken.count <= head->capacity ? tail.count - taken.count : 0;
    state->full = used <= head->capacity && (used == head->capacity || all - (tail.units - freed.units) < largest);
    return all && all <= UINT32_MAX / 2;
}

static bool decode_heap(const struct mt__segment *head, struct queues_state *state)
{
    state->put = (uint32_t)head->tail;
    state->got = (uint32_t)head->freed;
    state->depth = head->used;
    state->full = !head->unused;
    return head->used <= head->capacity;
}

bool queues_decode(const struct mt__segment *head, struct queues_state *state)
{
    if (head->magic != MT__QUEUE_MAGIC || head->version != MT__QUEUE_VERSION || head->order > MT_QUEUE_PRIORITY ||
        !head->capacity || head->capacity > INT32_MAX / 2 || head->message_max > INT32_MAX / 2)
        return false;
    state->closed = head->closed;
    state->lost_put = (union mt__intent){.both = head->putting}.lost;
    state->lost_got = (union mt__intent){.both = head->taking}.lost;
    state->again = head->again;
    return head->order == MT_QUEUE_FIFO ? decode_ring(head, state) : decode_heap(head, state);
}

void queues_add(struct queues_look *look, const struct queues_state *state, uint64_t ns)
{
    if (!look->looks)
        look->first = *state;
    look->now = *state;
    look->looks++;
    look->ns += ns;
    look->full_ns += state->full ? ns : 0;
    look->empty_ns += state->depth ? 0 : ns;
    look->depth_ns += (double)state->depth * (double)ns;
    if (state->depth > look->deepest)
        look->deepest = state->depth;
}

/* -- Files -------------------------------------------------------------------------------------------------------- */

static bool read_head(int fd, struct mt__segment *head)
{
    return pread(fd, head, sizeof *head, 0) == sizeof *head;
}

static bool fill(struct file *file, uint64_t inode)
{
    struct mt__segment head;
    struct queues_state state;
    if (!read_head(file->fd, &head) || !queues_decode(&head, &state))
        return false;
    file->look = (struct queues_look){
        .inode = inode, .order = head.order, .capacity = head.capacity, .message_max = head.message_max};
    memcpy(file->look.name, head.name, sizeof head.name - 1);
    queues_add(&file->look, &state, 0);
    return true;
}

static void add_file(struct queues *queues, const char *path)
{
    struct stat status;
    struct file file = {.fd = -1};
    if (queues->count == QUEUE_MAX || stat(path, &status) || queues_find(queues, status.st_ino))
        return;
    file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file.fd < 0)
        return;
    if (!fstat(file.fd, &status) && S_ISREG(status.st_mode) && fill(&file, status.st_ino))
        queues->files[queues->count++] = file;
    else
        close(file.fd);
}

void queues_scan(struct queues *queues, pid_t pid)
{
    char path[64], link[sizeof path + 256], target[128];
    struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        snprintf(link, sizeof link, "%.63s/%.255s", path, entry->d_name);
        ssize_t length = readlink(link, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        if (!strncmp(target, "/memfd:" MT__QUEUE_PREFIX, strlen("/memfd:" MT__QUEUE_PREFIX)))
            add_file(queues, link);
    }
    if (folder)
        closedir(folder);
}

void queues_sample(struct queues *queues, uint64_t now)
{
    uint64_t ns = queues->sampled_at && now > queues->sampled_at ? now - queues->sampled_at : 0;
    queues->sampled_at = now;
    for (size_t i = 0; i < queues->count; i++) {
        struct mt__segment head;
        struct queues_state state;
        if (read_head(queues->files[i].fd, &head) && queues_decode(&head, &state))
            queues_add(&queues->files[i].look, &state, ns);
    }
}

/* -- Who waits ---------------------------------------------------------------------------------------------------- */

static uint64_t inode_at(pid_t pid, uint64_t address)
{
    struct queue_head head;
    struct iovec here = {&head, sizeof head}, there = {(void *)(uintptr_t)address, sizeof head};
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) != sizeof head || head.magic != QUEUE_MAGIC)
        return 0;
    return head.inode;
}

static void add_waiter(struct queues *queues, pid_t pid, const struct mt__record *record)
{
    if (record->state != MT_WAITING || queues->waiter_count == MOST_WAITERS ||
        (record->wait_reason != MT_WAIT_PUT && record->wait_reason != MT_WAIT_GET))
        return;
    uint64_t inode = inode_at(pid, record->wait_object);
    if (inode)
        queues->waiters[queues->waiter_count++] = (struct queues_waiter){
            pid, (uint32_t)record->tid, inode, record->wait_reason == MT_WAIT_PUT, (uint64_t)record->wait_since};
}

void queues_read_waiters(struct queues *queues, pid_t pid)
{
    struct tasks tasks;
    int error = tasks_open(&tasks, pid);
    if (!error)
        error = tasks_read(&tasks);
    for (size_t i = 0; !error && i < tasks.count; i++)
        add_waiter(queues, pid, &tasks.records[i]);
    tasks_close(&tasks);
}

/* -- All of them -------------------------------------------------------------------------------------------------- */

struct queues *queues_open(void)
{
    return calloc(1, sizeof(struct queues));
}

void queues_close(struct queues *queues)
{
    for (size_t i = 0; queues && i < queues->count; i++)
        close(queues->files[i].fd);
    free(queues);
}

size_t queues_count(const struct queues *queues)
{
    return queues->count;
}

const struct queues_look *queues_at(const struct queues *queues, size_t index)
{
    return &queues->files[index].look;
}

const struct queues_look *queues_find(const struct queues *queues, uint64_t inode)
{
    for (size_t i = 0; i < queues->count; i++)
        if (queues->files[i].look.inode == inode)
            return &queues->files[i].look;
    return NULL;
}

const struct queues_waiter *queues_waiters(const struct queues *queues, size_t *count)
{
    *count = queues->waiter_count;
    return queues->waiters;
}
