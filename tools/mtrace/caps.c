/* SPDX-License-Identifier: MIT
 *
 * See caps.h. The capabilities are asked of the kernel itself: no libcap is needed to read two words.
 */
#include "caps.h"
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool caps_have(int capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (capability < 0 || capability >= 64 || syscall(SYS_capget, &header, data))
        return false;
    return data[capability / 32].effective >> capability % 32 & 1;
}

const char *caps_name(int capability)
{
    static char other[32];
    switch (capability) {
    case CAP_BPF:
        return "CAP_BPF";
    case CAP_PERFMON:
        return "CAP_PERFMON";
    case CAP_SYS_PTRACE:
        return "CAP_SYS_PTRACE";
    case CAP_SYS_ADMIN:
        return "CAP_SYS_ADMIN";
    case CAP_SYS_RESOURCE:
        return "CAP_SYS_RESOURCE";
    case CAP_CHECKPOINT_RESTORE:
        return "CAP_CHECKPOINT_RESTORE";
    }
    snprintf(other, sizeof(other), "capability %d", capability);
    return other;
}

/* The first namespace maps every id to itself. */
bool caps_in_first_namespace(void)
{
    unsigned inside = 1, outside = 1, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (!map)
        return true; /* no user namespaces in this kernel, or no /proc: let the kernel decide */
    int got = fscanf(map, "%u %u %u", &inside, &outside, &count);
    fclose(map);
    return got != 3 || (inside == 0 && outside == 0 && count == 4294967295u);
}

bool caps_can_trace(void)
{
    return caps_in_first_namespace() && (caps_have(CAP_SYS_ADMIN) || (caps_have(CAP_BPF) && caps_have(CAP_PERFMON)));
}

/* Adds a word as a shell would have to be given it. */
static size_t add_word(char *text, size_t size, size_t at, const char *word)
{
    bool plain =
        *word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%")];
    int length = snprintf(text + at, size - at, plain ? " %s" : " '%s'", word);
    return length > 0 && (size_t)length < size - at ? at + length : size;
}

char *caps_sudo_command(char *text, size_t size)
{
    char line[2048];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, line, sizeof(line) - 1) : 0;
    size_t at = snprintf(text, size, "sudo");
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        length = snprintf(line, sizeof(line), "%s", program_name);
    line[length] = 0;
    for (const char *word = line; word < line + length && at < size; word += strlen(word) + 1)
        at = add_word(text, size, at, word);
    return text;
}

char *caps_setcap_command(char *text, size_t size)
{
    char path[1024];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    snprintf(text, size, "sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_checkpoint_restore+ep %s",
             length > 0 ? path : "$(command -v mtrace)");
    return text;
}

static void complain_of_capabilities(void)
{
    char again[2400], grant[1200], missing[64] = "";
    static const int needed[] = {CAP_BPF, CAP_PERFMON};
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
        if (!caps_have(needed[i]))
            snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s", *missing ? " and " : "",
                     caps_name(needed[i]));
    if (!caps_in_first_namespace()) {
        complain("this is a container with a user namespace of its own, in which the kernel grants no eBPF to anybody; "
                 "run %s on the "
                 "host",
                 program_name);
        return;
    }
    complain("eBPF needs %s, which this process does not have. Run as root:\n    %s\nor let every user run it, once:\n "
             "   %s",
             missing, caps_sudo_command(again, sizeof(again)), caps_setcap_command(grant, sizeof(grant)));
}

bool caps_require_tracing(void)
{
    if (!caps_can_trace()) {
        complain_of_capabilities();
        return false;
    }
    if (access("/sys/kernel/btf/vmlinux", R_OK)) {
        if (errno == ENOENT)
            complain("this kernel does not describe its types (no /sys/kernel/btf/vmlinux), and eBPF programs need "
                     "that; boot a "
                     "kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions have since 2021");
        else
            complain("/sys/kernel/btf/vmlinux cannot be read: %s; is /sys mounted? mount -t sysfs sysfs /sys",
                     strerror(errno));
        return false;
    }
    return true;
}

/* The Tgid and the state's letter from /proc/PID/status. False if there is no such process, or no /proc. */
static bool read_status(pid_t pid, int *tgid, char *state)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    if (!status)
        return false;
    *tgid = 0;
    *state = '?';
    while (fgets(line, sizeof(line), status)) {
        sscanf(line, "Tgid: %d", tgid);
        sscanf(line, "State: %c", state);
    }
    fclose(status);
    return *tgid > 0;
}

#define FIRST_PID_NAMESPACE 0xeffffffcu /* the number that the kernel gives it, on every machine */

bool caps_in_first_pid_namespace(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) || status.st_ino == FIRST_PID_NAMESPACE;
}

bool caps_proc_is_ours(void)
{
    char self[32] = "";
    return readlink("/proc/self", self, sizeof(self) - 1) <= 0 || atol(self) == (long)getpid();
}

bool caps_require_own_proc(void)
{
    if (caps_proc_is_ours())
        return true;
    complain("/proc is that of another PID namespace, where processes have other numbers than in this one: "
             "mount -t proc proc /proc");
    return false;
}

bool caps_is_mine(pid_t pid)
{
    char path[64], line[256];
    unsigned uid = (unsigned)-1;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    if (!status)
        return false;
    while (fgets(line, sizeof(line), status))
        sscanf(line, "Uid: %u", &uid);
    fclose(status);
    return uid == getuid();
}

/* A first thread that has ended is a zombie as long as others run. */
static bool has_other_threads(pid_t pid)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    return !stat(path, &status) && status.st_nlink > 3; /* ".", "..", and a folder for each thread */
}

static bool is_dead(pid_t pid, char state)
{
    return (state == 'Z' || state == 'X') && !has_other_threads(pid);
}

bool caps_has_ended(pid_t pid)
{
    int tgid;
    char state;
    return read_status(pid, &tgid, &state) ? is_dead(pid, state) : kill(pid, 0) && errno == ESRCH;
}

bool caps_require_process(pid_t pid)
{
    int tgid;
    char state;
    if (pid <= 0) {
        complain("%d is not a process id", pid);
        return false;
    }
    if (!read_status(pid, &tgid, &state)) {
        if (kill(pid, 0) && errno == ESRCH)
            complain("there is no process %d; 'ps -e' or 'pgrep NAME' lists those there are", pid);
        else
            complain("process %d is there, but /proc/%d cannot be read; is /proc mounted (with hidepid)? mount -o "
                     "remount,hidepid=0 /proc",
                     pid, pid);
        return false;
    }
    if (tgid != pid) {
        complain("%d is a thread of process %d: give the process, -p %d", pid, tgid, tgid);
        return false;
    }
    if (is_dead(pid, state)) {
        complain("process %d has ended (its parent has not yet fetched its status); there is nothing to look at", pid);
        return false;
    }
    return true;
}

static bool is_locked_down(void)
{
    char line[128] = "";
    FILE *lockdown = fopen("/sys/kernel/security/lockdown", "re");
    if (!lockdown)
        return false;
    bool locked = fgets(line, sizeof(line), lockdown) && strstr(line, "[confidentiality]");
    fclose(lockdown);
    return locked;
}

static bool is_low(__rlimit_resource_t resource, rlim_t enough)
{
    struct rlimit limit;
    return !getrlimit(resource, &limit) && limit.rlim_cur < enough;
}

/* libbpf comes to all sorts of ends then. */
static bool complain_of_limits(const char *what)
{
    if (is_low(RLIMIT_NOFILE, 256))
        complain("%s: the limit on open files is too low: ulimit -n 1024", what);
    else if (is_low(RLIMIT_AS, 256 << 20))
        complain("%s: the limit on address space is too low: ulimit -v unlimited", what);
    else
        return false;
    return true;
}

void caps_explain(int error, const char *what)
{
    error = error < 0 ? -error : error;
    if ((error == EPERM || error == EACCES) && !caps_can_trace())
        complain_of_capabilities();
    else if ((error == EPERM || error == EACCES) && is_locked_down())
        complain("%s: the kernel is locked down (confidentiality), which forbids eBPF to read kernel memory; boot with "
                 "lockdown=integrity",
                 what);
    else if (complain_of_limits(what))
        return;
    else if (error == ESRCH || error == ENOENT)
        complain("%s: this kernel does not have what it attaches to (%s); '%s doctor' says what works here", what,
                 strerror(error), program_name);
    else if (error == ENOMEM)
        complain("%s: not enough memory, or a limit on locked memory: ulimit -l unlimited", what);
    else if (error == EMFILE)
        complain("%s: the limit on open files is too low: ulimit -n 1024", what);
    else
        complain("%s: %s; '%s doctor' says what works here", what, strerror(error), program_name);
}
