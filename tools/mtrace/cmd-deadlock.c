/* SPDX-License-Identifier: MIT
 *
 * mtrace deadlock: the circle in which the threads of a stuck process wait for each other.
 *
 * Takes pictures some milliseconds apart until it is certain: no circle in one picture is the end of it, a circle must
 * be there in all of them.
 */
#include "caps.h"
#include "cmd.h"
#include "confine.h"
#include "deadlock.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PICTURES       3 /* that must agree */
#define PAUSE_MS       5
#define MOST_PIDS      64
#define STATUS_LOCKED  3
#define STATUS_UNKNOWN 4

struct request {
    pid_t pids[MOST_PIDS];
    size_t count;
    bool json;
    bool stacks;
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* "4711,4712". False after a complaint. */
static bool add_pids(struct request *request, const char *text)
{
    for (const char *at = text; *at;) {
        char *end;
        errno = 0;
        long pid = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || pid <= 0 || pid > INT_MAX || errno)
            return false;
        if (request->count < MOST_PIDS)
            request->pids[request->count++] = pid;
        at = *end ? end + 1 : end;
    }
    return *text;
}

/* Opens the best means there is. Without eBPF a process of one's own can still be read. */
static int open_reader(struct reader *reader)
{
    int error = caps_can_trace() ? reader_open_bpf(reader) : -EPERM;
    return error ? reader_open_proc(reader) : 0;
}

static void explain(int error, pid_t pid, const struct reader *reader)
{
    char again[2400], grant[1200];
    if ((error == -EACCES || error == -EPERM) && caps_is_mine(pid))
        complain("process %d is yours, but it lets nobody read it (by prctl PR_SET_DUMPABLE, or because its program is "
                 "set-user-ID, has capabilities, or may not be read). Run as root:\n    %s",
                 pid, caps_sudo_command(again, sizeof(again)));
    else if (error == -EACCES || error == -EPERM)
        complain("process %d is not yours to read (eBPF needs CAP_BPF and CAP_PERFMON, /proc/%d needs CAP_SYS_PTRACE). "
                 "Run as "
                 "root:\n    %s\nor let every user run it, once:\n    %s",
                 pid, pid, caps_sudo_command(again, sizeof(again)), caps_setcap_command(grant, sizeof(grant)));
    else if (error == -ESRCH)
        complain("process %d has ended, or is one of the kernel's own", pid);
    else
        complain("process %d cannot be read by %s: %s; '%s doctor' says what works here", pid, reader->means->name,
                 strerror(-error), program_name);
}

/* Pictures until they disagree or enough of them agree. The last one is the answer. */
static int take_pictures(struct picture *picture, struct reader *reader, struct report *report, pid_t *failed)
{
    int error = picture_take(picture, reader, failed);
    report->passes = 1;
    while (!error && (picture->circles || picture->abandoned) && report->passes < PICTURES) {
        struct picture before = *picture;
        picture->waiters = NULL;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        error = picture_take(picture, reader, failed);
        if (!error)
            picture_keep_stable(picture, &before);
        picture_clear(&before);
        report->passes++;
    }
    return error;
}

static int look(const struct request *request, struct reader *reader, struct picture *picture)
{
    double start = now_ms();
    pid_t failed = 0;
    struct report report = {.picture = picture, .reader = reader, .stacks = request->stacks};
    for (size_t i = 0; i < request->count; i++) {
        struct process *process = &picture->processes[i];
        process->pid = request->pids[i];
        process->has_tasks = !tasks_open(&process->tasks, symbols_living_thread(process->pid));
    }
    int error = take_pictures(picture, reader, &report, &failed);
    if (error) {
        explain(error, failed, reader);
        return CMD_FAILED;
    }
    report.milliseconds = now_ms() - start;
    error = request->json ? report_json(&report, stdout) : report_text(&report, stdout);
    if (error) {
        complain("the report could not be written: %s", strerror(-error));
        return CMD_FAILED;
    }
    if (picture->circles || picture->abandoned)
        return STATUS_LOCKED;
    return picture_unknown(picture) ? STATUS_UNKNOWN : 0;
}

static int run(const struct request *request)
{
    struct reader reader = {0};
    struct picture picture = {.process_count = request->count};
    enum confine_mode confined;
    if (!confine_mode(&confined))
        return CMD_FAILED;
    for (size_t i = 0; i < request->count; i++)
        if (!caps_require_process(request->pids[i]))
            return CMD_FAILED;
    int error = open_reader(&reader);
    if (error) {
        caps_explain(error, "reading threads");
        return CMD_FAILED;
    }
    picture.processes = calloc(request->count, sizeof(*picture.processes));
    int status = CMD_FAILED;
    if (picture.processes && confine(confined, 0))
        status = look(request, &reader, &picture);
    else if (!picture.processes)
        complain("not enough memory");
    for (size_t i = 0; picture.processes && i < request->count; i++) {
        symbols_close(picture.processes[i].symbols);
        tasks_close(&picture.processes[i].tasks);
    }
    picture_clear(&picture);
    free(picture.processes);
    reader_close(&reader);
    return status;
}

static int exec_deadlock(const struct cmd *cmd, int argc, char **argv)
{
    static const struct option options[] = {{"pid", required_argument, NULL, 'p'}, {"json", no_argument, NULL, 'j'},
                                            {"stacks", no_argument, NULL, 's'},    {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},   {0}};
    struct request request = {0};
    int option;
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, "+:p:sjhV", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            if (!add_pids(&request, optarg))
                return cmd_misused(cmd, "'%s' is not a process id, or several with commas between", optarg);
            break;
        case 's':
            request.stacks = true;
            break;
        case 'j':
            request.json = true;
            break;
        case 'h':
            return cmd_help(cmd);
        case 'V':
            return cmd_version();
        case ':':
            return cmd_misused(cmd, "option '%s' needs a value", argv[optind - 1]);
        default:
            return cmd_misused(cmd, "there is no option '%s'", argv[optind - 1]);
        }
    }
    for (; optind < argc; optind++)
        if (!add_pids(&request, argv[optind]))
            return cmd_misused(cmd, "'%s' is not a process id", argv[optind]);
    if (!request.count)
        return cmd_misused(cmd, "which process? Give -p PID");
    return run(&request);
}

const struct cmd cmd_deadlock = {
    .name = "deadlock",
    .args = "[-s] [--json] -p PID[,PID]...",
    .summary = "Show the circle in which the threads of a stuck process wait for each other",
    .usage = "  -p, --pid PID[,PID]   the process; several may wait for each other through shared locks\n"
             "  -s, --stacks          the whole stack of each thread shown, not only the line that waits\n"
             "      --json            for programs: every thread, see mtrace-deadlock(1)\n"
             "  -h, --help            print this\n"
             "  -V, --version         print the version\n"
             "\n"
             "Exit status: 0 no deadlock, 3 deadlock (or a lock whose owner has ended), 4 none found, but there are "
             "waits of\n"
             "which no owner is known, 125 mtrace itself failed.\n",
    .exec = exec_deadlock,
};
