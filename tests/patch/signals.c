/* SPDX-License-Identifier: MIT
 *
 * Waits for signals, and waits that signals interrupt: what each call says, to the letter. See scenario.h.
 */
#include "scenario.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#define MS 1000000

static void sends_signal(int fd)
{
    pause_ms(10);
    kill(getpid(), SIGUSR1);
}

static volatile sig_atomic_t handled;

static void handle(int signal)
{
    handled++;
}

/* The peers inherit a mask without the signal: it is this thread's, or the process's. */
static void signals(void)
{
    struct timespec time = {0, 5 * MS}, bad = {0, -1};
    struct sigaction action = {.sa_handler = handle}, before;
    struct peer *peer;
    sigset_t set, old, open;
    siginfo_t info;
    int signal = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaction(SIGUSR1, &action, &before);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    TELL(sigtimedwait(&set, &info, &time));
    TELL(sigtimedwait(&set, &info, &bad));
    peer = peer_start(sends_signal, 0);
    TELL(sigwait(&set, &signal));
    say("  SIGUSR1: %d\n", signal == SIGUSR1);
    peer_end(peer);
    peer = peer_start(sends_signal, 0);
    say("  SIGUSR1: %d\n", sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_USER);
    peer_end(peer);
    peer = peer_start(sends_signal, 0);
    time = (struct timespec){60, 0};
    say("  SIGUSR1: %d\n", sigtimedwait(&set, NULL, &time) == SIGUSR1);
    peer_end(peer);
    say("  handled: %d\n", (int)handled);
    open = old;
    sigdelset(&open, SIGUSR1);
    peer = peer_start(sends_signal, 0);
    TELL(sigsuspend(&open));
    say("  handled: %d\n", (int)handled);
    peer_end(peer);
    peer = peer_start(sends_signal, 0);
    TELL(ppoll(NULL, 0, NULL, &open));
    say("  handled: %d\n", (int)handled);
    peer_end(peer);
    peer = peer_start(sends_signal, 0);
    TELL(pselect(0, NULL, NULL, NULL, NULL, &open));
    say("  handled: %d\n", (int)handled);
    peer_end(peer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    sigaction(SIGUSR1, &before, NULL);
}

static volatile int over;

/* To the process, of which the caller's thread alone takes it. */
static void interrupt_once(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pause_ms(10);
    kill(getpid(), SIGUSR1);
}

/* Until it has been told of: the other side may not have come to its call yet. */
static void interrupts(int fd)
{
    do
        interrupt_once();
    while (!over);
}

static void interrupts_and_writes(int fd)
{
    interrupt_once();
    pause_ms(10);
    if (write(fd, "x", 1) != 1)
        abort();
}

#define INTERRUPTED(call)                  \
    do {                                   \
        over = 0;                          \
        peer = peer_start(interrupts, -1); \
        TELL(call);                        \
        over = 1;                          \
        peer_end(peer);                    \
    } while (0)

static void is_interrupted(int flags)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags}, before, ours;
    struct pollfd look;
    struct timespec minute = {60, 0}, left = {0, 0};
    struct timeval limit = {60, 0};
    struct peer *peer;
    char byte;
    int pair[2];

    sigaction(SIGUSR1, &action, &before);
    sigaction(SIGUSR1, NULL, &ours);
    say("  the handler is ours: %d\n", ours.sa_handler == handle && (ours.sa_flags & SA_RESTART) == flags);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    look = (struct pollfd){.fd = pair[0], .events = POLLIN};
    INTERRUPTED(poll(&look, 1, -1));
    INTERRUPTED(nanosleep(&minute, &left));
    say("  some is left: %d\n", left.tv_sec > 0);
    INTERRUPTED(sleep(60) > 0);
    if (flags) {
        peer = peer_start(interrupts_and_writes, pair[1]);
        TELL(read(pair[0], &byte, 1));
        peer_end(peer);
    } else {
        INTERRUPTED(read(pair[0], &byte, 1));
        INTERRUPTED(recv(pair[0], &byte, 1, MSG_WAITALL));
    }
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    INTERRUPTED(recv(pair[0], &byte, 1, 0));
    sigaction(SIGUSR1, &before, NULL);
    close(pair[0]);
    close(pair[1]);
}

static void interrupted(void)
{
    is_interrupted(0);
}

static void restarted(void)
{
    is_interrupted(SA_RESTART);
}

const struct scenario scenarios[] = {
    {"signals", signals},
    {"EINTR", interrupted},
    {"SA_RESTART", restarted},
    {NULL, NULL},
};
