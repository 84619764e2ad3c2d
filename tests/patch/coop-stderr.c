/* SPDX-License-Identifier: MIT
 *
 * Messages to a standard error that is a full pipe, whose reader is in the same thread: the same text as libc's own.
 */
#include "coop.h"

#include <err.h>
#include <error.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ROOM 65536

static int ends[2];
static char expected[ROOM], came[ROOM * 2];
static size_t filled;

static void say_all(void)
{
    char text[6000]; /* more than a pipe takes at once */
    siginfo_t info = {.si_signo = SIGCHLD, .si_code = CLD_EXITED, .si_pid = 17};

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    errno = ENOENT;
    perror("perror");
    errno = EPERM;
    warn("warn %d", 1);
    warnx("%s", text);
    error(0, ENOSPC, "error %d", 2);
    error_at_line(0, 0, "file", 3, "line %s", "three");
    psignal(SIGTERM, "psignal");
    psiginfo(&info, "psiginfo");
    h_errno = HOST_NOT_FOUND;
    herror("herror");
}

/* As libc says it, into a file. */
static size_t say_by_libc(void)
{
    int before = dup(2), file = memfd_create("stderr", MFD_CLOEXEC);
    ssize_t size;

    CHECK(mt_unpatch(MT_PATCH_STDIO) == 0);
    dup2(file, 2);
    say_all();
    dup2(before, 2);
    size = pread(file, expected, sizeof expected, 0);
    close(file);
    close(before);
    CHECK(mt_patch(MT_PATCH_STDIO) == 0);
    return size < 0 ? 0 : (size_t)size;
}

static void fill(int fd)
{
    char page[4096] = "";
    ssize_t size;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (filled = 0; (size = write(fd, page, sizeof page)) > 0; filled += (size_t)size) {
    }
    fcntl(fd, F_SETFL, 0);
}

static size_t read_all(void)
{
    size_t size = 0;
    ssize_t piece;

    usleep(1000); /* the other waits by now */
    while ((piece = read(ends[0], came + size, sizeof came - size)) > 0)
        size += (size_t)piece;
    return size;
}

static int talker(void *arg)
{
    size_t size;
    int before;

    if ((intptr_t)arg) {
        size = read_all();
        return size == filled + *(size_t *)arg && !memcmp(came + filled, expected, size - filled) ? 0 : -EBADMSG;
    }
    before = dup(2);
    dup2(ends[1], 2);
    close(ends[1]);
    say_all();
    dup2(before, 2);
    return close(before);
}

static void talk(size_t size)
{
    struct mt_task *tasks[] = {mt_coro_spawn(talker, NULL, NULL), mt_coro_spawn(talker, &size, NULL)};

    CHECK(mt_joinall(tasks, 2, MT_FOREVER) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(mt_task_outcome(tasks[i]) == 0);
        mt_task_release(tasks[i]);
    }
}

static void messages(void)
{
    size_t size;

    all_classes();
    size = say_by_libc();
    CHECK(size > 6000);
    CHECK(pipe(ends) == 0);
    fill(ends[1]);
    talk(size);
    close(ends[0]);
}

static int status_of(void (*end)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (!pid) {
        dup2(open("/dev/null", O_WRONLY), 2);
        end();
        _exit(99);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void by_err(void)
{
    err(3, "err");
}

static void by_errx(void)
{
    errx(4, NULL);
}

static void by_error(void)
{
    error(5, ENOENT, "error");
}

static void by_error_at_line(void)
{
    error_at_line(6, 0, "file", 1, "error");
}

static void ends_of_processes(void)
{
    CHECK(status_of(by_err) == 3);
    CHECK(status_of(by_errx) == 4);
    CHECK(status_of(by_error) == 5);
    CHECK(status_of(by_error_at_line) == 6);
}

const struct coop_test stderr_tests[] = {
    {"messages to a standard error that is full", messages},
    {"messages that end the process", ends_of_processes},
    {NULL, NULL},
};
