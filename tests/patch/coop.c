/* SPDX-License-Identifier: MIT
 *
 * Blocking calls in many coroutines of one thread: what one waits for is another one's to do, so that a call which
 * blocked the thread would hang. Speaks TAP.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY 100

static int failures;

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                       \
        }                                                                     \
    } while (0)

/* How many are in the middle of it at a time. */
static int inside, most;

static void enter(void)
{
    if (++inside > most)
        most = inside;
}

static void leave(void)
{
    inside--;
}

/* Runs fn in count coroutines, with 0 to count - 1. */
static void run_many(mt_fn *fn, int count)
{
    struct mt_task *tasks[MANY * 2];

    inside = most = 0;
    for (int i = 0; i < count; i++)
        if (!(tasks[i] = mt_coro_spawn(fn, (void *)(intptr_t)i, NULL)))
            abort();
    CHECK(mt_joinall(tasks, (size_t)count, MT_FOREVER) == 0);
    for (int i = 0; i < count; i++) {
        CHECK(mt_task_outcome(tasks[i]) == 0);
        mt_task_release(tasks[i]);
    }
}

static void all_classes(void)
{
    CHECK(mt_patch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK)) == 0);
}

/* -- Each of them ------------------------------------------------------------------------------------------------- */

static void interface(void)
{
    int (*original)(const struct timespec *, struct timespec *);
    struct timespec time = {0, 1000};

    CHECK(!mt_is_patched(MT_PATCH_SLEEP));
    CHECK(mt_patch(0) == -EINVAL);
    CHECK(mt_patch(1u << 30) == -EINVAL);
    CHECK(mt_unpatch(1u << 30) == -EINVAL);
    CHECK(mt_patch(MT_PATCH_SLEEP | MT_PATCH_SOCKET) == 0);
    CHECK(mt_is_patched(MT_PATCH_SLEEP));
    CHECK(!mt_is_patched(MT_PATCH_SLEEP | MT_PATCH_DNS));
    CHECK(mt_unpatch(MT_PATCH_SOCKET) == 0);
    CHECK(mt_is_patched(MT_PATCH_SLEEP) && !mt_is_patched(MT_PATCH_SOCKET));
    *(void **)&original = mt_patch_original("nanosleep");
    CHECK(original && original != nanosleep && original(&time, NULL) == 0);
    CHECK(mt_patch_original("getpid") != NULL);
    CHECK(mt_patch_original("no_such_name") == NULL);
    CHECK(mt_patch_passed("no_such_name") == 0 && mt_patch_passed(NULL) == 0);
}

static int wanted, tries;

/* Until so many are in it at a time; if sleeping blocks the others, that will never be. */
static int sleeper(void *arg)
{
    enter();
    for (int i = 0; i < tries && most < wanted; i++)
        CHECK(usleep(1000) == 0);
    leave();
    return 0;
}

static void sleeps(void)
{
    wanted = MANY;
    tries = 30000;
    run_many(sleeper, MANY);
    CHECK(most == MANY);
}

static int passer(void *arg)
{
    struct timespec time = {0, 1000};

    return -clock_nanosleep(CLOCK_TAI, 0, &time, NULL);
}

static void passes(void)
{
    uint64_t before = mt_patch_passed("clock_nanosleep");

    run_many(passer, 1);
    CHECK(mt_patch_passed("clock_nanosleep") == before + 1);
    CHECK(mt_patch_passed(NULL) >= before + 1);
}

static void unpatched(void)
{
    CHECK(mt_unpatch(MT_PATCH_SLEEP) == 0);
    wanted = 2;
    tries = 3;
    run_many(sleeper, 3);
    CHECK(most == 1);
    all_classes();
}

static int ends[2];

static int pinger(void *arg)
{
    int which = (int)(intptr_t)arg;
    char byte = 'x';

    for (int i = 0; i < 200; i++) {
        if (which && read(ends[1], &byte, 1) != 1)
            return -errno;
        if (write(ends[which], &byte, 1) != 1)
            return -errno;
        if (!which && read(ends[0], &byte, 1) != 1)
            return -errno;
    }
    return 0;
}

static void conversation(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(pinger, 2);
    close(ends[0]);
    close(ends[1]);
}

/* -- A server of coroutines --------------------------------------------------------------------------------------- */

#define CLIENTS 50

static int listening;
static struct sockaddr_in server_address;

static int echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[256];
    ssize_t size;

    while ((size = read(fd, buffer, sizeof buffer)) > 0)
        if (write(fd, buffer, (size_t)size) != size)
            return -EIO;
    return close(fd) ? -errno : 0;
}

static int serve(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        int fd = accept(listening, NULL, NULL);
        struct mt_task *task = fd < 0 ? NULL : mt_coro_spawn(echo, (void *)(intptr_t)fd, NULL);
        if (!task)
            return -errno;
        mt_task_release(task);
    }
    return 0;
}

static int client(void *arg)
{
    char text[64], back[64] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (!arg)
        return close(fd) ? -errno : serve();
    if (connect(fd, (struct sockaddr *)&server_address, sizeof server_address))
        return -errno;
    enter();
    for (int i = 0; i < 10; i++) {
        int length = snprintf(text, sizeof text, "client %d says %d", (int)(intptr_t)arg, i);
        CHECK(send(fd, text, (size_t)length, 0) == length);
        CHECK(recv(fd, back, (size_t)length, MSG_WAITALL) == length);
        CHECK(!memcmp(text, back, (size_t)length));
    }
    leave();
    return close(fd) ? -errno : 0;
}

static void server(void)
{
    socklen_t size = sizeof server_address;

    listening = socket(AF_INET, SOCK_STREAM, 0);
    server_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(bind(listening, (struct sockaddr *)&server_address, size) == 0);
    CHECK(listen(listening, CLIENTS) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&server_address, &size) == 0);
    run_many(client, CLIENTS + 1);
    CHECK(most > 1);
    close(listening);
}

/* -- Closing and killing ------------------------------------------------------------------------------------------ */

static int by_dup2;

static int closer(void *arg)
{
    char byte;
    int other;

    if (!arg) {
        CHECK(read(ends[0], &byte, 1) == -1 && errno == EBADF);
        return 0;
    }
    usleep(2000);
    if (by_dup2) {
        other = open("/dev/null", O_RDWR);
        CHECK(dup2(other, ends[0]) == ends[0]);
        CHECK(read(ends[0], &byte, 1) == 0); /* the new one of that number */
        close(other);
    } else {
        CHECK(close(ends[0]) == 0);
    }
    CHECK(read(ends[1], &byte, 1) == 0); /* the peer is told at once */
    return 0;
}

static void closes(void)
{
    for (by_dup2 = 0; by_dup2 < 2; by_dup2++) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        run_many(closer, 2);
        close(ends[1]);
        if (by_dup2)
            close(ends[0]);
    }
}

static int poller(void *arg)
{
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    switch ((intptr_t)arg) {
    case 0:
        CHECK(poll(&look, 1, -1) == 1 && look.revents == POLLNVAL);
        break;
    case 1:
        CHECK(select(ends[0] + 1, &set, NULL, NULL, NULL) == -1 && errno == EBADF);
        break;
    default:
        usleep(2000);
        CHECK(close(ends[0]) == 0 && dup(ends[1]) == ends[0]); /* the number is another's at once */
    }
    return 0;
}

static void closes_polled(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(poller, 3);
    close(ends[0]);
    close(ends[1]);
}

static int victim(void *arg)
{
    char byte, line[8];
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    fd_set set;
    FILE *stream;
    int result = -1;

    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    errno = 0;
    switch ((intptr_t)arg) {
    case 0:
        result = (int)read(ends[0], &byte, 1);
        break;
    case 1:
        result = (int)recv(ends[0], &byte, 1, MSG_WAITALL);
        break;
    case 2:
        result = poll(&look, 1, -1);
        break;
    case 3:
        result = select(ends[0] + 1, &set, NULL, NULL, NULL);
        break;
    case 4:
        result = usleep(600000000);
        break;
    case 5:
        stream = fdopen(dup(ends[0]), "r");
        result = fgets(line, sizeof line, stream) ? 0 : -1;
        CHECK(errno == ECANCELED);
        fclose(stream);
        return 0;
    case 6:
        result = sleep(600) > 590 ? -1 : 0;
        break;
    }
    CHECK(result == -1 && errno == ECANCELED);
    return 0;
}

static void kills(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (intptr_t i = 0; i < 7; i++) {
        struct mt_task *task = mt_coro_spawn(victim, (void *)i, NULL);
        CHECK(mt_sleep(MT_MS(1)) == 0);
        CHECK(mt_task_kill(task) == 0);
        CHECK(mt_task_join(task, MT_FOREVER) == 0);
        mt_task_release(task);
    }
    close(ends[0]);
    close(ends[1]);
}

static int limited(void *arg)
{
    struct mt_timeout timeout;
    char byte;

    mt_timeout_start(&timeout, MT_MS(5));
    CHECK(read(ends[0], &byte, 1) == -1 && errno == ETIMEDOUT);
    mt_timeout_cancel(&timeout);
    return 0;
}

static void limits(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(limited, 5);
    close(ends[0]);
    close(ends[1]);
}

/* -- Off the hub -------------------------------------------------------------------------------------------------- */

static int resolver(void *arg)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    char number[16];
    struct hostent *host;

    CHECK(getaddrinfo("localhost", "80", &hints, &found) == 0);
    freeaddrinfo(found);
    snprintf(number, sizeof number, "127.0.0.%d", (int)(intptr_t)arg);
    host = gethostbyname(number);
    usleep(1000); /* another's answer does not come into ours */
    CHECK(host && !strcmp(host->h_name, number) && host->h_addr_list[0][3] == (char)(intptr_t)arg);
    return 0;
}

static void resolves(void)
{
    uint64_t before = mt_patch_passed(NULL);

    run_many(resolver, MANY);
    CHECK(mt_patch_passed(NULL) == before); /* how many at once: a thread may be through before its caller waits */
}

static char lock_path[] = "/tmp/mt-coop-XXXXXX";

static int locker(void *arg)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(lock_path, O_RDWR), ofd = (intptr_t)arg % 2;

    CHECK((ofd ? fcntl(fd, F_OFD_SETLKW, &lock) : flock(fd, LOCK_EX)) == 0);
    enter();
    usleep(1000);
    leave();
    return close(fd) ? -errno : 0;
}

static void locks(void)
{
    int fd = mkstemp(lock_path);

    CHECK(fd >= 0);
    run_many(locker, 20);
    CHECK(most <= 2 && most >= 1); /* one of each kind */
    unlink(lock_path);
    close(fd);
}

static int parent(void *arg)
{
    int status = 0, number = (int)(intptr_t)arg;
    pid_t pid = fork();
    char byte;

    if (!pid) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) ? 99 : number);
    }
    enter();
    if (most == 10)
        close(ends[1]); /* all are waited for now, and end */
    if (number % 2) {
        CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == number);
    } else {
        siginfo_t info;
        CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && info.si_status == number);
    }
    leave();
    return 0;
}

static void children(void)
{
    CHECK(pipe(ends) == 0);
    run_many(parent, 10);
    CHECK(most == 10);
    close(ends[0]);
}

static int streamer(void *arg)
{
    FILE *stream = fdopen(dup(ends[(intptr_t)arg]), arg ? "w" : "r");
    char line[32];
    int i = 0;

    if (arg) {
        for (; i < 5000; i++)
            CHECK(fprintf(stream, "line %d\n", i) > 0);
        close(ends[1]);
    } else {
        for (int number; i < 5000 && fgets(line, sizeof line, stream); i++)
            CHECK(sscanf(line, "line %d", &number) == 1 && number == i);
    }
    CHECK(i == 5000);
    return fclose(stream) ? -errno : 0;
}

static void streams(void)
{
    CHECK(pipe(ends) == 0);
    run_many(streamer, 2);
    close(ends[0]);
}

/* -- Signal handlers ---------------------------------------------------------------------------------------------- */

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

/* -- Off the hub, for each other ---------------------------------------------------------------------------------- */

static int queue;

struct message {
    long type;
    char text[8];
};

static int passes_messages(void *arg)
{
    struct message message = {.type = 1};

    if ((intptr_t)arg < MANY)
        CHECK(msgrcv(queue, &message, sizeof message.text, 0, 0) == sizeof message.text);
    else
        CHECK(msgsnd(queue, &message, sizeof message.text, 0) == 0);
    return 0;
}

/* All of the first half wait before the second, which ends that. */
static void messages(void)
{
    queue = msgget(IPC_PRIVATE, 0600);
    if (queue < 0)
        return; /* a kernel without them, or a sandbox */
    run_many(passes_messages, 2 * MANY);
    CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
}

/* -- What the error was ------------------------------------------------------------------------------------------- */

static int prints_error(void *arg)
{
    char text[200] = "";
    FILE *stream = fmemopen(text, sizeof text, "w"), *pipe_end = fdopen(ends[1], "w");

    CHECK(stream && pipe_end);
    errno = ENOENT;
    CHECK(fprintf(stream, "%m") > 0 && errno == ENOENT);
    CHECK(fclose(stream) == 0);
    CHECK(!strcmp(text, strerror(ENOENT)));
    memset(text, 0, sizeof text);
    errno = ENOENT;
    CHECK(fprintf(pipe_end, "%m%8000s", "") > 0 && errno == ENOENT); /* off the hub: more than it takes at once */
    CHECK(fclose(pipe_end) == 0);
    CHECK(read(ends[0], text, strlen(strerror(ENOENT))) > 0);
    CHECK(!strcmp(text, strerror(ENOENT)));
    close(ends[0]);
    return 0;
}

static void prints(void)
{
    CHECK(pipe(ends) == 0);
    run_many(prints_error, 1);
}

/* -- Without memory ----------------------------------------------------------------------------------------------- */

/* The library's, for tests: the allocation after `skip` more fails. */
long mt__sys_fail(long number, long skip, int error);
#define ALLOCATION (-2)

static int starved(void *arg)
{
    struct pollfd looks[20];
    fd_set set;

    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    for (int i = 0; i < 20; i++)
        looks[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    mt__sys_fail(ALLOCATION, 0, ENOMEM);
    CHECK(poll(looks, 20, -1) == -1 && errno == ENOMEM);
    mt__sys_fail(ALLOCATION, 0, ENOMEM);
    CHECK(select(ends[0] + 1, &set, NULL, NULL, NULL) == -1 && errno == ENOMEM);
    mt__sys_fail(-1, 0, 0);
    CHECK(poll(looks, 20, 1) == 0);
    return 0;
}

static void starves(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(starved, 1);
    close(ends[0]);
    close(ends[1]);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"the switch", interface},
    {"all classes", all_classes},
    {"100 sleep at once", sleeps},
    {"what passes is counted", passes},
    {"a class that is off blocks", unpatched},
    {"two talk over a socket", conversation},
    {"a server and its clients in one thread", server},
    {"a close ends what waits, and tells the peer", closes},
    {"a close ends what polls", closes_polled},
    {"a kill ends what waits", kills},
    {"a timeout ends what waits", limits},
    {"100 names at once", resolves},
    {"locks on files", locks},
    {"ten children at once", children},
    {"streams", streams},
    {"a signal handler writes while the hub sleeps", handlers},
    {"three wait for signals", suspends},
    {"100 messages, awaited first", messages},
    {"the error that is printed is the caller's", prints},
    {"without memory", starves},
};

/* For who looks from outside. */
static int print_switch(void)
{
    static const char *const names[] = {"sleep", "socket",  "dns",    "select", "file",
                                        "stdio", "process", "signal", "thread", "lock"};

    printf("on:");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (mt_is_patched(1u << i))
            printf(" %s", names[i]);
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    int count = sizeof tests / sizeof *tests, failed = 0;

    if (argc > 1 && !strcmp(argv[1], "switch"))
        return print_switch();
    if (argc > 1) {
        run_many(passer, 1);
        return failures != 0;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        failures = 0;
        tests[i].run();
        printf("%sok %d - %s\n", failures ? "not " : "", i + 1, tests[i].name);
        fflush(stdout);
        failed += failures;
    }
    return failed != 0;
}
