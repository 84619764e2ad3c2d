/* SPDX-License-Identifier: MIT
 *
 * Users and groups: a file, or whatever NSS has been told to ask, so off the hub.
 */
#include "patch/answer.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

MT__BY_KEY_R(getpwnam_r, const char *restrict, passwd)
MT__BY_KEY_R(getpwuid_r, uid_t, passwd)
MT__BY_KEY_R(getgrnam_r, const char *restrict, group)
MT__BY_KEY_R(getgrgid_r, gid_t, group)
MT__BY_KEY_R(getspnam_r, const char *restrict, spwd)
MT__BY_KEY_R(getsgnam_r, const char *, sgrp)

MT__BY_KEY(getpwnam, passwd, (const char *name), name)
MT__BY_KEY(getpwuid, passwd, (uid_t user), user)
MT__BY_KEY(getgrnam, group, (const char *name), name)
MT__BY_KEY(getgrgid, group, (gid_t group), group)
MT__BY_KEY(getspnam, spwd, (const char *name), name)
MT__BY_KEY(getsgnam, sgrp, (const char *name), name)

/* -- The groups of a user ----------------------------------------------------------------------------------------- */

MT__PATCHED int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
    if (!mt__patched(DNS))
        return mt__libc(getgrouplist)(user, group, groups, count);
    return (int)mt__look_up(MT__N_getgrouplist, mt__original(MT__N_getgrouplist),
                            (const long[]){(long)user, (long)group, (long)groups, (long)count}, 4);
}

/* Asked for off the hub, and set here: it is this thread that libc has all others follow. */
static int set_groups(const char *user, gid_t group)
{
    int most = (int)sysconf(_SC_NGROUPS_MAX), count = 32, room, result;
    gid_t *groups = NULL, *more;

    if (most <= 0)
        most = NGROUPS_MAX;
    do {
        room = count;
        more = realloc(groups, (size_t)room * sizeof *groups);
        if (!more) {
            free(groups);
            errno = ENOMEM;
            return -1;
        }
        groups = more;
    } while (getgrouplist(user, group, groups, &count) < 0 && count > room);
    result = setgroups((size_t)(count < most ? count : most), groups);
    free(groups);
    return result;
}

MT__PATCHED int initgroups(const char *user, gid_t group)
{
    return mt__patched(DNS) ? set_groups(user, group) : mt__libc(initgroups)(user, group);
}
