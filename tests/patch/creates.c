/* SPDX-License-Identifier: MIT
 *
 * pthread_create with nothing left to make a thread of: each system call and each allocation in it fails in turn, of
 * the first thread and of later ones, in the creator's hub and in another. It says EAGAIN, or has done without, and the
 * next one works; what it had by then is given back. Speaks TAP.
 *
 *     creates threads     makes some, and says what each returned
 */
#include <dirent.h>
#include <errno.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The library's, for tests: of the calls with that number the one after `skip` more fails. */
long mt__sys_fail(long number, long skip, int error);
#define ALLOCATION (-2)
#define LATER      3

static const struct {
    const char *name;
    long number;
    int error;
} calls[] = {
    {"allocations", ALLOCATION, ENOMEM},
    {"mmap", SYS_mmap, ENOMEM},
    {"munmap", SYS_munmap, ENOMEM},
    {"mprotect", SYS_mprotect, ENOMEM},
    {"madvise", SYS_madvise, ENOMEM},
    {"memfd_create", SYS_memfd_create, EMFILE},
    {"ftruncate", SYS_ftruncate, ENOSPC},
    {"eventfd2", SYS_eventfd2, EMFILE},
    {"epoll_create1", SYS_epoll_create1, EMFILE},
    {"epoll_ctl", SYS_epoll_ctl, ENOSPC},
    {"io_uring_setup", SYS_io_uring_setup, ENOMEM},
    {"io_uring_enter", SYS_io_uring_enter, EAGAIN},
    {"fcntl", SYS_fcntl, EMFILE},
#ifdef SYS_futex_waitv
    {"futex_waitv", SYS_futex_waitv, ENOMEM},
#endif
};

static int failures;

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                       \
        }                                                                     \
    } while (0)

static void *body(void *arg)
{
    return (void *)((uintptr_t)arg + 1);
}

/* What pthread_create says; whatever it makes is joined. `seen`: how many calls of the armed number there were. */
static int create(long *seen)
{
    void *value = NULL;
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, (void *)41);

    *seen = mt__sys_fail(-1, 0, 0); /* from here on nothing fails */
    if (!error)
        CHECK(pthread_join(thread, &value) == 0 && value == (void *)42);
    return error;
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void create_some(int count)
{
    long seen;

    for (int i = 0; i < count; i++)
        CHECK(create(&seen) == 0);
}

/* Descriptors and tasks that there are when nothing has failed. */
static int usual_descriptors, usual_tasks;

static void measure(void)
{
    create_some(LATER);
    usual_descriptors = descriptors();
    usual_tasks = (int)mt_task_count();
}

/* One failure, after so many threads that could be made. Whether it came to it. */
static int fail_one(unsigned call, long skip, int before)
{
    long seen;
    int error;

    create_some(before);
    mt__sys_fail(calls[call].number, skip, calls[call].error);
    error = create(&seen);
    CHECK(error == 0 || (error == EAGAIN && seen > skip));
    create_some(LATER);
    if (getenv("LINUXMT_PATCH_HUBS")) /* how many helpers there are is then a matter of who comes first */
        return seen > skip;
    CHECK(descriptors() <= usual_descriptors); /* fewer: what is done without stays so */
    CHECK((int)mt_task_count() <= usual_tasks);
    return seen > skip;
}

/* Each in a process of its own, where the library is new. */
static int in_child(int (*fn)(unsigned, long, int), unsigned call, long skip, int before)
{
    int status = -1;
    pid_t pid = fork();

    if (!pid) {
        alarm(60);
        int hit = fn(call, skip, before);
        exit(failures ? 2 : hit);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static int run(unsigned call)
{
    int hits = 0;

    for (int before = 0; before <= LATER; before += LATER)
        for (long skip = 0; !failures && in_child(fail_one, call, skip, before); skip++)
            hits++;
    return hits;
}

/* The measure is another process's too. */
static int take_measure(void)
{
    int ends[2], both[2], status = -1;
    pid_t pid;

    if (pipe(ends) || (pid = fork()) < 0)
        return -1;
    if (!pid) {
        alarm(60);
        close(ends[0]);
        measure();
        both[0] = usual_descriptors;
        both[1] = usual_tasks;
        exit(failures || write(ends[1], both, sizeof both) != sizeof both);
    }
    close(ends[1]);
    CHECK(read(ends[0], both, sizeof both) == sizeof both);
    close(ends[0]);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    usual_descriptors = both[0];
    usual_tasks = both[1];
    return failures;
}

static int say_what_it_says(int count)
{
    long seen;

    for (int i = 0; i < count; i++)
        printf("%d\n", create(&seen));
    return failures;
}

int main(int argc, char **argv)
{
    int count = sizeof calls / sizeof *calls, failed = 0;

    if (mt_patch(MT_PATCH_ALL))
        return 1;
    if (argc > 1)
        return say_what_it_says(atoi(argv[1]));
    mt_unpatch((unsigned)MT_PATCH_ALL & ~(unsigned)(MT_PATCH_THREAD | MT_PATCH_LOCK));
    printf("1..%d\n", count);
    fflush(stdout);
    if (take_measure())
        return 1;
    for (int i = 0; i < count; i++) {
        int hits;
        failures = 0;
        fflush(stdout);
        hits = run((unsigned)i);
        printf("%sok %d - %s: %d\n", failures ? "not " : "", i + 1, calls[i].name, hits);
        failed += failures;
    }
    return failed != 0;
}
