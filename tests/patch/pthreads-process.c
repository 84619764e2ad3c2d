/* SPDX-License-Identifier: MIT
 *
 * What processes share, fork and vfork. See pthreads.h.
 */
#include "pthreads.h"

static sem_t ready;

struct page {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t lock;
    pthread_barrier_t barrier;
    sem_t sem;
    long count, turn, written;
};

static struct page *shared_page(void)
{
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_cond;
    pthread_rwlockattr_t of_lock;
    pthread_barrierattr_t of_barrier;

    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&page->mutex, &of_mutex);
    pthread_condattr_init(&of_cond);
    pthread_condattr_setpshared(&of_cond, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&page->cond, &of_cond);
    pthread_rwlockattr_init(&of_lock);
    pthread_rwlockattr_setpshared(&of_lock, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&page->lock, &of_lock);
    pthread_barrierattr_init(&of_barrier);
    pthread_barrierattr_setpshared(&of_barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&page->barrier, &of_barrier, 4);
    sem_init(&page->sem, 1, 2);
    return page;
}

static struct page *page;

static void *share(void *arg)
{
    pthread_barrier_wait(&page->barrier);
    for (int i = 0; i < 100; i++) {
        while (sem_wait(&page->sem)) {
        }
        pthread_mutex_lock(&page->mutex);
        long now = page->count;
        if (i % 25 == 0)
            usleep(200);
        page->count = now + 1;
        pthread_mutex_unlock(&page->mutex);
        sem_post(&page->sem);
        pthread_rwlock_wrlock(&page->lock);
        now = page->written;
        if (i % 25 == 0)
            sched_yield();
        page->written = now + 1;
        pthread_rwlock_unlock(&page->lock);
    }
    pthread_barrier_wait(&page->barrier);
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&page->mutex);
        while (page->turn % 4 != (intptr_t)arg)
            pthread_cond_wait(&page->cond, &page->mutex);
        page->turn++;
        pthread_cond_broadcast(&page->cond);
        pthread_mutex_unlock(&page->mutex);
    }
    return NULL;
}

static void two(intptr_t from)
{
    pthread_t one = start(share, (void *)from), other = start(share, (void *)(from + 1));

    finish(one);
    finish(other);
}

static void *fork_here(void *arg)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (!child) {
        printf("in the child\n");
        fflush(stdout);
        return NULL; /* the last thread: the process ends with 0 */
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    printf("status %d\n", status);
    return NULL;
}

static int ends[2];

static void *read_pipe(void *arg)
{
    char text[8] = "";

    sem_post(&ready);
    printf("read %zd", read(ends[0], text, sizeof text));
    printf(" %s\n", text);
    return NULL;
}

/* What a child does with its descriptors is no concern of those who wait for them here. */
static void *close_in_child(void *arg)
{
    char *const command[] = {"true", NULL};
    int status = 0;
    pid_t child = vfork();

    if (!child) {
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        _exit(1);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    printf("status %d\n", status);
    return NULL;
}

static void wait_beside_vfork(void)
{
    pthread_t reader;

    if (pipe(ends))
        abort();
    sem_init(&ready, 0, 0);
    reader = start(read_pipe, NULL);
    sem_wait(&ready);
    usleep(2000);
    finish(start(close_in_child, NULL));
    if (write(ends[1], "there", 6) != 6)
        printf("nobody reads\n");
    finish(reader);
}

/* A handler that reaps whatever has ended gets no shell of system's from who waits for it. */
static int reaped;

static void reap(int signal)
{
    int error = errno;

    while (waitpid(-1, NULL, WNOHANG) > 0)
        reaped++;
    errno = error;
}

static void *run_shells(void *arg)
{
    sigset_t none;
    int good = 0;

    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < 10; i++)
        good += WEXITSTATUS(system("exit 3")) == 3;
    printf("shells: %d, reaped: %d\n", good, reaped);
    return NULL;
}

static void run_beside_a_reaper(void)
{
    struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART}, before;
    sigset_t set, old;

    sigaction(SIGCHLD, &action, &before);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    finish(start(run_shells, NULL));
    sigaction(SIGCHLD, &before, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void processes(void)
{
    int status = 0;
    pid_t child;

    page = shared_page();
    child = fork();
    if (!child) {
        two(2);
        _exit(0);
    }
    two(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    printf("%ld %ld %ld, status %d\n", page->count, page->written, page->turn, status);
    finish(start(fork_here, NULL));
    wait_beside_vfork();
    run_beside_a_reaper();
}
