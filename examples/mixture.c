/* SPDX-License-Identifier: MIT
 *
 * A thread, a process and a coroutine put into one queue, and main gets: the same calls for all three, and one join.
 */
#include <linuxmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH 3

static int put(struct mt_queue *queue, const char *who)
{
    char text[64];

    for (int i = 0; i < EACH; i++) {
        int length = snprintf(text, sizeof text, "%s %d", who, i), result;
        result = mt_queue_put(queue, text, (size_t)length + 1, mt_after(MT_SEC(5)));
        if (result)
            return mt_fail(result, "the queue does not take \"%s\"", text);
        mt_sleep(MT_MS(1));
    }
    return 0;
}

static int in_thread(void *arg)
{
    return put(arg, "thread");
}

static int in_coroutine(void *arg)
{
    return put(arg, "coroutine");
}

/* Shares no memory with its parent: it is handed the queue's descriptor. */
static int in_process(void *arg)
{
    struct mt_queue *queue = mt_queue_attach(mt_process_fd(0));

    return queue ? put(queue, "process") : -1;
}

int main(void)
{
    struct mt_queue *queue = mt_queue_new(&(struct mt_queue_options){.capacity = 2, .message_max = 64});
    int fd = queue ? mt_queue_fd(queue) : -1, failed = 0;
    struct mt_process_options handed = {.fds = &fd, .fd_count = 1};
    struct mt_task *tasks[3];
    char text[64];

    if (!queue)
        return EXIT_FAILURE;
    tasks[0] = mt_process_spawn(in_process, NULL, 0, &handed);
    tasks[1] = mt_thread_spawn(in_thread, queue, NULL);
    tasks[2] = mt_coro_spawn(in_coroutine, queue, NULL);
    if (!tasks[0] || !tasks[1] || !tasks[2])
        return EXIT_FAILURE;
    for (int i = 0; i < 3 * EACH; i++) {
        if (mt_queue_get(queue, text, sizeof text, mt_after(MT_SEC(5))) < 0)
            return EXIT_FAILURE;
        puts(text);
    }
    if (mt_joinall(tasks, 3, mt_after(MT_SEC(5))))
        return EXIT_FAILURE;
    for (int i = 0; i < 3; i++) {
        failed += mt_task_outcome(tasks[i]) != 0;
        mt_task_release(tasks[i]);
    }
    mt_queue_free(queue);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
