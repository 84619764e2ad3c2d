/* SPDX-License-Identifier: MIT
 *
 * Classes on and off, sleeping, and what is done without.
 */
#include "coop.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

static void interface(void)
{
    int (*original)(const struct timespec *, struct timespec *);
    struct timespec time = {0, 1000};

    CHECK(!mt_is_patched(MT_PATCH_SLEEP));
    CHECK(mt_patch(0) == -EINVAL);
    CHECK(mt_patch(1u << 30) == -EINVAL);
    CHECK(mt_unpatch(1u << 30) == -EINVAL);
    CHECK(mt_patch(MT_PATCH_SLEEP | MT_PATCH_SOCKET) == 0);
    CHECK(mt_is_patched(MT_PATCH_SLEEP));
    CHECK(!mt_is_patched(MT_PATCH_SLEEP | MT_PATCH_DNS));
    CHECK(mt_unpatch(MT_PATCH_SOCKET) == 0);
    CHECK(mt_is_patched(MT_PATCH_SLEEP) && !mt_is_patched(MT_PATCH_SOCKET));
    *(void **)&original = mt_patch_original("nanosleep");
    CHECK(original && original != nanosleep && original(&time, NULL) == 0);
    CHECK(mt_patch_original("getpid") != NULL);
    CHECK(mt_patch_original("no_such_name") == NULL);
    CHECK(mt_patch_passed("no_such_name") == 0 && mt_patch_passed(NULL) == 0);
}

static int wanted, tries;

/* Until so many are in it at a time; if sleeping blocks the others, that will never be. */
static int sleeper(void *arg)
{
    enter();
    for (int i = 0; i < tries && most < wanted; i++)
        CHECK(usleep(1000) == 0);
    leave();
    return 0;
}

static void sleeps(void)
{
    wanted = MANY;
    tries = 30000;
    run_many(sleeper, MANY);
    CHECK(most == MANY);
}

int coop_passes(void *arg)
{
    struct timespec time = {0, 1000};

    return -clock_nanosleep(CLOCK_TAI, 0, &time, NULL);
}

static void passes(void)
{
    uint64_t before = mt_patch_passed("clock_nanosleep");

    run_many(coop_passes, 1);
    CHECK(mt_patch_passed("clock_nanosleep") == before + 1);
    CHECK(mt_patch_passed(NULL) >= before + 1);
}

static void unpatched(void)
{
    CHECK(mt_unpatch(MT_PATCH_SLEEP) == 0);
    wanted = 2;
    tries = 3;
    run_many(sleeper, 3);
    CHECK(most == 1);
    all_classes();
}

/* -- Without memory ----------------------------------------------------------------------------------------------- */

/* The library's, for tests: the allocation after `skip` more fails. */
long mt__sys_fail(long number, long skip, int error);
#define ALLOCATION (-2)

static int ends[2];

static int starved(void *arg)
{
    struct pollfd looks[20];
    fd_set set;

    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    for (int i = 0; i < 20; i++)
        looks[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    mt__sys_fail(ALLOCATION, 0, ENOMEM);
    CHECK(poll(looks, 20, -1) == -1 && errno == ENOMEM);
    mt__sys_fail(ALLOCATION, 0, ENOMEM);
    CHECK(select(ends[0] + 1, &set, NULL, NULL, NULL) == -1 && errno == ENOMEM);
    mt__sys_fail(-1, 0, 0);
    CHECK(poll(looks, 20, 1) == 0);
    return 0;
}

static void starves(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    run_many(starved, 1);
    close(ends[0]);
    close(ends[1]);
}

const struct coop_test switch_tests[] = {
    {"the switch", interface},
    {"all classes", all_classes},
    {"100 sleep at once", sleeps},
    {"what passes is counted", passes},
    {"a class that is off blocks", unpatched},
    {"without memory", starves},
    {NULL, NULL},
};
