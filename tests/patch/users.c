/* SPDX-License-Identifier: MIT
 *
 * What getpwnam and its kin answer in memory of their own is the coroutine's: another's call leaves it alone. And the
 * other databases of NSS answer in a coroutine as they do without us. Speaks TAP.
 */
#include <aliases.h>
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <linuxmt.h>
#include <linuxmt/patch.h>
#include <netdb.h>
#include <netinet/ether.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uid_t daemons_user;
static gid_t daemons_group;
static struct mt_event asked = MT_EVENT_INIT, answered = MT_EVENT_INIT;

static int first(void *arg)
{
    struct passwd *user = getpwuid(0);
    struct group *group = getgrgid(0);
    struct servent *service = getservbyname("http", "tcp"); /* NULL: there are none here */
    int error;

    getpwnam("daemon"); /* another name, and so other memory */
    getgrnam("daemon");
    if (!user || !group || strcmp(user->pw_name, "root") || strcmp(group->gr_name, "root"))
        return -ENOENT;
    mt_event_set(&asked);
    error = mt_event_wait(&answered, mt_after(MT_SEC(60)));
    if (error || strcmp(user->pw_name, "root") || user->pw_uid || strcmp(group->gr_name, "root") || group->gr_gid)
        return -EIO;
    if (service && strcmp(service->s_name, "http"))
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
    getservbyname("ssh", "tcp");
    mt_event_set(&answered);
    return error;
}

/* -- The others --------------------------------------------------------------------------------------------------- */

static char answers[2][8192];
static size_t size;
static int turn;

#define SAY(...) (size += (size_t)snprintf(answers[turn] + size, sizeof answers[turn] - size, __VA_ARGS__))

static void say_services(void)
{
    struct servent *service = getservbyname("http", "tcp"), *other = getservbyport(htons(22), NULL), entry,
                   *found = NULL;
    char few[1], buffer[2048];

    SAY("http %d ", service ? ntohs((uint16_t)service->s_port) : 0);
    SAY("22 %s ", other ? other->s_name : "?");
    SAY("none %d\n", getservbyname("no-such-service", NULL) != NULL);
    SAY("few %d ", getservbyname_r("http", NULL, &entry, few, sizeof few, &found));
    SAY("%d ", getservbyport_r(htons(22), "tcp", &entry, buffer, sizeof buffer, &found));
    SAY("%s\n", found ? found->s_name : "?");
}

static void say_others(void)
{
    struct protoent *protocol = getprotobyname("udp"), *number = getprotobynumber(6);
    struct rpcent *rpc = getrpcbyname("portmapper"), *program = getrpcbynumber(100003);
    struct netent *network = getnetbyname("loopback"), *by_number;
    struct ether_addr address;

    SAY("udp %d 6 %s\n", protocol ? protocol->p_proto : 0, number ? number->p_name : "?");
    SAY("portmapper %d nfs %s\n", rpc ? rpc->r_number : 0, program ? program->r_name : "?");
    SAY("loopback %u ", network ? network->n_net : 0);
    h_errno = 0;
    by_number = getnetbyaddr(1, AF_INET);
    SAY("1 %s %d\n", by_number ? by_number->n_name : "?", h_errno);
    SAY("alias %d group %d ether %d\n", getaliasbyname("no-such-alias") != NULL,
        innetgr("no-such-group", "a", "b", "c"), ether_hostton("no-such-host", &address));
}

static void say_walks(void)
{
    struct passwd *user;
    struct protoent *protocol;
    int users = 0, protocols = 0;

    setpwent();
    while ((user = getpwent()))
        users += user->pw_uid == 0;
    endpwent();
    setprotoent(1);
    while ((protocol = getprotoent()))
        protocols += protocol->p_proto == 6;
    endprotoent();
    SAY("users 0: %d, protocols 6: %d\n", users, protocols);
}

/* The groups of a process: those that it would have without us, and in the thread that asked. */
static void say_groups(void)
{
    gid_t groups[64];
    int result = initgroups("root", 7), count = getgroups(64, groups), has = 0;

    for (int i = 0; i < count; i++)
        has |= groups[i] == 7;
    SAY("initgroups %d %d %d %d\n", result, result ? errno : 0, result ? 0 : count, result ? 0 : has);
}

static int say_all(void *arg)
{
    size = 0;
    say_services();
    say_others();
    say_walks();
    say_groups();
    return 0;
}

static int are_same(void)
{
    struct mt_task *task;

    turn = 1;
    task = mt_coro_spawn(say_all, NULL, NULL);
    if (!task || mt_task_join(task, MT_FOREVER))
        return 0;
    mt_task_release(task);
    if (strcmp(answers[0], answers[1]))
        fprintf(stderr, "libc:\n%shere:\n%s", answers[0], answers[1]);
    return !strcmp(answers[0], answers[1]);
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
    say_all(NULL);
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
    printf("1..2\n%sok 1 - answers are the coroutine's\n", result ? "not " : "");
    if (!are_same())
        result = 1;
    printf("%sok 2 - answers are libc's\n", strcmp(answers[0], answers[1]) ? "not " : "");
    return result != 0;
}
