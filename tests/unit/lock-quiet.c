/* SPDX-License-Identifier: MIT
 *
 * The lock that nobody has slept for, which is released by a plain store: lib/sync/lock.c, 5.
 */
#include "base/rseq.h"
#include "base/sys.h"
#include "sync/lock.h"
#include "unit.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linuxmt/lock.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

#define SETTLED 2

static int quiet_is_had(void)
{
    mt_task_current();
    return mt__here.rseq != NULL;
}

static int hold_and_say(void *arg)
{
    struct mt_lock *lock = arg;

    for (int i = 0; i < 1000; i++) {
        int result = mt_lock_acquire(lock, MT_FOREVER);
        if (!result)
            result = mt_lock_release(lock);
        if (result)
            return result;
    }
    return 0;
}

static void stays_quiet_alone(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT_NAMED("quiet");
    struct mt_rlock rlock = MT_RLOCK_INIT;

    assert_int_equal(hold_and_say(&lock), 0);
    assert_int_equal(finish(spawn(hold_and_say, &lock)), 0);
    assert_int_equal(mt_lock_release(&lock), -EPERM);
    assert_int_equal(lock.contended, 0);
    assert_int_equal(lock.word, 0);
    assert_int_equal(mt_rlock_acquire(&rlock, MT_FOREVER), 0);
    assert_int_equal(mt_rlock_acquire(&rlock, MT_FOREVER), 0);
    assert_int_equal(mt_rlock_release(&rlock), 0);
    assert_int_equal(mt_rlock_release(&rlock), 0);
    assert_int_equal(mt_rlock_release(&rlock), -EPERM);
    assert_int_equal(rlock.lock.contended, 0);
}

static int take(void *lock)
{
    int result = mt_lock_acquire(lock, MT_FOREVER);

    return result ? result : mt_lock_release(lock);
}

static int seen_of(const struct mt_lock *lock)
{
    return __atomic_load_n(&lock->contended, __ATOMIC_ACQUIRE);
}

/* Who waits says so before it settles the lock, and marks it only then. */
static void until_marked(struct mt_task *sleeper, const struct mt_lock *lock, uint32_t held)
{
    until_waiting(sleeper, MT_WAIT_LOCK);
    for (mt_deadline limit = in_time(); __atomic_load_n(&lock->word, __ATOMIC_ACQUIRE) == held && mt_now() < limit;)
        usleep(500);
}

static int take_any(void *lock)
{
    struct mt_lock *locks[] = {lock};
    int taken = mt_lock_acquire_any(locks, 1, MT_FOREVER);

    return taken < 0 ? taken : mt_lock_release(locks[taken]);
}

/* Who is the first to sleep has the kernel end what is under way, and tells those who come later. */
static void the_first_sleeper_settles_it(void **state)
{
    mt_fn *const takes[] = {take, take_any};

    for (int i = 0; i < 2; i++) {
        struct mt_lock lock = MT_LOCK_INIT;
        struct mt_task *first, *second;
        uint32_t held;

        assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
        held = lock.word;
        mt__sys_fail(SYS_membarrier, 1000, EPERM);
        first = spawn(takes[i], &lock);
        until_marked(first, &lock, held);
        assert_int_equal(seen_of(&lock), SETTLED);
        second = spawn(takes[i], &lock);
        until_waiting(second, MT_WAIT_LOCK);
        assert_int_equal(mt__sys_fail(-1, 0, 0), quiet_is_had() ? 1 : 0);
        assert_int_equal(mt_lock_release(&lock), 0);
        assert_int_equal(finish(first), 0);
        assert_int_equal(finish(second), 0);
        assert_int_equal(lock.word, 0);
    }
}

/* Where the kernel may not be asked, a release may overlook who sleeps; so who sleeps looks by itself. */
static void without_the_fence_sleepers_look(void **state)
{
    mt_fn *const takes[] = {take, take_any};

    if (!quiet_is_had())
        skip();
    for (int i = 0; i < 2; i++) {
        struct mt_lock lock = MT_LOCK_INIT;
        struct mt_task *sleeper;
        uint32_t held;

        assert_int_equal(mt_lock_acquire(&lock, MT_FOREVER), 0);
        held = lock.word;
        mt__sys_fail(SYS_membarrier, 0, EPERM);
        sleeper = spawn(takes[i], &lock);
        until_marked(sleeper, &lock, held);
        assert_int_equal(mt__sys_fail(-1, 0, 0), 1);
        assert_true(seen_of(&lock) && seen_of(&lock) != SETTLED);
        __atomic_store_n(&lock.word, 0, __ATOMIC_RELEASE); /* as a store that had looked before */
        assert_int_equal(finish(sleeper), 0);
        assert_int_equal(lock.word, 0);
    }
}

static void in_shared_memory_it_never_is(void **state)
{
    struct mt_lock *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t child;

    assert_true(lock != MAP_FAILED);
    mt_lock_init(lock, NULL, MT_SHARED);
    assert_int_equal(lock->contended, SETTLED);
    assert_int_equal(mt_lock_acquire(lock, MT_FOREVER), 0);
    child = fork();
    if (child == 0)
        _exit(take(lock) ? 1 : 0);
    while (!(__atomic_load_n(&lock->word, __ATOMIC_RELAXED) & MT__LOCK_WAITERS))
        usleep(500);
    assert_int_equal(mt_lock_release(lock), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    munmap(lock, 4096);
}

/* A fork's child has what the parent had: the registration is inherited. */
static void in_a_forks_child(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT;
    int status, had = quiet_is_had();
    pid_t child = fork();

    if (child == 0) {
        struct mt_task *sleeper;
        if (hold_and_say(&lock) || lock.contended || quiet_is_had() != had || mt_lock_acquire(&lock, MT_FOREVER))
            _exit(1);
        sleeper = TSAN ? NULL : mt_thread_spawn(take, &lock, NULL);
        usleep(20000);
        _exit(mt_lock_release(&lock) || (!TSAN && (!sleeper || mt_task_join(sleeper, in_time()))) ? 2 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* -- A filter of one thread alone --------------------------------------------------------------------------------- */

static int asked = -1; /* where the kernel tells of the filtered thread's membarrier, and waits for the answer; -2: it
                          has no such filters */

static void *starts_under_a_filter(void *arg)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof code[0], code};
    int fd = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
                 ? -1
                 : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);

    __atomic_store_n(&asked, fd < 0 ? -2 : fd, __ATOMIC_RELEASE);
    if (fd >= 0)
        mt_task_current();
    return arg;
}

/* This thread registers while the other is being refused. 0, 77: it cannot be tried. */
static int refused_behind_the_registration(void)
{
    struct seccomp_notif call;
    struct seccomp_notif_resp answer = {.error = -EPERM};
    pthread_t other;
    int fd;

    memset(&call, 0, sizeof call);
    if (pthread_create(&other, NULL, starts_under_a_filter, NULL))
        return 1;
    while ((fd = __atomic_load_n(&asked, __ATOMIC_ACQUIRE)) == -1)
        usleep(500);
    if (fd < 0 || ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call))
        return 77;
    if (!quiet_is_had())
        return 77;
    answer.id = call.id;
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) || pthread_join(other, NULL))
        return 2;
    mt__sys_fail(SYS_membarrier, 0, EPERM);
    return mt__rseq_fence() == -EPERM ? 0 : 3;
}

/* It decides for itself, not for those who had no filter: for them the kernel is still asked. The first test, in a
 * child, as this is about a process's first tasks. */
static void one_threads_filter_is_not_the_others(void **state)
{
    pid_t child;
    int status;

    if (TSAN)
        skip();
    child = fork();
    if (child == 0) {
        alarm(60);
        _exit(refused_behind_the_registration());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

#ifdef __x86_64__
extern const char __start___rseq_failure[], __stop___rseq_failure[];
static volatile sig_atomic_t cut_short;

/* The kernel has sent whoever was in a sequence to its way out before the handler runs. */
static void on_alarm(int number, siginfo_t *info, void *context)
{
    const char *at = (const char *)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

    if (at >= __start___rseq_failure && at < __stop___rseq_failure)
        cut_short++;
}

/* Releases that are cut short by signals, at any instruction: each still frees the lock. */
static void cut_short_by_signals(void **state)
{
    struct mt_lock lock = MT_LOCK_INIT;
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct itimerval often_enough = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    mt_deadline end = in_time();
    int errors = 0;

    if (!quiet_is_had())
        skip();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often_enough, NULL);
    while (cut_short < 20 && mt_now() < end)
        for (int i = 0; i < 1000; i++)
            errors += mt_lock_acquire(&lock, MT_FOREVER) || mt_lock_release(&lock) || lock.word;
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(errors, 0);
    assert_true(cut_short >= 20);
}
#endif

struct handed {
    struct mt_lock lock;
    uint32_t done;
    long value;
};

static int hold_often(void *arg)
{
    struct handed *handed = arg;
    int result = 0;

    while (!result && !__atomic_load_n(&handed->done, __ATOMIC_RELAXED)) {
        result = mt_lock_acquire(&handed->lock, MT_FOREVER);
        if (!result) {
            __atomic_add_fetch(&handed->value, 1, __ATOMIC_RELAXED);
            result = mt_lock_release(&handed->lock);
        }
    }
    return result;
}

/* The first sleeper comes at any moment of the other's releases. */
static void the_first_sleep_at_any_moment(void **state)
{
    for (int i = 0; i < often(3000); i++) {
        struct handed handed = {.lock = MT_LOCK_INIT};
        struct mt_task *other = spawn(hold_often, &handed);
        long before;

        while (!__atomic_load_n(&handed.value, __ATOMIC_RELAXED))
            sched_yield();
        mt__lock_reacquire(&handed.lock, MT__HERE); /* which does not spin */
        before = __atomic_add_fetch(&handed.value, 1, __ATOMIC_RELAXED);
        sched_yield();
        assert_int_equal(__atomic_load_n(&handed.value, __ATOMIC_RELAXED), before);
        __atomic_store_n(&handed.done, 1, __ATOMIC_RELAXED);
        assert_int_equal(mt_lock_release(&handed.lock), 0);
        assert_int_equal(finish(other), 0);
        assert_int_equal(handed.lock.word, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_threads_filter_is_not_the_others),
        cmocka_unit_test(stays_quiet_alone),
        cmocka_unit_test(the_first_sleeper_settles_it),
        cmocka_unit_test(without_the_fence_sleepers_look),
        cmocka_unit_test(in_shared_memory_it_never_is),
        cmocka_unit_test(in_a_forks_child),
#ifdef __x86_64__
        cmocka_unit_test(cut_short_by_signals),
#endif
        cmocka_unit_test(the_first_sleep_at_any_moment),
    };
    return RUN(tests);
}
