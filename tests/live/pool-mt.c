/* SPDX-License-Identifier: MIT
 *
 * Pools by arrangement, with known numbers of tasks, failures and times: "pool-mt NAME". The pool is called "render"
 * and has two workers.
 */
#include <linuxmt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORK_MS  20
#define STUCK_MS 2500
#define MOST     32

static struct mt_pool *pool;
static struct mt_future *futures[MOST];
static size_t count;

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    fprintf(stderr, "pool-mt: %s failed\n", what);
    exit(1);
}

static int paint(void *unused)
{
    usleep(WORK_MS * 1000);
    return 0;
}

static int gate[2]; /* a pipe: a byte lets one through */

static int paint_first(void *unused)
{
    char byte;
    check(read(gate[0], &byte, 1) != 1, "read");
    return paint(unused);
}

static int burn(void *unused)
{
    return mt_fail(-EIO, "disk %d is on fire", 7);
}

static int be_killed(void *unused)
{
    return raise(SIGKILL);
}

static int hang(void *unused)
{
    usleep(STUCK_MS * 1000);
    return 0;
}

static void submit(int (*body)(void *), int times)
{
    while (times--) {
        check(count == MOST, "room for futures");
        futures[count] = mt_pool_apply_async(pool, body, NULL, 0, MT_FOREVER);
        check(!futures[count++], "mt_pool_apply_async");
    }
}

static void make(enum mt_kind kind)
{
    pool = mt_pool_open(&(struct mt_pool_options){.name = "render", .workers = 2, .kind = kind});
    check(!pool, "mt_pool_open");
}

static void finish(void)
{
    for (size_t i = 0; i < count; i++) {
        check(mt_future_wait(futures[i], MT_FOREVER), "mt_future_wait");
        (void)mt_future_outcome(futures[i]);
        mt_future_release(futures[i]);
    }
    mt_pool_free(pool);
}

/* 20 tasks of 20 ms for two workers, of which the first two do not get on before all others are there; 4 fail; one is
 * cancelled before its turn comes. */
static void run(enum mt_kind kind)
{
    check(pipe(gate), "pipe");
    make(kind);
    submit(paint_first, 2);
    submit(paint, 18);
    submit(burn, 4);
    if (kind == MT_PROCESS)
        submit(be_killed, 1);
    submit(paint, 1);
    check(mt_future_cancel(futures[count - 1]), "mt_future_cancel");
    check(write(gate[1], "go", 2) != 2, "write");
    finish();
}

/* Both workers are in a task all the time, three more wait. */
static void run_stuck(void)
{
    make(MT_THREAD);
    submit(hang, 2);
    submit(paint, 3);
    finish();
}

/* One task at a time, with pauses: nobody waits. */
static void run_easy(void)
{
    make(MT_THREAD);
    for (int i = 0; i < 5; i++) {
        submit(paint, 1);
        check(mt_future_wait(futures[count - 1], MT_FOREVER), "mt_future_wait");
        usleep(4 * WORK_MS * 1000);
    }
    finish();
}

int main(int argc, char **argv)
{
    const char *kind = argc == 2 ? argv[1] : "";
    alarm(60);
    if (!strcmp(kind, "threads"))
        run(MT_THREAD);
    else if (!strcmp(kind, "processes"))
        run(MT_PROCESS);
    else if (!strcmp(kind, "stuck"))
        run_stuck();
    else if (!strcmp(kind, "easy"))
        run_easy();
    else
        fprintf(stderr, "Usage: pool-mt threads|processes|stuck|easy\n");
    return pool ? 0 : 2;
}
