/* SPDX-License-Identifier: MIT
 *
 * The filter of system calls. What mtrace does from here on: reads maps and links probes (bpf, perf_event_open), reads
 * files of /proc and debug information, reads the memory of the processes traced, waits, passes signals on to the
 * command, and writes to what is open. It starts no process, opens nothing for writing, has no socket. The command was
 * forked before and has none of this.
 *
 * A name that this libseccomp or CPU does not know is left out: nobody there calls it.
 */
#include "confine.h"
#include "cmd.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool confine_mode(enum confine_mode *mode)
{
    static const char *const names[] = {"on", "log", "off"};
    const char *value = getenv("MTRACE_SECCOMP");
    *mode = CONFINE_ON;
    for (int i = 0; value && *value && i < 3; i++)
        if (!strcmp(value, names[i])) {
            *mode = (enum confine_mode)i;
            return true;
        }
    if (!value || !*value)
        return true;
    complain("MTRACE_SECCOMP cannot be '%s': expected on, log or off", value);
    return false;
}

#if HAVE_SECCOMP

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define NUMBERS 512

static const char *const calls[] = {
    /* the kernel's side of a recording */
    "bpf",
    "perf_event_open",
    "ioctl",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    /* reading; opening is below */
    "read",
    "readv",
    "pread64",
    "preadv",
    "lseek",
    "close",
    "fcntl",
    "dup",
    "dup3",
    "fstat",
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "fstatfs",
    "statfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "process_vm_readv",
    /* the report */
    "write",
    "writev",
    "fsync",
    "fchmod",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    /* waiting */
    "poll",
    "ppoll",
    "wait4",
    "waitid",
    "futex",
    "nanosleep",
    "clock_nanosleep",
    "restart_syscall",
    "sched_yield",
    /* memory */
    "brk",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    /* itself */
    "exit",
    "exit_group",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "getrusage",
    "getrandom",
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "capget",
    "prlimit64",
    "sched_getaffinity",
    "sysinfo",
    "uname",
};

/* elfutils asks for these before it looks whether there is a server of debug files to ask, and does without them. */
static const char *const denied[] = {"socket", "socketpair", "eventfd2", "pipe", "pipe2"};

/* Looked up beforehand: a handler of signals may not. */
static char *names[NUMBERS];

static void put_text(char *line, size_t size, size_t *used, const char *text)
{
    while (*text && *used < size)
        line[(*used)++] = *text++;
}

static void put_number(char *line, size_t size, size_t *used, unsigned number)
{
    char digits[12];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put_text(line, size, used, digits + at);
}

static void refused(int signal, siginfo_t *info, void *context)
{
    char line[512];
    size_t used = 0;
    unsigned number = (unsigned)info->si_syscall;
    const char *name = number < NUMBERS ? names[number] : NULL;
    (void)signal, (void)context;
    put_text(line, sizeof line, &used, program_name);
    put_text(line, sizeof line, &used, ": refused itself the system call ");
    put_text(line, sizeof line, &used, name ? name : "number");
    put_text(line, sizeof line, &used, name ? " (" : " ");
    put_number(line, sizeof line, &used, number);
    put_text(line, sizeof line, &used, name ? ")" : "");
    put_text(
        line, sizeof line, &used,
        ", which it has no need of once its probes are loaded, and ended. Please report it; MTRACE_SECCOMP=off runs "
        "without the filter\n");
    if (write(STDERR_FILENO, line, used) < 0)
        _exit(CMD_FAILED);
    _exit(CMD_FAILED);
}

static int catch_refusals(void)
{
    struct sigaction action = {.sa_sigaction = refused, .sa_flags = SA_SIGINFO};
    for (int i = 0; i < NUMBERS; i++)
        names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
    return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}

static int rule(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *arguments)
{
    int number = seccomp_syscall_resolve_name(name);
    return number < 0 ? 0 : seccomp_rule_add_array(filter, action, number, count, arguments);
}

static int add(scmp_filter_ctx filter, const char *name, unsigned count, const struct scmp_arg_cmp *arguments)
{
    return rule(filter, SCMP_ACT_ALLOW, name, count, arguments);
}

/* Calls of which only some arguments are needed. */
static int add_guarded(scmp_filter_ctx filter, pid_t launched)
{
    const scmp_datum_t how = O_ACCMODE | O_CREAT | O_TRUNC;
    const struct scmp_arg_cmp open_read = {.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = how, .datum_b = O_RDONLY};
    const struct scmp_arg_cmp openat_read = {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = how, .datum_b = O_RDONLY};
    const struct scmp_arg_cmp ask = {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = 0};
    const struct scmp_arg_cmp to_command = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)launched};
    const struct scmp_arg_cmp to_self = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
    int error = add(filter, "open", 1, &open_read);
    if (!error)
        error = add(filter, "openat", 1, &openat_read);
    if (!error)
        error = add(filter, "kill", 1, &ask);
    if (!error && launched)
        error = add(filter, "kill", 1, &to_command);
    if (!error)
        error = add(filter, "tgkill", 1, &to_self); /* abort */
    return error;
}

static int load(enum confine_mode mode, pid_t launched)
{
    scmp_filter_ctx filter = seccomp_init(mode == CONFINE_LOG ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
    int error = filter ? catch_refusals() : -ENOMEM;
    for (size_t i = 0; !error && i < sizeof calls / sizeof *calls; i++)
        error = add(filter, calls[i], 0, NULL);
    for (size_t i = 0; !error && mode == CONFINE_ON && i < sizeof denied / sizeof *denied; i++)
        error = rule(filter, SCMP_ACT_ERRNO(EACCES), denied[i], 0, NULL);
    if (!error)
        error = add_guarded(filter, launched);
    if (!error)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}

bool confine(enum confine_mode mode, pid_t launched)
{
    int error = mode == CONFINE_OFF ? 0 : load(mode, launched);
    if (error)
        complain("the filter of its own system calls could not be set: %s; MTRACE_SECCOMP=off runs without it",
                 strerror(-error));
    return !error;
}

#else

bool confine(enum confine_mode mode, pid_t launched)
{
    (void)mode, (void)launched;
    return true;
}

#endif
