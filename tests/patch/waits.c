/* SPDX-License-Identifier: MIT
 *
 * Time, readiness, names, children: what each call says, to the letter. See scenario.h.
 */
#include "scenario.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <wordexp.h>

#define MS 1000000

static struct timespec after(clockid_t clock, long nanoseconds)
{
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_nsec += nanoseconds;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static void sleeping(void)
{
    struct timespec time = {0, 5 * MS}, bad = {0, 1000000000}, negative = {-1, 0}, left = {7, 7}, at;
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    int64_t start = now();

    TELL(sleep(0));
    TELL(usleep(5000));
    TELL(nanosleep(&time, &left));
    say("  %ld left\n", (long)left.tv_sec);
    TELL(nanosleep(&bad, NULL));
    TELL(nanosleep(&negative, NULL));
    TELL(thrd_sleep(&time, NULL));
    say("  not before its time: %d\n", now() - start >= 15 * MS);
    for (int i = 0; i < 3; i++) {
        start = now();
        TELL(clock_nanosleep(clocks[i], 0, &time, &left));
        at = after(clocks[i], 5 * MS);
        TELL(clock_nanosleep(clocks[i], TIMER_ABSTIME, &at, NULL));
        say("  not before its time: %d\n", now() - start >= 10 * MS);
        at = (struct timespec){1, 0};
        TELL(clock_nanosleep(clocks[i], TIMER_ABSTIME, &at, NULL));
    }
    TELL(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL));
    TELL(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL));
    TELL(clock_nanosleep(12345, 0, &time, NULL));
    TELL(sched_yield());
}

/* -- Readiness ---------------------------------------------------------------------------------------------------- */

static void writes_late(int fd)
{
    pause_ms(10);
    if (write(fd, "x", 1) != 1)
        abort();
}

static void closes_late(int fd)
{
    pause_ms(10);
    close(fd);
}

static void told_events(const struct pollfd *fds, int count)
{
    for (int i = 0; i < count; i++)
        say("  revents %x\n", (unsigned)fds[i].revents);
}

static void polling(void)
{
    struct pollfd fds[4];
    struct timespec time = {0, 5 * MS}, bad = {0, -1};
    struct peer *peer;
    char byte;
    int pair[2], file = open("/dev/null", O_RDWR);
    int64_t start = now();

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    TELL(poll(NULL, 0, 5));
    TELL(ppoll(NULL, 0, &time, NULL));
    TELL(ppoll(NULL, 0, &bad, NULL));
    say("  not before its time: %d\n", now() - start >= 10 * MS);
    fds[0] = (struct pollfd){.fd = pair[0], .events = POLLIN, .revents = 77};
    fds[1] = (struct pollfd){.fd = -1, .events = POLLIN, .revents = 77};
    TELL(poll(fds, 2, 0));
    told_events(fds, 2);
    TELL(poll(fds, 2, 5));
    told_events(fds, 2);
    peer = peer_start(writes_late, pair[1]);
    TELL(poll(fds, 2, -1));
    told_events(fds, 2);
    peer_end(peer);
    TELL(read(pair[0], &byte, 1));
    TELL(poll(fds, 1, 5)); /* nothing was left behind */
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    TELL(read(pair[0], &byte, 1));
    fcntl(pair[0], F_SETFL, 0);
    fds[1] = (struct pollfd){.fd = pair[0], .events = POLLOUT};
    fds[2] = (struct pollfd){.fd = file, .events = POLLIN | POLLOUT};
    fds[3] = (struct pollfd){.fd = 12345, .events = POLLIN};
    TELL(poll(fds, 4, -1));
    told_events(fds, 4);
    fds[0] = (struct pollfd){.fd = pair[0], .events = 0};
    peer = peer_start(closes_late, pair[1]);
    TELL(poll(fds, 1, 10000));
    told_events(fds, 1);
    peer_end(peer);
    fds[0].events = POLLIN | POLLRDHUP;
    TELL(poll(fds, 1, -1));
    told_events(fds, 1);
    fds[0] = (struct pollfd){.fd = pair[1], .events = POLLIN};
    TELL(poll(fds, 1, -1));
    told_events(fds, 1);
    close(pair[0]);
    close(file);
}

static void many_polls(void)
{
    struct pollfd fds[200];
    struct peer *peer;
    int pairs[200][2];

    for (int i = 0; i < 200; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]))
            abort();
        fds[i] = (struct pollfd){.fd = pairs[i][0], .events = POLLIN};
    }
    peer = peer_start(writes_late, pairs[150][1]);
    TELL(poll(fds, 200, -1));
    say("  revents %x %x\n", (unsigned)fds[149].revents, (unsigned)fds[150].revents);
    peer_end(peer);
    for (int i = 0; i < 200; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

static void selecting(void)
{
    struct timeval time = {0, 5000};
    struct timespec bad = {0, 1000000000};
    struct peer *peer;
    fd_set reads, writes;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_SET(pair[0], &reads);
    TELL(select(pair[1] + 1, &reads, NULL, NULL, &time));
    say("  in the set: %d, left: %ld\n", FD_ISSET(pair[0], &reads) != 0, (long)time.tv_usec);
    FD_SET(pair[0], &reads);
    peer = peer_start(writes_late, pair[1]);
    TELL(select(pair[1] + 1, &reads, NULL, NULL, NULL));
    say("  in the set: %d\n", FD_ISSET(pair[0], &reads) != 0);
    peer_end(peer);
    FD_SET(pair[1], &reads);
    FD_SET(pair[1], &writes);
    time = (struct timeval){10, 0};
    TELL(select(pair[1] + 1, &reads, &writes, NULL, &time));
    say("  in the sets: %d %d %d, left: %d\n", FD_ISSET(pair[0], &reads) != 0, FD_ISSET(pair[1], &reads) != 0,
        FD_ISSET(pair[1], &writes) != 0, time.tv_sec > 0);
    close(pair[1]);
    FD_SET(pair[1], &reads);
    TELL(select(pair[1] + 1, &reads, NULL, NULL, NULL));
    TELL(select(-1, NULL, NULL, NULL, NULL));
    TELL(pselect(0, NULL, NULL, NULL, &bad, NULL));
    time = (struct timeval){0, 2000};
    TELL(select(0, NULL, NULL, NULL, &time));
    close(pair[0]);
}

static void epolling(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 42}, events[4];
    struct timespec time = {0, 2 * MS};
    struct peer *peer;
    int fd = epoll_create1(EPOLL_CLOEXEC), pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    TELL(epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], &event));
    TELL(epoll_wait(fd, events, 4, 0));
    TELL(epoll_wait(fd, events, 4, 5));
    TELL(epoll_pwait2(fd, events, 4, &time, NULL));
    peer = peer_start(writes_late, pair[1]);
    TELL(epoll_wait(fd, events, 4, -1));
    say("  events %x data %u\n", events[0].events, events[0].data.u32);
    peer_end(peer);
    TELL(epoll_pwait(fd, events, 4, -1, NULL));
    TELL(epoll_wait(fd, events, 0, -1));
    TELL(epoll_wait(pair[0], events, 4, -1));
    TELL(epoll_wait(12345, events, 4, -1));
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

/* -- Names -------------------------------------------------------------------------------------------------------- */

static void names(void)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct hostent *host, entry, *result;
    char node[64], service[64], buffer[4096];
    int herror;

    TELL(getaddrinfo("127.0.0.1", "80", &hints, &found));
    say("  family %d port %d\n", found->ai_family, ntohs(((struct sockaddr_in *)found->ai_addr)->sin_port));
    freeaddrinfo(found);
    TELL(getaddrinfo("not a number", NULL, &hints, &found));
    TELL(getaddrinfo(NULL, NULL, &hints, &found));
    TELL(getaddrinfo("127.0.0.1", "nosuchservice", &hints, &found));
    hints.ai_family = 12345;
    TELL(getaddrinfo("127.0.0.1", NULL, &hints, &found));
    TELL(getnameinfo((struct sockaddr *)&address, sizeof address, node, sizeof node, service, sizeof service,
                     NI_NUMERICHOST | NI_NUMERICSERV));
    say("  %s %s\n", node, service);
    TELL(getnameinfo((struct sockaddr *)&address, 3, node, sizeof node, NULL, 0, 0));
    host = gethostbyname("127.0.0.1");
    say("  %s %d %d\n", host->h_name, host->h_addrtype, host->h_length);
    TELL(gethostbyname_r("127.0.0.1", &entry, buffer, sizeof buffer, &result, &herror));
    say("  %d\n", result == &entry);
    TELL(gethostbyname_r("127.0.0.1", &entry, buffer, 4, &result, &herror));
}

/* -- Children ----------------------------------------------------------------------------------------------------- */

static pid_t child(int code, int killed_by)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    pause_ms(10);
    if (killed_by) {
        signal(killed_by, SIG_DFL);
        raise(killed_by);
    }
    _exit(code);
}

static void told_status(int status)
{
    say("  exited %d %d, signaled %d %d\n", WIFEXITED(status), WEXITSTATUS(status), WIFSIGNALED(status),
        WTERMSIG(status));
}

/* Who traces is told of stops that it did not ask for, of a child that begins to be traced while it is waited for, too.
 */
static void traced(void)
{
    siginfo_t info;
    int status = 0;
    pid_t pid = fork();

    if (!pid) {
        usleep(20000);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGUSR1);
        raise(SIGUSR2);
        _exit(8);
    }
    say("  it: %d\n", waitpid(pid, &status, 0) == pid);
    say("  stopped %d\n", WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1);
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    TELL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    say("  code %d status %d it %d\n", info.si_code, info.si_status, info.si_pid == pid);
    kill(pid, SIGKILL);
    say("  it: %d\n", waitpid(pid, &status, 0) == pid);
    told_status(status);
}

static void children(void)
{
    struct rusage usage = {.ru_maxrss = -1};
    siginfo_t info;
    int status = 0, gate[2];
    char byte;
    pid_t pid;

    if (pipe(gate))
        abort();
    pid = fork();
    if (!pid) {
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) ? 1 : 3);
    }
    TELL(waitpid(pid, &status, WNOHANG));
    close(gate[0]);
    close(gate[1]);
    say("  it: %d\n", waitpid(pid, &status, 0) == pid);
    told_status(status);
    TELL(waitpid(pid, &status, 0));
    pid = child(0, SIGKILL);
    say("  it: %d\n", wait(&status) == pid);
    told_status(status);
    pid = child(4, 0);
    say("  it: %d\n", wait4(pid, &status, 0, &usage) == pid);
    told_status(status);
    say("  usage: %d\n", usage.ru_maxrss >= 0);
    pid = child(5, 0);
    say("  it: %d\n", wait3(&status, 0, NULL) == pid);
    told_status(status);
    pid = child(6, 0);
    TELL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    say("  code %d status %d it %d\n", info.si_code, info.si_status, info.si_pid == pid);
    TELL(waitid(P_ALL, 0, &info, WEXITED));
    TELL(waitid(P_PID, (id_t)pid, &info, WEXITED));
    TELL(waitid(P_PID, (id_t)pid, &info, 0));
    TELL(wait(NULL));
    TELL(waitpid(-1, &status, 12345678));
    pid = child(0, SIGSTOP);
    say("  it: %d\n", waitpid(pid, &status, WUNTRACED) == pid);
    say("  stopped %d\n", WIFSTOPPED(status));
    kill(pid, SIGKILL);
    say("  it: %d\n", waitpid(pid, &status, 0) == pid);
    told_status(status);
    traced();
}

static void shells(void)
{
    wordexp_t words;
    char line[16] = "";
    FILE *stream;

    told_status(system("exit 3"));
    told_status(system("kill -9 $$"));
    say("  there is a shell: %d\n", system(NULL) != 0);
    told_status(system("grep -q '^SigBlk:.*0000$' /proc/self/status")); /* it inherits our mask */
    stream = popen("sleep 0.01; echo hello; exit 5", "r");
    say("  %s", fgets(line, sizeof line, stream));
    told_status(pclose(stream));
    TELL(wordexp("$(echo a b) c", &words, 0));
    say("  %zu words\n", words.we_wordc);
    wordfree(&words);
    TELL(wordexp("$(echo a)", &words, WRDE_NOCMD));
}

/* The child is like the parent: its coroutine goes on, with a hub of its own. */
static void forks(void)
{
    int pair[2], status;
    char byte;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    pid = fork();
    if (!pid) {
        close(pair[0]);
        usleep(2000);
        _exit(write(pair[1], "x", 1) == 1 && read(pair[1], &byte, 1) == 1 && byte == 'y' ? 7 : 1);
    }
    close(pair[1]);
    TELL(read(pair[0], &byte, 1));
    TELL(write(pair[0], "y", 1));
    say("  it: %d\n", waitpid(pid, &status, 0) == pid);
    told_status(status);
    TELL(read(pair[0], &byte, 1));
    close(pair[0]);
}

const struct scenario scenarios[] = {
    {"sleep", sleeping}, {"poll", polling}, {"poll of many", many_polls}, {"select", selecting},
    {"epoll", epolling}, {"names", names},  {"children", children},       {"shells", shells},
    {"fork", forks},     {NULL, NULL},
};
