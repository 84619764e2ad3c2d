/* SPDX-License-Identifier: MIT
 *
 * What getpwnam and its kin answer in memory of their own is the coroutine's: another's call leaves it alone. Speaks
 * TAP.
 */
#include <errno.h>
#include <grp.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uid_t daemons_user;
static gid_t daemons_group;
static struct mt_event asked = MT_EVENT_INIT, answered = MT_EVENT_INIT;

static int first(void *arg)
{
    struct passwd *user = getpwuid(0);
    struct group *group = getgrgid(0);
    int error;

    getpwnam("daemon"); /* another name, and so other memory */
    getgrnam("daemon");
    if (!user || !group || strcmp(user->pw_name, "root") || strcmp(group->gr_name, "root"))
        return -ENOENT;
    mt_event_set(&asked);
    error = mt_event_wait(&answered, mt_after(MT_SEC(60)));
    if (error || strcmp(user->pw_name, "root") || user->pw_uid || strcmp(group->gr_name, "root") || group->gr_gid)
        return -EIO;
    return getpwuid(0) == user && getgrgid(0) == group ? 0 : -EFAULT;
}

static int second(void *arg)
{
    struct passwd *user;
    struct group *group;
    int error = mt_event_wait(&asked, mt_after(MT_SEC(60)));

    if (error)
        return error;
    user = getpwuid(daemons_user);
    group = getgrgid(daemons_group);
    error = !user || !group || strcmp(user->pw_name, "daemon") || strcmp(group->gr_name, "daemon") ? -ENOENT : 0;
    mt_event_set(&answered);
    return error;
}

int main(void)
{
    struct mt_task *tasks[2];
    int result;

    if (!getpwnam("daemon") || !getgrnam("daemon")) {
        printf("1..0 # SKIP there is no user or group daemon here\n");
        return 0;
    }
    daemons_user = getpwnam("daemon")->pw_uid;
    daemons_group = getgrnam("daemon")->gr_gid;
    if (mt_patch(MT_PATCH_DNS))
        return 1;
    tasks[0] = mt_coro_spawn(first, NULL, NULL);
    tasks[1] = mt_coro_spawn(second, NULL, NULL);
    result = mt_joinall(tasks, 2, MT_FOREVER);
    for (int i = 0; i < 2; i++) {
        if (mt_task_outcome(tasks[i]))
            result = 1;
        mt_task_release(tasks[i]);
    }
    printf("1..1\n%sok 1 - answers are the coroutine's\n", result ? "not " : "");
    return result != 0;
}
