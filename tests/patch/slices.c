/* SPDX-License-Identifier: MIT
 *
 * Runs the parts that slices.h tells of: the one that the argument names, or all.
 */
#include "slices.h"

#include <dirent.h>
#include <setjmp.h>
#include <sys/socket.h>

/* -- Waiting for a variable --------------------------------------------------------------------------------------- */

static int stage;

static void *answer(void *arg)
{
    STORE(stage, 1);
    while (LOAD(stage) != 2) {
    }
    STORE(stage, 3);
    return NULL;
}

static void flags(void)
{
    pthread_t other = start(answer, NULL);

    while (LOAD(stage) != 1) {
    }
    STORE(stage, 2);
    while (LOAD(stage) != 3) {
    }
    printf("flags: %d\n", LOAD(stage));
    finish(other);
}

static int done;

static void *work(void *arg)
{
    long sum = 0;

    for (volatile int i = 0; i < 100000; i++)
        sum += i;
    ADD(done);
    return (void *)(intptr_t)(sum > 0);
}

/* As redis does with its threads for input and output. */
static void workers(void)
{
    pthread_t threads[COUNT];
    int right = 0;

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(work, NULL);
    while (LOAD(done) < COUNT) {
    }
    for (int i = 0; i < COUNT; i++)
        right += finish(threads[i]) != NULL;
    printf("workers: %d\n", right);
}

/* -- A lock without a pause --------------------------------------------------------------------------------------- */

static int lock, waiting, inside;
static long counter;

static void *contend(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        ADD(waiting);
        while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
        }
        if (!i && ADD(inside) < COUNT) /* it is held while others want it */
            while (LOAD(waiting) <= LOAD(inside)) {
            }
        counter++;
        STORE(lock, 0);
    }
    return NULL;
}

static void spinlock(void)
{
    pthread_t threads[COUNT];

    for (int i = 0; i < COUNT; i++)
        threads[i] = start(contend, NULL);
    for (int i = 0; i < COUNT; i++)
        finish(threads[i]);
    printf("spinlock: %ld\n", counter);
}

/* -- Sharing ------------------------------------------------------------------------------------------------------ */

static long counts[2];
static int is_over;

static void *count(void *arg)
{
    long *mine = arg;

    while (!LOAD(is_over))
        ADD(*mine);
    return NULL;
}

static void sharing(void)
{
    pthread_t threads[2] = {start(count, &counts[0]), start(count, &counts[1])};

    while (LOAD(counts[0]) < 1000 || LOAD(counts[1]) < 1000) {
    }
    STORE(is_over, 1);
    finish(threads[0]);
    finish(threads[1]);
    printf("sharing: %d %d\n", counts[0] > 0, counts[1] > 0);
}

static int pair[2], is_served;

static void *echo(void *arg)
{
    char byte;

    while (read(pair[1], &byte, 1) == 1)
        if (write(pair[1], &byte, 1) != 1)
            break;
    return NULL;
}

static void *ask(void *arg)
{
    char sent = 'a', got;
    int right = 0;

    for (int i = 0; i < 20; i++)
        right += write(pair[0], &sent, 1) == 1 && read(pair[0], &got, 1) == 1 && got == sent++;
    STORE(is_served, 1);
    return (void *)(intptr_t)right;
}

static void *nap(void *arg)
{
    const struct timespec time = {0, 1000000};
    int right = 0;

    for (int i = 0; i < 3; i++)
        right += !nanosleep(&time, NULL);
    return (void *)(intptr_t)right;
}

/* Who computes beside those that wait for times and descriptors. */
static void beside(void)
{
    pthread_t threads[3];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    threads[0] = start(echo, NULL);
    threads[1] = start(ask, NULL);
    threads[2] = start(nap, NULL);
    while (!LOAD(is_served)) {
    }
    printf("beside: %d", (int)(intptr_t)finish(threads[1]));
    printf(" %d\n", (int)(intptr_t)finish(threads[2]));
    close(pair[0]);
    finish(threads[0]);
    close(pair[1]);
}

/* -- What is a thread's own --------------------------------------------------------------------------------------- */

static __thread volatile long own;
static int lap[2], lap_over;

/* Each waits for the other, again and again, and changes what it has. */
static int go_round(int self)
{
    long mine = 0;
    int wrong = 0;

    for (int i = 0; i < 10; i++) {
        int seen = LOAD(lap[!self]);
        errno = 100 + self;
        ADD(lap[self]);
        while (LOAD(lap[!self]) == seen) {
            own++;
            mine++;
        }
        wrong += errno != 100 + self || own != mine;
    }
    see_off(&lap[self], &lap_over);
    return wrong;
}

static void *keep(void *arg)
{
    sigset_t all, now;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    if (go_round(1))
        return (void *)1;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    return (void *)(intptr_t)(!sigismember(&now, SIGUSR1) || !sigismember(&now, SIGALRM));
}

static void owning(void)
{
    pthread_t other = start(keep, NULL);
    sigset_t now;
    int wrong = go_round(0);

    printf("owning: %d wrong, and %d\n", wrong, (int)(intptr_t)finish(other));
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    printf("mask: %d\n", sigismember(&now, SIGUSR1));
}

/* -- Depth, and ways around --------------------------------------------------------------------------------------- */

static int is_down, goes_up;

static __attribute__((noinline)) int go_down(int depth)
{
    volatile int here = depth;

    if (!depth) {
        STORE(is_down, 1);
        while (!LOAD(goes_up)) {
        }
        return 0;
    }
    return go_down(depth - 1) + (here == depth);
}

static void *descend(void *arg)
{
    return (void *)(intptr_t)go_down(2000);
}

static void depth(void)
{
    pthread_t other = start(descend, NULL);

    while (!LOAD(is_down)) {
    }
    STORE(goes_up, 1);
    printf("depth: %d\n", (int)(intptr_t)finish(other));
}

static long jumps[2];

static void *jump(void *arg)
{
    long *mine = arg, *others = &jumps[mine == jumps];
    jmp_buf here;

    while (LOAD(*others) < 1000 || *mine < 1000) {
        volatile long before = *mine;
        if (!setjmp(here)) {
            ADD(*mine);
            longjmp(here, 1);
        }
        if (*mine != before + 1)
            return (void *)1;
    }
    return NULL;
}

static void jumping(void)
{
    pthread_t other = start(jump, &jumps[1]);
    int wrong = jump(&jumps[0]) != NULL;

    printf("jumping: %d wrong, and %d\n", wrong, finish(other) != NULL);
}

static int is_set;

static void *set_it(void *arg)
{
    STORE(is_set, 1);
    return NULL;
}

static int compare(const void *one, const void *other)
{
    compute(40);
    return *(const int *)one - *(const int *)other;
}

/* What libc calls back is not left, but goes on to its end. */
static void callback(void)
{
    int numbers[] = {3, 1, 2};
    pthread_t other = start(set_it, NULL);

    qsort(numbers, 3, sizeof *numbers, compare);
    while (!LOAD(is_set)) {
    }
    finish(other);
    printf("callback: %d %d %d\n", numbers[0], numbers[1], numbers[2]);
}

/* Real-time signals that the program has for itself, each in turn, by a mask of that one. Not with several hubs: the
 * threads that carry them do not inherit it. */
static void *accept_signal(void *arg)
{
    sigset_t set;
    siginfo_t info;
    int number = (int)(intptr_t)arg, right;

    sigemptyset(&set);
    sigaddset(&set, number);
    right = sigwaitinfo(&set, &info) == number;
    while (!LOAD(is_over)) {
    }
    STORE(is_over, 2);
    return (void *)(intptr_t)right;
}

static void accepting(void)
{
    sigset_t set;
    pthread_t other;
    int right = 0;

    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
        sigemptyset(&set);
        sigaddset(&set, number);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        STORE(is_over, 0);
        other = start(accept_signal, (void *)(intptr_t)number);
        kill(getpid(), number);
        STORE(is_over, 1);
        while (LOAD(is_over) != 2) {
        }
        right += finish(other) != NULL;
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    printf("accepting: %d of %d\n", right, SIGRTMAX - SIGRTMIN + 1);
}

/* -- The process -------------------------------------------------------------------------------------------------- */

static int tasks(void)
{
    DIR *folder = opendir("/proc/self/task");
    int found = 0;

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        found += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return found;
}

static void forking(void)
{
    pthread_t other;
    int status;

    stage = 0;
    fflush(stdout);
    if (!fork()) {
        other = start(answer, NULL);
        while (LOAD(stage) != 1) {
        }
        STORE(stage, 2);
        finish(other);
        _exit(LOAD(stage));
    }
    wait(&status);
    printf("forking: %d\n", WEXITSTATUS(status));
}

static void *compute_for_long(void *arg)
{
    compute(100);
    return NULL;
}

/* Needs nobody to make way: for where there are no slices. */
static void only_compute(void)
{
    pthread_t other = start(compute_for_long, NULL);

    compute(100);
    printf("its threads: %d\n", tasks());
    finish(other);
}

static int is_waiting, is_free;

static void *ignore(void *arg)
{
    STORE(is_waiting, 1);
    while (!LOAD(is_free)) {
    }
    pthread_testcancel();
    return NULL;
}

static void cancelling(void)
{
    pthread_t other = start(ignore, NULL);

    while (!LOAD(is_waiting)) {
    }
    pthread_cancel(other);
    STORE(is_free, 1);
    printf("cancelling: %d\n", finish(other) == PTHREAD_CANCELED);
}

static void *end_last(void *arg)
{
    if (arg) {
        STORE(stage, 1);
        while (LOAD(stage) != 2) {
        }
        puts("left: the last one");
    } else {
        while (LOAD(stage) != 1) {
        }
        STORE(stage, 2);
    }
    return NULL;
}

/* Two are left behind that wait for each other. */
static void leaving(void)
{
    STORE(stage, 0);
    pthread_detach(start(end_last, NULL));
    pthread_detach(start(end_last, (void *)1));
    pthread_exit(NULL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*part)(void);
    } parts[] = {{"flags", flags},         {"workers", workers},   {"spinlock", spinlock}, {"sharing", sharing},
                 {"beside", beside},       {"owning", owning},     {"depth", depth},       {"jumping", jumping},
                 {"registers", registers}, {"callback", callback}, {"forking", forking},   {"cancelling", cancelling},
                 {"leaving", leaving}};

    alarm(100);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("tasks: %d\n", tasks());
    if (argc == 2 && !strcmp(argv[1], "compute"))
        only_compute();
    if (argc == 2 && !strcmp(argv[1], "accepting"))
        accepting();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (argc < 2 || !strcmp(argv[1], parts[i].name))
            parts[i].part();
    return 0;
}
