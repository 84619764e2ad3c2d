/* SPDX-License-Identifier: MIT
 *
 * What a process does as a whole, from our threads: fork, programs, user ids, signals, CPUs, and the resolver.
 */
#include "unit.h"
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static int nothing(void *arg)
{
    return 0;
}

static int fork_and_thread(void *arg)
{
    for (int i = 0; i < 20; i++) {
        int status;
        pid_t child = fork();
        if (!child) {
            free(malloc(100));
            struct mt_task *task = mt_thread_spawn(nothing, NULL, NULL);
            if (!task || mt_task_join(task, MT_FOREVER))
                _exit(3);
            mt_task_release(task);
            _exit(mt_task_tid(mt_task_current()) == getpid() ? 9 : 4);
        }
        if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 9)
            return 1;
    }
    return 0;
}

static void fork_from_threads(void **state)
{
    if (SANITIZER)
        skip(); /* TSan does not let a forked child start threads, and ASan's allocator may be locked in it */
    run_many(fork_and_thread, NULL, 4);
}

static int run_shell(void *arg)
{
    char line[8] = "";
    FILE *pipe;

    if (WEXITSTATUS(system("exit 3")) != 3)
        return 1;
    pipe = popen("echo hi", "r");
    if (!pipe || !fgets(line, sizeof line, pipe) || pclose(pipe))
        return 2;
    return strcmp(line, "hi\n") != 0;
}

static void system_and_popen(void **state)
{
    run_many(run_shell, NULL, 3);
}

static struct mt_event finish_now = MT_EVENT_INIT;

static int wait_until_told(void *arg)
{
    return mt_event_wait(&finish_now, MT_FOREVER);
}

static int uid_of(int tid)
{
    char path[64], line[256];
    int uid = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Uid: %d", &uid) == 1)
            break;
    if (file)
        fclose(file);
    return uid;
}

static void setuid_reaches_our_threads(void **state)
{
    int status;
    pid_t child;

    if (geteuid() != 0 || SANITIZER)
        skip(); /* a child of TSan's cannot start threads */
    child = fork();
    if (!child) {
        struct mt_task *tasks[4];
        int bad = 0;
        for (int i = 0; i < 4; i++)
            tasks[i] = mt_thread_spawn(wait_until_told, NULL, NULL);
        for (int i = 0; i < 4; i++)
            while (!tasks[i] || mt_task_state(tasks[i]) != MT_WAITING)
                usleep(100);
        if (setresuid(65534, 65534, 65534))
            _exit(1);
        for (int i = 0; i < 4; i++)
            bad += uid_of(mt_task_tid(tasks[i])) != 65534;
        _exit(bad ? 2 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int change_groups(void *arg)
{
    for (int i = 0; i < 100; i++)
        if (setresgid(-1, -1, -1))
            return 1;
    return 0;
}

/* setuid's broadcast against threads that come and go: neither hangs. */
static void setuid_storm(void **state)
{
    struct mt_task *changer = spawn(change_groups, NULL);

    for (int i = 0; i < 500; i++)
        run_many(nothing, NULL, 3);
    assert_int_equal(finish(changer), 0);
}

static volatile int signalled;
static void on_signal(int signal)
{
    signalled++;
}

static int signal_self(void *arg)
{
    sigset_t mask;

    if (raise(SIGUSR1) || signalled != 1 || pthread_kill(pthread_self(), SIGUSR1) || signalled != 2)
        return 1;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return !sigismember(&mask, SIGUSR2); /* inherited from the spawner */
}

static void signals(void **state)
{
    sigset_t mask, before;

    signal(SIGUSR1, on_signal);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    signalled = 0;
    assert_int_equal(finish(spawn(signal_self, NULL)), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGUSR1, SIG_DFL);
}

static int follow_cpu(void *arg)
{
    cpu_set_t allowed, one;

    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) || sched_getcpu() != cpu)
            return 1;
    }
    return 0;
}

static void getcpu_is_right(void **state)
{
    run_many(follow_cpu, NULL, 2);
}

static int resolve(void *arg)
{
    struct addrinfo *found = NULL;

    if (!getaddrinfo("localhost", "80", NULL, &found))
        freeaddrinfo(found);
    return 0;
}

static void the_resolver_works(void **state)
{
    for (int i = 0; i < 10; i++)
        run_many(resolve, NULL, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_from_threads),
        cmocka_unit_test(system_and_popen),
        cmocka_unit_test(setuid_reaches_our_threads),
        cmocka_unit_test(setuid_storm),
        cmocka_unit_test(signals),
        cmocka_unit_test(getcpu_is_right),
        cmocka_unit_test(the_resolver_works),
    };
    return RUN(tests);
}
