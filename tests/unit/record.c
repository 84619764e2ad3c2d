/* SPDX-License-Identifier: MIT
 *
 * The records as another process sees them: through /proc/PID/fd.
 */
#include "unit.h"
#include "base/record.h"
#include "base/sys.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct mt_lock stuck = MT_LOCK_INIT_NAMED("stuck");
static struct mt_event changing = MT_EVENT_INIT;

static int open_records(pid_t pid)
{
    char path[64], link[400], target[64] = "";
    struct dirent *entry;
    DIR *fds;
    int fd = -1;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    fds = opendir(path);
    while (fds && fd < 0 && (entry = readdir(fds))) {
        ssize_t length;
        snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
        length = readlink(link, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        if (!strcmp(target, "/memfd:" MT__RECORDS_NAME " (deleted)"))
            fd = open(link, O_RDONLY);
    }
    if (fds)
        closedir(fds);
    return fd;
}

static int want(void *arg)
{
    return mt_lock_acquire(&stuck, MT_FOREVER);
}

static void stay(int in, int out)
{
    char byte = 'r';

    if (mt_lock_acquire(&stuck, MT_FOREVER))
        _exit(1);
    struct mt_task *task = mt_thread_spawn(want, NULL, &(struct mt_thread_options){.name = "wanting"});
    if (!task)
        _exit(2);
    while (mt_task_state(task) != MT_WAITING)
        usleep(1000);
    if (write(out, &byte, 1) != 1 || read(in, &byte, 1) < 0)
        _exit(3);
    _exit(0);
}

static void seen_from_another_process(void **state)
{
    int to[2], from[2], fd, found = 0, status;
    const struct mt__records *head;
    char byte;
    pid_t child;

    assert_int_equal(pipe(to) || pipe(from), 0);
    child = fork();
    if (!child) {
        close(to[1]);
        stay(to[0], from[1]);
    }
    assert_int_equal(read(from[0], &byte, 1), 1);
    fd = open_records(child);
    assert_true(fd >= 0);
    head = mmap(NULL, 1 << 16, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(head != MAP_FAILED);
    assert_true(head->magic == MT__RECORDS_MAGIC);
    assert_int_equal(head->version, MT__RECORDS_VERSION);
    assert_int_equal(head->record_size, sizeof(struct mt__record));
    assert_int_equal(head->pid, child);
    assert_true(head->hidden == 0);
    for (uint32_t i = 0; i < head->used; i++) {
        const struct mt__record *record = (const void *)((const char *)head + head->head_size + i * head->record_size);
        while (__atomic_load_n(&record->sequence, __ATOMIC_ACQUIRE) & 1)
            usleep(100); /* in the middle of a change */
        if (record->kind != MT_THREAD || strcmp(record->name, "wanting"))
            continue;
        found++;
        assert_int_equal(record->state, MT_WAITING);
        assert_int_equal(record->wait_reason, MT_WAIT_LOCK);
        assert_int_equal(record->wait_owner, child);
        assert_true(record->wait_object == (uint64_t)(uintptr_t)&stuck);
        assert_string_equal(record->wait_name, "stuck");
        assert_non_null(strstr(record->wait_place, "record.c:"));
    }
    assert_int_equal(found, 1);
    munmap((void *)head, 1 << 16);
    close(fd);
    close(to[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++)
        close(from[i]);
    close(to[0]);
}

static void a_child_has_records_of_its_own(void **state)
{
    struct mt_task_info before, after;
    pid_t child;
    int status;

    mt_task_info(mt_task_current(), &before);
    child = fork();
    if (!child) {
        mt_task_set_name(mt_task_current(), "child");
        _exit(mt__records_table()->pid != (uint32_t)getpid() || mt_task_tid(mt_task_current()) != getpid());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    mt_task_info(mt_task_current(), &after);
    assert_string_equal(after.name, before.name);
    assert_int_equal(after.tid, getpid());
}

static int wait_on(void *arg)
{
    return mt_event_wait(arg, MT_FOREVER);
}

#define MANY 20 /* more than a fork's snapshot keeps without memory */

static int in_a_child_of_many(struct mt_task *const *tasks)
{
    struct mt_event event = MT_EVENT_INIT;

    mt__sys_fail(-1, 0, 0);
    mt_event_set(&event);
    if (mt__records_table()->pid != (uint32_t)getpid() || mt_task_tid(mt_task_current()) != getpid())
        return 1;
    for (int i = 0; i < MANY; i++)
        if (mt_task_outcome(tasks[i]) != -ESRCH || strcmp(mt_task_name(tasks[i]), "one of many"))
            return 2;
    for (int i = 0; i < MANY && !SANITIZER; i++) { /* whose own locks and threads are not for such a child */
        struct mt_task *task = mt_thread_spawn(wait_on, &event, NULL);
        if (!task || mt_task_join(task, MT_FOREVER))
            return 3;
        mt_task_release(task);
    }
    return 0;
}

/* Also without the memory for a snapshot. */
static void a_child_of_many_has_them_too(void **state)
{
    struct mt_task *tasks[MANY];
    struct mt_event event = MT_EVENT_INIT;
    int status;

    for (int i = 0; i < MANY; i++)
        tasks[i] = mt_thread_spawn(wait_on, &event, &(struct mt_thread_options){.name = "one of many"});
    for (int i = 0; i < MANY; i++)
        until_waiting(tasks[i], MT_WAIT_EVENT);
    for (int i = 0; i < 2; i++) {
        pid_t child;
        if (i)
            mt__sys_fail(MT__SYS_ALLOC, 0, ENOMEM);
        child = fork();
        if (!child)
            _exit(in_a_child_of_many(tasks));
        assert_int_equal(mt__sys_fail(-1, 0, 0), i);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    mt_event_set(&event);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(finish(tasks[i]), 0);
}

/* Records are used again, and the count of waits is kept. */
static void used_again(void **state)
{
    struct mt_event event = MT_EVENT_INIT;
    uint32_t used;

    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(spawn(wait_on, (mt_event_set(&event), &event))), 0);
    used = mt__records_table()->used;
    for (int i = 0; i < 200; i++)
        assert_int_equal(finish(spawn(wait_on, &event)), 0);
    assert_int_equal(mt__records_table()->used, used);
}

/* Whoever changes it has lost its processor in the middle of that. */
static int change_slowly(void *arg)
{
    struct mt__record *record = arg;

    mt__record_begin(record);
    mt_event_set(&changing);
    usleep(5000);
    mt__record_end(record);
    return 0;
}

static void a_change_is_waited_for(void **state)
{
    struct mt__record *record = mt__record_new(), copy;
    struct mt_task *task;

    assert_non_null(record);
    strcpy(record->name, "slow");
    mt__record_end(record); /* it is filled in */
    task = spawn(change_slowly, record);
    assert_int_equal(mt_event_wait(&changing, MT_FOREVER), 0);
    mt__record_copy(record, &copy);
    assert_string_equal(copy.name, "slow");
    assert_int_equal(finish(task), 0);
    mt__record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seen_from_another_process),    cmocka_unit_test(a_child_has_records_of_its_own),
        cmocka_unit_test(a_child_of_many_has_them_too), cmocka_unit_test(used_again),
        cmocka_unit_test(a_change_is_waited_for),
    };
    return RUN(tests);
}
