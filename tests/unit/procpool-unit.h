/* SPDX-License-Identifier: MIT
 *
 * What the tests of pools of processes share.
 */
#ifndef TESTS_PROCPOOL_UNIT_H
#define TESTS_PROCPOOL_UNIT_H

#include "unit.h"

#include <sys/mman.h>

#define SOON in_time()

static inline struct mt_pool *open_pool(struct mt_pool_options options)
{
    struct mt_pool *pool;

    options.kind = MT_PROCESS;
    if (!options.workers)
        options.workers = 2;
    pool = mt_pool_open(&options);
    assert_non_null(pool);
    return pool;
}

static inline void end(struct mt_pool *pool)
{
    assert_int_equal(mt_pool_close(pool), 0);
    assert_int_equal(mt_pool_join(pool, SOON), 0);
    mt_pool_free(pool);
}

static inline int square(void *arg)
{
    long number = *(long *)arg, result = number * number;

    if (mt_pool_reply(&result, sizeof result))
        return -EIO;
    return number < 0 ? mt_fail(-EDOM, "%ld is below zero", number) : 0;
}

/* Memory that the processes of a test share with it, filled with 0: made before their pool. */
static inline void *shared_memory(size_t size)
{
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(map != MAP_FAILED);
    return map;
}

/* With AddressSanitizer its allocator's locks are not fork's to mend: a child of a thread can find one held for ever.
 */
#if defined(__SANITIZE_ADDRESS__)
#define RUN_FORKS(tests) \
    ((void)tests, puts("1..0 # SKIP AddressSanitizer does not survive a fork beside other threads"), 0)
#else
#define RUN_FORKS(tests) RUN(tests)
#endif

#endif
