/* SPDX-License-Identifier: MIT
 *
 * What the tests of managers share: servers, and the three ways to use their objects.
 */
#ifndef TESTS_MANAGER_UNIT_H
#define TESTS_MANAGER_UNIT_H

#include "unit.h"

#define KEY  "open sesame"
#define SOON in_time()

/* The program anew, for the sanitizers, which want no threads in a fork of a program with threads. */
static inline struct mt_manager *start_with(struct mt_manager_options options)
{
    struct mt_manager *manager;

    if (!options.start && SANITIZER)
        options.start = MT_SPAWN;
    manager = mt_manager_start(&options, SOON);
    if (!manager)
        print_message("# %s: %s\n", strerror(errno), mt_manager_message());
    assert_non_null(manager);
    return manager;
}

static inline struct mt_manager *start_local(void)
{
    return start_with((struct mt_manager_options){0});
}

/* On both sockets. NULL: there are no keys here. */
static inline struct mt_manager *start_both(struct mt_manager_options options)
{
    struct mt_manager *manager;

    options.tcp = "tcp:127.0.0.1:0";
    options.key = KEY;
    options.key_size = strlen(KEY);
    if (SANITIZER)
        options.start = MT_SPAWN;
    manager = mt_manager_start(&options, SOON);
    if (!manager && errno == ENOTSUP)
        return NULL;
    assert_non_null(manager);
    return manager;
}

static inline struct mt_manager *connect_tcp(struct mt_manager *manager)
{
    struct mt_manager *remote = mt_manager_connect(mt_manager_tcp_address(manager), KEY, strlen(KEY), SOON);

    if (!remote)
        print_message("# %s: %s\n", strerror(errno), mt_manager_message());
    assert_non_null(remote);
    return remote;
}

#endif
