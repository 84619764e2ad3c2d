/* SPDX-License-Identifier: MIT
 *
 * The checks that read what the system says of itself.
 */
#include "caps.h"
#include "cmd.h"
#include "doctor.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct check *checks_add(struct checks *checks, const char *key, const char *title, enum verdict verdict,
                         const char *format, ...)
{
    struct check *check = &checks->list[checks->count < MOST_CHECKS ? checks->count++ : MOST_CHECKS - 1];
    va_list arguments;
    *check = (struct check){.key = key, .title = title, .verdict = verdict};
    va_start(arguments, format);
    vsnprintf(check->detail, sizeof(check->detail), format, arguments);
    va_end(arguments);
    return check;
}

void checks_mend(struct checks *checks, const char *format, ...)
{
    struct check *check = &checks->list[checks->count - 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->mend, sizeof(check->mend), format, arguments);
    va_end(arguments);
}

/* The first line of a small file; false if there is none. */
static bool read_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    bool read = file && fgets(text, size, file);
    if (file)
        fclose(file);
    text[read ? strcspn(text, "\n") : 0] = 0;
    return read;
}

static void check_kernel(struct checks *checks)
{
    struct utsname name;
    unsigned major = 0, minor = 0;
    uname(&name);
    sscanf(name.release, "%u.%u", &major, &minor);
    unsigned version = major * 1000 + minor;
    if (version >= 5018)
        checks_add(checks, "kernel", "kernel", VERDICT_OK, "Linux %.60s %.20s", name.release, name.machine);
    else if (version >= 5010)
        checks_add(checks, "kernel", "kernel", VERDICT_LESS,
                   "Linux %.60s: stuck processes of other users cannot be read before 5.18", name.release);
    else
        checks_add(checks, "kernel", "kernel", VERDICT_NO, "Linux %.60s: mtrace needs 5.10 or newer", name.release);
}

static void check_btf(struct checks *checks)
{
    static const char path[] = "/sys/kernel/btf/vmlinux";
    if (!access(path, R_OK)) {
        checks_add(checks, "btf", "type information", VERDICT_OK, "%s", path);
        return;
    }
    checks_add(checks, "btf", "type information", VERDICT_NO, "%s: %s", path, strerror(errno));
    if (access("/sys/kernel", F_OK))
        checks_mend(checks, "mount -t sysfs sysfs /sys");
    else
        snprintf(checks->list[checks->count - 1].detail, sizeof(checks->list->detail),
                 "no %s: boot a kernel built with CONFIG_DEBUG_INFO_BTF=y", path);
}

static void check_capabilities(struct checks *checks)
{
    static const struct {
        int capability;
        const char *lost;
    } wanted[] = {
        {CAP_BPF, NULL},
        {CAP_PERFMON, NULL},
        {CAP_SYS_PTRACE, "names in other users' processes"},
        {CAP_CHECKPOINT_RESTORE, "names in deleted files"},
    };
    char missing[160] = "", command[256];
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        if (!caps_have(wanted[i].capability) && !caps_have(CAP_SYS_ADMIN))
            snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s%s%s%s",
                     *missing ? ", " : "no ", caps_name(wanted[i].capability), wanted[i].lost ? " (" : "",
                     wanted[i].lost ? wanted[i].lost : "", wanted[i].lost ? ")" : "");
    bool can = caps_can_trace();
    checks_add(checks, "capabilities", "capabilities",
               !can       ? VERDICT_NO
               : *missing ? VERDICT_LESS
                          : VERDICT_OK,
               "%s",
               !caps_in_first_namespace() ? "a user namespace of its own: no eBPF in here; run mtrace on the host"
               : *missing                 ? missing
                                          : "all that mtrace uses");
    if (!can && caps_in_first_namespace())
        checks_mend(checks, "%s", caps_setcap_command(command, sizeof(command)));
    else if (*missing)
        checks_mend(checks, "%s", caps_sudo_command(command, sizeof(command)));
}

static void check_pid_namespace(struct checks *checks)
{
    bool own = caps_proc_is_ours();
    checks_add(checks, "pid_namespace", "PID namespace", own ? VERDICT_OK : VERDICT_NO, "%s",
               !own                            ? "/proc is that of another one: processes have other numbers there"
               : caps_in_first_pid_namespace() ? "the machine's first one"
                                               : "one of its own (a container): processes in it can be recorded");
    if (!own)
        checks_mend(checks, "mount -t proc proc /proc");
}

static void check_lockdown(struct checks *checks)
{
    char line[128];
    if (!read_line("/sys/kernel/security/lockdown", line, sizeof(line)))
        checks_add(checks, "lockdown", "lockdown", VERDICT_OK, "none");
    else if (strstr(line, "[confidentiality]"))
        checks_add(checks, "lockdown", "lockdown", VERDICT_NO,
                   "confidentiality: eBPF may not read kernel memory; boot with lockdown=integrity");
    else
        checks_add(checks, "lockdown", "lockdown", VERDICT_OK, "%s",
                   strstr(line, "[integrity]") ? "integrity: no matter" : "none");
}

static void check_libbpf(struct checks *checks)
{
    bool fit = libbpf_major_version() >= 1;
    checks_add(checks, "libbpf", "libbpf", fit ? VERDICT_OK : VERDICT_NO, "%s", libbpf_version_string());
}

static void check_tracefs(struct checks *checks)
{
    if (!access("/sys/kernel/tracing/events", F_OK) || !access("/sys/kernel/debug/tracing/events", F_OK)) {
        checks_add(checks, "tracefs", "tracefs", VERDICT_OK, "mounted");
        return;
    }
    bool refused = errno == EACCES;
    checks_add(checks, "tracefs", "tracefs", VERDICT_OK, "%s: mtrace does not need it, bpftrace and perf do",
               refused ? "for root only" : "not mounted");
    if (!refused)
        checks_mend(checks, "mount -t tracefs tracefs /sys/kernel/tracing");
}

static void check_sysctls(struct checks *checks)
{
    char line[64];
    bool root = caps_can_trace();
    if (read_line("/proc/sys/kernel/perf_event_paranoid", line, sizeof(line)))
        checks_add(checks, "perf_event_paranoid", "perf_event_paranoid", VERDICT_OK, "%s: %s", line,
                   root ? "no matter with CAP_PERFMON" : "no matter to mtrace, which needs CAP_PERFMON");
    if (read_line("/proc/sys/kernel/unprivileged_bpf_disabled", line, sizeof(line)))
        checks_add(checks, "unprivileged_bpf_disabled", "unprivileged_bpf", VERDICT_OK,
                   "kernel.unprivileged_bpf_disabled = %s: no matter to mtrace, which needs CAP_BPF", line);
    if (!read_line("/proc/sys/kernel/yama/ptrace_scope", line, sizeof(line)) || line[0] == '0')
        checks_add(checks, "ptrace_scope", "ptrace scope", VERDICT_OK, "your own processes can be read without eBPF");
    else if (caps_have(CAP_SYS_PTRACE) && line[0] != '3')
        checks_add(checks, "ptrace_scope", "ptrace scope", VERDICT_OK, "%s: no matter with CAP_SYS_PTRACE", line);
    else {
        checks_add(checks, "ptrace_scope", "ptrace scope", root ? VERDICT_OK : VERDICT_LESS,
                   "%s: without privilege mtrace can read its own children only", line);
        checks_mend(checks, "sudo sysctl kernel.yama.ptrace_scope=0");
    }
    if (read_line("/proc/sys/net/core/bpf_jit_enable", line, sizeof(line)) && line[0] == '0') {
        checks_add(checks, "jit", "eBPF compiler", VERDICT_LESS,
                   "off: eBPF programs are interpreted, several times slower");
        checks_mend(checks, "sudo sysctl net.core.bpf_jit_enable=1");
    }
}

static void check_proc(struct checks *checks)
{
    if (access("/proc/self/maps", R_OK)) {
        checks_add(checks, "proc", "/proc", VERDICT_NO, "not mounted");
        checks_mend(checks, "mount -t proc proc /proc");
    } else if (access("/proc/self/syscall", F_OK)) {
        checks_add(checks, "proc", "/proc", VERDICT_LESS,
                   "no /proc/PID/syscall: stuck processes cannot be read without eBPF");
    } else {
        checks_add(checks, "proc", "/proc", VERDICT_OK, "maps and system calls of processes");
    }
}

/* Not needed: functions are found without. Only whether there are any can be told; which ones a program wants, it knows
 * itself. */
static void check_debuginfo(struct checks *checks)
{
    bool any = !access("/usr/lib/debug/.build-id", F_OK);
    checks_add(checks, "debuginfo", "debug files", VERDICT_OK, "%s; source lines need programs built with -g%s",
               any ? "some in /usr/lib/debug" : "none in /usr/lib/debug",
               any ? "" : ", or their package of debug symbols (-dbgsym, -debuginfo)");
}

static void check_filter(struct checks *checks)
{
    checks_add(checks, "filter", "own filter", HAVE_SECCOMP ? VERDICT_OK : VERDICT_LESS, "%s",
               HAVE_SECCOMP ? "yes: mtrace confines itself while it records"
                            : "no: mtrace was built without libseccomp and does not confine itself");
}

void check_system(struct checks *checks)
{
    check_kernel(checks);
    check_btf(checks);
    check_capabilities(checks);
    check_pid_namespace(checks);
    check_lockdown(checks);
    check_libbpf(checks);
    check_proc(checks);
    check_tracefs(checks);
    check_sysctls(checks);
    check_debuginfo(checks);
    check_filter(checks);
}
