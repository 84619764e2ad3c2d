/* SPDX-License-Identifier: MIT */
#include "posix.h"

static void *identity(void *arg)
{
    return arg;
}

static void value_is_the_return_value(void)
{
    int object;

    CHECK(finish(start(identity, &object)) == &object);
    IS(pthread_join(start(identity, NULL), NULL), 0);
}

static void *leave(void *arg)
{
    pthread_exit(arg);
}

static void *leave_deep(void *arg)
{
    leave(arg);
    return NULL;
}

static void exit_gives_the_value(void)
{
    int object;

    CHECK(finish(start(leave_deep, &object)) == &object);
}

static pthread_t created;
static int ready, equal;

static void *compare(void *arg)
{
    while (!SEEN(ready))
        sched_yield();
    equal = pthread_equal(pthread_self(), created) != 0;
    return NULL;
}

static void self_is_the_created_thread(void)
{
    pthread_t main_thread = pthread_self();

    created = start(compare, NULL);
    SET(ready);
    CHECK(!pthread_equal(main_thread, created));
    CHECK(pthread_equal(main_thread, pthread_self()));
    finish(created);
    CHECK(equal);
}

static void join_oneself_is_edeadlk(void)
{
    IS(pthread_join(pthread_self(), NULL), EDEADLK);
}

static sem_t released, done;

static void *wait_and_post(void *arg)
{
    while (sem_wait(&released))
        ;
    sem_post(&done);
    return NULL;
}

static void detached_threads_run(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    int state;

    IS(sem_init(&released, 0, 0), 0);
    IS(sem_init(&done, 0, 0), 0);
    thread = start(wait_and_post, NULL);
    IS(pthread_detach(thread), 0);
    IS(pthread_join(thread, NULL), EINVAL);
    IS(pthread_attr_init(&attributes), 0);
    IS(pthread_attr_getdetachstate(&attributes, &state), 0);
    IS(state, PTHREAD_CREATE_JOINABLE);
    IS(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
    IS(pthread_create(&thread, &attributes, wait_and_post, NULL), 0);
    IS(pthread_join(thread, NULL), EINVAL);
    IS(pthread_attr_destroy(&attributes), 0);
    sem_post(&released);
    sem_post(&released);
    IS(sem_wait(&done), 0);
    IS(sem_wait(&done), 0);
}

static char *volatile deep;

static void *use_stack(void *arg)
{
    char buffer[200 * 1024];

    memset(buffer, 1, sizeof buffer);
    deep = buffer;
    return deep[sizeof buffer - 1] == 1 ? arg : NULL;
}

static void stack_attributes(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t size = 0;

    IS(pthread_attr_init(&attributes), 0);
    IS(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN - 1), EINVAL);
    IS(pthread_attr_setstacksize(&attributes, 512 * 1024), 0);
    IS(pthread_attr_getstacksize(&attributes, &size), 0);
    CHECK(size == 512 * 1024);
    IS(pthread_attr_setguardsize(&attributes, 8192), 0);
    IS(pthread_attr_getguardsize(&attributes, &size), 0);
    CHECK(size == 8192);
    IS(pthread_create(&thread, &attributes, use_stack, &size), 0);
    CHECK(finish(thread) == &size);
    IS(pthread_attr_destroy(&attributes), 0);
}

static void scheduling_attributes(void)
{
    pthread_attr_t attributes;
    struct sched_param parameters = {.sched_priority = 1};
    int value = -1;

    IS(pthread_attr_init(&attributes), 0);
    IS(pthread_attr_getschedpolicy(&attributes, &value), 0);
    IS(value, SCHED_OTHER);
    IS(pthread_attr_setschedpolicy(&attributes, SCHED_RR), 0);
    IS(pthread_attr_setschedparam(&attributes, &parameters), 0);
    parameters.sched_priority = 0;
    IS(pthread_attr_getschedparam(&attributes, &parameters), 0);
    IS(parameters.sched_priority, 1);
    IS(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED), 0);
    IS(pthread_attr_getinheritsched(&attributes, &value), 0);
    IS(value, PTHREAD_EXPLICIT_SCHED);
    IS(pthread_attr_setinheritsched(&attributes, 99), EINVAL);
    IS(pthread_attr_setscope(&attributes, PTHREAD_SCOPE_SYSTEM), 0);
    IS(pthread_attr_getscope(&attributes, &value), 0);
    IS(value, PTHREAD_SCOPE_SYSTEM);
    IS(pthread_attr_setdetachstate(&attributes, 99), EINVAL);
    IS(pthread_getschedparam(pthread_self(), &value, &parameters), 0);
    IS(value, sched_getscheduler(0));
    IS(pthread_attr_destroy(&attributes), 0);
}

static volatile sig_atomic_t handled;
static pthread_t handled_in;

static void on_signal(int signal)
{
    handled_in = pthread_self();
    handled = signal;
}

static void *wait_for_signal(void *arg)
{
    SET(ready);
    while (!handled)
        sched_yield();
    return NULL;
}

static void kill_reaches_the_thread(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t thread;

    sigaction(SIGUSR1, &action, NULL);
    ready = 0;
    thread = start(wait_for_signal, NULL);
    while (!SEEN(ready))
        sched_yield();
    IS(pthread_kill(thread, 0), 0);
    IS(pthread_kill(thread, -1), EINVAL);
    IS(pthread_kill(thread, SIGUSR1), 0);
    finish(thread);
    IS(handled, SIGUSR1);
    CHECK(pthread_equal(handled_in, thread));
}

static void *read_mask(void *arg)
{
    sigset_t mask;

    IS(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    return sigismember(&mask, SIGUSR2) ? arg : NULL;
}

static void the_mask_is_inherited(void)
{
    sigset_t mask;
    int object;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    IS(pthread_sigmask(SIG_BLOCK, &mask, NULL), 0);
    CHECK(finish(start(read_mask, &object)) == &object);
    IS(pthread_sigmask(SIG_UNBLOCK, &mask, NULL), 0);
    CHECK(finish(start(read_mask, &object)) == NULL);
}

static void *burn(void *arg)
{
    struct timespec used = {0, 0};
    clockid_t clock;

    IS(pthread_getcpuclockid(pthread_self(), &clock), 0);
    while (!used.tv_sec && used.tv_nsec < 3000000)
        IS(clock_gettime(clock, &used), 0);
    return NULL;
}

static void a_thread_has_a_cpu_clock(void)
{
    finish(start(burn, NULL));
}

static void *set_errno(void *arg)
{
    errno = (int)(intptr_t)arg;
    sched_yield();
    return (void *)(intptr_t)(errno == (int)(intptr_t)arg);
}

static void errno_is_each_threads_own(void)
{
    pthread_t threads[4];

    errno = 7;
    for (intptr_t i = 0; i < 4; i++)
        threads[i] = start(set_errno, (void *)(100 + i));
    for (int i = 0; i < 4; i++)
        CHECK(finish(threads[i]) != NULL);
    IS(errno, 7);
}

static int exit_order;

static void *leave_late(void *arg)
{
    nap(100);
    _exit(exit_order == 1 ? 0 : 1);
}

static void the_process_outlives_mains_pthread_exit(void)
{
    pid_t child = fork();

    if (!child) {
        start(leave_late, NULL);
        exit_order = 1;
        pthread_exit(NULL);
    }
    child_is_fine(child);
}

int main(void)
{
    static const struct requirement list[] = {
        {"pthread_join stores what the start routine returned", value_is_the_return_value},
        {"pthread_exit makes its value available to a join", exit_gives_the_value},
        {"pthread_self is what pthread_create stored", self_is_the_created_thread},
        {"a thread that joins itself gets EDEADLK", join_oneself_is_edeadlk},
        {"detached threads run, and cannot be joined", detached_threads_run},
        {"stack and guard size can be set", stack_attributes},
        {"scheduling attributes are kept and checked", scheduling_attributes},
        {"pthread_kill has the handler run in that thread", kill_reaches_the_thread},
        {"a new thread inherits the signal mask", the_mask_is_inherited},
        {"pthread_getcpuclockid gives the thread's own clock", a_thread_has_a_cpu_clock},
        {"errno is each thread's own", errno_is_each_threads_own},
        {"pthread_exit in main leaves the other threads alive", the_process_outlives_mains_pthread_exit},
    };
    return RUN(list);
}
