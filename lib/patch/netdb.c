/* SPDX-License-Identifier: MIT
 *
 * The other databases of NSS, as users.c: services, protocols, networks, programs of RPC, aliases, netgroups and
 * Ethernet's addresses; and the walks through all entries of one, whose place and answers are the process's in libc,
 * too.
 */
#include "patch/answer.h"

#include <netinet/ether.h>

MT__BY_KEY_R(getprotobyname_r, const char *restrict, protoent)
MT__BY_KEY_R(getprotobynumber_r, int, protoent)
MT__BY_KEY_R(getrpcbyname_r, const char *, rpcent)
MT__BY_KEY_R(getrpcbynumber_r, int, rpcent)
MT__BY_KEY_R(getaliasbyname_r, const char *restrict, aliasent)

MT__BY_KEY(getprotobyname, protoent, (const char *name), name)
MT__BY_KEY(getprotobynumber, protoent, (int number), number)
MT__BY_KEY(getrpcbyname, rpcent, (const char *name), name)
MT__BY_KEY(getrpcbynumber, rpcent, (int number), number)
MT__BY_KEY(getaliasbyname, aliasent, (const char *name), name)

#define LOOK_UP(name, ...)                                                             \
    mt__look_up(MT__N_##name, mt__original(MT__N_##name), (const long[]){__VA_ARGS__}, \
                sizeof((const long[]){__VA_ARGS__}) / sizeof(long))

/* -- Services ----------------------------------------------------------------------------------------------------- */

#define SERVICE_BY_KEY_R(name, key_type)                                                                            \
    MT__PATCHED int name(key_type key, const char *protocol, struct servent *restrict entry, char *restrict buffer, \
                         size_t size, struct servent **restrict result)                                             \
    {                                                                                                               \
        if (!mt__patched(DNS))                                                                                      \
            return mt__libc(name)(key, protocol, entry, buffer, size, result);                                      \
        return (int)LOOK_UP(name, (long)key, (long)protocol, (long)entry, (long)buffer, (long)size, (long)result);  \
    }
SERVICE_BY_KEY_R(getservbyname_r, const char *restrict)
SERVICE_BY_KEY_R(getservbyport_r, int)

MT__BY_KEY(getservbyname, servent, (const char *name, const char *protocol), name, protocol)
MT__BY_KEY(getservbyport, servent, (int port, const char *protocol), port, protocol)

/* -- Networks, which have an h_errno as hosts have ---------------------------------------------------------------- */

MT__PATCHED int getnetbyname_r(const char *restrict name, struct netent *restrict entry, char *restrict buffer,
                               size_t size, struct netent **restrict result, int *restrict herror)
{
    if (!mt__patched(DNS))
        return mt__libc(getnetbyname_r)(name, entry, buffer, size, result, herror);
    return (int)LOOK_UP(getnetbyname_r, (long)name, (long)entry, (long)buffer, (long)size, (long)result, (long)herror);
}

/* It has more arguments than are handed on. */
struct network {
    uint32_t number;
    int family;
    struct netent *entry;
    char *buffer;
    size_t size;
    struct netent **result;
    int *herror;
};

static long network_by_number(struct network *network)
{
    return mt__libc(getnetbyaddr_r)(network->number, network->family, network->entry, network->buffer, network->size,
                                    network->result, network->herror);
}

MT__PATCHED int getnetbyaddr_r(uint32_t number, int family, struct netent *restrict entry, char *restrict buffer,
                               size_t size, struct netent **restrict result, int *restrict herror)
{
    struct network network = {number, family, entry, buffer, size, result, herror};

    if (!mt__patched(DNS))
        return (int)network_by_number(&network);
    return (int)mt__look_up(MT__N_getnetbyaddr_r, (void *)network_by_number, (const long[]){(long)&network}, 1);
}

/* by_name, or else by number. */
static struct netent *find_network(struct mt_local *answers, const char *by_name, uint32_t number, int family)
{
    struct mt__answer *answer = mt__answer(answers);
    struct netent *found = NULL;
    int error, herror = 0;

    if (!answer)
        return NULL;
    do
        error = by_name ? getnetbyname_r(by_name, &answer->entry.netent, answer->buffer, answer->size, &found, &herror)
                        : getnetbyaddr_r(number, family, &answer->entry.netent, answer->buffer, answer->size, &found,
                                         &herror);
    while (error == ERANGE && mt__answer_grow(answer));
    if (error)
        errno = error == ERANGE ? ENOMEM : error;
    if (herror)
        h_errno = herror;
    return found;
}

MT__PATCHED struct netent *getnetbyname(const char *name)
{
    static struct mt_local answers = MT__ANSWERS;

    return mt__patched(DNS) ? find_network(&answers, name, 0, 0) : mt__libc(getnetbyname)(name);
}

MT__PATCHED struct netent *getnetbyaddr(uint32_t number, int family)
{
    static struct mt_local answers = MT__ANSWERS;

    return mt__patched(DNS) ? find_network(&answers, NULL, number, family) : mt__libc(getnetbyaddr)(number, family);
}

/* -- Netgroups, and Ethernet -------------------------------------------------------------------------------------- */

MT__PATCHED int innetgr(const char *group, const char *host, const char *user, const char *domain)
{
    if (!mt__patched(DNS))
        return mt__libc(innetgr)(group, host, user, domain);
    return (int)LOOK_UP(innetgr, (long)group, (long)host, (long)user, (long)domain);
}

MT__PATCHED int setnetgrent(const char *group)
{
    return mt__patched(DNS) ? (int)LOOK_UP(setnetgrent, (long)group) : mt__libc(setnetgrent)(group);
}

MT__PATCHED int ether_hostton(const char *host, struct ether_addr *address)
{
    if (!mt__patched(DNS))
        return mt__libc(ether_hostton)(host, address);
    return (int)LOOK_UP(ether_hostton, (long)host, (long)address);
}

MT__PATCHED int ether_ntohost(char *host, const struct ether_addr *address)
{
    if (!mt__patched(DNS))
        return mt__libc(ether_ntohost)(host, address);
    return (int)LOOK_UP(ether_ntohost, (long)host, (long)address);
}

/* -- Hosts, several at once --------------------------------------------------------------------------------------- */

MT__PATCHED int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
    if (!mt__patched(DNS) || mode != GAI_WAIT)
        return mt__libc(getaddrinfo_a)(mode, list, count, event);
    return (int)LOOK_UP(getaddrinfo_a, mode, (long)list, count, (long)event);
}

MT__PATCHED int gai_suspend(const struct gaicb *const list[], int count, const struct timespec *timeout)
{
    if (!mt__patched(DNS))
        return mt__libc(gai_suspend)(list, count, timeout);
    return (int)LOOK_UP(gai_suspend, (long)list, count, (long)timeout);
}

/* -- All of one after the other ----------------------------------------------------------------------------------- */

#define NEXT_R(name, entry_type)                                                                    \
    MT__PATCHED int name##_r(struct entry_type *restrict entry, char *restrict buffer, size_t size, \
                             struct entry_type **restrict result)                                   \
    {                                                                                               \
        if (!mt__patched(DNS))                                                                      \
            return mt__libc(name##_r)(entry, buffer, size, result);                                 \
        return (int)LOOK_UP(name##_r, (long)entry, (long)buffer, (long)size, (long)result);         \
    }
#define NEXT_WITH_HERROR_R(name, entry_type)                                                              \
    MT__PATCHED int name##_r(struct entry_type *restrict entry, char *restrict buffer, size_t size,       \
                             struct entry_type **restrict result, int *restrict herror)                   \
    {                                                                                                     \
        if (!mt__patched(DNS))                                                                            \
            return mt__libc(name##_r)(entry, buffer, size, result, herror);                               \
        return (int)LOOK_UP(name##_r, (long)entry, (long)buffer, (long)size, (long)result, (long)herror); \
    }
#define NEXT(name, entry_type)                                                              \
    MT__PATCHED struct entry_type *name(void)                                               \
    {                                                                                       \
        return mt__patched(DNS) ? (struct entry_type *)LOOK_UP(name, 0) : mt__libc(name)(); \
    }
NEXT(getpwent, passwd)
NEXT(getgrent, group)
NEXT(getspent, spwd)
NEXT(getsgent, sgrp)
NEXT(getaliasent, aliasent)
NEXT(gethostent, hostent)
NEXT(getnetent, netent)
NEXT(getservent, servent)
NEXT(getprotoent, protoent)
NEXT(getrpcent, rpcent)
NEXT_R(getpwent, passwd)
NEXT_R(getgrent, group)
NEXT_R(getspent, spwd)
NEXT_R(getsgent, sgrp)
NEXT_R(getaliasent, aliasent)
NEXT_WITH_HERROR_R(gethostent, hostent)
NEXT_WITH_HERROR_R(getnetent, netent)
NEXT_R(getservent, servent)
NEXT_R(getprotoent, protoent)
NEXT_R(getrpcent, rpcent)
