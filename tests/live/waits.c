/* SPDX-License-Identifier: MIT
 *
 * Waits by arrangement: "waits NAME" makes one kind of wait of WAIT_MS milliseconds and ends. mtrace is then asked what
 * it saw. Exit status 77: this kernel does not have that kind.
 */
#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 200
#define WAITERS 3

pthread_mutex_t arranged_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t arranged_cond = PTHREAD_COND_INITIALIZER;
pthread_rwlock_t arranged_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static uint32_t word_a, word_b;

static void pass_time(int ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) && errno == EINTR)
        continue;
}

static struct timespec after(clockid_t clock, int ms)
{
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += ms * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    fprintf(stderr, "waits: %s failed\n", what);
    exit(1);
}

static void *wait_for_lock(void *lock)
{
    prctl(PR_SET_NAME, "waiter");
    check(pthread_mutex_lock(lock), "pthread_mutex_lock");
    check(pthread_mutex_unlock(lock), "pthread_mutex_unlock");
    return NULL;
}

/* The main thread, "holder", holds the lock while WAITERS others want it. */
static void hold_against_others(pthread_mutex_t *lock)
{
    pthread_t threads[WAITERS];
    prctl(PR_SET_NAME, "holder");
    check(pthread_mutex_lock(lock), "pthread_mutex_lock");
    for (int i = 0; i < WAITERS; i++)
        check(pthread_create(&threads[i], NULL, wait_for_lock, lock), "pthread_create");
    pass_time(WAIT_MS);
    check(pthread_mutex_unlock(lock), "pthread_mutex_unlock");
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
}

static void wait_mutex(void)
{
    hold_against_others(&arranged_lock);
}

/* Waited for at two places: what holds it while the one waits has let it go before the other does. */
static void *wait_elsewhere(void *lock)
{
    prctl(PR_SET_NAME, "elsewhere");
    check(pthread_mutex_lock(lock), "pthread_mutex_lock");
    check(pthread_mutex_unlock(lock), "pthread_mutex_unlock");
    return NULL;
}

static void wait_places(void)
{
    void *(*const places[])(void *) = {wait_for_lock, wait_elsewhere};
    pthread_t thread;
    for (int i = 0; i < 2; i++) {
        check(pthread_mutex_lock(&arranged_lock), "pthread_mutex_lock");
        check(pthread_create(&thread, NULL, places[i], &arranged_lock), "pthread_create");
        pass_time(WAIT_MS);
        check(pthread_mutex_unlock(&arranged_lock), "pthread_mutex_unlock");
        pthread_join(thread, NULL);
    }
}

/* Three hold the lock one after another, each for WAIT_MS, while "waiter" waits through all of that. */
static void *hold_in_turn(void *name)
{
    prctl(PR_SET_NAME, name);
    check(pthread_mutex_lock(&arranged_lock), "pthread_mutex_lock");
    pass_time(WAIT_MS);
    check(pthread_mutex_unlock(&arranged_lock), "pthread_mutex_unlock");
    return NULL;
}

static void wait_relay(void)
{
    static const char *const names[] = {"first", "second", "third"};
    pthread_t threads[4];
    for (int i = 0; i < 3; i++) {
        check(pthread_create(&threads[i], NULL, hold_in_turn, (void *)names[i]), "pthread_create");
        pass_time(WAIT_MS / 10);
    }
    check(pthread_create(&threads[3], NULL, wait_for_lock, &arranged_lock), "pthread_create");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void wait_pi(void)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    check(pthread_mutex_init(&arranged_lock, &attr), "pthread_mutex_init");
    hold_against_others(&arranged_lock);
}

static void wait_robust(void)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    check(pthread_mutex_init(&arranged_lock, &attr), "pthread_mutex_init");
    hold_against_others(&arranged_lock);
}

static void *lock_in_time(void *unused)
{
    struct timespec until = after(CLOCK_REALTIME, WAIT_MS);
    check(pthread_mutex_timedlock(&arranged_lock, &until) != ETIMEDOUT, "pthread_mutex_timedlock");
    return NULL;
}

static void wait_timedlock(void)
{
    pthread_t thread;
    prctl(PR_SET_NAME, "holder");
    pthread_mutex_lock(&arranged_lock);
    check(pthread_create(&thread, NULL, lock_in_time, NULL), "pthread_create");
    pass_time(WAIT_MS + 50);
    pthread_mutex_unlock(&arranged_lock);
    pthread_join(thread, NULL);
}

/* One lock in memory that a child shares. */
static void wait_shared(void)
{
    pthread_mutex_t *lock = mmap(NULL, sizeof *lock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    check(lock == MAP_FAILED || pthread_mutex_init(lock, &attr), "mmap");
    prctl(PR_SET_NAME, "holder");
    pthread_mutex_lock(lock);
    if (fork() == 0) {
        wait_for_lock(lock);
        _exit(0);
    }
    pass_time(WAIT_MS);
    pthread_mutex_unlock(lock);
    wait(NULL);
}

static void *read_table(void *unused)
{
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    pthread_rwlock_unlock(&arranged_rwlock);
    return NULL;
}

static void *write_table(void *unused)
{
    check(pthread_rwlock_wrlock(&arranged_rwlock), "pthread_rwlock_wrlock");
    pthread_rwlock_unlock(&arranged_rwlock);
    return NULL;
}

/* The main thread holds the table while a reader and a writer want it. */
static void hold_table(void)
{
    pthread_t reader, writer;
    prctl(PR_SET_NAME, "holder");
    check(pthread_create(&reader, NULL, read_table, NULL), "pthread_create");
    check(pthread_create(&writer, NULL, write_table, NULL), "pthread_create");
    pass_time(WAIT_MS);
    pthread_rwlock_unlock(&arranged_rwlock);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
}

static void wait_rwlock(void)
{
    check(pthread_rwlock_wrlock(&arranged_rwlock), "pthread_rwlock_wrlock");
    hold_table();
}

/* Read: only the writer has to wait, and which reader it is for is recorded nowhere. */
static void wait_readers(void)
{
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    hold_table();
}

/* Two readers, of whom the one that comes last and reads but for a moment is the last to leave. */
static void *read_for(void *ms)
{
    const int *span = ms;
    pass_time(span[0]);
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    pass_time(span[1]);
    pthread_rwlock_unlock(&arranged_rwlock);
    return NULL;
}

static void wait_two_readers(void)
{
    static int whole[] = {0, WAIT_MS}, end[] = {WAIT_MS / 4, WAIT_MS};
    pthread_t readers[2], writer;
    check(pthread_create(&readers[0], NULL, read_for, whole), "pthread_create");
    check(pthread_create(&readers[1], NULL, read_for, end), "pthread_create");
    pass_time(WAIT_MS / 2);
    check(pthread_create(&writer, NULL, write_table, NULL), "pthread_create");
    pthread_join(readers[0], NULL);
    pthread_join(readers[1], NULL);
    pthread_join(writer, NULL);
}

/* Says "ready" and holds it until it is killed. */
static void wait_readers_forever(void)
{
    pthread_t writer;
    check(pthread_rwlock_rdlock(&arranged_rwlock), "pthread_rwlock_rdlock");
    check(pthread_create(&writer, NULL, write_table, NULL), "pthread_create");
    pass_time(WAIT_MS);
    puts("ready");
    fflush(stdout);
    pthread_join(writer, NULL);
}

static void wait_cond(void)
{
    struct timespec until = after(CLOCK_REALTIME, WAIT_MS);
    pthread_mutex_lock(&arranged_lock);
    check(pthread_cond_timedwait(&arranged_cond, &arranged_lock, &until) != ETIMEDOUT, "pthread_cond_timedwait");
}

static void wait_sem(void)
{
    sem_t sem;
    struct timespec until = after(CLOCK_REALTIME, WAIT_MS);
    sem_init(&sem, 0, 0);
    check(sem_timedwait(&sem, &until) == 0, "sem_timedwait");
}

#define SEM_ROUNDS 8

static sem_t arranged_sem;

static void *take_and_give(void *unused)
{
    for (int i = 0; i < SEM_ROUNDS; i++) {
        sem_wait(&arranged_sem);
        pass_time(10);
        sem_post(&arranged_sem);
    }
    return NULL;
}

static void *take_only(void *unused)
{
    for (int i = 0; i < SEM_ROUNDS; i++)
        sem_wait(&arranged_sem);
    return NULL;
}

static void run_three(void *(*body)(void *), int given, int later)
{
    pthread_t threads[3];
    sem_init(&arranged_sem, 0, (unsigned)given);
    for (int i = 0; i < 3; i++)
        check(pthread_create(&threads[i], NULL, body, NULL), "pthread_create");
    for (int i = 0; i < later; i++) {
        pass_time(10);
        sem_post(&arranged_sem);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* A semaphore as a lock, and one by which a thread gives others work. */
static void wait_semlock(void)
{
    run_three(take_and_give, 1, 0);
}

static void wait_semwork(void)
{
    run_three(take_only, 0, 3 * SEM_ROUNDS);
}

static void *live_shortly(void *unused)
{
    pass_time(WAIT_MS);
    return NULL;
}

static void wait_join(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, live_shortly, NULL), "pthread_create");
    pthread_join(thread, NULL);
}

static void wait_waitv(void)
{
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } words[2] = {{0, (uintptr_t)&word_a, 2 | 128, 0}, {0, (uintptr_t)&word_b, 2 | 128, 0}};
    struct timespec until = after(CLOCK_MONOTONIC, WAIT_MS);
    if (syscall(449, words, 2, 0, &until, CLOCK_MONOTONIC) < 0 && errno == ENOSYS)
        exit(77);
}

static void wait_futex2(void)
{
    struct timespec until = after(CLOCK_MONOTONIC, WAIT_MS);
    if (syscall(455, &word_a, 0L, 0xffffffffL, 2 | 128, &until, CLOCK_MONOTONIC) < 0 && errno == ENOSYS)
        exit(77);
}

static void *wait_for_word(void *unused)
{
    syscall(SYS_futex, &word_a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    return NULL;
}

/* The waiter sleeps on one word, is moved to another in the middle, and is woken there. */
static void wait_requeue(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, wait_for_word, NULL), "pthread_create");
    pass_time(WAIT_MS / 2);
    check(syscall(SYS_futex, &word_a, FUTEX_CMP_REQUEUE_PRIVATE, 0, 1L, &word_b, 0) != 1, "FUTEX_CMP_REQUEUE");
    pass_time(WAIT_MS / 2);
    check(syscall(SYS_futex, &word_b, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) != 1, "FUTEX_WAKE");
    pthread_join(thread, NULL);
}

/* A child writes a byte in time. */
static void read_from_child(int reading, int writing)
{
    char byte;
    if (fork() == 0) {
        pass_time(WAIT_MS);
        _exit(write(writing, "", 1) != 1);
    }
    check(read(reading, &byte, 1) != 1, "read");
    wait(NULL);
}

static void wait_pipe(void)
{
    int pair[2];
    check(pipe(pair), "pipe");
    read_from_child(pair[0], pair[1]);
}

static void wait_socket(void)
{
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    read_from_child(pair[0], pair[1]);
}

static void wait_event(void)
{
    uint64_t value = 1;
    int fd = eventfd(0, 0);
    if (fork() == 0) {
        pass_time(WAIT_MS);
        _exit(write(fd, &value, sizeof value) != sizeof value);
    }
    check(read(fd, &value, sizeof value) != sizeof value, "read");
    wait(NULL);
}

static void wait_accept(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1) ||
              getsockname(fd, (struct sockaddr *)&address, &size),
          "listen");
    if (fork() == 0) {
        int other = socket(AF_INET, SOCK_STREAM, 0);
        pass_time(WAIT_MS);
        _exit(connect(other, (struct sockaddr *)&address, size) != 0);
    }
    check(accept(fd, NULL, NULL) < 0, "accept");
    wait(NULL);
}

static void wait_poll(void)
{
    poll(NULL, 0, WAIT_MS);
}

static void wait_epoll(void)
{
    struct epoll_event event;
    epoll_wait(epoll_create1(0), &event, 1, WAIT_MS);
}

static void wait_child(void)
{
    if (fork() == 0) {
        pass_time(WAIT_MS);
        _exit(0);
    }
    wait(NULL);
}

static void wait_sleep(void)
{
    pass_time(WAIT_MS);
}

/* Not a wait at all. */
static void wait_never(void)
{
    struct timespec until = after(CLOCK_THREAD_CPUTIME_ID, WAIT_MS), now;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec));
}

/* Says "ready" and keeps three threads at a lock until it is killed. */
static void wait_forever(void)
{
    pthread_t thread;
    prctl(PR_SET_NAME, "holder");
    pthread_mutex_lock(&arranged_lock);
    for (int i = 0; i < WAITERS; i++)
        check(pthread_create(&thread, NULL, wait_for_lock, &arranged_lock), "pthread_create");
    pass_time(100);
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

static _Atomic int first_has, second_has;

static void *hand_over_and_wait(void *unused)
{
    pthread_mutex_lock(&arranged_lock);
    first_has = 1;
    pass_time(100);
    pthread_mutex_unlock(&arranged_lock);
    while (!second_has)
        pass_time(1);
    return wait_for_lock(&arranged_lock);
}

static void *kill_all(void *unused)
{
    pass_time(500);
    kill(getpid(), SIGTERM);
    return NULL;
}

/* The main thread waits for the lock, gets it, and is killed while another waits for it in turn. */
static void wait_taken(void)
{
    pthread_t thread;
    prctl(PR_SET_NAME, "taker");
    check(pthread_create(&thread, NULL, hand_over_and_wait, NULL), "pthread_create");
    while (!first_has)
        pass_time(1);
    pthread_mutex_lock(&arranged_lock);
    second_has = 1;
    check(pthread_create(&thread, NULL, kill_all, NULL), "pthread_create");
    for (;;)
        pause();
}

static void *take_and_end(void *unused)
{
    prctl(PR_SET_NAME, "careless");
    check(pthread_mutex_lock(&arranged_lock), "pthread_mutex_lock");
    return NULL;
}

/* Says "ready" and waits for ever for a mutex whose owner has ended. */
static void wait_gone(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, take_and_end, NULL), "pthread_create");
    pthread_join(thread, NULL);
    check(pthread_create(&thread, NULL, wait_for_lock, &arranged_lock), "pthread_create");
    pass_time(100);
    puts("ready");
    fflush(stdout);
    pthread_join(thread, NULL);
}

static void *take_and_end_later(void *unused)
{
    take_and_end(NULL);
    pass_time(400);
    return NULL;
}

/* The same, but the owner ends while the other waits. */
static void wait_ends(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, take_and_end_later, NULL), "pthread_create");
    pass_time(WAIT_MS / 4);
    check(pthread_create(&thread, NULL, wait_for_lock, &arranged_lock), "pthread_create");
    pthread_join(thread, NULL);
}

/* Sleeps until a signal ends it, or stops it. */
static void wait_signal(void)
{
    puts("ready");
    fflush(stdout);
    pass_time(50000);
}

/* A name that is not UTF-8. */
static void wait_name(void)
{
    prctl(PR_SET_NAME, "bad\xff\xc3(\xc3\xa9)");
    pass_time(WAIT_MS);
}

static const struct {
    const char *name;
    void (*make)(void);
} kinds[] = {
    {"mutex", wait_mutex},
    {"places", wait_places},
    {"pi", wait_pi},
    {"robust", wait_robust},
    {"timedlock", wait_timedlock},
    {"shared", wait_shared},
    {"cond", wait_cond},
    {"sem", wait_sem},
    {"semlock", wait_semlock},
    {"semwork", wait_semwork},
    {"join", wait_join},
    {"waitv", wait_waitv},
    {"futex2", wait_futex2},
    {"requeue", wait_requeue},
    {"pipe", wait_pipe},
    {"socket", wait_socket},
    {"event", wait_event},
    {"accept", wait_accept},
    {"poll", wait_poll},
    {"epoll", wait_epoll},
    {"child", wait_child},
    {"sleep", wait_sleep},
    {"never", wait_never},
    {"forever", wait_forever},
    {"relay", wait_relay},
    {"rwlock", wait_rwlock},
    {"readers", wait_readers},
    {"two-readers", wait_two_readers},
    {"readers-forever", wait_readers_forever},
    {"taken", wait_taken},
    {"gone", wait_gone},
    {"ends", wait_ends},
    {"signal", wait_signal},
    {"name", wait_name},
};

int main(int argc, char **argv)
{
    alarm(60);
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kinds[i].name, argv[1])) {
            kinds[i].make();
            return 0;
        }
    }
    fprintf(stderr, "Usage: waits KIND\n");
    return 2;
}
