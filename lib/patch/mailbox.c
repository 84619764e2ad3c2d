/* SPDX-License-Identifier: MIT
 *
 * Mailboxes: what was sent to a coroutine, or to the root of a hub, and what came for the process while nobody ran.
 *
 * Everything here is done with all signals blocked, as it may be a handler that sends one; and what is kept is in
 * memory of its own, as malloc is not for handlers.
 */
#include "patch/pthreads.h"
#include "patch/signals.h"

#include <sys/mman.h>
#include <unistd.h>

#define CHUNK      4096
#define FIRST_REAL 32 /* from here on the kernel keeps several of one number */

struct mt__sent {
    struct mt__sent *next;
    siginfo_t info;
};

static struct mt__mini guard; /* of those that are free, */
static struct mt__sent *spare;

static struct mt__mini roots_guard; /* and of the roots */
static struct mt__mailbox *roots;

/* -- What is kept -------------------------------------------------------------------------------------------------- */

static struct mt__sent *more(void)
{
    struct mt__sent *chunk =
        (void *)mt__sys(SYS_mmap, NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if ((uintptr_t)chunk > -4096ul)
        return NULL;
    for (size_t i = 1; i < CHUNK / sizeof *chunk; i++) {
        chunk[i].next = spare;
        spare = &chunk[i];
    }
    return chunk;
}

static struct mt__sent *take_spare(void)
{
    struct mt__sent *sent;

    mt__mini_acquire(&guard);
    sent = spare;
    if (sent)
        spare = sent->next;
    else
        sent = more();
    mt__mini_release(&guard);
    return sent;
}

static void give_spare(struct mt__sent *sent)
{
    mt__mini_acquire(&guard);
    sent->next = spare;
    spare = sent;
    mt__mini_release(&guard);
}

static siginfo_t as_kill(int signal)
{
    return (siginfo_t){.si_signo = signal, .si_code = SI_TKILL, .si_pid = getpid(), .si_uid = getuid()};
}

/* 0 or -EAGAIN. */
int mt__mailbox_keep(struct mt__mailbox *mailbox, int signal, const siginfo_t *info)
{
    struct mt__sent *sent;

    if (signal < FIRST_REAL && mailbox->pending & mt__signal_bit(signal))
        return 0;
    sent = take_spare();
    if (!sent)
        return -EAGAIN;
    sent->info = info ? *info : as_kill(signal);
    sent->next = NULL;
    if (!mailbox->first)
        mailbox->last = &mailbox->first;
    *mailbox->last = sent;
    mailbox->last = &sent->next;
    __atomic_store_n(&mailbox->pending, mailbox->pending | mt__signal_bit(signal), __ATOMIC_RELEASE);
    return 0;
}

static void find_pending(struct mt__mailbox *mailbox)
{
    uint64_t pending = 0;

    for (const struct mt__sent *sent = mailbox->first; sent; sent = sent->next)
        pending |= mt__signal_bit(sent->info.si_signo);
    __atomic_store_n(&mailbox->pending, pending, __ATOMIC_RELEASE);
}

/* The first of the lowest number, as the kernel goes by. */
int mt__mailbox_take(struct mt__mailbox *mailbox, uint64_t signals, siginfo_t *info)
{
    uint64_t found = mailbox->pending & signals;
    struct mt__sent *sent, **link = &mailbox->first;

    if (!found)
        return 0;
    while (mt__signal_bit((*link)->info.si_signo) != (found & -found))
        link = &(*link)->next;
    sent = *link;
    *link = sent->next;
    if (!*link)
        mailbox->last = link;
    find_pending(mailbox);
    *info = sent->info;
    give_spare(sent);
    return info->si_signo;
}

/* -- Mailboxes ----------------------------------------------------------------------------------------------------- */

void mt__mailbox_open(struct mt__mailbox *mailbox, uint64_t blocked)
{
    mailbox->first_blocked = blocked;
}

void mt__mailbox_begin(struct mt__mailbox *mailbox, struct mt__coro *coro)
{
    mt__mini_acquire(&mailbox->guard);
    mailbox->coro = coro;
    mailbox->tid = (int)mt__hub->tid;
    mt__mini_release(&mailbox->guard);
}

/* What is left of it goes with its thread, as the kernel's does. */
void mt__mailbox_close(struct mt__mailbox *mailbox)
{
    siginfo_t info;

    mt__mini_acquire(&mailbox->guard);
    mailbox->coro = NULL;
    mailbox->is_closed = 1;
    while (mt__mailbox_take(mailbox, ~0ull, &info)) {
    }
    mt__mini_release(&mailbox->guard);
}

struct mt__mailbox *mt__mailbox_here(void)
{
    struct mt__pthread *thread = mt__pthread_if_known();
    struct mt__hub *hub = mt__hub;

    if (!hub)
        return NULL;
    return hub->current == &hub->root ? mt__root_mailbox() : thread ? &thread->mailbox : NULL;
}

/* Of a root there is one only while it has coroutines beside it; then it is the kernel's thread again, and so is what
 * was sent to it. */
void mt__root_opens(struct mt__mailbox *mailbox, struct mt__coro *root)
{
    uint64_t before = mt__signals_block();

    mt__mini_acquire(&roots_guard);
    mailbox->thread = mt__libc(pthread_self)();
    mailbox->tid = (int)root->hub->tid;
    mailbox->coro = root;
    mailbox->next = roots;
    roots = mailbox;
    mt__mini_release(&roots_guard);
    mt__signals_restore(before);
}

int mt__root_closes(struct mt__mailbox *mailbox, uint64_t only)
{
    uint64_t before = mt__signals_block();
    struct mt__mailbox **link = &roots;
    siginfo_t info;

    mt__mini_acquire(&roots_guard);
    if (mailbox->pending & ~only) {
        mt__mini_release(&roots_guard);
        mt__signals_restore(before);
        return 0;
    }
    while (*link && *link != mailbox)
        link = &(*link)->next;
    if (*link)
        *link = mailbox->next;
    mailbox->coro = NULL;
    mt__mini_release(&roots_guard);
    while (mt__mailbox_take(mailbox, ~0ull, &info))
        mt__signal_raise(&info);
    mt__signals_restore(before);
    return 1;
}

/* With signals blocked, and the guard of the roots, until mt__root_found. NULL: none. */
struct mt__mailbox *mt__root_find(pthread_t handle, long tid)
{
    struct mt__mailbox *root;

    mt__mini_acquire(&roots_guard);
    for (root = roots; root && (handle ? root->thread != handle : root->tid != tid); root = root->next) {
    }
    return root;
}

void mt__root_found(void)
{
    mt__mini_release(&roots_guard);
}

int mt__roots_any(void)
{
    return __atomic_load_n(&roots, __ATOMIC_ACQUIRE) != NULL;
}

void mt__mailboxes_forked(void)
{
    struct mt__mailbox *own = mt__mailbox_here();

    guard = roots_guard = (struct mt__mini){0};
    spare = NULL;
    roots = NULL;
    if (own) {
        own->guard = (struct mt__mini){0};
        own->first = NULL;
        own->pending = own->accepts = 0;
        own->tid = (int)mt__sys(SYS_gettid);
    }
}
