/* SPDX-License-Identifier: MIT
 *
 * Sandboxes: a filter of system calls (seccomp, by libseccomp) and Landlock for files. Neither can be left again, and
 * both are inherited by all that the process starts.
 *
 * A refused call raises SIGSYS (SECCOMP_RET_TRAP): the handler notes the call's number in the block that the parent
 * reads, and ends the process. With MT_SANDBOX_LOG the filter asks instead (SECCOMP_RET_USER_NOTIF), and a thread that
 * was started before the filter and so has none notes the number and lets the call go on. That answer is no protection,
 * as seccomp_unotify(2) says, and is not meant as one.
 */
#include "base/own.h"
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linuxmt/error.h>
#include <linuxmt/sandbox.h>
#include <linuxmt/thread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if HAVE_SECCOMP
#include <seccomp.h>
#endif

#define FILTERED (MT_SANDBOX_COMPUTE | MT_SANDBOX_NO_NETWORK | MT_SANDBOX_NO_EXEC)

/* -- Landlock ----------------------------------------------------------------------------------------------------- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

/* Of linux/landlock.h, which older kernel headers do not have. */
#define LANDLOCK_VERSION   1u
#define LANDLOCK_PATH      1
#define LANDLOCK_EXECUTE   (1ull << 0)
#define LANDLOCK_READ_FILE (1ull << 2)
#define LANDLOCK_READ_DIR  (1ull << 3)
#define LANDLOCK_FIRST     ((1ull << 13) - 1) /* the rights of the first version */
#define LANDLOCK_REFER     (1ull << 13)       /* the second: linking and renaming across folders */
#define LANDLOCK_TRUNCATE  (1ull << 14)       /* the third */

struct landlock_path {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

static long landlock_version(void)
{
    return mt__sys(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
}

/* Everything below the root may be read and executed; what is not allowed is refused with EACCES. */
static int read_only(void)
{
    long version = landlock_version();
    uint64_t handled = LANDLOCK_FIRST | (version > 1 ? LANDLOCK_REFER : 0) | (version > 2 ? LANDLOCK_TRUNCATE : 0);
    struct landlock_path root = {LANDLOCK_EXECUTE | LANDLOCK_READ_FILE | LANDLOCK_READ_DIR, -1};
    long rules = mt__sys(SYS_landlock_create_ruleset, &handled, sizeof handled, 0), error;

    if (rules < 0)
        return mt_fail((int)rules, "Landlock makes no set of rules");
    root.fd = open("/", O_PATH | O_CLOEXEC);
    error = root.fd < 0 ? -errno : mt__sys(SYS_landlock_add_rule, rules, LANDLOCK_PATH, &root, 0);
    if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        error = -errno;
    if (!error)
        error = mt__sys(SYS_landlock_restrict_self, rules, 0);
    if (root.fd >= 0)
        close(root.fd);
    close((int)rules);
    return error ? mt_fail((int)error, "Landlock refuses to make files read-only") : 0;
}

/* -- The filter of system calls ----------------------------------------------------------------------------------- */

#if HAVE_SECCOMP

static struct mt__start *noted_in;

static void note(struct mt__start *start, int number)
{
    if (number >= 0 && number < MT__CALLS_MAX)
        __atomic_fetch_or(&start->noted[number / 64], 1ull << number % 64, __ATOMIC_RELAXED);
}

static void on_refusal(int signal, siginfo_t *info, void *context)
{
    __atomic_store_n(&noted_in->refused, info->si_syscall + 1, __ATOMIC_RELEASE);
    mt__arch_syscall(SYS_exit_group, 128 + SIGSYS, 0, 0, 0, 0, 0);
}

static int watch_refusals(void)
{
    struct sigaction action = {.sa_sigaction = on_refusal, .sa_flags = SA_SIGINFO};
    sigset_t refusal;

    sigemptyset(&refusal);
    sigaddset(&refusal, SIGSYS);
    return sigaction(SIGSYS, &action, NULL) || sigprocmask(SIG_UNBLOCK, &refusal, NULL) ? -errno : 0;
}

/* The thread of MT_SANDBOX_LOG. It gets the descriptor through the block, because the filter is loaded after its start.
 */
static int answer_all(void *arg)
{
    struct mt__start *start = arg;
    struct seccomp_notif *asked = NULL;
    struct seccomp_notif_resp *answer = NULL;
    int fd;

    while (!(fd = __atomic_load_n(&start->notifier, __ATOMIC_ACQUIRE)))
        mt__sys(SYS_sched_yield);
    if (fd < 0 || seccomp_notify_alloc(&asked, &answer))
        return 0;
    for (;;) {
        memset(asked, 0, sizeof *asked);
        if (seccomp_notify_receive(fd, asked))
            continue; /* who asked has been ended meanwhile */
        note(start, asked->data.nr);
        *answer = (struct seccomp_notif_resp){.id = asked->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        seccomp_notify_respond(fd, answer);
    }
    return 0;
}

static int start_answering(struct mt__start *start)
{
    struct mt_thread_options options = {.name = "sandbox-log", .stack_size = 65536, .daemon = 1};
    struct mt_task *thread = mt_thread_spawn(answer_all, start, &options);

    if (!thread)
        return -errno;
    mt_task_detach(thread);
    return 0;
}

/* What a computation needs, whatever its arguments. */
static const int harmless[] = {
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mincore),
    SCMP_SYS(membarrier),
    SCMP_SYS(futex),
    SCMP_SYS(futex_waitv),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(getrusage),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
};

/* A condition on an argument; libseccomp's own macros leave a field out, which compilers warn of. */
static struct scmp_arg_cmp argument(unsigned number, enum scmp_compare how, uint64_t a, uint64_t b)
{
    return (struct scmp_arg_cmp){.arg = number, .op = how, .datum_a = a, .datum_b = b};
}

static int allow_computing(scmp_filter_ctx filter, const struct mt__start *start)
{
    static const int on_descriptors[] = {SCMP_SYS(read),  SCMP_SYS(write),   SCMP_SYS(readv),   SCMP_SYS(writev),
                                         SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(pwrite64)};
    static const uint32_t questions[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_TID_ADDRESS}; /* the start of a thread */
    int error = 0;

    for (size_t i = 0; !error && i < sizeof harmless / sizeof *harmless; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, harmless[i], 0);
    for (uint32_t f = 0; f < start->fd_count; f++)
        for (size_t i = 0; !error && i < sizeof on_descriptors / sizeof *on_descriptors; i++)
            error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, on_descriptors[i], 1,
                                     argument(0, SCMP_CMP_EQ, (uint32_t)start->fds[f], 0));
    /* No memory that can be written to and then executed. */
    if (!error)
        error =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                 argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* Threads, but no processes. clone3's flags are in memory, where a filter cannot look: with ENOSYS callers use
     * clone. */
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    /* Advice about memory of its own, in vectors: as madvise. */
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(process_madvise), 1,
                                 argument(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)MT__PIDFD_SELF));
    /* Signals to itself: abort and raise. */
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                 argument(0, SCMP_CMP_EQ, (uint32_t)getpid(), 0));
    for (size_t i = 0; !error && i < sizeof questions / sizeof *questions; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, argument(0, SCMP_CMP_EQ, questions[i], 0));
    return error;
}

static int refuse_some(scmp_filter_ctx filter, unsigned sandbox, uint32_t refuse)
{
    int error = 0;

    if (sandbox & MT_SANDBOX_NO_NETWORK)
        error = seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 1, argument(0, SCMP_CMP_NE, AF_UNIX, 0));
    /* A way round that rule, without a socket call. Not to be had, rather than refused: a hub goes on by epoll. */
    if (!error && sandbox & MT_SANDBOX_NO_NETWORK)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup), 0);
    if (!error && sandbox & MT_SANDBOX_NO_EXEC)
        error = seccomp_rule_add(filter, refuse, SCMP_SYS(execve), 0);
    if (!error && sandbox & MT_SANDBOX_NO_EXEC)
        error = seccomp_rule_add(filter, refuse, SCMP_SYS(execveat), 0);
    return error;
}

/* What there is of it, which the first rules could forbid to ask for: loaded for all threads of the process at once. */
static int load(struct mt__start *start)
{
    int logs = (start->sandbox & MT_SANDBOX_LOG) != 0, computes = (start->sandbox & MT_SANDBOX_COMPUTE) != 0;
    uint32_t refuse = logs ? SCMP_ACT_NOTIFY : SCMP_ACT_TRAP;
    scmp_filter_ctx filter = seccomp_init(computes ? refuse : SCMP_ACT_ALLOW);
    int error = filter ? 0 : -ENOMEM;

    if (!error && !logs)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!error)
        error = computes ? allow_computing(filter, start) : refuse_some(filter, start->sandbox, refuse);
    if (!error)
        error = seccomp_load(filter);
    if (logs && !error)
        mt__own_as_it_is(seccomp_notify_fd(filter));
    if (logs)
        __atomic_store_n(&start->notifier, error ? -1 : seccomp_notify_fd(filter), __ATOMIC_RELEASE);
    if (filter)
        seccomp_release(filter);
    return error ? mt_fail(error, "the filter of system calls cannot be loaded") : 0;
}

static int filter_calls(struct mt__start *start)
{
    int error;

    noted_in = start;
    error = start->sandbox & MT_SANDBOX_LOG ? start_answering(start) : watch_refusals();
    return error ? error : load(start);
}

/* libseccomp gives each asker a copy: one is kept for all. */
const char *mt__sandbox_call(int number)
{
    static const char *names[MT__CALLS_MAX];
    const char *name, *kept = NULL;

    if (number < 0 || number >= MT__CALLS_MAX)
        return NULL;
    name = __atomic_load_n(&names[number], __ATOMIC_ACQUIRE);
    if (name)
        return name;
    name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (!name || __atomic_compare_exchange_n(&names[number], &kept, name, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return name;
    free((char *)(uintptr_t)name);
    return kept;
}

#else

static int filter_calls(struct mt__start *start)
{
    return -ENOTSUP;
}

const char *mt__sandbox_call(int number)
{
    return NULL;
}

#endif

int mt__sandbox_check(unsigned sandbox)
{
    if (sandbox & ~(unsigned)(FILTERED | MT_SANDBOX_READ_ONLY | MT_SANDBOX_LOG) ||
        (sandbox & MT_SANDBOX_LOG && !(sandbox & FILTERED)))
        return -EINVAL;
    if (sandbox & FILTERED && !HAVE_SECCOMP)
        return -ENOTSUP;
    return sandbox & MT_SANDBOX_READ_ONLY && landlock_version() < 1 ? -ENOTSUP : 0;
}

int mt__sandbox_enter(struct mt__start *start)
{
    int error = start->sandbox & MT_SANDBOX_READ_ONLY ? read_only() : 0;

    return error || !(start->sandbox & FILTERED) ? error : filter_calls(start);
}
