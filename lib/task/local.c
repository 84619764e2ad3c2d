/* SPDX-License-Identifier: MIT
 *
 * Task-local values: each local has a number, each task a table by number, which grows when a value is set. Numbers are
 * given out at the first mt_local_set and kept for the life of the process.
 *
 * At a task's end its values are destroyed, highest number first, in rounds, as a destructor may set others: ROUNDS at
 * the most, as for pthread's keys.
 */
#include "base/task.h"

#include <errno.h>
#include <linuxmt/local.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 4

struct table {
    uint32_t size;
    void *values[];
};

static uint32_t numbers;
static const struct mt_local *locals[MT_LOCAL_MAX + 1]; /* by number, from 1 */

static uint32_t number_of(struct mt_local *local)
{
    uint32_t number;

    mt__tasks_acquire();
    number = local->number;
    if (!number && numbers < MT_LOCAL_MAX) {
        number = ++numbers;
        locals[number] = local;
        __atomic_store_n(&local->number, number, __ATOMIC_RELEASE);
    }
    mt__tasks_release();
    return number;
}

static void destroy_values(struct mt_task *task)
{
    struct table *table;
    int again = 1;

    for (int round = 0; again && round < ROUNDS; round++) {
        again = 0;
        table = task->locals;
        for (uint32_t number = table->size; number-- > 1;) {
            void *value = table->values[number];
            table->values[number] = NULL;
            if (value && locals[number]->destroy) {
                again = 1;
                locals[number]->destroy(value);
                table = task->locals; /* it may have grown */
            }
        }
    }
    free(task->locals);
    task->locals = NULL;
}

static struct table *grow(struct mt_task *task, uint32_t number)
{
    struct table *old = task->locals, *table;
    uint32_t size = number < 7 ? 8 : 2 * number;

    table = mt__alloc(sizeof *table + size * sizeof *table->values);
    if (!table)
        return NULL;
    table->size = size;
    if (old)
        memcpy(table->values, old->values, old->size * sizeof *old->values);
    free(old);
    task->locals = table;
    task->locals_end = destroy_values;
    return table;
}

void *mt_local_get(const struct mt_local *local)
{
    struct mt_task *task = mt__self_if_known();
    struct table *table = task ? task->locals : NULL;
    uint32_t number = __atomic_load_n(&local->number, __ATOMIC_ACQUIRE);

    return number && table && number < table->size ? table->values[number] : NULL;
}

int mt_local_set(struct mt_local *local, void *value)
{
    uint32_t number = __atomic_load_n(&local->number, __ATOMIC_ACQUIRE);
    struct mt_task *task = mt__self();
    struct table *table;

    if (!task)
        return -ENOMEM;
    if (!number)
        number = number_of(local);
    if (!number)
        return -EAGAIN;
    table = task->locals;
    if (!table || number >= table->size) {
        if (!value)
            return 0;
        table = grow(task, number);
        if (!table)
            return -ENOMEM;
    }
    table->values[number] = value;
    return 0;
}
