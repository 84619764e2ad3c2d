/* SPDX-License-Identifier: MIT
 *
 * What is believed of descriptors: that calls on them may wait, and for as long as it takes.
 *
 * O_NONBLOCK and SO_RCVTIMEO belong to the open file, which other processes may have as well: children, and whoever was
 * sent it. They can change either at any moment, and nothing tells. (Nor does the ring answer for a socket: it waits in
 * spite of O_NONBLOCK, and knows no timeouts.) To ask before each wait takes two system calls, of the four that a
 * request and its answer take then. So a receive that begins to wait where the last one might have, believes that it
 * may, too, and asks when it has waited for a while (coro/terms.c). If it is wrong it is told so then: late, and
 * nothing else.
 *
 * What the program itself does about it is seen at once:
 *
 *   fcntl F_SETFL, ioctl FIONBIO,    all beliefs are dropped, by another version, when it is done:
 *   setsockopt of a timeout          they may be about any descriptor of that open file
 *
 *   close, dup2, fclose              drop that of the number which they give away
 *
 * Who asks takes the version first, and believes by that: what was changed meanwhile has made it the old one.
 *
 * A wait that has begun goes on whatever its descriptor is told, as one in the kernel does. So who asks late does not
 * if the program has changed or closed it meanwhile: the place in the table says so, unless that was under another
 * number, or another descriptor has the place by now. What libc or mt_close closes by themselves is as if others had.
 */
#include "patch/belief.h"
#include "patch/patch.h"

#include <stdarg.h>
#include <sys/ioctl.h>

#define SLOTS    4096
#define VERSIONS 0xffffff

/* What a place has that is no belief. */
#define OVER    0   /* as a version: given away, or changed, by this program */
#define REFUTED ~0u /* somebody has asked, and it was another process */

static uint32_t version = 1;     /* never 0, modulo VERSIONS + 1 */
static uint32_t believed[SLOTS]; /* by descriptor, modulo that: the version, and the rest of the number */

static uint32_t entry_of(int fd, uint32_t at)
{
    return at << 8 | ((unsigned)fd / SLOTS & 0xff);
}

uint32_t mt__beliefs_version(void)
{
    return __atomic_load_n(&version, __ATOMIC_ACQUIRE) & VERSIONS;
}

int mt__is_believed(int fd)
{
    uint32_t now = mt__beliefs_version();

    return now != OVER && now != VERSIONS &&
           __atomic_load_n(&believed[(unsigned)fd % SLOTS], __ATOMIC_RELAXED) == entry_of(fd, now);
}

static void put(int fd, uint32_t what)
{
    __atomic_store_n(&believed[(unsigned)fd % SLOTS], what, __ATOMIC_RELAXED);
}

void mt__believe(int fd, uint32_t since)
{
    put(fd, since == OVER ? REFUTED : entry_of(fd, since));
}

void mt__refute(int fd)
{
    put(fd, REFUTED);
}

void mt__belief_ends(int fd)
{
    put(fd, entry_of(fd, OVER));
}

int mt__belief_is_over(int fd)
{
    return __atomic_load_n(&believed[(unsigned)fd % SLOTS], __ATOMIC_RELAXED) == entry_of(fd, OVER);
}

void mt__beliefs_drop(int fd)
{
    mt__belief_ends(fd);
    __atomic_add_fetch(&version, 1, __ATOMIC_RELEASE);
}

/* What else it does is not known here. */
MT__PATCHED int ioctl(int fd, unsigned long request, ...)
{
    void *argument;
    va_list list;
    int result;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    result = mt__libc(ioctl)(fd, request, argument);
    if (request == FIONBIO)
        mt__beliefs_drop(fd);
    return result;
}
