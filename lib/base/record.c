/* SPDX-License-Identifier: MIT
 *
 * The table of task records. Invariant: records[0 .. used) have been in use; those of them that are free have kind 0
 * and hang, by their `id`, on a list of free ones that only the registry's lock guards, or are kept by a spare task.
 */
#include "base/record.h"
#include "base/own.h"
#include "base/sys.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CAPACITY   65536u
#define HEAD_SIZE  256u /* so that head and first records are on one page: a fork's child fills in a new one */
#define KEPT       8u   /* records of a snapshot for which no memory is asked for */
#define TABLE_SIZE (HEAD_SIZE + (size_t)CAPACITY * sizeof(struct mt__record))

static struct mt__records *table;
static uint32_t first_free; /* index + 1; 0: none */
static int table_fd = -1;

static int failed(long map)
{
    return map < 0 && map > -4096;
}

struct mt__records *mt__records_table(void)
{
    return __atomic_load_n(&table, __ATOMIC_ACQUIRE);
}

struct mt__record *mt__record_at(uint32_t index)
{
    return (struct mt__record *)((char *)table + HEAD_SIZE) + index;
}

/* Maps a fresh table, in a memfd if there is one to be had: without it tasks work the same and are only not seen from
 * outside. In the place of `old`, if there is one: that may be gone when it fails. */
static void *map_table(void *old, int *fd_out)
{
    static char name[] = MT__RECORDS_NAME; /* on a page that a fork's child has anyway */
    long fd = mt__own(mt__sys(SYS_memfd_create, name, MFD_CLOEXEC));
    int fixed = old ? MAP_FIXED : 0;
    long map = -1;

    if (fd >= 0 && mt__sys(SYS_ftruncate, fd, TABLE_SIZE) == 0)
        map = mt__sys(SYS_mmap, old, TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | fixed, fd, 0);
    if (failed(map) && fd >= 0) {
        mt__own_close((int)fd);
        fd = -1;
    }
    if (failed(map))
        map = mt__sys(SYS_mmap, old, TABLE_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
    *fd_out = (int)fd; /* kept open: another process finds the table by it */
    return failed(map) ? NULL : (void *)map;
}

static void fill_head(struct mt__records *head, uint32_t pid)
{
    head->version = MT__RECORDS_VERSION;
    head->head_size = HEAD_SIZE;
    head->record_size = sizeof(struct mt__record);
    head->capacity = CAPACITY;
    head->pid = pid;
    strncpy(head->release, MT__RELEASE, sizeof head->release - 1);
    __atomic_store_n(&head->magic, MT__RECORDS_MAGIC, __ATOMIC_RELEASE);
}

static struct mt__record *take(void)
{
    struct mt__record *record;

    if (first_free) {
        record = mt__record_at(first_free - 1);
        first_free = (uint32_t)record->id;
    } else if (table->used < CAPACITY) {
        record = mt__record_at(table->used);
        __atomic_store_n(&table->used, table->used + 1, __ATOMIC_RELEASE);
    } else {
        table->hidden++;
        return NULL;
    }
    return record;
}

struct mt__record *mt__record_new(void)
{
    struct mt__record *record;

    if (!table) {
        struct mt__records *fresh = map_table(NULL, &table_fd);
        if (!fresh)
            return NULL;
        fill_head(fresh, (uint32_t)mt__sys(SYS_getpid));
        __atomic_store_n(&table, fresh, __ATOMIC_RELEASE);
    }
    record = take();
    if (!record)
        return mt__alloc(sizeof *record);
    mt__record_begin(record);
    memset((char *)record + sizeof record->sequence, 0, sizeof *record - sizeof record->sequence);
    return record; /* the sequence stays odd until the task has filled it in */
}

static int in_table(const struct mt__record *record)
{
    return record >= mt__record_at(0) && record < mt__record_at(CAPACITY);
}

void mt__record_rest(struct mt__record *record)
{
    mt__record_begin(record);
    record->kind = 0;
    mt__record_tid(record, 0);
    __atomic_store_n(&record->id, 0, __ATOMIC_RELAXED);
    mt__record_end(record);
}

void mt__record_free(struct mt__record *record)
{
    if (!in_table(record)) {
        free(record);
        return;
    }
    mt__record_begin(record);
    record->kind = 0;
    record->id = first_free;
    mt__record_end(record);
    first_free = (uint32_t)(record - mt__record_at(0)) + 1;
}

/* -- fork --------------------------------------------------------------------------------------------------------- */

/* The child's table is what the parent's was at the fork. Until the child has one of its own it shares the parent's,
 * who goes on with it: so the copy is made before the fork, with the registry's lock held. Records that their tasks
 * change meanwhile are copied as they come, and not for TSan to judge.
 *
 * What a fork costs are the pages that are touched after it, on both sides: each is a fault, most are a copy. So a
 * snapshot of a few records is kept beside the variables here, and the child neither looks into the parent's table nor
 * frees anything. */
static struct mt__record kept[KEPT];
static struct mt__record *snapshot;
static uint32_t snapshot_used;
static uint64_t snapshot_hidden;

__attribute__((no_sanitize("thread"))) static void copy_records(struct mt__record *to, const struct mt__record *from,
                                                                uint32_t count)
{
    for (size_t i = 0; i < count * (sizeof *to / sizeof(uint64_t)); i++)
        ((volatile uint64_t *)to)[i] = ((const volatile uint64_t *)from)[i];
}

void mt__records_before_fork(void)
{
    if (!table)
        return;
    snapshot_used = table->used;
    snapshot_hidden = table->hidden;
    snapshot = snapshot_used <= KEPT ? kept : mt__alloc(snapshot_used * sizeof *snapshot);
    if (snapshot)
        copy_records(snapshot, mt__record_at(0), snapshot_used);
}

void mt__records_forked(void)
{
    if (snapshot != kept)
        free(snapshot);
    snapshot = NULL;
}

void mt__records_after_fork(uint32_t pid)
{
    int parents_fd = table_fd, fd = -1;

    if (!table)
        return;
    /* No memory, or no room for a table of its own: a private view of the parent's, which is not seen from outside. */
    if ((!snapshot || !map_table(table, &fd)) && parents_fd >= 0)
        mt__sys(SYS_mmap, table, TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, parents_fd, 0);
    if (snapshot) { /* else it has to do as it is now */
        table->hidden = snapshot_hidden;
        copy_records(mt__record_at(0), snapshot, snapshot_used);
        table->used = snapshot_used;
    }
    if (parents_fd >= 0)
        mt__own_close(parents_fd);
    table_fd = fd;
    fill_head(table, pid);
    mt__records_forked();
}

/* -- For others --------------------------------------------------------------------------------------------------- */

/* The copy races with the writer by design and is thrown away if it did: word by word, and not for TSan to judge. */
__attribute__((no_sanitize("thread"))) static void copy_words(const struct mt__record *record, struct mt__record *copy)
{
    const volatile uint64_t *from = (const volatile uint64_t *)record;
    uint64_t *to = (uint64_t *)copy;

    for (size_t i = 0; i < sizeof *copy / sizeof *to; i++)
        to[i] = from[i];
}

/* Whoever changes it may have lost its processor in the middle of that: it is waited for, but not for ever, as it may
 * be gone. */
void mt__record_copy(const struct mt__record *record, struct mt__record *copy)
{
    static const struct timespec moment = {0, 50000};

    for (int attempt = 0; attempt < 2000; attempt++) {
        uint32_t before = __atomic_load_n(&record->sequence, __ATOMIC_ACQUIRE);
        if (!(before & 1)) {
            copy_words(record, copy);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(&record->sequence, __ATOMIC_RELAXED) == before)
                return;
        }
        if (attempt < 1000)
            mt__arch_pause();
        else
            mt__sys(SYS_nanosleep, &moment, NULL);
    }
    memset(copy, 0, sizeof *copy);
}
