/* SPDX-License-Identifier: MIT
 *
 * Answers out of the window. Those that are done are taken out of it together, under the guard; then each is read and
 * its future ended; and then those are woken who wait for one of them: who waits for one after the other finds many,
 * and is not woken for each. Before a read that may block, they are woken too.
 */
#include "pool/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void mt__window_tell(struct mt__remote *remote)
{
    for (unsigned i = 0; i < remote->late_count; i++) {
        mt__future_ended(remote->late[i].future, remote->late[i].before);
        mt_future_release(remote->late[i].future);
    }
    remote->late_count = 0;
}

/* Whether the reference is to be kept: somebody will be told. */
static int end(struct mt__worker *worker, struct mt_future *future, int code)
{
    struct mt__remote *remote = worker->remote;
    uint32_t before;

    mt__worker_note_end(worker, future, code);
    if (!mt__future_end_quietly(future, MT_DONE, &before) || !(before & (MT__WAITERS | MT__NOTES)))
        return 0;
    if (!remote->collecting) {
        mt__future_ended(future, before);
        return 0;
    }
    remote->late[remote->late_count++] = (struct mt__late){future, before};
    return 1;
}

void mt__remote_finish(struct mt__worker *worker, struct mt_future *future, int code, const char *message)
{
    int late = 0;

    if (future == worker->remote->retried)
        worker->remote->retried = NULL;
    if (mt__future_begin(future)) {
        if (worker->remote->task)
            __atomic_store_n(&future->tid, (uint32_t)worker->remote->pid, __ATOMIC_RELAXED);
        mt__future_tell(future, code ? worker->task : NULL, message);
        late = end(worker, future, code);
    }
    if (!late)
        mt_future_release(future);
}

void mt__remote_fail(struct mt__worker *worker, struct mt_future *future, int code, const char *message)
{
    if (mt__future_send(future, worker, MT__NO_NUMBER)) {
        mt__remote_finish(worker, future, code, message);
        return;
    }
    mt__mini_acquire(&worker->guard);
    worker->cancelled++;
    mt__mini_release(&worker->guard);
    mt_future_release(future);
}

/* What of a slot is looked at: read once. */
struct answer {
    uint32_t flags;
    int code;
    size_t message_size, size;
    char message[MT_MESSAGE_MAX];
    char *value; /* in the slot, or allocated */
};

static int read_stream(struct mt__worker *worker, struct answer *answer)
{
    int result = mt__remote_read(worker, answer->message, answer->message_size);

    if (result || !(answer->flags & MT__HAS_BYTES))
        return result;
    answer->value = malloc(answer->size + 1);
    if (!answer->value)
        return -ENOMEM;
    return mt__remote_read(worker, answer->value, answer->size);
}

static int read_answer(struct mt__worker *worker, struct mt__slot *slot, struct answer *answer)
{
    const volatile struct mt__slot *shared = slot;

    answer->flags = shared->flags;
    answer->code = shared->code;
    answer->message_size = shared->message_size;
    answer->size = answer->flags & MT__HAS_BYTES ? shared->size : 0;
    answer->message[0] = 0;
    answer->value = NULL;
    if (answer->message_size > sizeof answer->message || answer->size > UINT32_MAX)
        return -EPROTO;
    if (answer->flags & MT__BY_STREAM) {
        int result;
        mt__window_tell(worker->remote);
        result = read_stream(worker, answer);
        answer->message[sizeof answer->message - 1] = 0;
        return result;
    }
    if (answer->message_size + answer->size > MT__SLOT_ROOM)
        return -EPROTO;
    memcpy(answer->message, slot->bytes, answer->message_size);
    answer->message[sizeof answer->message - 1] = 0;
    answer->value = slot->bytes + answer->message_size;
    return 0;
}

/* Takes a value over: allocated, or out of the slot. 0 or -ENOMEM. */
static int keep(struct mt_future *future, struct answer *answer)
{
    int owned = (answer->flags & MT__BY_STREAM) != 0;
    char *far = NULL;

    if (answer->size > MT__SMALL) {
        far = owned ? answer->value : malloc(answer->size);
        if (!far)
            return -ENOMEM;
        if (!owned)
            memcpy(far, answer->value, answer->size);
        future->value.far = far;
    } else if (answer->size) {
        memcpy(future->value.near, answer->value, answer->size);
    }
    future->value_size = answer->size;
    if (far)
        answer->value = NULL;
    return 0;
}

static int deliver(struct mt__worker *worker, struct mt_future *future, struct mt__slot *slot)
{
    struct answer answer;
    int result = read_answer(worker, slot, &answer);

    if (result) {
        if (answer.flags & MT__BY_STREAM)
            free(answer.value);
        future->next = worker->remote->hurt;
        worker->remote->hurt = future;
        return result;
    }
    if (!mt__future_begin(future)) {
        mt_future_release(future);
    } else if (keep(future, &answer)) {
        mt__remote_finish(worker, future, -ENOMEM, "no memory for its value");
    } else {
        mt__remote_finish(worker, future, answer.code, answer.message);
    }
    if (answer.flags & MT__BY_STREAM)
        free(answer.value);
    worker->remote->ran++;
    return 0;
}

/* Under the guard: takes those that are done out of the window. -EPROTO: the first is in a state that it cannot be in.
 */
static int take_done(struct mt__remote *remote, struct mt_future **done, struct mt__slot **slots, unsigned *count)
{
    for (; remote->first != remote->tail; remote->first++) {
        struct mt_future *future = remote->sent[remote->first % MT__SLOTS];
        struct mt__slot *slot = mt__slot_of(remote, remote->first);
        uint64_t word = mt__slot_word(slot);
        if (!future)
            continue;
        if (word == MT__SLOT_WORD(remote->first, MT__SLOT_RUNS))
            remote->proved = 1;
        if (word != MT__SLOT_WORD(remote->first, MT__SLOT_DONE))
            return word == MT__SLOT_WORD(remote->first, MT__SLOT_SENT) ||
                           word == MT__SLOT_WORD(remote->first, MT__SLOT_RUNS)
                       ? 0
                       : -EPROTO;
        remote->sent[remote->first % MT__SLOTS] = NULL;
        __atomic_store_n(&remote->live, remote->live - 1, __ATOMIC_RELAXED);
        slots[*count] = slot;
        done[(*count)++] = future;
    }
    return 0;
}

int mt__window_collect(struct mt__worker *worker)
{
    struct mt__remote *remote = worker->remote;
    struct mt_future *done[MT__SLOTS];
    struct mt__slot *slots[MT__SLOTS];
    unsigned count = 0;
    int result, error;

    mt__mini_acquire(&worker->guard);
    result = take_done(remote, done, slots, &count);
    mt__mini_release(&worker->guard);
    remote->collecting = 1;
    for (unsigned i = 0; i < count; i++) {
        error = deliver(worker, done[i], slots[i]);
        if (error && !result)
            result = error;
    }
    remote->collecting = 0;
    mt__window_tell(remote);
    if (count)
        remote->proved = 1;
    return result ? result : (int)count;
}

int mt__window_is_ready(const struct mt__worker *worker)
{
    const struct mt__remote *remote = worker->remote;

    return mt__window_live(remote) &&
           mt__slot_word(mt__slot_of(remote, remote->front)) == MT__SLOT_WORD(remote->front, MT__SLOT_DONE);
}
