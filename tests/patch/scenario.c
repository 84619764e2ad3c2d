/* SPDX-License-Identifier: MIT
 *
 * What runs scenarios, and keeps what they say.
 */
#include "scenario.h"

#include <stdarg.h>

static char output[1 << 16];
static size_t output_size;

void say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    output_size += (size_t)vsnprintf(output + output_size, sizeof output - output_size, format, list);
    va_end(list);
    if (output_size >= sizeof output)
        abort();
}

void told(const char *what, long result)
{
    if (result == -1)
        say("  %s: %s\n", what, strerrorname_np(errno));
    else
        say("  %s: %ld\n", what, result);
}

static const char *only;
static volatile int finished;
static volatile unsigned long turns;

static int run_all(void *arg)
{
    for (const struct scenario *scenario = scenarios; scenario->name; scenario++) {
        if (only && strcmp(only, scenario->name))
            continue;
        say("%s\n", scenario->name);
        scenario->run();
    }
    finished = 1;
    return 0;
}

static int take_turns(void *arg)
{
    while (!finished) {
        turns++;
        if (mt_sleep(MT_US(500)))
            break;
    }
    return 0;
}

/* pthread_join and what else may be patched by other classes is not this program's matter. */
#define CLASSES ((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK))

static int in_coroutine(void)
{
    const struct mt_coro_options options = {.name = "scenarios", .stack_size = 1 << 20};
    struct mt_task *tasks[2];
    int error = mt_patch(CLASSES);

    if (error) {
        fprintf(stderr, "mt_patch: %s\n", strerror(-error));
        return 1;
    }
    tasks[0] = mt_coro_spawn(run_all, NULL, &options);
    tasks[1] = mt_coro_spawn(take_turns, NULL, NULL);
    if (!tasks[0] || !tasks[1] || mt_joinall(tasks, 2, MT_FOREVER))
        return 1;
    mt_task_release(tasks[0]);
    mt_task_release(tasks[1]);
    return turns < 2;
}

int main(int argc, char **argv)
{
    int status = 0;

    only = argc > 2 ? argv[2] : NULL;
    if (argc > 1 && !strcmp(argv[1], "coro"))
        status = in_coroutine();
    else
        run_all(NULL);
    for (size_t at = 0; at < output_size;) {
        ssize_t written = write(STDOUT_FILENO, output + at, output_size - at);
        if (written <= 0)
            return 1;
        at += (size_t)written;
    }
    return status;
}
