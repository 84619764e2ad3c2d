/* SPDX-License-Identifier: MIT
 *
 * A recording. With a command: fork it, attach, let it go, record until it ends, report, exit as it did. With
 * processes: attach, record until they end, the time is up or Ctrl-C comes, report.
 *
 * Signals come through a descriptor. Ctrl-C reaches the command by the terminal, so mtrace only waits for what the
 * command makes of it; what others send to mtrace is passed on. The output is opened first: a report that has nowhere
 * to go is not worth a recording.
 */
#include "record.h"
#include "caps.h"
#include "confine.h"
#include "launch.h"
#include "library.h"
#include "model.h"
#include "options.h"
#include "report.h"
#include "session.h"
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct record {
    struct options options;
    struct output output;
    struct session session;
    struct launch launch;
    enum confine_mode confined;
    int signals; /* descriptor, -1: none */
    bool launched;
    bool interrupted;
};

static bool catch_signals(struct record *record)
{
    sigset_t set;
    signal(SIGXFSZ, SIG_IGN); /* a report beyond the limit on file sizes is an error of write(2), which is told */
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    if (!sigprocmask(SIG_BLOCK, &set, NULL))
        record->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (record->signals >= 0)
        return true;
    complain("cannot take signals: %s", strerror(errno));
    return false;
}

static void take_signals(struct record *record)
{
    struct signalfd_siginfo info;
    while (read(record->signals, &info, sizeof info) == sizeof info) {
        bool from_terminal = info.ssi_code == SI_KERNEL;
        if (!record->launched)
            record->interrupted = true;
        else if (!from_terminal && !launch_ended(&record->launch, false))
            kill(record->launch.pid, (int)info.ssi_signo);
    }
}

/* Milliseconds until the time is up, at most what a poll should sleep. */
static int time_left(const struct record *record, uint64_t until)
{
    uint64_t now = session_clock(), most = record->session.busy ? 2 : 200;
    if (!until)
        return (int)most;
    if (now >= until)
        return 0;
    uint64_t ms = (until - now) / 1000000 + 1;
    return (int)(ms < most ? ms : most);
}

static void follow_until_end(struct record *record)
{
    uint64_t until = 0;
    if (record->options.seconds > 0)
        until = session_clock() + (uint64_t)(record->options.seconds * 1e9);
    while (!record->interrupted) {
        struct pollfd fds[] = {
            {record->signals, POLLIN, 0},
            {session_fd(&record->session), POLLIN, 0},
            {record->launched ? record->launch.pidfd : -1, POLLIN, 0},
        };
        int left = time_left(record, until);
        if (until && left == 0)
            return;
        if (poll(fds, 3, left) < 0 && errno != EINTR)
            return;
        take_signals(record);
        unsigned alive = session_poll(&record->session, 0);
        if (record->launched ? launch_ended(&record->launch, false) : !alive)
            return;
    }
}

static bool write_report(struct record *record, struct model *model, unsigned parts)
{
    struct report report = {model, &record->output, parts, record->options.top};
    if (!record->options.json) {
        report_print(&report);
    } else if (!report_print_json(&report)) {
        complain("out of memory");
        output_discard(&record->output);
        return false;
    }
    return output_close(&record->output);
}

static bool report(struct record *record, unsigned parts)
{
    struct model *model = model_read(&record->session);
    if (!model) {
        complain("out of memory while reading the recording");
        return false;
    }
    bool good = write_report(record, model, parts);
    model_free(model);
    return good;
}

static bool follow_pids(struct record *record)
{
    for (size_t i = 0; i < record->options.pid_count; i++)
        if (!session_follow(&record->session, record->options.pids[i]))
            return false;
    return session_start(&record->session, 0);
}

static int fail_exec(const struct record *record, int error)
{
    const char *name = record->options.command[0];
    if (error == ENOENT && !strchr(name, '/'))
        complain("there is no command '%s' in PATH; nothing was recorded", name);
    else if (error == ENOENT)
        complain("there is no '%s', or the interpreter or loader that it asks for; nothing was recorded", name);
    else if (error == EACCES)
        complain("'%s' may not be executed: it is no executable file, or a folder on its path is closed to you", name);
    else if (error == ENOEXEC)
        complain("'%s' is not in a format that this machine executes (a script needs '#!' and its interpreter first)",
                 name);
    else
        complain("cannot run '%s': %s", name, strerror(error));
    return error == ENOENT ? CMD_NOT_FOUND : CMD_CANNOT_EXEC;
}

static int record_command(struct record *record, unsigned parts)
{
    struct launch *launch = &record->launch;
    char *library = library_of_command(record->options.command[0]);
    if (library)
        names_expect_library(record->session.names, library);
    free(library);
    if (!session_follow(&record->session, launch->pid) || !session_start(&record->session, launch->pid) ||
        !confine(record->confined, launch->pid))
        return CMD_FAILED;
    record->launched = true;
    int error = launch_start(launch);
    if (error) {
        launch_ended(launch, true);
        return fail_exec(record, error);
    }
    follow_until_end(record);
    session_stop(&record->session);
    bool good = report(record, parts);
    while (!launch_ended(launch, false)) {
        struct pollfd fds[] = {{record->signals, POLLIN, 0}, {launch->pidfd, POLLIN, 0}};
        poll(fds, 2, 200);
        take_signals(record);
    }
    return good ? launch_status(launch) : CMD_FAILED;
}

/* A process may end while mtrace is getting ready, or be there and still not be followed. */
static const char *why_missed(const struct record *record, pid_t pid)
{
    if (caps_has_ended(pid))
        return "ended before the recording began";
    return session_lost_tasks(&record->session) ? "found no room: raise --max-tasks" : "is hidden from eBPF";
}

/* False after a complaint if none of the processes is followed. */
static bool check_caught(struct record *record)
{
    char note[128];
    const struct options *options = &record->options;
    size_t count = 0;
    for (size_t i = 0; i < options->pid_count; i++)
        count += !session_has(&record->session, options->pids[i]);
    if (count == options->pid_count) {
        complain("process %d %s; nothing was recorded", options->pids[0], why_missed(record, options->pids[0]));
        return false;
    }
    for (size_t i = 0; i < options->pid_count; i++) {
        if (session_has(&record->session, options->pids[i]))
            continue;
        snprintf(note, sizeof note, "process %d %s", options->pids[i], why_missed(record, options->pids[i]));
        session_note(&record->session, note);
    }
    return true;
}

static int record_pids(struct record *record, unsigned parts)
{
    if (!follow_pids(record) || !check_caught(record) || !confine(record->confined, 0))
        return CMD_FAILED;
    follow_until_end(record);
    session_stop(&record->session);
    return report(record, parts) ? 0 : CMD_FAILED;
}

static bool check(const struct record *record)
{
    if (!caps_require_own_proc() || !caps_require_tracing())
        return false;
    for (size_t i = 0; i < record->options.pid_count; i++)
        if (!caps_require_process(record->options.pids[i]))
            return false;
    return true;
}

static unsigned probes_for(unsigned parts)
{
    return (parts & REPORT_QUEUES ? SESSION_QUEUES : 0) | (parts & REPORT_POOLS ? SESSION_POOLS : 0) |
           (parts & (REPORT_TASKS | REPORT_WAITS | REPORT_LOCKS | REPORT_SCHED | REPORT_COROS) ? SESSION_COROS : 0) |
           (parts & REPORT_COROS ? SESSION_HUBS : 0);
}

#define DESCRIPTORS 1024 /* for programs, maps and links; and for the files of many modules that are looked up */

/* The command has been forked by now: it keeps the limit that it was given. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = DESCRIPTORS;
    if (limit.rlim_max < DESCRIPTORS) {
        struct rlimit more = {DESCRIPTORS, DESCRIPTORS};
        if (!setrlimit(RLIMIT_NOFILE, &more))
            return;
        limit.rlim_cur = limit.rlim_max;
    }
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct record *record, unsigned parts)
{
    bool command = record->options.command;
    if (!confine_mode(&record->confined) || !check(record))
        return CMD_FAILED;
    if (!output_open(&record->output, record->options.output, command ? stderr : stdout))
        return CMD_FAILED;
    if (command && !launch_prepare(&record->launch, record->options.command))
        return CMD_FAILED;
    raise_descriptor_limit();
    if (!catch_signals(record) || !session_open(&record->session, &record->options, probes_for(parts)))
        return CMD_FAILED;
    return command ? record_command(record, parts) : record_pids(record, parts);
}

int record_main(const struct cmd *cmd, int argc, char **argv, unsigned parts)
{
    struct record record = {
        .signals = -1, .session.stats_fd = -1, .launch = {.pid = -1, .pidfd = -1, .gate = -1, .result = -1}};
    setlocale(LC_CTYPE, "");
    int status = options_parse(cmd, argc, argv, &record.options);
    if (status >= 0)
        return status;
    status = run(&record, parts);
    launch_abandon(&record.launch);
    session_close(&record.session);
    output_discard(&record.output);
    if (record.signals >= 0)
        close(record.signals);
    return status;
}
