/* SPDX-License-Identifier: MIT
 *
 * Signals, while all others wait in the hub.
 */
#include "coop.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static int ends[2];

static void on_alarm(int signal)
{
    char byte = 'a';
    ssize_t written = write(ends[1], &byte, 1);

    (void)written;
}

static int alarmed(void *arg)
{
    const struct itimerval soon = {.it_value = {0, 5000}};
    char byte = 0;

    if (arg)
        return 0;
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'a');
    return 0;
}

static void handlers(void)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

    CHECK(pipe(ends) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    run_many(alarmed, 2);
    close(ends[0]);
    close(ends[1]);
}

/* Two wait for any signal, one with a mask of its own for one that is blocked; the others' mask stays. */
static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
    handled++;
}

static int suspended(void *arg)
{
    sigset_t set;
    int i = (int)(intptr_t)arg;

    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &set) == 0);
    if (i < 2) {
        CHECK(pause() == -1 && errno == EINTR);
    } else if (i == 2) {
        sigdelset(&set, SIGUSR2);
        CHECK(sigsuspend(&set) == -1 && errno == EINTR);
    } else {
        CHECK(sigismember(&set, SIGUSR1) == 0);
        CHECK(kill(getpid(), SIGUSR2) == 0);
        usleep(1000);
        CHECK(handled == 1);
        CHECK(kill(getpid(), SIGUSR1) == 0);
        usleep(1000);
        CHECK(kill(getpid(), SIGUSR1) == 0);
    }
    return 0;
}

static void suspends(void)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    sigset_t set, now;

    handled = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    run_many(suspended, 4);
    CHECK(handled == 3);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &set, &now) == 0);
    CHECK(sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGUSR1) == 0);
}

const struct coop_test signal_tests[] = {
    {"a signal handler writes while the hub sleeps", handlers},
    {"three wait for signals", suspends},
    {NULL, NULL},
};
