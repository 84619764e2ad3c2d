/* SPDX-License-Identifier: MIT */
#ifndef BENCH_ECHO_SERVER_H
#define BENCH_ECHO_SERVER_H

enum { ECHO_LISTENER = 3, ECHO_BUFFER = 1024, ECHO_DESCRIPTORS = 4096 };

/* Each goes on for ever, or returns 1 when something fails. */
int echo_by_epoll(void);
int echo_by_threads(void);

#endif
