/* SPDX-License-Identifier: MIT
 *
 * What a process of a pool does: the initializer, then the tasks of its window, in the order of their numbers. window.c
 * tables the states of a slot.
 *
 * It needs no system calls for a task but those of the task's own. It sleeps when there is no task, having rung if the
 * pool sleeps; and it rings before if so many answers wait that the pool wants to hear of them.
 *
 * A kill is for one task: the pool writes its number and sends SIGTERM. The handler cancels what the process blocks in
 * if that number is what it runs; and it looks itself, when it begins a task, whether its number has been written. So a
 * kill that comes late meets nobody, and one that comes early is not missed. SIGTERM of somebody else is for whatever
 * runs.
 */
#include "base/own.h"
#include "pool/remote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOOKS_MAX  12u /* looks for a task before a sleep */
#define LOOKS_MIN  6u
#define PAUSES_MAX 64

static struct mt_task *me;
static struct mt__cell *cell;
static const struct mt__brief *brief;
static struct mt__worker worker;
static uint64_t running = MT__NO_NUMBER; /* the number of the task that runs */
static uint64_t forks;                   /* of this process, at its start: a child of a task is not to answer */
static uint32_t silent;                  /* answers since it rang last */

/* -- Kills -------------------------------------------------------------------------------------------------------- */

static void on_term(int signal, siginfo_t *info, void *context)
{
    uint64_t number = __atomic_load_n(&running, __ATOMIC_SEQ_CST);

    if (number != MT__NO_NUMBER &&
        (info->si_pid != brief->pool_pid || __atomic_load_n(&cell->kill, __ATOMIC_SEQ_CST) == number))
        mt__wait_cancel(me);
}

static void take_term(void)
{
    struct sigaction action = {.sa_sigaction = on_term, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
}

/* Nothing of the last task is left: neither its kill nor its message. */
static void begin_task(uint64_t number)
{
    me->message[0] = 0;
    mt__wait_uncancel(me);
    __atomic_store_n(&running, number, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cell->kill, __ATOMIC_SEQ_CST) == number)
        mt__wait_cancel(me);
}

static void end_task(void)
{
    mt__worker_forked(forks);
    __atomic_store_n(&running, MT__NO_NUMBER, __ATOMIC_SEQ_CST);
    mt__wait_uncancel(me); /* a killed task's answer arrives too */
}

/* -- Talking ------------------------------------------------------------------------------------------------------ */

/* If the pool sleeps. A full barrier stands between an answer, or a slot that was passed, and the look. */
static void ring(void)
{
    const uint64_t once = 1;

    silent = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cell->pool_sleeps, __ATOMIC_RELAXED) &&
        __atomic_exchange_n(&cell->pool_sleeps, 0, __ATOMIC_SEQ_CST) &&
        write(mt_process_fd(MT__FD_BELL), &once, sizeof once) < 0)
        _exit(EXIT_FAILURE); /* nobody would hear of anything any more */
}

/* The whole of it through the stream, which blocks. There is nothing to be done here without the pool. */
static void pass(char *bytes, size_t size, int writing)
{
    int stream = mt_process_fd(MT__FD_STREAM);

    while (size) {
        ssize_t done = writing ? write(stream, bytes, size) : read(stream, bytes, size);
        if (done == 0 || (done < 0 && errno != EINTR))
            _exit(EXIT_FAILURE);
        if (done > 0) {
            bytes += done;
            size -= (size_t)done;
        }
    }
}

static void answer(struct mt__slot *slot, uint64_t number, int code, const struct mt__value *value)
{
    size_t message_size = me->message[0] ? strlen(me->message) + 1 : 0;
    int by_stream = value->size > MT__SLOT_ROOM || message_size + value->size > MT__SLOT_ROOM;

    slot->code = code;
    slot->message_size = (uint32_t)message_size;
    slot->size = value->size;
    slot->flags = (value->bytes ? MT__HAS_BYTES : 0u) | (by_stream ? MT__BY_STREAM : 0u);
    if (!by_stream) {
        memcpy(slot->bytes, me->message, message_size);
        if (value->size)
            memcpy(slot->bytes + message_size, value->bytes, value->size);
    }
    __atomic_store_n(&slot->word, MT__SLOT_WORD(number, MT__SLOT_DONE), __ATOMIC_RELEASE);
    silent++;
    if (by_stream) {
        ring();
        pass(me->message, message_size, 1);
        pass(value->bytes, value->size, 1);
    }
}

/* -- Functions ---------------------------------------------------------------------------------------------------- */

static struct {
    uint64_t address; /* the pool's */
    mt_fn *fn;
} * found;
static size_t found_count, found_room;

static int note(uint64_t address, mt_fn *fn)
{
    if (found_count == found_room) {
        size_t room = found_room ? found_room * 2 : 8;
        void *more = realloc(found, room * sizeof *found);
        if (!more)
            return -ENOMEM;
        found = more;
        found_room = room;
    }
    found[found_count].address = address;
    found[found_count++].fn = fn;
    return 0;
}

mt_fn *mt__served_function(mt_fn *fn)
{
    if (!brief || brief->cell)
        return fn;
    for (size_t i = found_count; i-- > 0;)
        if (found[i].address == (uint64_t)(uintptr_t)fn)
            return found[i].fn;
    return NULL;
}

/* Reads what the pool sends before a task. With a message if one is not to be found. */
static int read_names(unsigned count)
{
    char why[MT_MESSAGE_MAX];
    struct mt__named named;
    int result = 0;

    while (count--) {
        mt_fn *fn;
        pass((char *)&named, sizeof named, 0);
        fn = mt__function_find(&named.at, why, sizeof why);
        if (!fn)
            result = mt_fail(-ENOEXEC, "%s", why);
        else if (note(named.fn, fn))
            result = mt_fail(-ENOMEM, "no memory for the place of a function");
    }
    return result;
}

/* -- A task ------------------------------------------------------------------------------------------------------- */

static int call(const struct mt__slot *slot, void *argument, struct mt__value *value)
{
    mt_fn *fn = mt__served_function((mt_fn *)(uintptr_t)slot->fn);
    int code;

    if (!fn)
        return mt_fail(-ENOEXEC, "its function is not to be found in its worker's process");
    worker.value = value;
    code = fn(argument);
    worker.value = NULL;
    return code;
}

static void run(struct mt__slot *slot, uint64_t number)
{
    int by_stream = (slot->flags & MT__BY_STREAM) != 0, code;
    char *copy = by_stream ? malloc(slot->size) : NULL;
    struct mt__value value;

    if (by_stream && !copy)
        _exit(EXIT_FAILURE); /* what is in the stream would be taken for something else */
    value.bytes = NULL;
    value.size = 0;
    me->message[0] = 0;
    code = read_names(slot->names);
    if (by_stream)
        pass(copy, slot->size, 0);
    if (!code) {
        begin_task(number);
        code = call(slot, by_stream ? copy : slot->flags & MT__HAS_BYTES ? slot->bytes : NULL, &value);
        end_task();
    }
    answer(slot, number, code, &value);
    mt__value_drop(&value);
    free(copy);
}

static void go_by(uint64_t number)
{
    struct mt__slot *slot = &cell->slots[number % MT__SLOTS];
    uint64_t word = MT__SLOT_WORD(number, MT__SLOT_SENT);

    if (__atomic_compare_exchange_n(&slot->word, &word, MT__SLOT_WORD(number, MT__SLOT_RUNS), 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        run(slot, number);
    else
        __atomic_store_n(&slot->word, MT__SLOT_WORD(number, MT__SLOT_PASSED), __ATOMIC_RELEASE);
}

/* -- Waiting ------------------------------------------------------------------------------------------------------ */

static int is_there(uint64_t number)
{
    return __atomic_load_n(&cell->tail, __ATOMIC_ACQUIRE) != number;
}

static int is_over(void)
{
    return (int)__atomic_load_n(&cell->end, __ATOMIC_ACQUIRE);
}

/* Looks for a while, as long as that has paid lately. */
static int spin(uint64_t number)
{
    static unsigned patience = LOOKS_MAX;
    unsigned looks = patience;
    int pauses = 1, there = 0;

    while (looks-- && !(there = is_there(number))) {
        for (int i = 0; i < pauses; i++)
            mt__arch_pause();
        if (pauses < PAUSES_MAX)
            pauses *= 2;
    }
    if (there)
        patience = patience * 2 < LOOKS_MAX ? patience * 2 : LOOKS_MAX;
    else
        patience = patience / 2 > LOOKS_MIN ? patience / 2 : LOOKS_MIN;
    return there;
}

static void sleep_until_woken(uint64_t number)
{
    struct mt__wait wait = {.word = &cell->work,
                            .flags = MT__WAIT_SHARED | MT__WAIT_NOCANCEL,
                            .reason = MT_WAIT_POOL,
                            .object = cell,
                            .name = brief->name,
                            .deadline = MT_FOREVER};
    uint32_t work = __atomic_load_n(&cell->work, __ATOMIC_ACQUIRE);

    if (mt__wait_begin(&wait))
        return;
    __atomic_store_n(&cell->process_sleeps, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!is_there(number) && !is_over())
        mt__wait_round(&wait, work, MT_FOREVER);
    __atomic_store_n(&cell->process_sleeps, 0, __ATOMIC_SEQ_CST);
    mt__wait_end(&wait, 0);
}

static void serve(void)
{
    for (uint64_t number = 1;; number++) {
        if (!is_there(number))
            ring();
        while (!is_there(number)) {
            if (is_over())
                return;
            if (!spin(number))
                sleep_until_woken(number);
        }
        go_by(number);
        if (silent >= __atomic_load_n(&cell->enough, __ATOMIC_RELAXED))
            ring();
    }
}

/* -- Start -------------------------------------------------------------------------------------------------------- */

static int initialize(void)
{
    const void *argument = brief->argument_size ? brief->bytes : brief->argument;
    mt_fn *fn = brief->initializer;
    char why[MT_MESSAGE_MAX];
    int code;

    if (fn && !brief->cell)
        fn = mt__function_find(&brief->initializer_at, why, sizeof why);
    if (!fn)
        return brief->initializer ? mt_fail(-ENOEXEC, "%s", why) : 0;
    begin_task(0);
    code = fn((void *)(uintptr_t)argument);
    end_task();
    return code;
}

static struct mt__cell *map_cell(void)
{
    long map = mt__sys(SYS_mmap, NULL, sizeof *cell, PROT_READ | PROT_WRITE, MAP_SHARED, mt_process_fd(MT__FD_CELL), 0);

    return map < 0 && map > -4096 ? NULL : (struct mt__cell *)map;
}

int mt__remote_serve(void *arg)
{
    const uint64_t once = 1;
    int code;

    brief = arg;
    mt__own_as_it_is(mt_process_fd(MT__FD_BELL)); /* what tasks close is not that */
    mt__own_as_it_is(mt_process_fd(MT__FD_STREAM));
    cell = brief->cell ? brief->cell : map_cell();
    me = mt_task_current();
    if (!cell || !me)
        return mt_fail(-ENOMEM, "no memory for what it shares with its pool");
    forks = mt__pool_forks;
    worker.task = me;
    mt__worker_be(&worker);
    take_term();
    code = initialize();
    cell->code = code;
    memcpy(cell->message, me->message, sizeof cell->message);
    __atomic_store_n(&cell->settled, 1, __ATOMIC_RELEASE);
    if (write(mt_process_fd(MT__FD_BELL), &once, sizeof once) < 0 || code)
        return 0; /* the pool has been told */
    serve();
    return 0;
}
