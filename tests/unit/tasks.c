/* SPDX-License-Identifier: MIT
 *
 * The reader of task records against processes that tell the truth, another version, nonsense, or change while they are
 * read.
 */
#include "../../tools/mtrace/tasks.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (4096 + 16 * sizeof(struct mt__record))

static int memfd = -1;
static unsigned char *memory;

static struct mt__records *head(void)
{
    return (struct mt__records *)memory;
}

static struct mt__record *record(unsigned index)
{
    return (struct mt__record *)(memory + 4096) + index;
}

static int set_up(void **state)
{
    (void)state;
    memfd = memfd_create(MT__RECORDS_NAME, MFD_CLOEXEC);
    if (memfd < 0 || ftruncate(memfd, SIZE))
        return -1;
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (memory == MAP_FAILED)
        return -1;
    *head() = (struct mt__records){.magic = MT__RECORDS_MAGIC,
                                   .version = MT__RECORDS_VERSION,
                                   .head_size = 4096,
                                   .record_size = sizeof(struct mt__record),
                                   .capacity = 16,
                                   .used = 3,
                                   .pid = getpid(),
                                   .release = "0.1.0"};
    *record(0) = (struct mt__record){.kind = MT_THREAD, .state = MT_RUNNING, .tid = 100, .id = 1, .name = "main"};
    *record(2) = (struct mt__record){.kind = MT_THREAD,
                                     .state = MT_WAITING,
                                     .tid = 102,
                                     .id = 7,
                                     .wait_reason = MT_WAIT_LOCK,
                                     .wait_name = "jour\nnal",
                                     .name = "teller"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    munmap(memory, SIZE);
    return close(memfd);
}

static void expect(int error, const char *text)
{
    struct tasks tasks;
    assert_int_equal(tasks_open(&tasks, getpid()), error);
    assert_non_null(strstr(tasks.error, text));
    tasks_close(&tasks);
}

static void test_truth(void **state)
{
    struct tasks tasks;
    (void)state;
    assert_int_equal(tasks_open(&tasks, getpid()), 0);
    assert_int_equal(tasks_read(&tasks), 0);
    assert_int_equal(tasks.count, 2);
    assert_string_equal(tasks_by_tid(&tasks, 102)->name, "teller");
    assert_string_equal(tasks_by_id(&tasks, 1)->name, "main");
    assert_string_equal(tasks_by_id(&tasks, 7)->wait_name, "jour?nal");
    assert_null(tasks_by_tid(&tasks, 101));
    assert_null(tasks_by_id(&tasks, 2));
    tasks_close(&tasks);
}

static void test_by_mapping(void **state)
{
    struct tasks tasks;
    (void)state;
    pid_t child = fork();
    if (!child) {
        head()->pid = getpid();
        close(memfd);
        pause();
        _exit(0);
    }
    usleep(50000);
    int error = tasks_open(&tasks, child);
    if (!error)
        error = tasks_read(&tasks);
    size_t count = tasks.count;
    tasks_close(&tasks);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (error == -EACCES)
        skip(); /* ptrace is not allowed here */
    assert_int_equal(error, 0);
    assert_int_equal(count, 2);
}

static void test_another_process(void **state)
{
    struct tasks tasks;
    (void)state;
    head()->pid = 1; /* inherited from a parent: not this process's own */
    int error = tasks_open(&tasks, getpid());
    assert_true(error == -ENOENT || tasks.fd < 0);
    tasks_close(&tasks);
}

static void test_another_version(void **state)
{
    (void)state;
    head()->version = 9;
    expect(-EPROTO, "form 9 (liblinuxmt 0.1.0), this mtrace reads form 1");
}

static void test_nonsense(void **state)
{
    (void)state;
    head()->capacity = 1u << 31;
    expect(-EPROTO, "contradict");
    head()->capacity = 17;
    expect(-EPROTO, "contradict");
    head()->capacity = 16;
    head()->record_size = 8;
    expect(-EPROTO, "contradict");
    head()->record_size = sizeof(struct mt__record);
    head()->head_size = 0xffffffff;
    expect(-EPROTO, "contradict");
    head()->head_size = 4096;
    head()->used = 17;
    expect(-EPROTO, "contradict");
    head()->magic = 0;
    expect(-EPROTO, "not liblinuxmt's");
}

static void test_cut_short(void **state)
{
    struct tasks tasks;
    (void)state;
    assert_int_equal(tasks_open(&tasks, getpid()), 0);
    assert_int_equal(ftruncate(memfd, 4096 + sizeof(struct mt__record)), 0);
    assert_int_equal(tasks_read(&tasks), -EPROTO);
    tasks_close(&tasks);
    expect(-EPROTO, "contradict");
}

static void test_unended_text(void **state)
{
    struct tasks tasks;
    (void)state;
    memset(record(0)->name, 'x', sizeof(record(0)->name));
    assert_int_equal(tasks_open(&tasks, getpid()), 0);
    assert_int_equal(tasks_read(&tasks), 0);
    assert_int_equal(strlen(tasks.records[0].name), MT_NAME_MAX - 1);
    tasks_close(&tasks);
}

static void test_never_still(void **state)
{
    struct tasks tasks;
    (void)state;
    record(0)->sequence = 1; /* its writer died in the middle */
    assert_int_equal(tasks_open(&tasks, getpid()), 0);
    assert_int_equal(tasks_read(&tasks), 0);
    assert_int_equal(tasks.count, 1);
    tasks_close(&tasks);
}

/* A writer that changes id and tid together, as fast as it can: a copy never has one of them old and one new. */
static void test_torn(void **state)
{
    struct tasks tasks;
    bool torn = false;
    (void)state;
    record(0)->id = record(0)->waits = record(0)->tid = 1;
    pid_t writer = fork();
    if (!writer) {
        for (uint32_t i = 1;; i++) {
            mt__record_begin(record(0));
            record(0)->id = i;
            record(0)->tid = (int)i;
            record(0)->waits = i;
            mt__record_end(record(0));
        }
    }
    int error = tasks_open(&tasks, getpid());
    for (int i = 0; i < 3000 && !error; i++) {
        error = tasks_read(&tasks);
        for (size_t j = 0; j < tasks.count; j++)
            if (tasks.records[j].id != 7)
                torn |= (uint32_t)tasks.records[j].tid != tasks.records[j].id ||
                        tasks.records[j].waits != tasks.records[j].id;
    }
    tasks_close(&tasks);
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    assert_int_equal(error, 0);
    assert_false(torn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_truth),           TEST(test_by_mapping),  TEST(test_another_process),
        TEST(test_another_version), TEST(test_nonsense),    TEST(test_cut_short),
        TEST(test_unended_text),    TEST(test_never_still), TEST(test_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
