/* SPDX-License-Identifier: MIT
 *
 * mtrace's filter of its own system calls: what it lets through, and what becomes of the rest. Each try is made by a
 * child, which the filter is for good for.
 */
#include "../../tools/mtrace/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *program_name = "mtrace";

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

void complain(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
}

static pid_t other; /* a process that may be killed */

/* In a confined child: the status that it ended with. What it wrote to standard error is in said. */
static int in_child(void (*act)(void), enum confine_mode mode, pid_t launched, char said[512])
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        if (!confine(mode, launched))
            _exit(99);
        act();
        _exit(0);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], said, 511);
    said[got > 0 ? got : 0] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void make_folder(void)
{
    mkdir("/tmp/never", 0700);
}

static void read_file(void)
{
    char byte;
    int fd = open("/proc/self/stat", O_RDONLY);
    if (fd < 0 || read(fd, &byte, 1) != 1 || close(fd))
        _exit(1);
}

static void open_for_writing(void)
{
    open("/dev/null", O_WRONLY);
}

static void make_process(void)
{
    if (fork() == 0)
        _exit(0);
}

static void ask_for_other(void)
{
    if (kill(other, 0))
        _exit(1);
}

static void kill_other(void)
{
    kill(other, SIGTERM);
}

static void open_socket(void)
{
    if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EACCES)
        _exit(1);
}

static void test_refused(void **state)
{
    char said[512];
    (void)state;
    assert_int_equal(in_child(make_folder, CONFINE_ON, 0, said), 125);
    assert_non_null(strstr(said, "mtrace: refused itself the system call mkdir"));
    assert_non_null(strstr(said, "MTRACE_SECCOMP=off"));
    assert_int_equal(in_child(open_for_writing, CONFINE_ON, 0, said), 125);
    assert_non_null(strstr(said, "the system call open"));
    assert_int_equal(in_child(make_process, CONFINE_ON, 0, said), 125);
    assert_non_null(strstr(said, "the system call clone"));
}

static void test_allowed(void **state)
{
    char said[512];
    (void)state;
    assert_int_equal(in_child(read_file, CONFINE_ON, 0, said), 0);
    assert_int_equal(in_child(open_socket, CONFINE_ON, 0, said), 0);
    assert_string_equal(said, "");
}

/* Signals go to the command and to nobody else. */
static void test_signals(void **state)
{
    char said[512];
    int status;
    (void)state;
    other = fork();
    assert_true(other >= 0);
    if (!other) {
        pause();
        _exit(0);
    }
    assert_int_equal(in_child(ask_for_other, CONFINE_ON, 0, said), 0);
    assert_int_equal(in_child(kill_other, CONFINE_ON, 0, said), 125);
    assert_int_equal(in_child(kill_other, CONFINE_ON, other + 1, said), 125);
    assert_int_equal(waitpid(other, &status, WNOHANG), 0);
    assert_int_equal(in_child(kill_other, CONFINE_ON, other, said), 0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void test_off(void **state)
{
    char said[512];
    (void)state;
    assert_int_equal(in_child(open_for_writing, CONFINE_OFF, 0, said), 0);
    assert_int_equal(in_child(open_for_writing, CONFINE_LOG, 0, said), 0);
}

static void test_mode(void **state)
{
    enum confine_mode mode;
    (void)state;
    unsetenv("MTRACE_SECCOMP");
    assert_true(confine_mode(&mode));
    assert_int_equal(mode, CONFINE_ON);
    setenv("MTRACE_SECCOMP", "log", 1);
    assert_true(confine_mode(&mode));
    assert_int_equal(mode, CONFINE_LOG);
    setenv("MTRACE_SECCOMP", "off", 1);
    assert_true(confine_mode(&mode));
    assert_int_equal(mode, CONFINE_OFF);
    setenv("MTRACE_SECCOMP", "maybe", 1);
    assert_false(confine_mode(&mode));
    unsetenv("MTRACE_SECCOMP");
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER 1 /* its runtime makes system calls of its own */
#else
#define SANITIZER 0
#endif

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_mode),
        cmocka_unit_test(test_off),
    };
    const struct CMUnitTest filtered[] = {
        cmocka_unit_test(test_mode),    cmocka_unit_test(test_off),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_allowed), cmocka_unit_test(test_signals),
    };
    if (HAVE_SECCOMP && !SANITIZER)
        return cmocka_run_group_tests(filtered, NULL, NULL);
    return cmocka_run_group_tests(all, NULL, NULL);
}
