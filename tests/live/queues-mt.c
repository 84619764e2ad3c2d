/* SPDX-License-Identifier: MIT
 *
 * Queues by arrangement, with known numbers of messages and waits: "queues-mt NAME". The queue is called "jobs".
 */
#include <linuxmt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY 4
#define SIZE     32
#define PAUSE_US 10000

static struct mt_queue *queue;

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    fprintf(stderr, "queues-mt: %s failed\n", what);
    exit(1);
}

static void make(const char *name, uint32_t capacity, enum mt_queue_order order)
{
    queue = mt_queue_new(
        &(struct mt_queue_options){.name = name, .capacity = capacity, .message_max = SIZE, .order = order});
    check(!queue, "mt_queue_new");
}

static int put_50(void *unused)
{
    char message[SIZE] = "";
    int result = 0;
    for (int i = 0; i < 50 && !result; i++)
        result = mt_queue_put(queue, message, sizeof message, MT_FOREVER);
    return result;
}

static int get_100_slowly(void *unused)
{
    char message[SIZE];
    for (int i = 0; i < 100; i++) {
        if (mt_queue_get(queue, message, sizeof message, MT_FOREVER) < 0)
            return 1;
        usleep(PAUSE_US); /* not the library's own sleep, which is another wait */
    }
    return 0;
}

static int get_5(void *unused)
{
    char message[SIZE];
    for (int i = 0; i < 5; i++)
        if (mt_queue_get(queue, message, sizeof message, MT_FOREVER) < 0)
            return 1;
    return 0;
}

static int put_5_rarely(void *unused)
{
    int result = 0;
    for (int i = 0; i < 5 && !result; i++) {
        usleep(100000);
        result = mt_queue_put(queue, "", 1, MT_FOREVER);
    }
    return result;
}

static struct mt_task *spawn(int (*body)(void *), const char *name)
{
    struct mt_thread_options options = {.name = name};
    struct mt_task *task = mt_thread_spawn(body, NULL, &options);
    check(!task, "mt_thread_spawn");
    return task;
}

static void join(struct mt_task *task)
{
    check(mt_task_join(task, MT_FOREVER), "mt_task_join");
    check(mt_task_outcome(task), "a task's body");
    mt_task_release(task);
}

/* Two put 50 each as fast as they can, one gets 100 with pauses. */
static void run_full(void)
{
    make("jobs", CAPACITY, MT_QUEUE_FIFO);
    struct mt_task *tasks[] = {spawn(put_50, "producer one"), spawn(put_50, "producer two"),
                               spawn(get_100_slowly, "writer")};
    for (int i = 0; i < 3; i++)
        join(tasks[i]);
}

/* One waits 5 times, each time for 100 ms. */
static void run_starved(void)
{
    make("jobs", CAPACITY, MT_QUEUE_FIFO);
    struct mt_task *tasks[] = {spawn(get_5, "reader"), spawn(put_5_rarely, "feeder")};
    for (int i = 0; i < 2; i++)
        join(tasks[i]);
}

/* 100 messages in by 10 calls, 60 out by 2; 40 are left. */
static void run_batch(void)
{
    static char texts[30][SIZE];
    struct iovec messages[30];
    make("jobs", 128, MT_QUEUE_FIFO);
    for (int call = 0; call < 12; call++) {
        int count = call < 10 ? 10 : 30;
        for (int i = 0; i < 30; i++)
            messages[i] = (struct iovec){texts[i], SIZE};
        check((call < 10 ? mt_queue_put_many(queue, messages, 10, MT_NOWAIT)
                         : mt_queue_get_many(queue, messages, 30, MT_NOWAIT)) != count,
              "a batch");
    }
    usleep(100000);
}

/* Three gets that end by their deadline, of a queue by priority; a peek, which gets nothing; a view, which does. */
static void run_vain(void)
{
    char message[SIZE];
    struct mt_queue_view view;
    make("jobs", CAPACITY, MT_QUEUE_PRIORITY);
    for (int i = 0; i < 3; i++)
        check(mt_queue_get(queue, message, sizeof message, mt_after(MT_MS(50))) != -ETIMEDOUT, "mt_queue_get");
    for (int i = 0; i < 2; i++)
        check(mt_queue_put_priority(queue, "", 1, i, MT_NOWAIT), "mt_queue_put_priority");
    check(mt_queue_peek(queue, message, sizeof message, MT_NOWAIT) != 1, "mt_queue_peek");
    check(mt_queue_get_view(queue, &view, MT_NOWAIT), "mt_queue_get_view");
    check(mt_queue_give_back(queue, &view, 0), "mt_queue_give_back");
    check(mt_queue_close(queue), "mt_queue_close");
    usleep(50000);
}

/* Two processes put 50 each, their parent gets 100. */
static void run_processes(void)
{
    struct mt_task *tasks[2];
    make("jobs", CAPACITY, MT_QUEUE_FIFO);
    for (int i = 0; i < 2; i++) {
        tasks[i] = mt_process_spawn(put_50, NULL, 0, &(struct mt_process_options){.start = MT_FORK});
        check(!tasks[i], "mt_process_spawn");
    }
    check(get_100_slowly(NULL), "getting");
    for (int i = 0; i < 2; i++)
        join(tasks[i]);
}

static void say_ready_and_join(struct mt_task *task)
{
    usleep(200000);
    puts("ready");
    fflush(stdout);
    join(task);
}

/* One fills the queue and waits; nobody gets. */
static void run_stuck(void)
{
    make("jobs", CAPACITY, MT_QUEUE_FIFO);
    say_ready_and_join(spawn(put_50, "producer one"));
}

/* One waits for a message; nobody puts. The queue has no name. */
static void run_hungry(void)
{
    make(NULL, CAPACITY, MT_QUEUE_FIFO);
    say_ready_and_join(spawn(get_5, "reader"));
}

static void die(int signal)
{
    kill(getpid(), SIGKILL);
}

/* A producer is killed while it writes its second message. */
static void run_killed(void)
{
    char message[SIZE] = "";
    pid_t pid;
    make("jobs", CAPACITY, MT_QUEUE_FIFO);
    pid = fork();
    check(pid < 0, "fork");
    if (!pid) {
        void *nowhere = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        signal(SIGSEGV, die);
        check(mt_queue_put(queue, message, sizeof message, MT_NOWAIT), "a put");
        check(mt_queue_put(queue, nowhere, sizeof message, MT_NOWAIT), "a put from nowhere");
    }
    waitpid(pid, NULL, 0);
    check(mt_queue_put(queue, message, sizeof message, MT_NOWAIT), "a put after that");
    check(mt_queue_get(queue, message, sizeof message, MT_NOWAIT) < 0, "a get");
    usleep(20 * PAUSE_US); /* mtrace looks every two milliseconds */
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"full", run_full},           {"starved", run_starved}, {"batch", run_batch},   {"vain", run_vain},
    {"processes", run_processes}, {"stuck", run_stuck},     {"hungry", run_hungry}, {"killed", run_killed},
};

int main(int argc, char **argv)
{
    alarm(60);
    for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, argv[1])) {
            kinds[i].run();
            mt_queue_free(queue);
            return 0;
        }
    fprintf(stderr, "Usage: queues-mt KIND\n");
    return 2;
}
