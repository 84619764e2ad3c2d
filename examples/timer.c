/* SPDX-License-Identifier: MIT
 *
 * Timers. One ticks every 100 ms while the program works; one is a watchdog, moved on each time that work has been
 * done, so that it only barks when there was none for too long; and one does slow work every 200 ms on a pool, where it
 * holds up nobody.
 */
#include <linuxmt.h>
#include <stdio.h>

static mt_deadline start;

static void say(const char *what)
{
    printf("%4d ms  %s\n", (int)((mt_now() - start) / MT_MS(1)), what);
}

static int tick(void *arg)
{
    say("tick");
    return 0;
}

static int bark(void *arg)
{
    say("the watchdog barks: no work for 150 ms");
    return 0;
}

static int save(void *arg)
{
    int err = mt_sleep(MT_MS(120)); /* a slow disk */

    if (!err)
        say("saved, on the pool");
    return err;
}

static int work(struct mt_timer *watchdog)
{
    for (int i = 1; i <= 5; i++) {
        int err = mt_sleep(MT_MS(60 * i)); /* slower each time */
        if (err || (err = mt_timer_restart(watchdog, mt_after(MT_MS(150)), 0)))
            return err;
        say("work done");
    }
    return mt_timer_cancel(watchdog);
}

int main(void)
{
    struct mt_pool_options options = {.name = "savers", .workers = 1};
    struct mt_pool *pool = mt_pool_open(&options);
    struct mt_timer *ticks, *watchdog, *saves;
    int err = 1;

    start = mt_now();
    ticks = mt_timer_start(tick, NULL, start + MT_MS(100), MT_MS(100));
    watchdog = mt_timer_start(bark, NULL, start + MT_MS(150), 0);
    saves = pool ? mt_pool_timer(pool, save, NULL, 0, start + MT_MS(200), MT_MS(200)) : NULL;
    if (ticks && watchdog && saves)
        err = work(watchdog);
    else
        perror("timer: cannot start");
    if (saves && mt_timer_cancel_wait(saves, MT_FOREVER)) /* before its pool goes */
        err = 1;
    if (ticks)
        printf("the clock ticked %d times\n", (int)mt_timer_runs(ticks));
    mt_timer_free(ticks);
    mt_timer_free(watchdog);
    mt_timer_free(saves);
    if (pool && (mt_pool_close(pool) || mt_pool_join(pool, MT_FOREVER)))
        err = 1;
    mt_pool_free(pool);
    return err != 0;
}
