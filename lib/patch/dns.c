/* SPDX-License-Identifier: MIT
 *
 * Names: libc's resolver, off the hub, with all that it says: which error (EAI_...), h_errno and errno. The calls that
 * answer in memory of their own do so in memory of the coroutine's, so that one does not overwrite another's answer.
 */
#include "patch/answer.h"
#include "patch/undeclared.h"

#include <arpa/inet.h>
#include <string.h>

/* What an off-hub call leaves in the resolver's h_errno, which is the thread's. */
struct resolution {
    struct mt__off_call call;
    int herror;
};

static void resolve(void *arg)
{
    struct resolution *resolution = arg;

    h_errno = 0;
    mt__off_call_run(&resolution->call);
    resolution->herror = h_errno;
}

long mt__look_up(enum mt__name_number number, void *function, const long arguments[], int count)
{
    struct mt__patch_call call = mt__patch_begin();
    struct resolution resolution = {.call.function = function};

    for (int i = 0; i < count; i++)
        resolution.call.arguments[i] = arguments[i];
    mt__patch_off(resolve, &resolution, number);
    mt__patch_end(call, 0);
    if (resolution.call.error)
        errno = resolution.call.error;
    if (resolution.herror)
        h_errno = resolution.herror;
    return resolution.call.result;
}

#define LOOK_UP(name, ...)                                                             \
    mt__look_up(MT__N_##name, mt__original(MT__N_##name), (const long[]){__VA_ARGS__}, \
                sizeof((const long[]){__VA_ARGS__}) / sizeof(long))

/* Addresses and numbers, or nothing at all, need nobody to be asked, and so no thread. */
static int is_known(const char *node, const char *service)
{
    char address[sizeof(struct in6_addr)];

    if (service && service[strspn(service, "0123456789")])
        return 0;
    return !node || inet_pton(AF_INET, node, address) == 1 || inet_pton(AF_INET6, node, address) == 1;
}

MT__PATCHED int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                            struct addrinfo **result)
{
    if (!mt__patched(DNS) || is_known(node, service))
        return mt__libc(getaddrinfo)(node, service, hints, result);
    return (int)LOOK_UP(getaddrinfo, (long)node, (long)service, (long)hints, (long)result);
}

/* -- Seven arguments and more ------------------------------------------------------------------------------------- */

struct name_info {
    const struct sockaddr *address;
    socklen_t length, node_size, service_size;
    char *node, *service;
    int flags;
};

static long name_info(struct name_info *info)
{
    return mt__libc(getnameinfo)(info->address, info->length, info->node, info->node_size, info->service,
                                 info->service_size, info->flags);
}

MT__PATCHED int getnameinfo(const struct sockaddr *address, socklen_t length, char *node, socklen_t node_size,
                            char *service, socklen_t service_size, int flags)
{
    struct name_info info = {address, length, node_size, service_size, node, service, flags};

    int asks =
        (node && node_size && !(flags & NI_NUMERICHOST)) || (service && service_size && !(flags & NI_NUMERICSERV));

    if (!mt__patched(DNS) || !asks)
        return name_info(&info);
    return (int)mt__look_up(MT__N_getnameinfo, (void *)name_info, (const long[]){(long)&info}, 1);
}

/* Any of the gethostby..._r; `number` says which. */
struct host {
    const void *key;
    socklen_t length;
    int family;
    enum mt__name_number number;
    struct hostent *entry;
    char *buffer;
    size_t size;
    struct hostent **result;
    int *herror;
};

static long host_by_key(struct host *host)
{
    if (host->number == MT__N_gethostbyname_r)
        return mt__libc(gethostbyname_r)(host->key, host->entry, host->buffer, host->size, host->result, host->herror);
    if (host->number == MT__N_gethostbyname2_r)
        return mt__libc(gethostbyname2_r)(host->key, host->family, host->entry, host->buffer, host->size, host->result,
                                          host->herror);
    return mt__libc(gethostbyaddr_r)(host->key, host->length, host->family, host->entry, host->buffer, host->size,
                                     host->result, host->herror);
}

static int find_host(struct host *host)
{
    if (!mt__patched(DNS))
        return (int)host_by_key(host);
    return (int)mt__look_up(host->number, (void *)host_by_key, (const long[]){(long)host}, 1);
}

MT__PATCHED int gethostbyname_r(const char *restrict name, struct hostent *restrict entry, char *restrict buffer,
                                size_t size, struct hostent **restrict result, int *restrict herror)
{
    struct host host = {name, 0, 0, MT__N_gethostbyname_r, entry, buffer, size, result, herror};

    return find_host(&host);
}

MT__PATCHED int gethostbyname2_r(const char *restrict name, int family, struct hostent *restrict entry,
                                 char *restrict buffer, size_t size, struct hostent **restrict result,
                                 int *restrict herror)
{
    struct host host = {name, 0, family, MT__N_gethostbyname2_r, entry, buffer, size, result, herror};

    return find_host(&host);
}

MT__PATCHED int gethostbyaddr_r(const void *restrict address, socklen_t length, int family,
                                struct hostent *restrict entry, char *restrict buffer, size_t size,
                                struct hostent **restrict result, int *restrict herror)
{
    struct host host = {address, length, family, MT__N_gethostbyaddr_r, entry, buffer, size, result, herror};

    return find_host(&host);
}

/* -- Answers in memory of their own ------------------------------------------------------------------------------- */

static struct mt_local answers = MT__ANSWERS;

static struct hostent *find_for_task(struct host *host)
{
    struct mt__answer *answer = mt__answer(&answers);
    struct hostent *found = NULL;
    int result = ERANGE, herror = NETDB_INTERNAL;

    if (!answer)
        return NULL;
    do {
        host->entry = &answer->entry.hostent;
        host->buffer = answer->buffer;
        host->size = answer->size;
        host->result = &found;
        host->herror = &herror;
        result = find_host(host);
    } while (result == ERANGE && mt__answer_grow(answer));
    if (!found)
        h_errno = herror;
    return found;
}

MT__PATCHED struct hostent *gethostbyname(const char *name)
{
    struct host host = {.key = name, .number = MT__N_gethostbyname_r};

    return mt__patched(DNS) ? find_for_task(&host) : mt__libc(gethostbyname)(name);
}

MT__PATCHED struct hostent *gethostbyname2(const char *name, int family)
{
    struct host host = {.key = name, .family = family, .number = MT__N_gethostbyname2_r};

    return mt__patched(DNS) ? find_for_task(&host) : mt__libc(gethostbyname2)(name, family);
}

MT__PATCHED struct hostent *gethostbyaddr(const void *address, socklen_t length, int family)
{
    struct host host = {.key = address, .length = length, .family = family, .number = MT__N_gethostbyaddr_r};

    return mt__patched(DNS) ? find_for_task(&host) : mt__libc(gethostbyaddr)(address, length, family);
}
