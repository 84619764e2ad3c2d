/* SPDX-License-Identifier: MIT
 *
 * What is left when somebody is killed, or goes away in the middle: messages stay, locks are handed on, and nobody
 * waits for the dead.
 */
#include "manager-unit.h"
#include "manager/client.h"

#include <signal.h>

enum { LOCAL, REQUESTS, TCP };

static struct mt_manager *owner;
static int ways;

/* Processes of these tests know the server by its address alone. */
struct place {
    char address[200];
    int way;
    int number;
};

static struct place place_of(int way)
{
    struct place place = {.way = way};

    snprintf(place.address, sizeof place.address, "%s",
             way == TCP ? mt_manager_tcp_address(owner) : mt_manager_address(owner));
    return place;
}

static struct mt_manager *go_to(const struct place *place)
{
    return mt_manager_connect(place->address, KEY, strlen(KEY), SOON);
}

static unsigned flags_of(int way)
{
    return way == REQUESTS ? MT_MANAGER_REQUESTS : 0;
}

static int set_up(void **state)
{
    owner = start_both((struct mt_manager_options){0});
    ways = owner ? 3 : 2;
    if (!owner)
        owner = start_local();
    return 0;
}

static int tear_down(void **state)
{
    mt_manager_close(owner);
    return 0;
}

static struct mt_task *process(mt_fn *fn, const struct place *place)
{
    struct mt_process_options options = {.start = MT_SPAWN};
    struct mt_task *task = mt_process_spawn(fn, place, sizeof *place, &options);

    assert_non_null(task);
    return task;
}

static void kill_process(struct mt_task *task)
{
    mt_process_signal(task, SIGKILL);
    assert_int_equal(mt_task_join(task, SOON), 0);
    (void)mt_task_outcome(task);
    mt_task_release(task);
}

/* -- Locks -------------------------------------------------------------------------------------------------------- */

static int hold_a_lock(void *arg)
{
    struct place *place = arg;
    struct mt_manager *manager = go_to(place);
    struct mt_managed_lock *lock = manager ? mt_manager_lock(manager, "lock", flags_of(place->way), SOON) : NULL;
    struct mt_managed_event *held = manager ? mt_manager_event(manager, "held", 0, SOON) : NULL;
    int result = lock && held ? mt_managed_lock_acquire(lock, SOON) : -errno;

    if (result)
        return result;
    mt_managed_event_set(held, SOON);
    return mt_sleep(MT_SEC(60));
}

static void holders_are_killed(void **state)
{
    struct mt_managed_event *held = mt_manager_event(owner, "held", 0, SOON);

    for (int way = LOCAL; way < ways; way++) {
        for (int other = LOCAL; other <= REQUESTS; other++) {
            struct mt_managed_lock *lock = mt_manager_lock(owner, "lock", flags_of(other), SOON);
            struct place place = place_of(way);
            struct mt_task *task = process(hold_a_lock, &place);
            assert_int_equal(mt_managed_event_wait(held, SOON), 0);
            assert_int_equal(mt_managed_lock_acquire(lock, MT_NOWAIT), -EBUSY);
            kill_process(task);
            assert_int_equal(mt_managed_lock_acquire(lock, SOON), -EOWNERDEAD);
            assert_int_equal(mt_managed_lock_consistent(lock), 0);
            assert_int_equal(mt_managed_lock_release(lock), 0);
            assert_int_equal(mt_managed_lock_acquire(lock, SOON), 0);
            assert_int_equal(mt_managed_lock_release(lock), 0);
            mt_managed_event_clear(held, SOON);
            mt_managed_lock_free(lock);
            assert_int_equal(mt_manager_remove(owner, "lock", SOON), 0);
        }
    }
    mt_managed_event_free(held);
}

/* Released unmended: for good. */
static void unmended(void **state)
{
    struct mt_managed_event *held = mt_manager_event(owner, "held", 0, SOON);
    struct mt_managed_lock *lock = mt_manager_lock(owner, "lock", MT_MANAGER_REQUESTS, SOON);
    struct place place = place_of(REQUESTS);
    struct mt_task *task = process(hold_a_lock, &place);

    assert_int_equal(mt_managed_event_wait(held, SOON), 0);
    kill_process(task);
    assert_int_equal(mt_managed_lock_acquire(lock, SOON), -EOWNERDEAD);
    assert_int_equal(mt_managed_lock_release(lock), 0);
    assert_int_equal(mt_managed_lock_acquire(lock, SOON), -ENOTRECOVERABLE);
    mt_managed_event_free(held);
    mt_managed_lock_free(lock);
    assert_int_equal(mt_manager_remove(owner, "lock", SOON), 0);
    assert_int_equal(mt_manager_remove(owner, "held", SOON), 0);
}

/* -- Between the reply and the client's word that it has it ------------------------------------------------------- */

static struct mt__line *ask_only(struct mt__managed *managed, enum mt__op op, int64_t expected)
{
    struct mt__line *line = NULL;
    struct mt__pack pack = {0};
    struct mt__reply reply = {0};
    int broken = 0;

    assert_int_equal(mt__call_line(managed->manager, &line, SOON), 0);
    mt__request(&pack, op, 0, managed->id);
    if (op == MT__OP_GET)
        mt__pack_u64(&pack, 100);
    assert_int_equal(mt__ask(line, &pack, &reply, SOON, &broken), expected);
    assert_int_equal(broken, 0);
    free(reply.data);
    return line;
}

static void what_is_not_taken_comes_back(void **state)
{
    struct mt_managed_queue *queue = mt_manager_queue(owner, "q", NULL, MT_MANAGER_REQUESTS, SOON);
    struct mt_managed_sem *sem = mt_manager_sem(owner, "s", 1, MT_MANAGER_REQUESTS, SOON);
    struct mt_managed_lock *lock = mt_manager_lock(owner, "l", MT_MANAGER_REQUESTS, SOON);
    char text[8] = "";

    assert_int_equal(mt_managed_queue_put(queue, "first", 6, SOON), 0);
    assert_int_equal(mt_managed_queue_put(queue, "second", 7, SOON), 0);
    for (int i = 0; i < 20; i++) {
        mt__line_end(ask_only(&queue->of, MT__OP_GET, 0));
        mt__line_end(ask_only(&sem->of, MT__OP_SEM_ACQUIRE, 0));
        mt__line_end(ask_only(&lock->of, MT__OP_ACQUIRE, 0));
        assert_int_equal(mt_managed_sem_acquire(sem, SOON), 0);
        assert_int_equal(mt_managed_sem_release(sem, 1, SOON), 0);
        assert_int_equal(mt_managed_lock_acquire(lock, SOON), 0); /* as if it had never been held */
        assert_int_equal(mt_managed_lock_release(lock), 0);
    }
    for (int i = 0; i < 2000 && mt_managed_queue_size(queue, SOON) < 2; i++)
        usleep(1000);
    assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, SOON), 6);
    assert_string_equal(text, "first");

    /* and what is taken does not, though the client goes away at once */
    struct mt__line *line = ask_only(&queue->of, MT__OP_GET, 0);
    assert_int_equal(mt__taken(line, SOON), 0);
    mt__line_end(line);
    assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, mt_after(MT_MS(300))), -ETIMEDOUT);
    mt_managed_queue_free(queue);
    mt_managed_sem_free(sem);
    mt_managed_lock_free(lock);
    assert_int_equal(mt_manager_remove(owner, "q", SOON), 0);
    assert_int_equal(mt_manager_remove(owner, "s", SOON), 0);
    assert_int_equal(mt_manager_remove(owner, "l", SOON), 0);
}

/* Its word that it has the lock and its going away come together: it has held the lock, each time. */
static void taken_and_gone(void **state)
{
    struct mt_managed_lock *lock = mt_manager_lock(owner, "l", MT_MANAGER_REQUESTS, SOON);

    for (int i = 0; i < 300; i++) {
        struct mt__line *line = ask_only(&lock->of, MT__OP_ACQUIRE, 0);
        assert_int_equal(mt__taken(line, SOON), 0);
        mt__line_end(line);
        assert_int_equal(mt_managed_lock_acquire(lock, SOON), -EOWNERDEAD);
        assert_int_equal(mt_managed_lock_consistent(lock), 0);
        assert_int_equal(mt_managed_lock_release(lock), 0);
    }
    mt_managed_lock_free(lock);
    assert_int_equal(mt_manager_remove(owner, "l", SOON), 0);
}

static int get_for_ever(void *arg)
{
    struct place *place = arg;
    struct mt_manager *manager = go_to(place);
    struct mt_managed_queue *numbers = manager ? mt_manager_queue(manager, "numbers", NULL, 0, SOON) : NULL;
    struct mt_managed_queue *got = manager ? mt_manager_queue(manager, "got", NULL, 0, SOON) : NULL;
    int number, result = numbers && got ? 0 : -errno;

    while (!result) {
        ssize_t size = mt_managed_queue_get(numbers, &number, sizeof number, MT_FOREVER);
        result = size < 0 ? (int)size : mt_managed_queue_put(got, &number, sizeof number, MT_FOREVER);
    }
    return result;
}

/* Getters by request are killed at any moment. At most the one message that each had got and not passed on is missing,
 * and at most the one that it had not said it had is there twice. */
static void getters_are_killed(void **state)
{
    enum { KILLS = SANITIZER ? 5 : 25, NUMBERS = 4000 };
    static unsigned char seen[NUMBERS];
    const struct mt_queue_options options = {.capacity = 2 * NUMBERS, .message_max = sizeof(int)};
    struct mt_managed_queue *numbers = mt_manager_queue(owner, "numbers", &options, 0, SOON);
    struct mt_managed_queue *got = mt_manager_queue(owner, "got", &options, 0, SOON);
    struct place place = place_of(ways == 3 ? TCP : REQUESTS);
    unsigned seed = (unsigned)getpid();
    int sent = 0, number, missing = 0, twice = 0;
    struct mt_manager_info info;

    print_message("# seed %u\n", seed);
    for (int kill = 0; kill < KILLS; kill++) {
        struct mt_task *getter = process(get_for_ever, &place);
        uint32_t before = mt_queue_size(mt_managed_queue_local(got));
        for (int i = 0; i < NUMBERS / KILLS; i++, sent++)
            assert_int_equal(mt_managed_queue_put(numbers, &sent, sizeof sent, SOON), 0);
        for (int i = 0; i < 20000 && mt_queue_size(mt_managed_queue_local(got)) == before; i++)
            usleep(500);
        usleep((useconds_t)(rand_r(&seed) % 3000));
        kill_process(getter);
    }
    for (int i = 0; i < 2000; i++) { /* until the server has seen them all go */
        assert_int_equal(mt_manager_info(owner, &info, SOON), 0);
        if (info.connections <= 1)
            break;
        usleep(5000);
    }
    while (mt_managed_queue_get(got, &number, sizeof number, MT_NOWAIT) == sizeof number)
        seen[number]++;
    while (mt_managed_queue_get(numbers, &number, sizeof number, mt_after(MT_MS(300))) == sizeof number)
        seen[number]++;
    for (int i = 0; i < sent; i++) {
        missing += !seen[i];
        twice += seen[i] > 1;
        assert_true(seen[i] <= 2);
    }
    print_message("# %d missing, %d twice\n", missing, twice);
    assert_true(missing <= KILLS && twice <= KILLS);
    mt_managed_queue_free(numbers);
    mt_managed_queue_free(got);
    assert_int_equal(mt_manager_remove(owner, "numbers", SOON), 0);
    assert_int_equal(mt_manager_remove(owner, "got", SOON), 0);
}

/* -- The server --------------------------------------------------------------------------------------------------- */

static int get_by_request(void *queue)
{
    char text[8];

    return (int)mt_managed_queue_get(queue, text, sizeof text, MT_FOREVER);
}

static int lock_once(void *arg)
{
    return mt_managed_lock_acquire(arg, SOON);
}

static void servers_are_killed(void **state)
{
    for (int way = REQUESTS; way < ways; way++) {
        struct mt_manager *manager = ways == 3 ? start_both((struct mt_manager_options){0}) : start_local();
        struct mt_manager *client = way == TCP ? connect_tcp(manager) : manager;
        struct mt_managed_queue *asking = mt_manager_queue(client, "q", NULL, flags_of(way), SOON);
        struct mt_managed_queue *queue = mt_manager_queue(manager, "q", NULL, 0, SOON);
        struct mt_managed_lock *held = mt_manager_lock(client, "l", flags_of(way), SOON);
        struct mt_managed_lock *lock = mt_manager_lock(manager, "l", 0, SOON);
        struct mt_task *getter = spawn(get_by_request, asking), *locker;
        char text[8] = "";
        until_waiting(getter, MT_WAIT_IO);
        assert_int_equal(mt_managed_lock_acquire(held, SOON), 0);
        locker = spawn(lock_once, lock);
        until_waiting(locker, MT_WAIT_LOCK);
        assert_int_equal(mt_process_signal(mt_manager_task(manager), SIGKILL), 0);
        assert_int_equal(mt_task_join(mt_manager_task(manager), SOON), 0);
        assert_int_equal(mt_task_outcome(mt_manager_task(manager)), -ECHILD);
        while (mt_task_outcome(getter) == -EINPROGRESS || mt_task_outcome(locker) == -EINPROGRESS)
            usleep(1000);
        assert_int_equal(mt_task_outcome(getter), -EPIPE);
        assert_int_equal(mt_task_outcome(locker), -EOWNERDEAD); /* the server's thread held it for the client */
        mt_task_release(getter);
        mt_task_release(locker);
        assert_int_equal(mt_managed_lock_release(held), -EPIPE);
        assert_int_equal(mt_managed_lock_acquire(held, SOON), -EPIPE);
        assert_int_equal(mt_managed_queue_put(asking, "x", 1, SOON), -EPIPE);
        assert_true(mt_manager_message()[0] != 0);
        assert_int_equal(mt_managed_queue_put(queue, "still", 6, SOON), 0);
        assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, SOON), 6);
        mt_managed_queue_free(asking);
        mt_managed_queue_free(queue);
        mt_managed_lock_free(held);
        mt_managed_lock_free(lock);
        if (client != manager)
            mt_manager_close(client);
        mt_manager_close(manager);
    }
}

/* A message that the server had handed out, and did not hear of, is got again though it was killed. */
static void a_killed_server_loses_no_message(void **state)
{
    struct mt_manager *manager = start_local();
    struct mt_managed_queue *queue = mt_manager_queue(manager, "q", NULL, 0, SOON);
    struct mt_managed_queue *asking = mt_manager_queue(manager, "q", NULL, MT_MANAGER_REQUESTS, SOON);
    struct mt__line *line;
    char text[8] = "";

    assert_int_equal(mt_managed_queue_put(queue, "once", 5, SOON), 0);
    line = ask_only(&asking->of, MT__OP_GET, 0);
    assert_int_equal(mt_process_signal(mt_manager_task(manager), SIGKILL), 0);
    assert_int_equal(mt_task_join(mt_manager_task(manager), SOON), 0);
    (void)mt_task_outcome(mt_manager_task(manager));
    assert_int_equal(mt_managed_queue_get(queue, text, sizeof text, SOON), 5);
    assert_string_equal(text, "once");
    mt__line_end(line);
    mt_managed_queue_free(queue);
    mt_managed_queue_free(asking);
    mt_manager_close(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holders_are_killed),
        cmocka_unit_test(unmended),
        cmocka_unit_test(what_is_not_taken_comes_back),
        cmocka_unit_test(taken_and_gone),
        cmocka_unit_test(getters_are_killed),
        cmocka_unit_test(servers_are_killed),
        cmocka_unit_test(a_killed_server_loses_no_message),
    };

    mt_process_init();
    return cmocka_run_group_tests_name(__BASE_FILE__, tests, set_up, tear_down);
}
