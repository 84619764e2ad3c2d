/* SPDX-License-Identifier: MIT
 *
 * Stacks, and what the switch between them keeps.
 */
#include "base/sys.h"
#include "coro/stack.h"
#include "unit.h"

#include <execinfo.h>
#include <fenv.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* -- Stacks -------------------------------------------------------------------------------------------------------- */

static struct mt__stack *take(size_t size)
{
    int error = 0;
    struct mt__stack *stack = mt__stack_take(size, &error);

    assert_non_null(stack);
    return stack;
}

static void sizes_are_powers_of_two(void **state)
{
    static const size_t asked[] = {0, 1, 16384, 16385, 65536, 1 << 20};
    static const size_t given[] = {MT_CORO_STACK, 16384, 16384, 32768, 65536, 1 << 20};
    int error = 0;

    for (int i = 0; i < 6; i++) {
        struct mt__stack *stack = take(asked[i]);
        assert_int_equal(stack->size, given[i]);
        assert_int_equal((uintptr_t)(stack->low - 4096) % stack->size, 0); /* aligned to its size */
        assert_true((char *)(stack + 1) <= stack->low - 4096 + stack->size);
        mt__stack_give(stack);
    }
    assert_null(mt__stack_take(MT_CORO_STACK_MAX + 1, &error));
    assert_int_equal(error, -EINVAL);
}

static void a_stack_is_found_from_any_address_in_it(void **state)
{
    struct mt__stack *stacks[30];

    for (int i = 0; i < 30; i++) {
        stacks[i] = take(32768);
        assert_ptr_equal(mt__stack_find(stacks[i]->low), stacks[i]);
        assert_ptr_equal(mt__stack_find(stacks[i]->low - 1), stacks[i]); /* its guard */
        assert_ptr_equal(mt__stack_find(stacks[i]), stacks[i]);
    }
    assert_null(mt__stack_find(stacks)); /* no coroutine's */
    assert_null(mt__stack_find(NULL));
    for (int i = 0; i < 30; i++)
        mt__stack_give(stacks[i]);
}

static void stacks_begin_at_different_offsets_and_are_used_again(void **state)
{
    enum { MANY = 24 };
    struct mt__stack *stacks[MANY], *again;
    int different = 0;

    for (int i = 0; i < MANY; i++)
        stacks[i] = take(131072);
    for (int i = 1; i < MANY; i++)
        different += (uintptr_t)stacks[i] % 4096 != (uintptr_t)stacks[i - 1] % 4096;
    assert_int_equal(different, MANY - 1);
    mt__stack_give(stacks[7]);
    again = take(131072);
    assert_ptr_equal(again, stacks[7]); /* the warmest first */
    for (int i = 0; i < MANY; i++)
        mt__stack_give(stacks[i]);
}

static void used_is_what_was_touched(void **state)
{
    struct mt__stack *stack = take(256 << 10);
    size_t before = mt__stack_used(stack);

    assert_true(before <= 8192); /* the descriptor's page */
    stack->low[100000] = 1;
    assert_true(mt__stack_used(stack) >= stack->size - 4096 - 100000);
    assert_true(mt__stack_used(stack) < stack->size - 100000 + 8192);
    mt__stack_give(stack);
}

static void no_memory(void **state)
{
    int error = 0;

    mt__sys_fail(SYS_mmap, 0, ENOMEM);
    assert_null(mt__stack_take(MT_CORO_STACK_MAX, &error)); /* a size of which there is none yet */
    mt__sys_fail(-1, 0, 0);
    assert_int_equal(error, -ENOMEM);
    mt__stack_give(take(8 << 20));
}

enum { KEPT = 1024 + 64, CROWD = KEPT + 200 };

static struct mt__stack *crowd[CROWD];

/* The kernel cannot read it. */
static int is_guarded(const struct mt__stack *stack, int pipe_in)
{
    return write(pipe_in, stack->low - 1, 1) == -1 && errno == EFAULT && write(pipe_in, stack->low, 1) == 1;
}

/* Returns how many of them have a guard. */
static int take_crowd(size_t size, long call, long skip)
{
    int pipes[2], guarded = 0;

    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < CROWD; i++) {
        if (i >= 600 && i < 602)
            mt__sys_fail(call, skip, ENOMEM);
        crowd[i] = take(size);
        if (i == 800)
            mt__sys_fail(-1, 0, 0);
        guarded += is_guarded(crowd[i], pipes[1]);
        assert_true(read(pipes[0], (char[2]){0}, 2) > 0);
    }
    close(pipes[0]);
    close(pipes[1]);
    return guarded;
}

static void give_crowd(void)
{
    for (int i = 0; i < CROWD; i++)
        mt__stack_give(crowd[i]);
}

static void each_of_many_has_its_guard(void **state)
{
    int guarded = take_crowd(16384, -1, 0);

    give_crowd();
    if (!guarded)
        skip(); /* under an emulator */
    assert_int_equal(guarded, CROWD);
}

/* What cannot be done for many at once is done for one after the other. */
static void guards_of_many_that_fail_are_made_one_by_one(void **state)
{
    int guarded = take_crowd(512 << 10, SYS_process_madvise, 0);

    give_crowd();
    guarded += take_crowd(1 << 20, SYS_process_madvise, 1); /* the first pages */
    give_crowd();
    if (!guarded)
        skip();
    assert_int_equal(guarded, 2 * CROWD);
}

static void a_pool_of_many_gives_pages_back(void **state)
{
    int warm = 0;

    take_crowd(16384, -1, 0);
    for (int i = 0; i < CROWD; i++)
        crowd[i]->low[0] = 1;
    give_crowd();
    for (int i = 0; i < CROWD; i++)
        warm += mt__stack_used(crowd[i]) > 8192;
    assert_true(warm < KEPT);
    assert_true(warm >= KEPT - 64);
}

/* -- Overflow ------------------------------------------------------------------------------------------------------ */

static volatile int bottomless = 1;

static __attribute__((noinline)) int fall(volatile char *above)
{
    volatile char frame[512];

    frame[0] = above ? above[0] : 0;
    return (bottomless ? fall(frame) : 0) + frame[0]; /* not the last call: it needs the frame */
}

static int falls(void *arg, void **value)
{
    return fall(NULL);
}

static void exit_quietly(int number)
{
    _exit(42);
}

/* A child overflows; what it said, and its wait status. */
static int overflow(char *said, size_t size, int handled)
{
    int pipes[2], status = 0;
    ssize_t length = 0, got;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (!child) {
        struct mt_greenlet_options options = {.name = "deep", .stack_size = 32768};
        dup2(pipes[1], STDERR_FILENO);
        signal(SIGSEGV, SIG_DFL); /* CMocka's */
        if (handled) {
            struct sigaction action = {.sa_handler = exit_quietly, .sa_flags = SA_ONSTACK};
            sigaction(SIGSEGV, &action, NULL);
        }
        mt_greenlet_switch(mt_greenlet_new(falls, NULL, &options), NULL, NULL);
        _exit(1);
    }
    close(pipes[1]);
    while ((size_t)length < size - 1 && (got = read(pipes[0], said + length, size - 1 - (size_t)length)) > 0)
        length += got;
    said[length] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void an_overflow_names_the_greenlet(void **state)
{
    char said[4096];
    int status = overflow(said, sizeof said, 0);

    if (!SANITIZER)
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_non_null(strstr(said, "the stack of deep has overflowed: it has 32 KiB"));
    if (!SANITIZER) {
        status = overflow(said, sizeof said, 1); /* the handler that was there before is called */
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
        assert_non_null(strstr(said, "the stack of deep"));
    }
}

static void guards_work_without_guard_install(void **state)
{
    char said[4096];
    struct mt__stack *stack = take(32768);

    mt__stack_give(stack);
    for (int i = 0; i < 64; i++) { /* new ones of this size are cut here, without one that is mapped anew */
        mt__sys_fail(SYS_madvise, 0, EINVAL);
        take(32768);
    }
    mt__sys_fail(-1, 0, 0);
    overflow(said, sizeof said, 0);
    assert_non_null(strstr(said, "the stack of deep has overflowed"));
}

/* -- What the switch keeps ----------------------------------------------------------------------------------------- */

static struct mt_greenlet *root;
static int rounding[4];
static volatile double one = 1, three = 3;
static volatile long double long_one = 1, long_seven = 7;
static double thirds[2];
static long double sevenths[2];

static int rounds_up(void *arg, void **value)
{
    rounding[0] = fegetround();
    fesetround(FE_UPWARD);
    mt_greenlet_switch(root, NULL, NULL);
    rounding[1] = fegetround();
    thirds[1] = one / three; /* in both units */
    sevenths[1] = long_one / long_seven;
    mt_greenlet_switch(root, NULL, NULL);
    rounding[2] = fegetround();
    return 0;
}

static void rounding_stays_on_its_side(void **state)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(rounds_up, NULL, NULL);
    double third = one / three;
    long double seventh = long_one / long_seven;

    root = mt_greenlet_current();
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
    assert_true(one / three == third && long_one / long_seven == seventh);
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
    thirds[0] = one / three;
    sevenths[0] = long_one / long_seven;
    fesetround(FE_DOWNWARD);
    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(fegetround(), FE_DOWNWARD);
    fesetround(FE_TONEAREST);
    assert_int_equal(rounding[0], FE_TONEAREST);
    assert_int_equal(rounding[1], FE_UPWARD);
    assert_int_equal(rounding[2], FE_UPWARD);
    assert_true(thirds[1] > thirds[0]);
    assert_true(sevenths[1] > sevenths[0]);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
}

/* More live values than there are registers that a call keeps, different ones on each side. */
static __attribute__((noinline)) uint64_t mix(uint64_t seed, struct mt_greenlet *to)
{
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13, g = seed * 17;
    double x = (double)seed, y = x * 2, z = x * 3;

    for (int i = 0; i < 1000; i++) {
        if (mt_greenlet_switch(to, NULL, NULL))
            return 0;
        a += b ^ (uint64_t)i, b += c, c += d, d += e, e += f, f += g, g += a;
        x += 1, y += x, z += y;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ (uint64_t)(x + y + z);
}

static uint64_t mixed;

static int mixes(void *arg, void **value)
{
    mixed = mix(77, root);
    return 0;
}

static int only_switches(void *arg, void **value)
{
    while (!mt_greenlet_switch(root, NULL, NULL))
        continue;
    return 0;
}

static void registers_stay_on_their_side(void **state)
{
    struct mt_greenlet *idle = mt_greenlet_new(only_switches, NULL, NULL), *busy = mt_greenlet_new(mixes, NULL, NULL);
    uint64_t alone[2], here;

    root = mt_greenlet_current();
    alone[0] = mix(5, idle);
    alone[1] = mix(77, idle);
    assert_int_not_equal(alone[0], alone[1]);
    here = mix(5, busy);
    assert_int_equal(mt_greenlet_switch(busy, NULL, NULL), 0);
    assert_true(here == alone[0]);
    assert_true(mixed == alone[1]);
    assert_int_equal(mt_greenlet_free(idle), 0);
    assert_int_equal(mt_greenlet_free(busy), 0);
}

/* -- Unwinding ----------------------------------------------------------------------------------------------------- */

static int frames;
static void *last_frame;

static __attribute__((noinline)) int looks_back(void *arg, void **value)
{
    void *addresses[64];

    frames = backtrace(addresses, 64);
    last_frame = addresses[frames - 1];
    return 0;
}

static void a_backtrace_ends_where_the_stack_begins(void **state)
{
    struct mt_greenlet *greenlet = mt_greenlet_new(looks_back, NULL, NULL);

    assert_int_equal(mt_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_between(frames, 3, 5); /* looks_back, what calls it, and mt__arch_begin */
    assert_true((char *)last_frame > (char *)mt__arch_begin && (char *)last_frame < (char *)mt__arch_begin + 48);
    assert_int_equal(mt_greenlet_free(greenlet), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first, while this process has not installed the handler yet: it keeps CMocka's */
        cmocka_unit_test(an_overflow_names_the_greenlet),
        cmocka_unit_test(guards_work_without_guard_install),
        cmocka_unit_test(sizes_are_powers_of_two),
        cmocka_unit_test(a_stack_is_found_from_any_address_in_it),
        cmocka_unit_test(stacks_begin_at_different_offsets_and_are_used_again),
        cmocka_unit_test(used_is_what_was_touched),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(each_of_many_has_its_guard),
        cmocka_unit_test(guards_of_many_that_fail_are_made_one_by_one),
        cmocka_unit_test(a_pool_of_many_gives_pages_back),
        cmocka_unit_test(rounding_stays_on_its_side),
        cmocka_unit_test(registers_stay_on_their_side),
        cmocka_unit_test(a_backtrace_ends_where_the_stack_begins),
    };

    return RUN(tests);
}
