/* SPDX-License-Identifier: MIT
 *
 * The face's threads and cancellation.
 *
 * Cancellation is deferred: it acts in the face's cancellation points. A request that finds its thread in one kills the
 * thread's task, so that the call there returns -ECANCELED; the thread takes that back and leaves by pthread_exit, with
 * all its handlers. A request that finds it elsewhere is left for the next point.
 */
#include "face.h"
#include "base/task.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>

#define STACK (1024 * 1024)

struct face_thread {
    struct mt_task *task;
    void *(*start)(void *);
    void *arg, *value;
    int references; /* the thread's own, and the joiner's */
    int detached, joined;
    struct mt__mini guard; /* of the next three */
    int disabled, requested, in_point;
    int rounds; /* of destructors */
};

static __thread struct face_thread *self;

/* -- Life --------------------------------------------------------------------------------------------------------- */

static void drop(struct face_thread *thread)
{
    if (__atomic_sub_fetch(&thread->references, 1, __ATOMIC_ACQ_REL))
        return;
    mt_task_release(thread->task);
    free(thread);
}

static void thread_ends(void *thread);
static struct mt_local ending = MT_LOCAL_INIT(thread_ends);

/* The values of keys can be destroyed in later rounds than this one: it is the last to go. */
static void thread_ends(void *arg)
{
    struct face_thread *thread = arg;

    if (++thread->rounds < PTHREAD_DESTRUCTOR_ITERATIONS && !mt_local_set(&ending, thread))
        return;
    drop(thread);
}

static int run(void *arg)
{
    self = arg;
    if (mt_local_set(&ending, self))
        abort();
    self->value = self->start(self->arg);
    return 0;
}

pthread_t face_self(void)
{
    if (!self) { /* main */
        self = calloc(1, sizeof *self);
        if (!self || mt_local_set(&ending, self))
            abort();
        self->references = 2;
        self->task = mt_task_retain(mt_task_current());
    }
    return self;
}

static int options_of(const pthread_attr_t *attributes, struct mt_thread_options *options)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    options->stack_size = STACK;
    if (!attributes)
        return 0;
    options->stack_size = attributes->stack_size;
    options->guard_size = (attributes->guard_size + page - 1) / page * page;
    if (attributes->inherits == PTHREAD_EXPLICIT_SCHED) {
        options->policy = attributes->policy;
        options->priority = attributes->parameters.sched_priority;
        if (options->policy == SCHED_OTHER && options->priority)
            return EINVAL;
    }
    return 0;
}

int face_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg)
{
    struct mt_thread_options options = {.name = NULL};
    struct face_thread *new = calloc(1, sizeof *new);
    int error = new ? options_of(attributes, &options) : EAGAIN;

    face_self();
    if (error) {
        free(new);
        return error;
    }
    new->start = start;
    new->arg = arg;
    new->references = 2;
    new->detached = attributes && attributes->detached == PTHREAD_CREATE_DETACHED;
    *thread = new; /* before it runs: it may look */
    mt__mini_acquire(&new->guard);
    new->task = mt_thread_spawn(run, new, &options);
    mt__mini_release(&new->guard);
    if (!new->task) {
        error = errno == ENOMEM ? EAGAIN : errno;
        free(new);
        return error;
    }
    if (new->detached)
        drop(new);
    return 0;
}

static struct mt_task *task_of(struct face_thread *thread)
{
    struct mt_task *task;

    mt__mini_acquire(&thread->guard); /* its creator may not have stored it yet */
    task = thread->task;
    mt__mini_release(&thread->guard);
    return task;
}

static int join(pthread_t thread, void **value, mt_deadline deadline)
{
    int result;

    if (thread->detached)
        return EINVAL;
    if (thread == face_self())
        return EDEADLK;
    face_point_begin();
    result = face_point_end(mt_task_join(task_of(thread), deadline));
    if (result)
        return -result;
    (void)mt_task_outcome(thread->task); /* seen: that it was ended by pthread_exit is no failure here */
    if (value)
        *value = thread->value;
    drop(thread);
    return 0;
}

int face_join(pthread_t thread, void **value)
{
    return join(thread, value, MT_FOREVER);
}

int face_tryjoin(pthread_t thread, void **value)
{
    return join(thread, value, MT_NOWAIT);
}

int face_timedjoin(pthread_t thread, void **value, const struct timespec *until)
{
    mt_deadline deadline;
    int error = face_deadline(CLOCK_REALTIME, until, &deadline);

    return error ? error : join(thread, value, deadline);
}

int face_detach(pthread_t thread)
{
    if (__atomic_exchange_n(&thread->detached, 1, __ATOMIC_ACQ_REL))
        return EINVAL;
    drop(thread);
    return 0;
}

int face_equal(pthread_t one, pthread_t two)
{
    return one == two;
}

void face_exit(void *value)
{
    face_self()->value = value;
    mt__self()->noticed = 1;
    face_real_exit();
}

/* -- Cancellation ------------------------------------------------------------------------------------------------- */

int face_cancel(pthread_t thread)
{
    mt__mini_acquire(&thread->guard);
    thread->requested = 1;
    if (thread->in_point)
        mt_task_kill(thread->task);
    mt__mini_release(&thread->guard);
    return 0;
}

static int is_due(struct face_thread *thread)
{
    int due;

    mt__mini_acquire(&thread->guard);
    due = thread->requested && !thread->disabled;
    thread->in_point = !due && !thread->disabled;
    if (due)
        thread->disabled = 1; /* its handlers are not cancelled */
    mt__mini_release(&thread->guard);
    return due;
}

void face_point_begin(void)
{
    if (is_due(face_self()))
        face_exit(PTHREAD_CANCELED);
}

int face_point_end(int result)
{
    struct face_thread *thread = face_self();

    mt__mini_acquire(&thread->guard);
    thread->in_point = 0;
    __atomic_store_n(&mt__self()->cancel, 0, __ATOMIC_SEQ_CST);
    if (result == -ECANCELED)
        thread->disabled = 1;
    mt__mini_release(&thread->guard);
    if (result == -ECANCELED)
        face_exit(PTHREAD_CANCELED);
    return result;
}

void face_testcancel(void)
{
    face_point_begin();
    face_point_end(0);
}

int face_setcancelstate(int state, int *before)
{
    struct face_thread *thread = face_self();

    if (state != PTHREAD_CANCEL_ENABLE && state != PTHREAD_CANCEL_DISABLE)
        return EINVAL;
    mt__mini_acquire(&thread->guard);
    if (before)
        *before = thread->disabled ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE;
    thread->disabled = state == PTHREAD_CANCEL_DISABLE;
    mt__mini_release(&thread->guard);
    return 0;
}

int face_setcanceltype(int type, int *before)
{
    if (type == PTHREAD_CANCEL_ASYNCHRONOUS)
        return ENOTSUP; /* no frame is left by force */
    if (type != PTHREAD_CANCEL_DEFERRED)
        return EINVAL;
    if (before)
        *before = PTHREAD_CANCEL_DEFERRED;
    return 0;
}

static int sleep_for(int64_t nanoseconds)
{
    int result;

    face_point_begin();
    result = mt_sleep(nanoseconds);
    return face_point_end(result);
}

unsigned face_sleep(unsigned seconds)
{
    sleep_for(MT_SEC(seconds));
    return 0;
}

int face_usleep(unsigned microseconds)
{
    return sleep_for(MT_US(microseconds));
}

int face_nanosleep(const struct timespec *time, struct timespec *left)
{
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec > 999999999) {
        errno = EINVAL;
        return -1;
    }
    if (left)
        *left = (struct timespec){0, 0};
    return sleep_for(MT_SEC(time->tv_sec) + time->tv_nsec);
}

/* -- What can be asked and set ------------------------------------------------------------------------------------ */

static int tid_of(pthread_t thread)
{
    return mt_task_tid(task_of(thread));
}

int face_kill(pthread_t thread, int signal)
{
    int tid = tid_of(thread);

    if (signal < 0 || signal > SIGRTMAX)
        return EINVAL;
    if (!tid)
        return ESRCH;
    return syscall(SYS_tgkill, getpid(), tid, signal) ? errno : 0;
}

int face_setname(pthread_t thread, const char *name)
{
    if (strlen(name) > 15)
        return ERANGE;
    mt_task_set_name(task_of(thread), name);
    return 0;
}

int face_getname(pthread_t thread, char *name, size_t size)
{
    const char *from = mt_task_name(task_of(thread));

    if (strlen(from) >= size)
        return ERANGE;
    strcpy(name, from);
    return 0;
}

int face_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters)
{
    int tid = tid_of(thread);

    if (!tid)
        return ESRCH;
    return sched_setscheduler(tid, policy, parameters) ? errno : 0;
}

int face_getschedparam(pthread_t thread, int *policy, struct sched_param *parameters)
{
    int tid = tid_of(thread), found;

    if (!tid)
        return ESRCH;
    found = sched_getscheduler(tid);
    if (found < 0 || sched_getparam(tid, parameters))
        return errno;
    *policy = found;
    return 0;
}

int face_getcpuclockid(pthread_t thread, clockid_t *clock)
{
    int tid = tid_of(thread);

    if (!tid)
        return ESRCH;
    *clock = (clockid_t)((~(unsigned)tid << 3) | 6); /* the kernel's encoding: this thread's time on the processor */
    return 0;
}
