/* SPDX-License-Identifier: MIT
 *
 * Arms: the kernel, or a helper, has been asked to tell when a word is woken. An arm outlives the wait that it was made
 * for, as the kernel does not give it back at once. Where it is:
 *
 *   state       waiter   list                  how it comes there
 *   free        -        hub->free_arms        its completion
 *   live        link     none                  made when the hub is about to sleep (park.c), or adopted: who
 *                                              begins to wait for the word of an idle or roused one takes it over (3)
 *   idle        NULL     bucket, hub->left     its waiter was woken here, was killed, or is late
 *   roused      NULL     bucket, hub->roused   the next turn has sent a wake to its word
 *   cancelled   NULL     none                  the kernel has been asked to take it back; or, a helper's: its
 *                                              letter is on the way
 *
 * 1. Of an arm that nobody stands behind a completion that says "woken" means that a wake was spent on somebody who had
 * left. It is passed on. Whether it was a wake of our own cannot be told and need not be: one too many makes somebody
 * look once more.
 *
 * 2. Why a wake and no cancel: the kernel finds what is to be cancelled by looking through all the waits for words of
 * the ring, and a word's waiters by a hash. (10,000 armed waiters that end in no order took 25 us of the processor's
 * time each.) Only with few arms it is a cancel, which meets nobody else. The wake may meet another waiter of the word
 * than the arm, which then still is roused when the loop has told all that it had to tell: then it is cancelled. So
 * that other hubs' arms are not met for nothing, the wake has a bit of futex(2)'s set that only some of them have;
 * threads have all.
 *
 * 3. Adoption is right as the arm is in the kernel's queue, or a completion of it is still to come, when the word is
 * compared by the new waiter: a later wake that meets the arm is told to him. It saves the kernel two calls for one who
 * waits again. A shared word is not adopted for: the kernel knows it by its file, and another may have been mapped at
 * the address meanwhile.
 *
 * A helper looks at the word itself, whose memory need not be there when its waiter has gone on. So its arms are never
 * idle, but taken off its list at once, which is no system call. (helper.c)
 *
 * An idle arm is harmless while the hub turns, as what it is told is passed on by the next turn. Before the thread
 * itself goes on, which may not come back to the hub for long, before a segment is unmapped, where nothing can be
 * passed on any more, and before a hub ends, there are turns until none is left.
 *
 * tests/model/park.pml checks that no wake is lost.
 */
#include "base/sys.h"
#include "coro/hub.h"
#include "coro/tell.h"

#include <linux/futex.h>
#include <stdlib.h>

#define CHUNK 64 /* made at a time */
#define FEW   64 /* to look through */

/* -- Their memory ------------------------------------------------------------------------------------------------- */

static struct mt__arm *arm_new(struct mt__hub *hub)
{
    struct mt__arm *arm = hub->free_arms;

    if (!arm) {
        struct mt__arm *chunk = mt__alloc(CHUNK * sizeof *chunk);
        if (!chunk)
            return NULL;
        chunk[0].next = hub->chunks; /* the first of a chunk only holds the chunks together */
        hub->chunks = chunk;
        for (int i = 1; i < CHUNK; i++) {
            chunk[i].next = hub->free_arms;
            hub->free_arms = &chunk[i];
        }
        arm = hub->free_arms;
    }
    hub->free_arms = arm->next;
    return arm;
}

static void arm_free(struct mt__hub *hub, struct mt__arm *arm)
{
    hub->armed--;
    arm->word = NULL;
    arm->next = hub->free_arms;
    hub->free_arms = arm;
}

/* In a fork's child nothing is under way. */
void mt__arms_forget(struct mt__hub *hub)
{
    hub->free_arms = hub->left = hub->roused = NULL;
    hub->stale = 0;
    for (struct mt__arm *chunk = hub->chunks; chunk; chunk = chunk->next)
        for (int i = 1; i < CHUNK; i++)
            arm_free(hub, &chunk[i]);
    hub->armed = 0;
}

/* -- The lists of those without a waiter -------------------------------------------------------------------------- */

#define PUT(list, arm, by)                              \
    ((arm)->by.next = *(list), (arm)->by.link = (list), \
     (arm)->by.next ? (void)((arm)->by.next->by.link = &(arm)->by.next) : (void)0, *(list) = (arm))

#define TAKE(arm, by)                                                                                               \
    ((arm)->by.next ? (void)((arm)->by.next->by.link = (arm)->by.link) : (void)0, *(arm)->by.link = (arm)->by.next, \
     (arm)->by.link = NULL)

static void list(struct mt__table *table, struct mt__arm *arm)
{
    struct mt__arm **idle = &mt__bucket_of(table, arm->word)->idle;

    PUT(idle, arm, by_word);
}

static void unlist(struct mt__arm *arm)
{
    if (!arm->by_word.link)
        return;
    TAKE(arm, by_word);
    TAKE(arm, by_state);
}

void mt__arms_move(struct mt__table *from, struct mt__table *to)
{
    struct mt__arm *arm;

    for (size_t i = 0; i < from->size; i++)
        while ((arm = from->buckets[i].idle)) {
            TAKE(arm, by_word);
            list(to, arm);
        }
}

/* -- From free to live, and back ---------------------------------------------------------------------------------- */

/* Not by mt__wake, which would find those who wait in this hub first, and leave their arms idle: so each arm that is
 * roused would make another. They have arms, which the kernel finds; or, being new, they look at the word when they are
 * armed. */
static void pass_on(const struct mt__arm *arm)
{
    mt__sys(SYS_futex, arm->word, FUTEX_WAKE | (arm->flags & MT__WAIT_SHARED ? 0 : FUTEX_PRIVATE_FLAG), 1);
}

static void complete(struct mt__hub *hub, struct mt__op *op, int result)
{
    struct mt__arm *arm = (struct mt__arm *)op;
    struct mt__link *link = arm->link;

    if (link) {
        link->arm = NULL;
        if (result == 0 && arm->flags & MT__WAIT_SHARED)
            link->parked->coro->owed = arm->word;
        mt__parked_end(hub, link->parked, 0);
    } else {
        hub->stale--;
        unlist(arm);
        if (result == 0) {
            mt__tell_passed(hub, arm->word);
            pass_on(arm);
        }
    }
    arm_free(hub, arm);
}

static int is_for(struct mt__hub *hub, const struct mt__arm *arm, const struct mt__link *link)
{
    return arm->word == link->word && !((arm->flags | link->flags) & MT__WAIT_SHARED) && hub->loop->is_sent(hub, arm);
}

int mt__arm_adopt(struct mt__hub *hub, struct mt__link *link)
{
    struct mt__arm *arm = hub->stale ? mt__bucket_of(&hub->table, link->word)->idle : NULL;

    while (arm && !is_for(hub, arm, link))
        arm = arm->by_word.next;
    if (!arm)
        return 0;
    unlist(arm);
    hub->stale--;
    arm->link = link;
    link->arm = arm;
    return 1;
}

int mt__arm(struct mt__hub *hub, struct mt__link *link)
{
    struct mt__arm *arm;
    int error;

    if (mt__arm_adopt(hub, link))
        return 0;
    arm = arm_new(hub);
    if (!arm)
        return -ENOMEM;
    *arm = (struct mt__arm){
        .op.complete = complete, .link = link, .word = link->word, .expected = link->expected, .flags = link->flags};
    mt__futex_hash_for(++hub->armed);
    error = hub->futex_by_loop ? hub->loop->futex(hub, arm) : mt__helper_futex(hub, arm);
    if (error) {
        arm_free(hub, arm);
        return error;
    }
    link->arm = arm;
    return 0;
}

/* -- Left, and taken back ----------------------------------------------------------------------------------------- */

static void leave(struct mt__hub *hub, struct mt__arm *arm)
{
    arm->link->arm = NULL;
    arm->link = NULL;
    hub->stale++;
    if (!hub->futex_by_loop) {
        if (!mt__helper_cancel(hub, arm))
            return;
        hub->stale--;
        arm_free(hub, arm);
        return;
    }
    list(&hub->table, arm);
    PUT(&hub->left, arm, by_state);
}

void mt__arm_leave(struct mt__hub *hub, struct mt__link *link)
{
    leave(hub, link->arm);
}

static void cancel(struct mt__hub *hub, struct mt__arm *arm)
{
    unlist(arm);
    hub->loop->futex_cancel(hub, arm);
}

void mt__arms_take_back(struct mt__hub *hub)
{
    struct mt__arm *arm;

    while ((arm = hub->left)) {
        if (hub->armed <= FEW) {
            cancel(hub, arm);
            continue;
        }
        if (!hub->loop->futex_rouse(hub, arm))
            return; /* the next turn goes on */
        TAKE(arm, by_state);
        PUT(&hub->roused, arm, by_state);
    }
}

void mt__arms_cancel_missed(struct mt__hub *hub)
{
    if (hub->roused && hub->loop->is_quiet(hub))
        while (hub->roused)
            cancel(hub, hub->roused);
}

/* Once more: a cancel may have found no room. */
void mt__arms_cancel_again(struct mt__hub *hub)
{
    for (struct mt__arm *chunk = hub->chunks; hub->futex_by_loop && chunk; chunk = chunk->next)
        for (int i = 1; i < CHUNK; i++)
            if (chunk[i].word && !chunk[i].link)
                cancel(hub, &chunk[i]);
}

void mt__arms_leave_shared(struct mt__hub *hub)
{
    for (struct mt__arm *chunk = hub->chunks; chunk; chunk = chunk->next)
        for (int i = 1; i < CHUNK; i++)
            if (chunk[i].word && chunk[i].link && chunk[i].flags & MT__WAIT_SHARED)
                leave(hub, &chunk[i]);
}
