/* SPDX-License-Identifier: MIT
 *
 * Two threads that take turns at one lock: the smallest whole program.
 */
#include <linuxmt.h>
#include <stdio.h>

static struct mt_lock lock = MT_LOCK_INIT_NAMED("greetings");
static int greetings;

static int greet(void *name)
{
    int err = mt_lock_acquire(&lock, MT_FOREVER);
    if (err)
        return mt_fail(err, "%s did not get the lock", (char *)name);
    printf("%d: hello from %s\n", ++greetings, (char *)name);
    return mt_lock_release(&lock);
}

int main(void)
{
    struct mt_task *tasks[] = {mt_thread_spawn(greet, "one", NULL), mt_thread_spawn(greet, "two", NULL)};

    if (!tasks[0] || !tasks[1] || mt_joinall(tasks, 2, MT_FOREVER) < 0)
        return 1;
    return mt_task_outcome(tasks[0]) || mt_task_outcome(tasks[1]);
}
