/* SPDX-License-Identifier: MIT
 *
 * A hub that nothing can wake, and the list of what runs in a hub.
 *
 * It is stuck when nothing is ready, no timer is set and no operation is under way, every word that is waited for is
 * private to the process, and the hub's thread is the only one in it (helpers and the monitor apart): nobody is left
 * who could write such a word. Then the thread's own wait fails with -EDEADLK, and the list says who waits where. (A
 * signal handler could still wake one; who builds on that keeps a timer.)
 */
#include "base/clock.h"
#include "coro/coro.h"
#include "coro/monitor.h"

#include <linuxmt/coro.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_one(int fd, struct mt__hub *hub, const struct mt__coro *coro)
{
    struct mt_task_info info;
    char line[320];
    int length;

    mt_task_info(coro->task, &info);
    length = snprintf(line, sizeof line, "  %-24s %s", info.name,
                      coro == hub->current && !coro->parked ? "running" : mt_state_name(info.state));
    if (info.state == MT_WAITING && coro->parked)
        length += snprintf(line + length, sizeof line - (size_t)length, " on %s %s%s%s for %.3f s%s%s",
                           mt_reason_name(info.reason), info.object_name[0] ? "\"" : "", info.object_name,
                           info.object_name[0] ? "\"" : "", (double)(mt_now() - info.since) / 1e9,
                           info.place[0] ? " at " : "", info.place);
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    line[length++] = '\n';
    mt__sys(SYS_write, fd, line, length);
}

int mt_hub_print(int fd)
{
    struct mt__hub *hub = mt__hub;
    char head[120];
    int length;
    long error;

    if (!hub)
        return -ESRCH;
    length =
        snprintf(head, sizeof head, "hub of thread %u (%s): %zu coroutines, %zu ready, %zu timers, %zu operations\n",
                 hub->tid, hub->loop->name, hub->living_count, hub->ready_count, hub->timers.count, hub->ops);
    error = mt__sys(SYS_write, fd, head, length);
    if (error < 0)
        return (int)error;
    print_one(fd, hub, &hub->root);
    for (const struct mt__coro *coro = hub->living; coro; coro = coro->next_living)
        print_one(fd, hub, coro);
    return 0;
}

static int is_alone(const struct mt__hub *hub)
{
    struct stat tasks;

    /* Each thread is a directory in it, beside itself and its parent. */
    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3 + mt__helpers_count(hub) + mt__monitor_threads();
}

void mt__hub_stuck(struct mt__hub *hub)
{
    struct mt__parked *parked = hub->root.parked;
    static const char text[] = "linuxmt: nothing can wake this hub: no timer, no operation, no other thread\n";

    if (!parked || hub->ending || hub->table.shared || !is_alone(hub))
        return;
    if (mt__sys(SYS_write, STDERR_FILENO, text, sizeof text - 1) >= 0)
        mt_hub_print(STDERR_FILENO);
    mt__parked_end(hub, parked, -EDEADLK);
}
