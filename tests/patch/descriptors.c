/* SPDX-License-Identifier: MIT
 *
 * What closes descriptors by number, as daemons and whoever is about to exec do, leaves the library's own open: hubs go
 * on. Speaks TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif

static int failures;

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                       \
        }                                                                     \
    } while (0)

static int is_own(int fd)
{
    static const char *const kinds[] = {"eventpoll", "eventfd", "io_uring", "timerfd", "linuxmt-tasks"};
    char path[64], target[256];
    ssize_t length;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strstr(target, kinds[i]))
            return 1;
    return 0;
}

static int count_own(int most)
{
    int count = 0;

    for (int fd = 3; fd < most; fd++)
        count += is_own(fd);
    return count;
}

static int is_open(int fd)
{
    return syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}

/* -- The ways to close -------------------------------------------------------------------------------------------- */

static void one_by_one(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        int own = is_own(fd), result = close(fd);
        CHECK(!own || (result == -1 && errno == EBADF));
    }
}

static void by_range(void)
{
    CHECK(close_range(3, ~0u, 0) == 0);
}

/* In a child that has no other threads yet: they would not have the same descriptors. */
static int unshares;

static void by_short_range(void)
{
    CHECK(close_range(3, 900, unshares ? CLOSE_RANGE_UNSHARE : 0) == 0);
    CHECK(close_range(4, 3, 0) == -1 && errno == EINVAL);
    CHECK(close_range(3, 4, 1u << 20) == -1 && errno == EINVAL);
}

static void from_number(void)
{
    closefrom(3);
}

static void by_others(void)
{
    int null = open("/dev/null", O_RDONLY);

    CHECK(dup2(12345, 3) == -1 && errno == EBADF);
    for (int fd = 3; fd < 1024; fd++) {
        if (fd == null)
            continue;
        if (is_own(fd)) {
            CHECK(dup2(null, fd) == -1 && errno == EBUSY);
            CHECK(dup3(null, fd, O_CLOEXEC) == -1 && errno == EBUSY);
            CHECK(is_own(fd));
        } else if (fd < 40) {
            CHECK(dup2(null, fd) == fd);
            CHECK(close(fd) == 0);
        }
    }
    CHECK(close(null) == 0);
}

static void (*const ways[])(void) = {one_by_one, by_range, by_short_range, from_number, by_others};
#define WAYS (sizeof ways / sizeof *ways)

/* -- Who does it, and that its hub goes on ------------------------------------------------------------------------ */

static int sleeper(void *arg)
{
    for (int i = 0; i < 3; i++)
        if (mt_sleep(MT_MS(1)))
            return -EIO;
    return 0;
}

/* Sleeps, reads from a pipe and is woken by a thread: all that a hub has. */
static void *wakes(void *event)
{
    mt_event_set(event);
    return NULL;
}

static int lives(void *arg)
{
    struct mt_event event = MT_EVENT_INIT;
    struct mt_task *task = mt_coro_spawn(sleeper, NULL, NULL);
    pthread_t thread;
    char byte = 0;
    int fds[2];

    CHECK(task && pipe(fds) == 0);
    CHECK(pthread_create(&thread, NULL, wakes, &event) == 0);
    CHECK(mt_event_wait(&event, mt_after(MT_SEC(60))) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(write(fds[1], "x", 1) == 1 && read(fds[0], &byte, 1) == 1 && byte == 'x');
    CHECK(mt_task_join(task, mt_after(MT_SEC(60))) == 0);
    mt_task_release(task);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    return 0;
}

static int closes(void *way)
{
    int extra = open("/dev/null", O_RDONLY), own = count_own(1024);

    (*(void (*const *)(void))way)();
    CHECK(count_own(1024) == own);
    CHECK(!is_open(extra));
    return lives(NULL);
}

static void in_coroutine(mt_fn *fn, void *arg)
{
    struct mt_task *task = mt_coro_spawn(fn, arg, NULL);

    CHECK(task && mt_task_join(task, mt_after(MT_SEC(60))) == 0);
    mt_task_release(task);
}

static void by_coroutine(void)
{
    for (unsigned i = 0; i < WAYS; i++)
        in_coroutine(closes, (void *)&ways[i]);
}

static void by_root(void)
{
    for (unsigned i = 0; i < WAYS; i++) {
        ways[i]();
        in_coroutine(lives, NULL);
    }
}

static void *thread_closes(void *arg)
{
    for (unsigned i = 0; i < WAYS; i++)
        ways[i]();
    return NULL;
}

static void by_thread(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, thread_closes, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    in_coroutine(lives, NULL);
}

/* The child has what it inherited closed, then a hub that goes on, and then another program. */
static void child(unsigned way)
{
    unshares = 1;
    ways[way]();
    lives(NULL);
    if (failures || dup2(STDOUT_FILENO, 3) != 3)
        _exit(1);
    execl("/bin/sh", "sh", "-c", "[ -e /proc/self/fd/3 ] && [ ! -e /proc/self/fd/768 ]", (char *)NULL);
    _exit(2);
}

static int forks(void *arg)
{
    for (unsigned i = 0; i < WAYS; i++) {
        int status = -1;
        pid_t pid = fork();
        if (!pid)
            child(i);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        CHECK(status == 0);
    }
    return 0;
}

static void by_child(void)
{
    in_coroutine(forks, NULL);
}

/* What a thread that the child does not have has left there is the child's to close. */
static pthread_barrier_t there, over;

static void *has_hub(void *arg)
{
    struct mt_task *task = mt_coro_spawn(sleeper, NULL, NULL);

    CHECK(task && mt_task_join(task, MT_FOREVER) == 0);
    mt_task_release(task);
    pthread_barrier_wait(&there);
    pthread_barrier_wait(&over);
    return NULL;
}

static void of_other_thread(void)
{
    int status = -1, before = count_own(1024);
    pthread_t thread;
    pid_t pid;

    pthread_barrier_init(&there, NULL, 2);
    pthread_barrier_init(&over, NULL, 2);
    CHECK(pthread_create(&thread, NULL, has_hub, NULL) == 0);
    pthread_barrier_wait(&there);
    CHECK(count_own(1024) > before);
    pid = fork();
    if (!pid) {
        closefrom(3);
        _exit(count_own(1024) > before);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
    pthread_barrier_wait(&over);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(count_own(1024) == before);
}

/* Those that were there before the patch have low numbers: these ways apart, it makes no difference. */
static void are_high(void)
{
    pthread_t thread;
    int before = count_own(60);

    pthread_barrier_init(&there, NULL, 2);
    pthread_barrier_init(&over, NULL, 2);
    CHECK(pthread_create(&thread, NULL, has_hub, NULL) == 0);
    pthread_barrier_wait(&there);
    CHECK(count_own(60) == before);
    pthread_barrier_wait(&over);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* -- Processes, pools of them and managers ------------------------------------------------------------------------- */

static int until_told(void *arg)
{
    return mt_sleep(MT_SEC(60)) == -ECANCELED ? 0 : -EIO;
}

static struct mt_task *process(enum mt_start_method start)
{
    struct mt_process_options options = {.start = start};
    struct mt_task *task = mt_process_spawn(until_told, NULL, 0, &options);

    CHECK(task);
    return task;
}

static void tell(struct mt_task *task)
{
    struct mt_exit how = {-1, 0, 0};

    CHECK(mt_task_kill(task) == 0 && mt_task_join(task, mt_after(MT_SEC(60))) == 0);
    CHECK(mt_process_exit(task, &how) == 0 && how.code == 0 && mt_task_outcome(task) == 0);
    mt_task_release(task);
}

/* One that nobody has a handle on is waited for all the same. */
static void tell_forgotten(pid_t pid)
{
    mt_deadline end = mt_after(MT_SEC(60));

    CHECK(kill(pid, SIGTERM) == 0);
    while (kill(pid, 0) == 0 && mt_now() < end)
        usleep(1000);
    CHECK(kill(pid, 0) == -1 && errno == ESRCH);
}

/* In a pool's process; its value goes by the stream. */
static int closes_there(void *arg)
{
    static char value[100000];

    closefrom(3);
    return mt_pool_reply(value, sizeof value);
}

static void by_task(struct mt_pool *pool)
{
    for (int i = 0; i < 2; i++) {
        struct mt_future *future = mt_pool_apply(pool, closes_there, NULL, 0, mt_after(MT_SEC(60)));
        size_t size = 0;
        CHECK(future && mt_future_outcome(future) == 0 && mt_future_value(future, &size) && size == 100000);
        mt_future_release(future);
    }
}

__attribute__((unused)) static void with_processes(void)
{
    static const unsigned which[] = {0, 1, 3};

    for (unsigned i = 0; i < 3; i++) {
        struct mt_task *forked = process(MT_FORK), *served = process(MT_FORKSERVER), *forgotten = process(MT_FORK);
        struct mt_pool *pool = mt_pool_open(&(struct mt_pool_options){.kind = MT_PROCESS, .workers = 1});
        struct mt_manager *manager = mt_manager_start(NULL, mt_after(MT_SEC(60)));
        struct mt_manager_info info;
        pid_t pid = mt_task_tid(forgotten);
        CHECK(pool && manager);
        mt_task_release(forgotten);
        by_task(pool);
        ways[which[i]]();
        by_task(pool);
        CHECK(mt_manager_info(manager, &info, mt_after(MT_SEC(60))) == 0);
        tell(process(MT_FORKSERVER));
        tell(served);
        tell(forked);
        tell_forgotten(pid);
        CHECK(mt_pool_close(pool) == 0 && mt_pool_join(pool, mt_after(MT_SEC(60))) == 0);
        mt_pool_free(pool);
        CHECK(mt_manager_shutdown(manager, mt_after(MT_SEC(60))) == 0);
        mt_manager_close(manager);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"a coroutine closes all others", by_coroutine},
    {"the thread of the hub does", by_root},
    {"another thread does", by_thread},
    {"a child does", by_child},
    {"a child closes what is nobody's there", of_other_thread},
    {"new ones are out of the way", are_high},
#ifndef __SANITIZE_ADDRESS__ /* whose allocator's locks are not fork's to mend beside other threads */
    {"processes, pools and managers go on", with_processes},
#endif
};

int main(void)
{
    int count = sizeof tests / sizeof *tests, failed = 0;

    mt_process_init();
    in_coroutine(lives, NULL); /* its hub has low numbers: those that hurt */
    CHECK(count_own(60) > 0);
    CHECK(mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK)) == 0);
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        tests[i].run();
        printf("%sok %d - %s\n", failures ? "not " : "", i + 1, tests[i].name);
        fflush(stdout);
        failed += failures;
        failures = 0;
    }
    return failed != 0;
}
