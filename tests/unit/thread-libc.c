/* SPDX-License-Identifier: MIT
 *
 * What libc keeps for each thread, on ours: malloc, errno, stdio, locales, and pthread's own objects.
 */
#include "unit.h"
#include <ctype.h>
#include <dlfcn.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <wchar.h>

/* -- malloc, errno, TLS ------------------------------------------------------------------------------------------- */

static __thread int initialised = 41;
static __thread char zeros[100];
static void *exchange[512];

static int use_malloc(void *arg)
{
    unsigned seed = (unsigned)gettid();

    if (initialised != 41 || zeros[0] || zeros[99] || errno)
        return 1;
    initialised = 7;
    memset(zeros, 1, sizeof zeros);
    for (int i = 0; i < 10000; i++) {
        size_t size = (size_t)rand_r(&seed) % 3000 + 1;
        char *mine = malloc(size), *others;
        errno = 1000 + i;
        memset(mine, i, size);
        others = __atomic_exchange_n(&exchange[rand_r(&seed) % 512], mine, __ATOMIC_ACQ_REL);
        free(others); /* another thread's */
        if (errno != 1000 + i)
            return 2;
        if (i % 64 == 0)
            free(realloc(calloc(1, 70000), 90000));
    }
    return initialised != 7;
}

static void malloc_errno_and_tls(void **state)
{
    for (int round = 0; round < 3; round++)
        run_many(use_malloc, NULL, 8);
    for (int i = 0; i < 512; i++) {
        free(exchange[i]);
        exchange[i] = NULL;
    }
}

/* -- stdio, locale, ctype ----------------------------------------------------------------------------------------- */

static FILE *shared_file;

static int use_stdio(void *arg)
{
    char text[64];
    wchar_t wide;

    for (int i = 0; i < 2000; i++) {
        fprintf(shared_file, "%d %s %f\n", i, "line", i * .5);
        if (!isalpha('a') || isalpha('1') || toupper('q') != 'Q' || strtod("1.5", NULL) != 1.5)
            return 1;
        snprintf(text, sizeof text, "%g %d", 1.25, i);
        if (strncmp(text, "1.25 ", 5))
            return 2;
        if (i % 64)
            continue;
        locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", NULL);
        if (!utf8)
            return 3;
        locale_t before = uselocale(utf8);
        if (mbtowc(&wide, "\xc3\xa9", 2) != 2 || wide != 0xe9)
            return 4;
        uselocale(before);
        freelocale(utf8);
        if (!strerror(12345) || !strsignal(SIGUSR1) || dlopen("libnone.so", RTLD_NOW) || !dlerror())
            return 5;
    }
    return 0;
}

static int leave_a_locale(void *arg)
{
    return uselocale(newlocale(LC_ALL_MASK, "C.UTF-8", NULL)) == NULL;
}

static int has_global_locale(void *arg)
{
    return uselocale(NULL) != LC_GLOBAL_LOCALE;
}

static void stdio_and_locale(void **state)
{
    long expected = 0, size;

    if (SANITIZER)
        skip(); /* TSan cannot see what glibc's locales lock, and reports them */
    shared_file = tmpfile();
    assert_non_null(shared_file);
    run_many(use_stdio, NULL, 4);
    for (int i = 0; i < 2000; i++)
        expected += snprintf(NULL, 0, "%d %s %f\n", i, "line", i * .5);
    fseek(shared_file, 0, SEEK_END);
    size = ftell(shared_file);
    fclose(shared_file);
    assert_int_equal(size, 4 * expected);
}

static void a_locale_is_not_inherited(void **state)
{
    if (SANITIZER)
        skip(); /* the locale is leaked on purpose */
    assert_int_equal(finish(spawn(leave_a_locale, NULL)), 0);
    assert_int_equal(finish(spawn(has_global_locale, NULL)), 0);
}

/* -- pthread's own objects ---------------------------------------------------------------------------------------- */

static pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER, recursive, checking, inheriting, robust;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static long counted;
static int turn;

static int use_mutexes(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&normal);
        counted++;
        pthread_mutex_unlock(&normal);
        if (pthread_mutex_lock(&recursive) || pthread_mutex_lock(&recursive))
            return 1;
        pthread_mutex_unlock(&recursive);
        pthread_mutex_unlock(&recursive);
        if (pthread_mutex_lock(&checking) || pthread_mutex_lock(&checking) != EDEADLK)
            return 2;
        if (pthread_mutex_unlock(&checking) || pthread_mutex_unlock(&checking) != EPERM)
            return 3;
    }
    for (int i = 0; i < 200; i++) {
        if (pthread_mutex_lock(&inheriting))
            return 4;
        if (pthread_mutex_unlock(&inheriting))
            return 5;
    }
    return 0;
}

static int take_turns(void *arg)
{
    int me = arg != NULL;

    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(&normal);
        while (turn != me)
            pthread_cond_wait(&turned, &normal);
        turn = !me;
        pthread_cond_signal(&turned);
        pthread_mutex_unlock(&normal);
    }
    return 0;
}

static int die_with_robust(void *arg)
{
    return pthread_mutex_lock(&robust);
}

static void init_mutex(pthread_mutex_t *mutex, int type, int protocol, int robustness)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setrobust(&attributes, robustness);
    assert_int_equal(pthread_mutex_init(mutex, &attributes), 0);
}

static void pthread_mutexes_and_conditions(void **state)
{
    struct mt_task *pair[2];

    if (SANITIZER)
        skip(); /* TSan reports the wrong unlock that is expected to fail */
    init_mutex(&recursive, PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
    init_mutex(&checking, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
    init_mutex(&inheriting, PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
    counted = 0;
    run_many(use_mutexes, NULL, 4);
    assert_int_equal(counted, 20000);
    pair[0] = spawn(take_turns, NULL);
    pair[1] = spawn(take_turns, &turn);
    assert_int_equal(finish(pair[0]), 0);
    assert_int_equal(finish(pair[1]), 0);
}

static void robust_mutexes_are_recovered(void **state)
{
    if (SANITIZER)
        skip(); /* TSan reports the thread that ends with a mutex held */
    init_mutex(&robust, PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(finish(spawn(die_with_robust, NULL)), 0);
        assert_int_equal(pthread_mutex_lock(&robust), EOWNERDEAD);
        assert_int_equal(pthread_mutex_consistent(&robust), 0);
        assert_int_equal(pthread_mutex_unlock(&robust), 0);
    }
}

static pthread_key_t keys[70];
static int destroyed;
static void destroy(void *value)
{
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
    free(value);
}

static int use_keys(void *arg)
{
    for (int i = 0; i < 70; i++)
        if (pthread_getspecific(keys[i]) || pthread_setspecific(keys[i], malloc(10)))
            return 1;
    return 0;
}

static int exit_early(void *arg)
{
    use_keys(NULL);
    pthread_exit(NULL);
    return 0;
}

static void pthread_keys(void **state)
{
    for (int i = 0; i < 70; i++)
        assert_int_equal(pthread_key_create(&keys[i], destroy), 0);
    destroyed = 0;
    for (int i = 0; i < 5; i++)
        run_many(use_keys, NULL, 2);
    assert_int_equal(destroyed, 700);
    struct mt_task *task = spawn(exit_early, NULL);
    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    assert_int_equal(mt_task_outcome(task), -ECANCELED);
    assert_string_equal(mt_task_message(task), "it was ended by pthread_exit or pthread_cancel");
    mt_task_release(task);
    assert_int_equal(destroyed, 770);
    for (int i = 0; i < 70; i++)
        pthread_key_delete(keys[i]);
}

static pthread_t to_cancel;
static int cleaned;
static void clean(void *arg)
{
    cleaned++;
}

static int wait_for_cancel(void *arg)
{
    pthread_cleanup_push(clean, NULL);
    __atomic_store_n(&to_cancel, pthread_self(), __ATOMIC_RELEASE);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return 0;
}

static void pthread_cancel_works(void **state)
{
    cleaned = 0;
    for (int i = 0; i < 10; i++) {
        __atomic_store_n(&to_cancel, 0, __ATOMIC_RELEASE);
        struct mt_task *task = spawn(wait_for_cancel, NULL);
        while (!__atomic_load_n(&to_cancel, __ATOMIC_ACQUIRE))
            usleep(100);
        assert_int_equal(pthread_cancel(to_cancel), 0);
        assert_int_equal(finish(task), -ECANCELED);
    }
    assert_int_equal(cleaned, 10);
}

static int knows_its_stack(void *arg)
{
    pthread_attr_t attributes;
    void *low;
    size_t size;
    char here;

    if (pthread_getattr_np(pthread_self(), &attributes) || pthread_attr_getstack(&attributes, &low, &size))
        return 1;
    pthread_attr_destroy(&attributes);
    return &here < (char *)low || &here >= (char *)low + size;
}

static void pthread_getattr_np_tells_the_stack(void **state)
{
    run_many(knows_its_stack, NULL, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malloc_errno_and_tls),         cmocka_unit_test(stdio_and_locale),
        cmocka_unit_test(a_locale_is_not_inherited),    cmocka_unit_test(pthread_mutexes_and_conditions),
        cmocka_unit_test(robust_mutexes_are_recovered), cmocka_unit_test(pthread_keys),
        cmocka_unit_test(pthread_cancel_works),         cmocka_unit_test(pthread_getattr_np_tells_the_stack),
    };
    return RUN(tests);
}
