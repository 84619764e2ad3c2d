/* SPDX-License-Identifier: MIT
 *
 * A small bank with a fault in it, for mtrace to find: run "mtrace -- examples/bank". It ends by itself after two
 * seconds.
 *
 * What is arranged: four tellers move money under the lock "ledger", some microseconds at a time. Every 100 ms the
 * auditor takes the same lock and keeps it for 40 ms while it writes its report: about four tenths of the time nobody
 * else can work. The vault's door lets two in at a time; the mailer sleeps most of the time, which harms nobody; the
 * interest clerk computes and needs no lock.
 */
#include <linuxmt.h>
#include <errno.h>
#include <stdio.h>

enum { TELLERS = 4, ACCOUNTS = 64, TASKS = TELLERS + 3 };

static struct mt_lock ledger = MT_LOCK_INIT_NAMED("ledger");
static struct mt_sem vault = MT_SEM_INIT_NAMED(2, "vault door");
static struct mt_event closing = MT_EVENT_INIT_NAMED("closing time");
static long accounts[ACCOUNTS]; /* guarded by ledger */
static long transfers;          /* guarded by ledger */

static int open_for_business(void)
{
    return !mt_event_is_set(&closing);
}

static void move_money(unsigned *seed)
{
    for (int i = 0; i < 200; i++) {
        *seed = *seed * 1103515245u + 12345u;
        accounts[*seed % ACCOUNTS]--;
        accounts[*seed / ACCOUNTS % ACCOUNTS]++;
    }
    transfers++;
}

static int teller(void *arg)
{
    unsigned seed = 1 + (unsigned)(uintptr_t)arg;
    int err = 0;

    while (!err && open_for_business()) {
        if ((err = mt_lock_acquire(&ledger, MT_FOREVER)) == 0) {
            move_money(&seed);
            err = mt_lock_release(&ledger);
        }
        if (!err && (err = mt_sem_acquire(&vault, MT_FOREVER)) == 0) {
            err = mt_sleep(MT_US(500)); /* fetches the cash */
            mt_sem_release(&vault, 1);
        }
    }
    return err;
}

/* The fault: the ledger stays locked while the report is written. */
static int auditor(void *unused)
{
    int err = 0;

    while (!err && open_for_business()) {
        if ((err = mt_lock_acquire(&ledger, MT_FOREVER)) == 0) {
            err = mt_sleep(MT_MS(40)); /* writes its report */
            mt_lock_release(&ledger);
        }
        if (!err)
            err = mt_sleep(MT_MS(60));
    }
    return err;
}

static int mailer(void *unused)
{
    int err;

    while ((err = mt_event_wait(&closing, mt_after(MT_MS(500)))) == -ETIMEDOUT)
        ; /* half a second without an end: the post goes out */
    return err;
}

static int interest_clerk(void *unused)
{
    volatile double sum = 1;

    while (open_for_business())
        for (int i = 0; i < 10000; i++)
            sum = sum * 1.0000001;
    return 0;
}

static struct mt_task *start(mt_fn *body, uintptr_t number, const char *name)
{
    struct mt_thread_options options = {.name = name};
    struct mt_task *task = mt_thread_spawn(body, (void *)number, &options);

    if (!task)
        perror(name);
    return task;
}

int main(void)
{
    static const char *const names[TELLERS] = {"teller-1", "teller-2", "teller-3", "teller-4"};
    struct mt_task *tasks[TASKS];
    int started = 0, err = 0;

    for (uintptr_t i = 0; i < TELLERS; i++)
        tasks[started++] = start(teller, i, names[i]);
    tasks[started++] = start(auditor, 0, "auditor");
    tasks[started++] = start(mailer, 0, "mailer");
    tasks[started++] = start(interest_clerk, 0, "interest");
    for (int i = 0; i < TASKS; i++)
        if (!tasks[i])
            return 1;

    err = mt_sleep(MT_SEC(2));
    mt_event_set(&closing);
    if (!err)
        err = mt_joinall(tasks, TASKS, mt_after(MT_SEC(5)));
    for (int i = 0; i < TASKS; i++) {
        if (mt_task_outcome(tasks[i]))
            fprintf(stderr, "bank: %s failed: %s\n", mt_task_name(tasks[i]), mt_task_message(tasks[i]));
        mt_task_release(tasks[i]);
    }
    printf("bank: %ld transfers\n", transfers);
    return err ? 1 : 0;
}
