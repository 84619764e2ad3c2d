/* SPDX-License-Identifier: MIT
 *
 * Coroutines that give up waiting in shared memory, and unmap it at once, while the kernel, or a helper, still knows of
 * the wait. tests/loops.t runs this on each loop.
 */
#include "armed-unit.h"

#include <sys/mman.h>
#include <unistd.h>

/* -- Another segment ---------------------------------------------------------------------------------------------- */

static void *map_new(void *at, struct mt_sem **other)
{
    int fd = memfd_create("segment", MFD_CLOEXEC);
    void *map;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    map = mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
    *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED && *other != MAP_FAILED);
    close(fd);
    mt_sem_init(map, 0, NULL, MT_SHARED);
    return map;
}

static int release_elsewhere(void *arg)
{
    usleep(3000);
    return mt_sem_release(arg, 1);
}

/* The address is the same, for the kernel it is another word. */
static int wait_in_two_segments(void *arg)
{
    struct mt_sem *other, *sem = map_new(NULL, &other);
    struct mt_task *releaser;
    mt_deadline end;
    int result = mt_sem_acquire(sem, mt_after(MT_MS(2)));

    munmap(other, 4096);
    if (result != -ETIMEDOUT)
        return -EIO;
    map_new(sem, &other);
    releaser = spawn(release_elsewhere, other);
    end = in_time(); /* which takes what is there, too, but was not woken */
    result = mt_sem_acquire(sem, end);
    if (!result && mt_now() >= end)
        result = -ETIMEDOUT;
    assert_int_equal(finish(releaser), 0);
    munmap(other, 4096);
    munmap(sem, 4096);
    return result;
}

static void an_address_may_be_mapped_anew(void **state)
{
    for (int i = 0; i < often(10); i++)
        assert_int_equal(end_of(spawn_coro(wait_in_two_segments, NULL)), 0);
    gather();
    for (int i = 0; i < often(10); i++)
        assert_int_equal(end_of(spawn_coro(wait_in_two_segments, NULL)), 0);
    disperse();
}

static struct mt_shm *segment;

static int wait_and_unmap(void *arg)
{
    struct mt_sem *elsewhere = arg;
    int result = mt_sem_acquire(mt_shm_address(segment), END);
    struct mt_task *releaser = spawn(release_one, elsewhere);

    until_over(releaser); /* without a turn: the wake has come to what is left of this wait */
    mt_shm_free(segment);
    mt_task_release(releaser);
    return result;
}

/* Who gives up leaves no wake behind in what he unmaps. */
static void unmap_beside_a_thread(void)
{
    struct mt_shm *other;
    struct mt_task *coroutine, *thread;

    segment = mt_shm_new("segment", 4096);
    assert_non_null(segment);
    other = mt_shm_attach(mt_shm_fd(segment));
    assert_non_null(other);
    mt_sem_init(mt_shm_address(other), 0, NULL, MT_SHARED);
    coroutine = spawn_coro(wait_and_unmap, mt_shm_address(other));
    assert_int_equal(mt_sleep(MT_MS(1)), 0);
    thread = spawn(acquire, mt_shm_address(other));
    until_waiting(thread, MT_WAIT_SEM);
    usleep(500);
    mt_task_kill(coroutine);
    assert_int_equal(end_of(coroutine), -ECANCELED);
    until_over(thread);
    assert_int_equal(finish(thread), 0);
    mt_shm_free(other);
}

static void who_unmaps_takes_no_wake(void **state)
{
    for (int i = 0; i < often(20); i++)
        unmap_beside_a_thread();
    gather();
    for (int i = 0; i < often(20); i++)
        unmap_beside_a_thread();
    disperse();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_may_be_mapped_anew),
        cmocka_unit_test(who_unmaps_takes_no_wake),
    };
    return RUN(tests);
}
