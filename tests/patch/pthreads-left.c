/* SPDX-License-Identifier: MIT
 *
 * Handlers that have come in the midst of a call which waits, and are left by siglongjmp or by pthread_exit: the call
 * has then never been made, and what it waited for is there for the next one. See pthreads.h.
 */
#include "pthreads-handled.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ROUNDS  1000 /* of all ways */
#define PATTERN 0x5a
#define DEEP    4096 /* as the frames of a call that was left */

static int ends[2], full[2], pair[2], listener, look_at;
static struct sockaddr_in address;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlocks_left[3], *rwlock; /* libc's is of no use any more when one has left it */

static int word;
static __thread sigjmp_buf place;

/* -- What waits ---------------------------------------------------------------------------------------------------- */

static void reads(void)
{
    char bytes[64];

    if (read(ends[0], bytes, sizeof bytes) >= 0)
        abort();
}

static void receives(void)
{
    char bytes[64];

    if (recv(pair[0], bytes, sizeof bytes, 0) >= 0)
        abort();
}

static void receives_all(void)
{
    char bytes[64];

    if (recv(pair[0], bytes, sizeof bytes, MSG_WAITALL) >= 0)
        abort();
}

static void writes(void)
{
    char bytes[64] = {0};

    if (write(full[1], bytes, sizeof bytes) >= 0)
        abort();
}

static void accepts(void)
{
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;

    if (accept(listener, (struct sockaddr *)&peer, &length) >= 0)
        abort();
}

static void polls_one(void)
{
    struct pollfd look = {.fd = ends[0], .events = POLLIN};

    poll(&look, 1, -1);
}

static void polls_masked(void)
{
    struct pollfd looks[6];
    sigset_t empty = set_of(0);

    for (int i = 0; i < 6; i++)
        looks[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    ppoll(looks, 6, NULL, &empty);
}

static void selects(void)
{
    struct timeval time = {.tv_sec = 100};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    select(ends[0] + 1, &set, NULL, NULL, &time);
}

static void epolls(void)
{
    struct epoll_event event;

    epoll_wait(look_at, &event, 1, 100000);
}

static void sleeps(void)
{
    struct timespec time = {.tv_sec = 100};

    nanosleep(&time, NULL);
}

static void pauses(void)
{
    pause();
}

static void suspends(void)
{
    sigset_t empty = set_of(0);

    sigsuspend(&empty);
}

static void takes_sem(void)
{
    sem_wait(&go);
}

static void takes_sem_in_time(void)
{
    struct timespec time = soon(CLOCK_REALTIME, 100000);

    sem_timedwait(&go, &time);
}

static void locks(void)
{
    pthread_mutex_lock(&mutex);
}

static void locks_to_write(void)
{
    pthread_rwlock_wrlock(rwlock);
}

static void waits_for_word(void)
{
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static const struct way {
    const char *name;
    void (*wait)(void);
} ways[] = {{"read", reads},
            {"recv", receives},
            {"recv of all", receives_all},
            {"write", writes},
            {"accept", accepts},
            {"poll", polls_one},
            {"ppoll", polls_masked},
            {"select", selects},
            {"epoll_wait", epolls},
            {"nanosleep", sleeps},
            {"pause", pauses},
            {"sigsuspend", suspends},
            {"sem_wait", takes_sem},
            {"sem_timedwait", takes_sem_in_time},
            {"pthread_mutex_lock", locks},
            {"pthread_rwlock_wrlock", locks_to_write},
            {"futex", waits_for_word}};

#define WAYS (int)(sizeof ways / sizeof *ways)

/* -- That it works as if nothing had been ------------------------------------------------------------------------- */

static int gets(int from, int to)
{
    struct pollfd look = {.fd = from, .events = POLLIN};
    char byte = 0;

    return write(to, "x", 1) == 1 && poll(&look, 1, 0) == 1 && read(from, &byte, 1) == 1 && byte == 'x';
}

static int connects(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), other;

    connect(fd, (struct sockaddr *)&address, sizeof address);
    other = accept(listener, NULL, NULL);
    close(other);
    return !close(fd) && other >= 0;
}

static int has_one(void)
{
    return !sem_post(&go) && !sem_trywait(&go) && sem_trywait(&go);
}

static void fill(void)
{
    char byte = 0;

    fcntl(full[1], F_SETFL, O_NONBLOCK);
    while (write(full[1], &byte, 1) == 1) {
    }
    fcntl(full[1], F_SETFL, 0);
}

static int has_room_for_page(void)
{
    char page[4096];

    if (read(full[0], page, sizeof page) != sizeof page)
        return 0;
    return write(full[1], page, sizeof page) == sizeof page;
}

/* Where the frames of the call have been: nobody writes there any more. */
static __attribute__((noinline)) int works(int way)
{
    volatile unsigned char below[DEEP];
    int works = 1;

    memset((void *)below, PATTERN, sizeof below);
    switch (way) {
    case 0: /* what reads, and looks */
    case 5:
    case 6:
    case 7:
    case 8:
        works = gets(ends[0], ends[1]);
        break;
    case 1:
    case 2:
        works = gets(pair[0], pair[1]);
        break;
    case 3:
        works = has_room_for_page();
        break;
    case 4:
        works = connects();
        break;
    case 12:
    case 13:
        works = has_one();
        break;
    default:
        break;
    }
    sched_yield();
    for (size_t i = 0; i < sizeof below; i++)
        works &= below[i] == PATTERN;
    return works;
}

/* -- By siglongjmp ------------------------------------------------------------------------------------------------- */

static void leaves(int signal)
{
    siglongjmp(place, signal);
}

static void handle_by(void (*handler)(int signal), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigaction(SIGUSR1, &action, NULL);
}

/* Those that let the signal in by themselves find it pending, or are sent it. */
static int is_masked(int way)
{
    return ways[way].wait == polls_masked || ways[way].wait == suspends;
}

static void *is_left(void *arg)
{
    static char room[8][65536];
    stack_t own = {.ss_sp = room[(intptr_t)arg % 8], .ss_size = sizeof room[0]};
    volatile int way = (int)(intptr_t)arg / 8, well = 0;

    sigaltstack(&own, NULL);
    for (volatile int i = 0; i < ROUNDS / WAYS; i++) {
        if (!sigsetjmp(place, 1)) {
            if (!is_masked(way))
                block(SIG_UNBLOCK, SIGUSR1);
            sem_post(&begun);
            ways[way].wait();
            printf("%s came back\n", ways[way].name);
        }
        well += blocks(SIGUSR1) && works(way);
    }
    return (void *)(intptr_t)well;
}

static void leave_one(int way, int flags)
{
    pthread_t thread;

    handle_by(leaves, flags);
    thread = start(is_left, (void *)(intptr_t)(way * 8));
    for (int i = 0; i < ROUNDS / WAYS; i++) {
        await(&begun);
        usleep(i % 8 ? 0 : 1000);
        pthread_kill(thread, SIGUSR1);
    }
    printf("%s: well %d\n", ways[way].name, finish(thread) == (void *)(intptr_t)(ROUNDS / WAYS));
}

static void set_up(void)
{
    struct timeval time = {.tv_sec = 100};
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t length = sizeof address;

    sem_init(&begun, 0, 0);
    sem_init(&over, 0, 0);
    sem_init(&go, 0, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16) ||
        getsockname(listener, (struct sockaddr *)&address, &length) || pipe(ends) || pipe(full) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    look_at = epoll_create1(0);
    epoll_ctl(look_at, EPOLL_CTL_ADD, ends[0], &event);
    fill();
}

static void left_by_jump(void)
{
    static const int flags[] = {0, SA_RESTART, SA_ONSTACK};

    block(SIG_BLOCK, SIGUSR1);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        pthread_mutex_lock(&mutex);
        rwlock = &rwlocks_left[i];
        pthread_rwlock_rdlock(rwlock);
        for (int way = 0; way < WAYS; way++)
            leave_one(way, flags[i]);
        SAY(pthread_mutex_unlock(&mutex));
        SAY(pthread_rwlock_unlock(rwlock));
        SAY(pthread_mutex_trylock(&mutex));
        SAY(pthread_mutex_unlock(&mutex));
    }
}

void left(void)
{
    set_up();
    left_by_jump();
}
