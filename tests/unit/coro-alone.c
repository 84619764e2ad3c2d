/* SPDX-License-Identifier: MIT
 *
 * What takes a process of its own to look at: a hub that is stuck, the first thread, a stack that overflows, memory and
 * descriptors that are used up. tests/loops.t runs this on each loop.
 */
#include "coro-child.h"

#include <signal.h>

/* -- Stuck -------------------------------------------------------------------------------------------------------- */

static struct mt_event never = MT_EVENT_INIT_NAMED("never");

static int wait_for_ever(void *arg)
{
    return mt_event_wait(&never, MT_FOREVER);
}

static int get_stuck(void)
{
    struct mt_task *task = mt_coro_spawn(wait_for_ever, NULL, &(struct mt_coro_options){.name = "lonely"});

    return task && mt_task_join(task, MT_FOREVER) == -EDEADLK ? 3 : 4;
}

static void a_hub_that_nothing_can_wake_says_so(void **state)
{
    char said[2048];
    int status;

    if (SANITIZER)
        skip(); /* its threads count as others */
    status = in_child(get_stuck, said, sizeof said);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_non_null(strstr(said, "nothing can wake this hub"));
    assert_non_null(strstr(said, "lonely"));
    assert_non_null(strstr(said, "event \"never\""));
}

/* -- The process's first thread ------------------------------------------------------------------------------------ */

static struct mt_event before = MT_EVENT_INIT;

static int wait_before(void *arg)
{
    return mt_event_wait(&before, MT_FOREVER);
}

static int set_before(void *arg)
{
    mt_event_set(&before);
    return 0;
}

/* The kernel makes the process a table of its own for who waits, when the first thread comes. */
static int wait_and_make_first_thread(void)
{
    struct mt_task *waiter = mt_coro_spawn(wait_before, NULL, NULL), *thread;

    if (!waiter || mt_sleep(MT_MS(2)) || !(thread = mt_thread_spawn(set_before, NULL, NULL)))
        return 2;
    return mt_task_join(waiter, mt_after(MT_SEC(20))) || finish(thread);
}

static void who_waits_when_the_first_thread_comes_is_woken(void **state)
{
    char said[1024];
    int status = in_child(wait_and_make_first_thread, said, sizeof said);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* -- Stacks ------------------------------------------------------------------------------------------------------- */

static int deep(int depth)
{
    volatile char room[1024];

    room[0] = (char)depth;
    return depth ? deep(depth - 1) + room[0] : 0;
}

static int recurse(void *arg)
{
    deep((int)(intptr_t)arg);
    return 0;
}

/* What this program does when it is called with an argument. */
static int overflow(void)
{
    struct mt_task *task = mt_coro_spawn(recurse, (void *)100000, &(struct mt_coro_options){.name = "deep one"});

    return task ? mt_task_join(task, MT_FOREVER) : 9;
}

static int overflow_without_cmocka(void)
{
    execl("/proc/self/exe", "coro-alone", "overflow", NULL); /* CMocka has a handler of its own for the fault */
    return 9;
}

static void an_overflow_names_the_coroutine(void **state)
{
    char said[1024];
    int status;

    if (SANITIZER)
        skip(); /* they have messages of their own */
    status = in_child(overflow_without_cmocka, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_non_null(strstr(said, "the stack of deep one has overflowed"));
}

static void stacks_have_the_size_asked_for(void **state)
{
    struct mt_task *task = mt_coro_spawn(recurse, (void *)500, &(struct mt_coro_options){.stack_size = 1 << 20});

    if (SANITIZER)
        skip(); /* their frames are larger */
    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    assert_between((long)mt_coro_stack_used(task) / 1024, 500, 1024);
    mt_task_release(task);
    task = spawn_coro(nothing, NULL);
    assert_int_equal(mt_task_join(task, MT_FOREVER), 0);
    assert_between((long)mt_coro_stack_used(task) / 1024, 4, 64);
    mt_task_release(task);
    errno = 0;
    assert_null(mt_coro_spawn(nothing, NULL, &(struct mt_coro_options){.stack_size = (size_t)1 << 40}));
    assert_int_equal(errno, EINVAL);
}

/* -- Nothing left -------------------------------------------------------------------------------------------------- */

/* What this program does with the argument "loop": it chooses one while there are no descriptors. */
static int choose_without_descriptors(void)
{
    const struct rlimit none = {0, 0};

    _exit(setrlimit(RLIMIT_NOFILE, &none) || /* sanitizers would need one at the end */
          fprintf(stderr, "%s\n", mt_loop_name()) < 0);
}

static int choose_anew(void)
{
    execl("/proc/self/exe", "coro-alone", "loop", NULL); /* it is decided once a process */
    return 9;
}

static void the_choice_of_a_loop_needs_no_descriptor(void **state)
{
    char said[1024];

    assert_int_equal(in_child(choose_anew, said, sizeof said), 0);
    said[strcspn(said, "\n")] = 0;
    assert_string_equal(said, mt_loop_name());
}

static int ends[2];

static int read_a_byte(void *arg)
{
    char byte;

    return (int)mt_read(ends[0], &byte, 1, MT_FOREVER);
}

/* Whether there is none left, but what is there already. */
static int use_memory_up(void)
{
    const struct rlimit none = {1, RLIM_INFINITY};
    int tries = 20000;

    if (setrlimit(RLIMIT_AS, &none))
        return 0;
    for (size_t size = 1 << 20; size >= 16 && tries; tries--)
        if (!malloc(size))
            size /= 2;
    return tries != 0;
}

/* As many timers as there was room for at first; then to give a read up takes one more. */
static int kill_without_memory(void)
{
    struct mt_task *reader = mt_coro_spawn(read_a_byte, NULL, NULL);

    if (pipe(ends) || !reader)
        return 1;
    for (int i = 0; i < 64; i++)
        if (!mt_coro_spawn(sleep_long, NULL, NULL))
            return 2;
    mt_coro_yield();
    mt_coro_yield();
    if (use_memory_up() && (mt_task_kill(reader) || mt_task_join(reader, MT_FOREVER)))
        return 3;
    _exit(0);
}

static void a_kill_needs_no_memory(void **state)
{
    char said[1024];

    if (SANITIZER)
        skip(); /* they have an address space of their own kind */
    assert_int_equal(in_child(kill_without_memory, said, sizeof said), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_when_the_first_thread_comes_is_woken),
        cmocka_unit_test(a_hub_that_nothing_can_wake_says_so),
        cmocka_unit_test(an_overflow_names_the_coroutine),
        cmocka_unit_test(stacks_have_the_size_asked_for),
        cmocka_unit_test(the_choice_of_a_loop_needs_no_descriptor),
        cmocka_unit_test(a_kill_needs_no_memory),
    };

    if (argc > 1)
        return strcmp(argv[1], "loop") ? overflow() : choose_without_descriptors();
    return RUN(tests);
}
