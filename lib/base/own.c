/* SPDX-License-Identifier: MIT
 *
 * A bit a number. Those below FEW are here; for higher ones there are leaves, which are made when the first is needed
 * and never freed, so that whoever looks needs no lock. Without memory for a leaf the descriptor is not noted, and no
 * better off than any other.
 *
 * Invariant: a bit is set after its descriptor has been opened and cleared before it is closed, so that the number of
 * a descriptor which the program gets is never noted.
 *
 * In the child of a fork nothing is noted: what belongs to threads that are not there is the child's to close, and what
 * goes on is opened, or taken, anew. So the child's handler here has to run before all others of the library, which
 * those of a constructor do.
 */
#include "base/own.h"
#include "base/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define BITS 64u
#define FEW  4096u
#define LEAF 65536u
#define HIGH 768 /* where nobody looks for anything, and no table of the kernel's grows by much */

static uint64_t few[FEW / BITS];
static uint64_t *leaves[INT_MAX / LEAF + 1]; /* by number; what is below FEW in the first is not used */
static unsigned end;                         /* none is noted from here on */
static int from;                             /* where they begin; 0: wherever they are */

/* Where the bit is, or NULL. */
static uint64_t *word_of(unsigned fd)
{
    uint64_t *leaf;

    if (fd < FEW)
        return &few[fd / BITS];
    leaf = fd <= INT_MAX ? __atomic_load_n(&leaves[fd / LEAF], __ATOMIC_ACQUIRE) : NULL;
    return leaf ? &leaf[fd % LEAF / BITS] : NULL;
}

static uint64_t *make_word(unsigned fd)
{
    uint64_t *word = word_of(fd), *none = NULL, *leaf;

    if (word || !(leaf = mt__alloc(LEAF / 8)))
        return word;
    if (!__atomic_compare_exchange_n(&leaves[fd / LEAF], &none, leaf, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        free(leaf);
    return word_of(fd);
}

static uint64_t bit_of(unsigned fd)
{
    return (uint64_t)1 << fd % BITS;
}

static void note(unsigned fd)
{
    uint64_t *word = make_word(fd);
    unsigned before = __atomic_load_n(&end, __ATOMIC_RELAXED);

    if (!word)
        return;
    while (before <= fd && !__atomic_compare_exchange_n(&end, &before, fd + 1, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    __atomic_fetch_or(word, bit_of(fd), __ATOMIC_RELEASE);
}

/* What has no room there stays where it is. */
static int raise_number(int fd)
{
    int low = __atomic_load_n(&from, __ATOMIC_RELAXED);
    long high = low > fd ? mt__sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, low) : -1;

    if (high < 0)
        return fd;
    mt__sys(SYS_close, fd);
    return (int)high;
}

int mt__own(long fd)
{
    if (fd < 0)
        return (int)fd;
    fd = raise_number((int)fd);
    note((unsigned)fd);
    return (int)fd;
}

void mt__own_as_it_is(int fd)
{
    if (fd >= 0)
        note((unsigned)fd);
}

void mt__own_forget(int fd)
{
    uint64_t *word = fd < 0 ? NULL : word_of((unsigned)fd);

    if (word)
        __atomic_fetch_and(word, ~bit_of((unsigned)fd), __ATOMIC_RELEASE);
}

/* ThreadSanitizer knows descriptors that libc's calls have made, and has to hear that their numbers are free again. */
void mt__own_close(int fd)
{
    mt__own_forget(fd);
#ifdef __SANITIZE_THREAD__
    close(fd);
#else
    mt__sys(SYS_close, fd);
#endif
}

int mt__own_has(int fd)
{
    const uint64_t *word = fd < 0 ? NULL : word_of((unsigned)fd);

    return word && __atomic_load_n(word, __ATOMIC_ACQUIRE) & bit_of((unsigned)fd);
}

int mt__own_next(unsigned fd)
{
    unsigned stop = __atomic_load_n(&end, __ATOMIC_ACQUIRE);

    while (fd < stop) {
        const uint64_t *word = word_of(fd);
        uint64_t rest = word ? __atomic_load_n(word, __ATOMIC_ACQUIRE) >> fd % BITS : 0;
        if (rest)
            return (int)(fd + (unsigned)__builtin_ctzll(rest));
        fd = word ? (fd / BITS + 1) * BITS : (fd / LEAF + 1) * LEAF;
    }
    return -1;
}

void mt__own_high(void)
{
    struct rlimit limit = {0, 0};
    int low = HIGH;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur / 4 * 3 < HIGH)
        low = (int)(limit.rlim_cur / 4 * 3);
    __atomic_store_n(&from, low, __ATOMIC_RELAXED);
}

static void forked(void)
{
    int fd = -1;

    while ((fd = mt__own_next((unsigned)fd + 1)) >= 0)
        mt__own_forget(fd);
}

__attribute__((constructor)) static void begin(void)
{
    pthread_atfork(NULL, NULL, forked);
}
