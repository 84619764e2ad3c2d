/* SPDX-License-Identifier: MIT
 *
 * Processes put and get numbered messages with checksums while one after the other is killed with SIGKILL, at any
 * instant. Nothing may be torn, nobody may be stuck, and the ledger must balance:
 *
 *   put = got + lost        lost: at most one a killed getter
 *                           put: what was confirmed, and of each killed putter one more that may or may not have been
 * put
 *
 * Getters by view give a message back after they have noted it down, so one that is killed in between has it delivered
 * twice: none of theirs may be lost, and at most one each may come again.
 */
#include "queue-unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { PUTTERS = 2, GETTERS = 2, VIEWERS = 2, USERS = PUTTERS + GETTERS + VIEWERS, EACH = 4096, LIVES = 8192 };
enum kind { PUTTER, GETTER, VIEWER };

#define STUCK MT_SEC(300) /* no call takes that long unless it is stuck */

struct ledger { /* in memory that all share */
    int stop;
    int torn, stuck, failed;
    uint32_t confirmed[LIVES]; /* of each putter's life: messages whose put has returned */
    uint8_t got[LIVES][EACH] __attribute__((aligned(65536))); /* how often each was got */
};

struct message {
    uint32_t life, number, size, sum;
    unsigned char bytes[240];
};

static struct ledger *ledger;
static unsigned seed = 1;

static unsigned draw(void)
{
    seed = seed * 1103515245u + 12345u;
    return seed >> 8;
}

/* -- The users
 * ---------------------------------------------------------------------------------------------------------- */

static uint32_t checksum(const struct message *message)
{
    uint32_t sum = message->life * 31 + message->number * 7 + message->size;

    for (uint32_t i = 0; i < message->size; i++)
        sum = sum * 33 + message->bytes[i];
    return sum;
}

static void record(int *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

static int is_failure(int result)
{
    if (result == -ETIMEDOUT)
        record(&ledger->stuck);
    else if (result < 0 && result != -EPIPE)
        record(&ledger->failed);
    return result < 0;
}

static void put_all(struct mt_queue *queue, uint32_t life)
{
    struct message message = {.life = life};

    for (uint32_t i = 0; i < EACH && !__atomic_load_n(&ledger->stop, __ATOMIC_RELAXED); i++) {
        message.number = i;
        message.size = draw() % sizeof message.bytes;
        memset(message.bytes, (int)i, message.size);
        message.sum = checksum(&message);
        if (is_failure(mt_queue_put_priority(queue, &message, offsetof(struct message, bytes) + message.size,
                                             queue->order == MT_QUEUE_PRIORITY ? (int)(draw() % 8) : 0,
                                             mt_after(STUCK))))
            return;
        __atomic_store_n(&ledger->confirmed[life], i + 1, __ATOMIC_SEQ_CST);
    }
}

static void note_down(const struct message *message, size_t size)
{
    if (size < offsetof(struct message, bytes) || size != offsetof(struct message, bytes) + message->size ||
        message->sum != checksum(message) || message->life >= LIVES || message->number >= EACH)
        record(&ledger->torn);
    else
        __atomic_fetch_add(&ledger->got[message->life][message->number], 1, __ATOMIC_SEQ_CST);
}

static void get_all(struct mt_queue *queue)
{
    struct message message;
    ssize_t size;

    while (!is_failure((int)(size = mt_queue_get(queue, &message, sizeof message, mt_after(STUCK)))))
        note_down(&message, (size_t)size);
}

static void view_all(struct mt_queue *queue)
{
    struct mt_queue_view view;

    while (!is_failure(mt_queue_get_view(queue, &view, mt_after(STUCK)))) {
        note_down(view.data, view.size);
        if (is_failure(mt_queue_give_back(queue, &view, 0)))
            return;
    }
}

/* -- The killer
 * --------------------------------------------------------------------------------------------------------- */

struct arena {
    struct mt_queue *queue;
    pid_t pids[USERS];
    uint32_t lives; /* of putters so far */
    int killed[3];
};

static enum kind kind_of(int user)
{
    return user < PUTTERS ? PUTTER : user < PUTTERS + GETTERS ? GETTER : VIEWER;
}

static void start(struct arena *arena, int user)
{
    uint32_t life = arena->lives;
    pid_t pid;

    draw();
    pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        struct mt_queue *queue = user % 2 ? arena->queue : mt_queue_attach(mt_queue_fd(arena->queue));
        seed ^= (unsigned)getpid();
        if (!queue)
            _exit(1);
        if (kind_of(user) == PUTTER)
            put_all(queue, life);
        else if (kind_of(user) == GETTER)
            get_all(queue);
        else
            view_all(queue);
        _exit(0);
    }
    arena->pids[user] = pid;
    arena->lives += kind_of(user) == PUTTER;
}

static void reap(struct arena *arena, int user)
{
    int status;

    assert_int_equal(waitpid(arena->pids[user], &status, 0), arena->pids[user]);
    if (WIFSIGNALED(status))
        arena->killed[kind_of(user)]++;
    else
        assert_int_equal(WEXITSTATUS(status), 0);
}

struct sums {
    long put, got, unsure, lost, twice;
};

static struct sums balance(const struct arena *arena)
{
    struct sums sums = {0};

    for (uint32_t life = 0; life < arena->lives; life++)
        for (uint32_t i = 0; i < EACH; i++) {
            int got = ledger->got[life][i], sure = i < ledger->confirmed[life];
            sums.put += sure;
            sums.got += got != 0;
            sums.twice += got > 1 ? got - 1 : 0;
            sums.lost += sure && !got;
            if (!sure && got) {
                assert_int_equal(i, ledger->confirmed[life]); /* only the one that was under way */
                sums.unsure++;
            }
        }
    return sums;
}

static void check_ledger(const struct arena *arena, const char *what, int rounds)
{
    struct sums sums = balance(arena);
    struct mt_queue_status status;

    assert_int_equal(mt_queue_status(arena->queue, &status), 0);
    print_message(
        "%s, %d rounds: put %ld + %ld that killed putters had under way = got %ld + lost %ld; %ld came again; "
        "killed: %d putters, %d getters, %d viewers; torn %d, stuck %d, failed %d; "
        "the queue itself counts %u killed in it: %u begun and not put, %u taken and not returned, %u got again\n",
        what, rounds, sums.put, sums.unsure, sums.got, sums.lost, sums.twice, arena->killed[PUTTER],
        arena->killed[GETTER], arena->killed[VIEWER], ledger->torn, ledger->stuck, ledger->failed, status.deaths,
        status.lost_put, status.lost_got, status.again);
    assert_int_equal(status.put, sums.put + sums.unsure);
    assert_true(status.lost_put <= (uint32_t)arena->killed[PUTTER]);
    assert_true(status.lost_got <= sums.lost); /* the others died on their way back from the call */
    assert_true(status.deaths >= status.lost_put + status.lost_got);
    assert_int_equal(ledger->torn, 0);
    assert_int_equal(ledger->stuck, 0);
    assert_int_equal(ledger->failed, 0);
    assert_int_equal(sums.put + sums.unsure, sums.got + sums.lost);
    assert_true(sums.lost <= arena->killed[GETTER]);
    assert_true(sums.twice <= arena->killed[VIEWER]);
    assert_true(sums.unsure <= arena->killed[PUTTER]);
    assert_true(sums.got > 0);
}

static void kill_one(struct arena *arena, int victim, int pause)
{
    if (pause)
        usleep((useconds_t)pause);
    kill(arena->pids[victim], SIGKILL);
}

/* One round kills one user, or two at once: a sleeper that is woken in a dead one's place may be the next to die. */
static void round_of_killing(struct arena *arena)
{
    int first = (int)(draw() % USERS), second = (int)(draw() % USERS), both = draw() % 4 == 0 && second != first;

    kill_one(arena, first, (int)(draw() % 800));
    if (both)
        kill_one(arena, second, 0);
    reap(arena, first);
    start(arena, first);
    if (both) {
        reap(arena, second);
        start(arena, second);
    }
}

static void run(enum mt_queue_order order, uint32_t capacity, int rounds, const char *what)
{
    struct mt_queue_options options = {"kill", order, capacity, sizeof(struct message), 0};
    struct arena arena = {.queue = mt_queue_new(&options)};
    int done = 0;

    assert_non_null(arena.queue);
    memset(ledger, 0, offsetof(struct ledger, got));
    assert_int_equal(madvise(ledger->got, sizeof ledger->got, MADV_REMOVE), 0); /* zeroes again */
    for (int i = 0; i < USERS; i++)
        start(&arena, i);
    for (; done < rounds && !ledger->stuck && arena.lives < LIVES - 2; done++) {
        round_of_killing(&arena);
        for (int i = 0; i < PUTTERS; i++) /* it may have put its share and left */
            if (waitpid(arena.pids[i], NULL, WNOHANG) == arena.pids[i])
                start(&arena, i);
    }
    ledger->stop = 1;
    for (int i = 0; i < PUTTERS; i++)
        waitpid(arena.pids[i], NULL, 0);
    assert_int_equal(mt_queue_close(arena.queue), 0);
    for (int i = PUTTERS; i < USERS; i++)
        reap(&arena, i);
    check_ledger(&arena, what, done);
    assert_true(mt_queue_is_empty(arena.queue));
    assert_int_equal(arena.queue->shared->out, 0);
    mt_queue_free(arena.queue);
}

static int rounds_for(int all)
{
    const char *text = getenv("MT_KILL_ROUNDS");

    return text ? atoi(text) : often(all);
}

static void kill_fifo(void **state)
{
    need_robust_lists();
    run(MT_QUEUE_FIFO, 4, rounds_for(1500), "fifo of 4");
    run(MT_QUEUE_FIFO, 100, rounds_for(500), "fifo of 100");
}

static void kill_other_orders(void **state)
{
    need_robust_lists();
    run(MT_QUEUE_LIFO, 4, rounds_for(500), "lifo of 4");
    run(MT_QUEUE_PRIORITY, 50, rounds_for(500), "priority of 50");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_fifo),
        cmocka_unit_test(kill_other_orders),
    };

    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ledger == MAP_FAILED)
        return 1;
    return RUN(tests);
}
