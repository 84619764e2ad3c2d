/* SPDX-License-Identifier: MIT
 *
 * Two threads that take two locks in opposite order. Without help both would wait for ever; liblinuxmt prints the
 * circle, and the call that closed it returns -EDEADLK, so that one of the two can step back and both can end.
 */
#include <linuxmt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct mt_lock fork_ = MT_LOCK_INIT_NAMED("fork"), knife = MT_LOCK_INIT_NAMED("knife");

struct eater {
    const char *name;
    struct mt_lock *first, *second;
    struct mt_event has_first;
    struct eater *other;
    int stepped_back;
};

/* Holds first and wants second. Whoever is told of the circle gives up first, lets the other eat, and starts again. */
static int take_both(struct eater *me)
{
    int err;

    while ((err = mt_lock_acquire(me->second, MT_FOREVER)) == -EDEADLK) {
        printf("%s: %s, so I step back\n", me->name, strerror(-err));
        me->stepped_back++;
        mt_lock_release(me->first);
        if ((err = mt_sleep(MT_MS(10))) < 0 || (err = mt_lock_acquire(me->first, MT_FOREVER)) < 0)
            return err;
    }
    if (err)
        mt_lock_release(me->first);
    return err;
}

static int eat(void *arg)
{
    struct eater *me = arg;
    int err = mt_lock_acquire(me->first, MT_FOREVER);

    if (err)
        return err;
    mt_event_set(&me->has_first);
    if ((err = mt_event_wait(&me->other->has_first, MT_FOREVER)) < 0) {
        mt_lock_release(me->first);
        return err;
    }
    if ((err = take_both(me)) < 0)
        return mt_fail(err, "%s stays hungry", me->name);
    printf("%s: eats\n", me->name);
    mt_lock_release(me->second);
    return mt_lock_release(me->first);
}

int main(void)
{
    static struct eater plato = {"plato", &fork_, &knife, MT_EVENT_INIT_NAMED("plato has one"), NULL, 0};
    static struct eater kant = {"kant", &knife, &fork_, MT_EVENT_INIT_NAMED("kant has one"), NULL, 0};
    struct mt_thread_options as_plato = {.name = "plato"}, as_kant = {.name = "kant"};

    plato.other = &kant;
    kant.other = &plato;
    struct mt_task *tasks[] = {mt_thread_spawn(eat, &plato, &as_plato), mt_thread_spawn(eat, &kant, &as_kant)};

    if (!tasks[0] || !tasks[1] || mt_joinall(tasks, 2, mt_after(MT_SEC(10))) < 0)
        return 1;
    return !plato.stepped_back && !kant.stepped_back;
}
