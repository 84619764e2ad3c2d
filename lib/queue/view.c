/* SPDX-License-Identifier: MIT
 *
 * Views: messages that were got in place. Each has an entry in the segment that says who has it, so that it can be got
 * again when that process dies. All here runs with the get guard held, but for the two questions at the end.
 *
 *   FREE    nothing
 *   OUT     the process `pid` reads it                     gives it back -> FREE, or AGAIN; dies -> AGAIN
 *   AGAIN   to be got again, before what is in the queue   got -> OUT, or FREE
 *
 * An entry is written from the fields to the state, and cleared from the state: a user that dies here leaves it FREE or
 * whole. `out` counts those that are not FREE; it is set before an entry leaves FREE and counted anew after a death.
 *
 * Who has it is told by the pid, its pid namespace and when the process started, for pids are used again. Whoever is in
 * another namespace, or cannot read /proc, takes the process for living.
 */
#include "queue/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- Processes ---------------------------------------------------------------------------------------------------- */

/* From /proc/PID/stat: when it started, 0 if it is not there any more or only waits to be reaped. -errno. */
static int born(uint32_t pid, uint64_t *when)
{
    char path[40], text[1024], *field;
    long fd, length;

    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    fd = mt__sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (int)fd;
    length = mt__sys(SYS_read, fd, text, sizeof text - 1);
    mt__sys(SYS_close, fd);
    if (length <= 0)
        return length ? (int)length : -EIO;
    text[length] = 0;
    field = strrchr(text, ')'); /* the name before it may hold anything */
    if (!field || !field[1])
        return -EIO;
    *when = 0;
    if (field[2] == 'X' || field[2] == 'x')
        return 0;
    for (int number = 2; number < 22 && field; number++) {
        field = strchr(field + 1, ' ');
        if (field && number == 2 && field[1] == 'Z')
            *when = 1; /* dead, unless other threads than the first live on */
        if (field && number == 19 && *when == 1) {
            if (strtoul(field + 1, NULL, 10) <= 1) {
                *when = 0;
                return 0;
            }
        }
    }
    if (!field)
        return -EIO;
    *when = strtoull(field + 1, NULL, 10);
    return 0;
}

/* Fills in who this process is, anew in a fork's child. */
static void know_self(struct mt_queue *queue)
{
    uint32_t pid = (uint32_t)mt__sys(SYS_getpid);

    if (pid == queue->pid)
        return;
    queue->pid = pid;
    queue->born = 0;
    born(pid, &queue->born);
}

static int is_dead(const struct mt_queue *queue, const struct mt__view_entry *entry)
{
    uint64_t now_born, was_born = entry->born;
    uint32_t pid = entry->pid;
    int error;

    if (pid == queue->pid || entry->space != queue->space || !was_born || !pid || pid > INT32_MAX)
        return 0;
    error = born(pid, &now_born);
    if (error == -ENOENT)
        return mt__sys(SYS_kill, pid, 0) == -ESRCH; /* it is not that /proc is missing */
    return !error && now_born != was_born;
}

/* -- Entries ------------------------------------------------------------------------------------------------------ */

static uint32_t state_of(const struct mt_queue *queue, int entry)
{
    return __atomic_load_n(&queue->shared->views[entry].state, __ATOMIC_ACQUIRE);
}

static void set_state(struct mt_queue *queue, int entry, uint32_t state)
{
    __atomic_store_n(&queue->shared->views[entry].state, state, __ATOMIC_RELEASE);
}

static void count(struct mt_queue *queue)
{
    uint32_t out = 0;

    for (int i = 0; i < MT_QUEUE_VIEWS; i++)
        out += state_of(queue, i) != MT__VIEW_FREE;
    __atomic_store_n(&queue->shared->out, out, __ATOMIC_RELEASE);
}

void mt__view_adopt(struct mt_queue *queue, int entry)
{
    struct mt__view_entry *view = &queue->shared->views[entry];

    know_self(queue);
    view->pid = queue->pid;
    view->born = queue->born;
    view->space = queue->space;
    set_state(queue, entry, MT__VIEW_OUT);
}

int mt__view_begin(struct mt_queue *queue, uint64_t at)
{
    struct mt__segment *shared = queue->shared;

    for (int i = 0; i < MT_QUEUE_VIEWS; i++) {
        if (state_of(queue, i) != MT__VIEW_FREE)
            continue;
        mt__store64(&shared->views[i].at, at);
        __atomic_fetch_add(&shared->out, 1, __ATOMIC_ACQ_REL);
        if (!__atomic_exchange_n(&shared->viewed, 1, __ATOMIC_ACQ_REL))
            mt__guard_wake_all(&shared->put); /* from now on who sleeps until there is a message has to look */
        mt__view_adopt(queue, i);
        return i;
    }
    return -ENOBUFS;
}

void mt__view_end(struct mt_queue *queue, int entry)
{
    set_state(queue, entry, MT__VIEW_FREE);
    count(queue);
}

int mt__view_again(struct mt_queue *queue, uint64_t *at)
{
    uint32_t now = (uint32_t)mt__load64(&queue->shared->head), longest = 0;
    int found = -1;

    for (int i = 0; i < MT_QUEUE_VIEWS; i++) {
        uint64_t place = mt__load64(&queue->shared->views[i].at);
        if (state_of(queue, i) == MT__VIEW_AGAIN && (found < 0 || now - (uint32_t)place > longest)) {
            longest = now - (uint32_t)place;
            *at = place;
            found = i;
        }
    }
    return found;
}

int mt__view_bury(struct mt_queue *queue)
{
    int found = 0;

    know_self(queue);
    for (int i = 0; i < MT_QUEUE_VIEWS; i++) {
        struct mt__view_entry copy = queue->shared->views[i];
        if (state_of(queue, i) == MT__VIEW_OUT && is_dead(queue, &copy)) {
            set_state(queue, i, MT__VIEW_AGAIN);
            __atomic_fetch_add(&queue->shared->again, 1, __ATOMIC_RELAXED);
        }
        found |= state_of(queue, i) == MT__VIEW_AGAIN;
    }
    return found;
}

void mt__view_recount(struct mt_queue *queue, int (*drop)(const struct mt_queue *queue, uint64_t at))
{
    for (int i = 0; i < MT_QUEUE_VIEWS; i++)
        if (state_of(queue, i) != MT__VIEW_FREE && drop(queue, mt__load64(&queue->shared->views[i].at)))
            set_state(queue, i, MT__VIEW_FREE);
    count(queue);
}

/* -- Without the guard -------------------------------------------------------------------------------------------- */

int mt__view_waits(const struct mt_queue *queue)
{
    for (int i = 0; i < MT_QUEUE_VIEWS && __atomic_load_n(&queue->shared->out, __ATOMIC_ACQUIRE); i++)
        if (state_of(queue, i) == MT__VIEW_AGAIN)
            return 1;
    return 0;
}

int mt__view_elsewhere(const struct mt_queue *queue)
{
    uint32_t pid = (uint32_t)mt__sys(SYS_getpid);

    for (int i = 0; i < MT_QUEUE_VIEWS; i++)
        if (state_of(queue, i) == MT__VIEW_OUT &&
            __atomic_load_n(&queue->shared->views[i].pid, __ATOMIC_RELAXED) != pid)
            return 1;
    return 0;
}
