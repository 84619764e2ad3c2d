/* SPDX-License-Identifier: MIT
 *
 * Spawning threads, and which backend does it: decided once, at the first thread.
 */
#include "thread/thread.h"
#include "base/probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_DEFAULT (256 * 1024)

static const struct mt__backend *backend;
static char reason[200];
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

/* Whoever watches every thread must see it being made by pthread_create: sanitizers and valgrind's tools, which also
 * take the TLS blocks that our slots keep for lost memory. They betray themselves by what they load into the process.
 */
static const char *watcher(void)
{
#if defined(__SANITIZE_THREAD__)
    return "ThreadSanitizer";
#elif defined(__SANITIZE_ADDRESS__)
    return "AddressSanitizer";
#else
    if (dlsym(RTLD_DEFAULT, "__tsan_init"))
        return "ThreadSanitizer";
    if (dlsym(RTLD_DEFAULT, "__asan_init") || dlsym(RTLD_DEFAULT, "__lsan_do_leak_check"))
        return "AddressSanitizer";
    return dlsym(RTLD_DEFAULT, "_vgnU_freeres") ? "Valgrind" : NULL;
#endif
}

/* "raw", "pthread" or NULL: what LINUXMT_THREADS asks for. */
static const char *asked_for(void)
{
    const char *asked = getenv("LINUXMT_THREADS");

    if (!asked || !*asked || !strcmp(asked, "raw") || !strcmp(asked, "pthread"))
        return asked && *asked ? asked : NULL;
    fprintf(stderr, "linuxmt: LINUXMT_THREADS=%s is neither raw nor pthread, and is ignored\n", asked);
    return NULL;
}

static void choose(void)
{
    const char *asked = asked_for(), *who = watcher(), *why_not;
    int raw_asked = asked && !strcmp(asked, "raw");

    backend = &mt__backend_pthread;
    if (asked && !raw_asked) {
        snprintf(reason, sizeof reason, "LINUXMT_THREADS=pthread");
    } else if (who && !(raw_asked && who[0] != 'T')) {
        snprintf(reason, sizeof reason, "%s must see threads being made", who);
    } else if ((why_not = mt__glibc_check(raw_asked)) != NULL) {
        snprintf(reason, sizeof reason, "%s", why_not);
    } else {
        backend = &mt__backend_raw;
        snprintf(reason, sizeof reason, "%s",
                 raw_asked ? "LINUXMT_THREADS=raw, and every cross-check holds"
                           : "a tested glibc, and every cross-check holds");
    }
}

const char *mt_thread_backend(void)
{
    pthread_once(&chosen, choose);
    return backend->name;
}

const char *mt_thread_backend_reason(void)
{
    pthread_once(&chosen, choose);
    return reason;
}

static int complete(struct mt_thread_options *options)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (!options->stack_size)
        options->stack_size = STACK_DEFAULT;
    if (!options->guard_size)
        options->guard_size = page;
    if (options->stack_size < MT_STACK_MIN || options->stack_size > PTRDIFF_MAX - page || options->guard_size % page ||
        options->guard_size > PTRDIFF_MAX / 2)
        return -EINVAL;
    options->stack_size = (options->stack_size + page - 1) & ~(page - 1);
    return 0;
}

static int apply(const struct mt_thread_options *options)
{
    struct sched_param parameters = {.sched_priority = options->priority};
    int error;

    if (options->cpus && (error = (int)mt__sys(SYS_sched_setaffinity, 0, options->cpus_size, options->cpus)) < 0)
        return error;
    if (options->policy && (error = (int)mt__sys(SYS_sched_setscheduler, 0, options->policy, &parameters)) < 0)
        return error;
    /* The system call answers 20 - nice. The value is the thread's own on Linux, whatever POSIX says. */
    if (options->nice &&
        (error = (int)mt__sys(SYS_setpriority, PRIO_PROCESS, 0,
                              20 - (int)mt__sys(SYS_getpriority, PRIO_PROCESS, 0) + options->nice)) < 0)
        return error == -EACCES ? -EPERM : error;
    return 0;
}

static int has_settings(const struct mt_thread_options *options)
{
    return options->cpus || options->policy || options->nice;
}

static int settle(struct mt_task *task)
{
    struct mt__settings *settings = task->settings;
    int error = apply(settings->options);

    settings->error = error;
    task->noticed = error != 0; /* the spawner hears of it */
    task->settings = NULL;
    __atomic_store_n(&settings->done, 1, __ATOMIC_RELEASE);
    mt__sys(SYS_futex, &settings->done, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
    return error;
}

int mt__thread_begin(struct mt_task *task, uint32_t tid, int named)
{
    mt__self_set(task, tid);
    __atomic_store_n(&task->there, 1, __ATOMIC_RELEASE); /* the spawner may not have come to it */
    if (named)
        prctl(PR_SET_NAME, task->record->name);
    if (MT__PROBED(thread__start))
        MT__PROBE4(thread__start, task->record->id, tid, task->record->name, task->body);
    return task->settings ? settle(task) : 0;
}

/* The thread exists: waits until it has applied its settings. If it could not, it is gone when this returns. */
static int wait_until_settled(struct mt_task *task, struct mt__settings *settings)
{
    while (!__atomic_load_n(&settings->done, __ATOMIC_ACQUIRE))
        mt__sys(SYS_futex, &settings->done, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL);
    if (!settings->error)
        return 0;
    while (mt__task_join(task, MT_FOREVER, NULL) == -ECANCELED)
        mt__sys(SYS_sched_yield); /* a killed spawner still waits for it: it has nothing left to do */
    return settings->error;
}

/* *handle is set before the thread runs, so that it finds itself there; NULL if there is none. */
static int spawn(mt_fn *fn, void *arg, const struct mt_thread_options *options, struct mt_task **handle)
{
    struct mt_thread_options full = options ? *options : (struct mt_thread_options){0};
    struct mt__settings settings = {.options = &full};
    struct mt_task *task;
    int error = complete(&full);

    if (error)
        return error;
    pthread_once(&chosen, choose);
    task = mt__self() ? mt__task_new(MT_THREAD, full.name) : NULL;
    if (!task)
        return -ENOMEM;
    task->body = fn;
    task->argument = arg;
    task->daemon = full.daemon;
    task->settings = has_settings(&full) ? &settings : NULL;
    task->kind = backend->kind;
    task->references = 2; /* the caller's, and the thread's own */
    *handle = task;
    error = backend->spawn(task, &full, full.name != NULL);
    if (!error)
        __atomic_store_n(&task->there, 1, __ATOMIC_RELEASE);
    if (error) {
        task->kind = NULL;
        task->references = 1; /* nobody else has found it: it is not there */
    } else if (has_settings(&full)) {
        error = wait_until_settled(task, &settings);
    }
    if (error) {
        *handle = NULL;
        mt__task_drop(task);
    }
    return error;
}

struct mt_task *mt_thread_spawn(mt_fn *fn, void *arg, const struct mt_thread_options *options)
{
    struct mt_task *task = NULL;
    int error = spawn(fn, arg, options, &task);

    if (error)
        errno = -error;
    return task;
}

/* -- Threads as things -------------------------------------------------------------------------------------------- */

static int run_thread(void *arg)
{
    struct mt_thread *thread = arg;

    return thread->run(thread);
}

int mt_thread_start(struct mt_thread *thread)
{
    if (thread->task)
        return -EALREADY;
    return spawn(run_thread, thread, &thread->options, &thread->task);
}

/* Whether the thread is there, in part or whole: its task may be done long before the kernel is. */
static int is_to_be_joined(struct mt_task *task)
{
    int reaped;

    if (!__atomic_load_n(&task->there, __ATOMIC_ACQUIRE) || !task->kind || task->record->kind != MT_THREAD ||
        task->daemon)
        return 0;
    mt__mini_acquire(&task->guard);
    reaped = task->reaped;
    mt__mini_release(&task->guard);
    return !reaped;
}

static void pick(struct mt_task *task, void *arg)
{
    struct mt_task **picked = arg;

    if (!*picked && task != mt__self_if_known() && is_to_be_joined(task))
        *picked = mt__task_retain_living(task);
}

int mt__joinall_threads(mt_deadline deadline, const char *place)
{
    for (;;) {
        struct mt_task *task = NULL;
        int result;
        mt__tasks_visit(pick, &task);
        if (!task)
            return 0;
        result = mt__task_join(task, deadline, place);
        mt_task_release(task);
        if (result)
            return result;
    }
}
