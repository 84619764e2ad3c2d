/* SPDX-License-Identifier: MIT
 *
 * How a patched call waits: with lib/wait, as all that waits.
 */
#include "patch/patch.h"
#include "patch/signals.h"

#include <linuxmt/coro.h>

#define AT_ONCE 16 /* calls that need no wait before others run, as in coro/io.c */
#define SELDOM  1024
#define ALWAYS  (MT__WAIT_INTERRUPT | MT__WAIT_INTERRUPT_ALWAYS)

void mt__patch_be_fair(void)
{
    struct mt__attempts *attempts = &mt__hub->attempts;
    int error = errno;

    if (attempts->switches != mt__hub->switches) {
        attempts->switches = mt__hub->switches;
        attempts->in_a_row = 0;
    }
    if (++attempts->in_a_row < AT_ONCE)
        return;
    attempts->in_a_row = 0;
    mt_coro_yield(); /* who has been killed is told by the next wait */
    errno = error;
}

void mt__patch_look(void)
{
    struct mt__patch_call call = mt__patch_enter();

    mt__patch_be_fair();
    mt__patch_end(call, 0);
}

void mt__patch_look_seldom(void)
{
    static __thread struct {
        uint64_t switches; /* the hub's */
        unsigned in_a_row; /* calls since then */
    } calls __attribute__((tls_model("initial-exec")));
    struct mt__patch_call call;

    if (calls.switches != mt__hub->switches) {
        calls.switches = mt__hub->switches;
        calls.in_a_row = 0;
    }
    if (++calls.in_a_row < SELDOM)
        return;
    calls.in_a_row = 0;
    call = mt__patch_enter();
    mt_coro_yield();
    mt__patch_end(call, 0);
}

/* A handler is put off until here, or finds that this has begun, and goes by itself. */
static void leave_call(const struct mt__patch_call *call)
{
    __atomic_store_n(&call->coro->inside, call->was_inside, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__builtin_expect(mt__patch_leaves(), 0) && !call->was_inside)
        mt__leave(call->coro);
}

long mt__patch_end(struct mt__patch_call call, long result)
{
    leave_call(&call);
    if (result == -ECANCELED)
        mt__pthread_cancelled();
    if (result == -EPIPE)
        mt__signal_keep_pipe();
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    errno = call.error;
    return result;
}

/* A deadline of the call's own is its own affair; one of the task's is an error of the call. Who leaves takes nothing
 * of what he has waited for along. */
static int end(struct mt__wait *wait, int result)
{
    int own = result == -ETIMEDOUT && !wait->limited;

    result = mt__wait_end(wait, result);
    if (!result && mt__patch_leaves())
        return -EINTR;
    return own ? -ETIME : result;
}

int mt__patch_wait_fd(int fd, short events, unsigned flags, mt_deadline deadline, const char *name)
{
    struct mt__wait wait = {.flags = flags | MT__WAIT_INTERRUPT,
                            .reason = MT_WAIT_IO,
                            .object = (const void *)(intptr_t)fd,
                            .place = name,
                            .deadline = deadline};
    struct pollfd look[2] = {{.fd = fd, .events = events}};
    int result = mt__wait_begin(&wait);

    if (result)
        return result;
    result = end(&wait, mt__wait_round_fds(&wait, look, 1, deadline));
    return !result && look[0].revents & POLLNVAL ? -EBADF : result; /* closed: its number may be another's by now */
}

int mt__patch_wait_more(int watch, int fd, unsigned flags, mt_deadline deadline, const char *name)
{
    struct mt__wait wait = {.flags = flags | MT__WAIT_INTERRUPT,
                            .reason = MT_WAIT_IO,
                            .object = (const void *)(intptr_t)fd,
                            .place = name,
                            .deadline = deadline};
    struct pollfd look[3] = {{.fd = watch, .events = POLLIN}, {.fd = fd}};
    int result = mt__wait_begin(&wait);

    if (result)
        return result;
    result = end(&wait, mt__wait_round_fds(&wait, look, 2, deadline));
    return !result && look[1].revents & POLLNVAL ? -EBADF : result;
}

int mt__patch_wait_time(mt_deadline deadline, const char *name)
{
    uint32_t never = 0;
    struct mt__wait wait = {
        .word = &never, .flags = MT__WAIT_TIME | ALWAYS, .reason = MT_WAIT_SLEEP, .place = name, .deadline = deadline};
    int result = mt__wait_begin(&wait);

    if (result)
        return result;
    while (!result)
        result = mt__wait_round(&wait, 0, deadline);
    return end(&wait, result);
}

int mt__patch_wait_word(uint32_t *word, uint32_t expected, unsigned flags, mt_deadline deadline, const char *name)
{
    struct mt__wait wait = {
        .word = word, .flags = flags, .reason = MT_WAIT_IO, .object = word, .place = name, .deadline = deadline};
    int result = mt__wait_begin(&wait);

    if (result)
        return result;
    while (!result && __atomic_load_n(word, __ATOMIC_ACQUIRE) == expected)
        result = mt__wait_round(&wait, expected, deadline);
    return end(&wait, result);
}

int mt__patch_has_ring(void)
{
    return mt__hub->loop->io != NULL;
}

long mt__patch_ring(struct mt__io *io, mt_deadline deadline, enum mt__name_number number)
{
    struct mt__wait wait = {.flags = deadline == MT_FOREVER ? MT__WAIT_INTERRUPT : ALWAYS,
                            .reason = MT_WAIT_IO,
                            .object = (const void *)(intptr_t)io->fd,
                            .place = mt__names[number].name,
                            .deadline = deadline};
    struct mt__hub *hub = mt__hub;
    long result;

    if (!hub->loop->io)
        return -ENOSYS;
    result = mt__wait_begin(&wait);
    if (result)
        return result;
    if (__atomic_load_n(&wait.task->cancel, __ATOMIC_ACQUIRE))
        return mt__wait_end(&wait, -ECANCELED);
    result = mt__park_io(hub, io, &wait, mt__wait_limit(&wait, deadline));
    if (result == -EOPNOTSUPP)
        result = -ENOSYS;
    if (result == io->result) { /* the call's own, which may be any errno */
        mt__wait_end(&wait, 0);
        return result;
    }
    if (io->ask && io->until < deadline)
        deadline = io->until;
    return end(&wait, mt__wait_limited(&wait, deadline, (int)result));
}
