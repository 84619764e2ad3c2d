/* SPDX-License-Identifier: MIT
 *
 * The symbolizer, asked about this very process: inlined frames, variables, a stack through libc, and a file without
 * symbols.
 */
#include "../../tools/mtrace/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct {
    long balance;
    pthread_mutex_t lock;
} accounts[2] = {{0, PTHREAD_MUTEX_INITIALIZER}, {0, PTHREAD_MUTEX_INITIALIZER}};
static pthread_mutex_t stats_lock = PTHREAD_MUTEX_INITIALIZER;
static void *volatile here;
static volatile int waiter_tid;

static __attribute__((noinline)) void note_caller(void)
{
    here = __builtin_return_address(0);
}

static inline __attribute__((always_inline)) void innermost(void)
{
    note_caller();
    __asm__ volatile("" ::: "memory"); /* not a tail call */
}

static inline __attribute__((always_inline)) void middle(void)
{
    innermost();
}

static __attribute__((noinline)) void outermost(void)
{
    middle();
    here = (char *)here;
}

static void test_inlined(void **state)
{
    struct symbols_frame frames[8];
    struct symbols *symbols = symbols_open(getpid());
    (void)state;
    assert_non_null(symbols);
    assert_null(symbols_error(symbols));
    outermost();
    size_t count = symbols_code(symbols, (uintptr_t)here, true, frames, 8);
    assert_int_equal(count, 3);
    assert_string_equal(frames[0].function, "innermost");
    assert_string_equal(frames[1].function, "middle");
    assert_string_equal(frames[2].function, "outermost");
    assert_true(frames[0].inlined && frames[1].inlined && !frames[2].inlined);
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(frames[i].file, "symbols.c"));
        assert_true(frames[i].line > 0 && !frames[i].runtime);
    }
    assert_true(frames[1].line > frames[0].line && frames[2].line > frames[1].line);
    symbols_close(symbols);
}

static void expect_text(struct symbols *symbols, const void *address, const char *expected)
{
    struct symbols_object object;
    char text[256];
    symbols_data(symbols, (uintptr_t)address, &object);
    symbols_object_text(&object, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void test_variables(void **state)
{
    struct symbols *symbols = symbols_open(getpid());
    struct symbols_object object;
    int local;
    (void)state;
    expect_text(symbols, &stats_lock, "stats_lock");
    expect_text(symbols, &accounts[1].lock, "accounts[1].lock");
    expect_text(symbols, (char *)&accounts[1].lock + 4, "accounts[1].lock+0x4");
    expect_text(symbols, &accounts[1], "accounts[1]");
    void *heap = malloc(100);
    symbols_refresh(symbols);
    symbols_data(symbols, (uintptr_t)heap, &object);
    assert_true(object.place == SYMBOLS_HEAP ||
                object.place == SYMBOLS_ANONYMOUS); /* sanitizers have a heap of their own */
    symbols_data(symbols, (uintptr_t)&local, &object);
    assert_int_equal(object.place, SYMBOLS_STACK);
    symbols_data(symbols, 16, &object);
    assert_int_equal(object.place, SYMBOLS_UNMAPPED);
    free(heap);
    symbols_close(symbols);
}

static void test_shared(void **state)
{
    struct symbols_object object;
    int fd = memfd_create("notes", MFD_CLOEXEC);
    (void)state;
    assert_int_equal(ftruncate(fd, 4096), 0);
    void *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    struct symbols *symbols = symbols_open(getpid());
    symbols_data(symbols, (uintptr_t)shared + 64, &object);
    assert_int_equal(object.place, SYMBOLS_SHARED);
    assert_int_equal(object.offset, 64);
    assert_string_equal(object.module, "/memfd:notes");
    symbols_close(symbols);
    munmap(shared, 4096);
    close(fd);
}

static __attribute__((noinline)) void wait_for_stats(void)
{
    pthread_mutex_lock(&stats_lock);
    pthread_mutex_unlock(&stats_lock);
}

static void *waiter(void *argument)
{
    waiter_tid = syscall(SYS_gettid);
    wait_for_stats();
    return argument;
}

/* The registers that /proc shows of a thread in a system call. */
static bool read_sample(int tid, uint64_t *ip, uint64_t *sp)
{
    char path[64], text[256] = "";
    unsigned long long number, arguments[6], sp_read, ip_read;
    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (got <= 0 || sscanf(text, "%llu %llx %llx %llx %llx %llx %llx %llx %llx", &number, &arguments[0], &arguments[1],
                           &arguments[2], &arguments[3], &arguments[4], &arguments[5], &sp_read, &ip_read) != 9)
        return false;
    *ip = ip_read;
    *sp = sp_read;
    return number == SYS_futex;
}

static void test_stack_through_libc(void **state)
{
    struct symbols_frame frames[32];
    struct symbols_regs regs;
    uint64_t ip = 0, sp = 0;
    pthread_t thread;
    char stack[1024];
    (void)state;
    pthread_mutex_lock(&stats_lock);
    assert_int_equal(pthread_create(&thread, NULL, waiter, NULL), 0);
    bool sampled = false;
    for (int i = 0; i < 2000 && !sampled; i++) {
        usleep(1000);
        sampled = waiter_tid && read_sample(waiter_tid, &ip, &sp);
    }
    size_t count = 0;
    struct symbols *symbols = symbols_open(getpid());
    if (sampled) {
        memcpy(stack, (void *)sp, sizeof(stack));
        symbols_regs_set(&regs, ip, sp, 0);
        count = symbols_unwind(symbols, &regs, stack, sizeof(stack), frames, 32);
    }
    pthread_mutex_unlock(&stats_lock);
    pthread_join(thread, NULL);
    if (!sampled)
        skip(); /* no /proc/PID/syscall in this kernel */
    const struct symbols_frame *caller = symbols_caller(frames, count);
    assert_non_null(caller);
    assert_true(frames[0].runtime);
    assert_non_null(caller->function);
    assert_string_equal(caller->function, "wait_for_stats");
    assert_true(caller->line > 0);
    char text[128];
    symbols_frame_text(caller, text, sizeof(text));
    assert_non_null(strstr(text, "wait_for_stats at symbols.c:"));
    symbols_close(symbols);
}

static void test_after_end(void **state)
{
    struct symbols_frame frames[8];
    (void)state;
    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    struct symbols *symbols = symbols_open(pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(symbols_refresh(symbols), -ESRCH);
    assert_null(symbols_error(symbols));
    assert_int_equal(symbols_code(symbols, (uintptr_t)here, true, frames, 8), 3);
    assert_string_equal(frames[2].function, "outermost");
    expect_text(symbols, &stats_lock, "stats_lock");
    symbols_close(symbols);
}

static void test_nobody(void **state)
{
    struct symbols_frame frame;
    char text[64];
    (void)state;
    struct symbols *symbols = symbols_open(0x3ffffff0);
    assert_non_null(symbols);
    assert_non_null(symbols_error(symbols));
    assert_int_equal(symbols_code(symbols, 0x1234, true, &frame, 1), 1);
    symbols_frame_text(&frame, text, sizeof(text));
    assert_string_equal(text, "0x1234");
    symbols_close(symbols);
}

/* A module of which libdwfl can read nothing still gives the file's own numbering. */
static void test_stripped(void **state)
{
    struct symbols_frame frame;
    struct symbols *symbols = symbols_open(getpid());
    char maps[1024], text[256], self[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    (void)state;
    assert_true(length > 0);
    self[length] = 0;
    /* the file of the map has another inode than the one that is named: it must not be believed */
    snprintf(maps, sizeof(maps),
             "10000000-10001000 r--p 00000000 00:01 1 /no/such/lib.so\n"
             "10001000-10002000 r-xp 00001000 00:01 1 /no/such/lib.so\n"
             "20000000-20001000 r-xp 00000000 00:01 999999999999 %s\n",
             self);
    assert_int_equal(symbols_refresh_from(symbols, maps), 0);
    assert_int_equal(symbols_code(symbols, 0x10001234, false, &frame, 1), 1);
    symbols_frame_text(&frame, text, sizeof(text));
    assert_string_equal(text, "lib.so+0x1234");
    assert_int_equal(symbols_code(symbols, 0x20000010, false, &frame, 1), 1);
    assert_null(frame.function);
    symbols_close(symbols);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inlined),   cmocka_unit_test(test_variables),
        cmocka_unit_test(test_shared),    cmocka_unit_test(test_stack_through_libc),
        cmocka_unit_test(test_after_end), cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_stripped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
