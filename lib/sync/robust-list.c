/* SPDX-License-Identifier: MIT
 *
 * Our robust locks on libc's robust list. glibc's list is doubly linked, for its own use, and each pointer in it points
 * to the `next` of an entry, before which lies its `previous`; the kernel only follows `next`, and finds the word of a
 * lock futex_offset bytes from there, the same for all entries. glibc's offset is -32 (its pthread_mutex_t has the word
 * at 0 and `next` at 32); so our locks have theirs there too, and both kinds of entries can stand in any order, each
 * library unlinking its own from between the other's.
 *
 *   head.list -> next -> next -> ... -> head       bit 0 of a pointer: the entry that it leads to is of FUTEX_LOCK_PI
 *
 * 1. A thread can die between any two instructions, and the kernel then walks the list: so `next` of an entry is right
 * before the head leads to it, and unlinking is one store. The compiler must not change that order, hence keep_order.
 * 2. Between taking the word and being on the list, and between leaving the list and giving up the word, the lock is
 * list_op_pending: the kernel looks at it as well, and does nothing if the word does not name the dead thread.
 * 3. A word that is free while its lock is pending means that the dead thread may have owed, or used up, a wake: the
 * kernel wakes one more.
 *
 * One hole is the kernel's own: a thread that is killed after it has given up the word, before it clears
 * list_op_pending, while another thread frees that memory and puts into it a value which looks like the dead thread's
 * lock, gets a bit set there.
 *
 * A thread without a list (libc registers one only when it needs it) gets one here. A libc with another offset (musl:
 * -28) cannot share its list; then there are no robust locks: -ENOTSUP. A fork's child has a new, empty list at the
 * same place, or none, so each thread is looked at again when its id has changed.
 */
#include "sync/robust-list.h"
#include "base/sys.h"
#include "base/task.h"

#include <errno.h>
#include <linux/futex.h>

static __thread struct robust_list_head *head __attribute__((tls_model("initial-exec")));
static __thread uint32_t head_of __attribute__((tls_model("initial-exec"))); /* the thread id that it was found for */
static __thread struct {
    void *previous;
    struct robust_list_head head;
} own __attribute__((tls_model("initial-exec")));

#define keep_order() __asm__ volatile("" : : : "memory")

/* What the kernel reads is not for TSan to judge: a dead thread's last stores have no release after them. */
#define UNWATCHED __attribute__((no_sanitize("thread")))

static int find_head(void)
{
    struct robust_list_head *found = NULL;
    size_t size = 0;

    if (mt__sys(SYS_get_robust_list, 0, &found, &size) != 0)
        return -ENOTSUP;
    if (!found) {
        own.head.list.next = &own.head.list;
        own.head.futex_offset = MT__ROBUST_OFFSET;
        own.head.list_op_pending = NULL;
        own.previous = &own.head;
        if (mt__sys(SYS_set_robust_list, &own.head, sizeof own.head) != 0)
            return -ENOTSUP;
        found = &own.head;
    }
    if (found->futex_offset != MT__ROBUST_OFFSET)
        return -ENOTSUP;
    head = found;
    head_of = mt__here.thread;
    return 0;
}

int mt__robust_ready(void)
{
    return head_of == mt__here.thread ? 0 : find_head();
}

static struct robust_list *entry_of(void *pointer)
{
    return (struct robust_list *)((uintptr_t)pointer & ~(uintptr_t)MT__ROBUST_PI);
}

static void **previous_of(void *pointer)
{
    return (void **)entry_of(pointer) - 1;
}

static void *tagged(struct mt__robust_links *links, unsigned pi)
{
    return (void *)((uintptr_t)&links->next | pi);
}

void mt__robust_begin(struct mt__robust_links *links, unsigned pi)
{
    head->list_op_pending = tagged(links, pi);
    keep_order();
}

void mt__robust_end(void)
{
    keep_order();
    head->list_op_pending = NULL;
}

UNWATCHED void mt__robust_link(struct mt__robust_links *links, unsigned pi)
{
    void *first = head->list.next;

    links->next = first;
    links->previous = &head->list;
    *previous_of(first) = &links->next;
    keep_order();
    head->list.next = tagged(links, pi);
    keep_order();
}

UNWATCHED void mt__robust_unlink(struct mt__robust_links *links)
{
    *previous_of(links->next) = links->previous;
    keep_order();
    entry_of(links->previous)->next = links->next;
    keep_order();
    links->next = links->previous = NULL;
}
