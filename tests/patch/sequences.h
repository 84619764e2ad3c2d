/* SPDX-License-Identifier: MIT
 *
 * What the parts of a random sequence of calls share: sequences.c has the whole of it.
 */
#ifndef TESTS_PATCH_SEQUENCES_H
#define TESTS_PATCH_SEQUENCES_H

#include "sockets.h"

#include <sys/uio.h>

#define LARGEST 70000
#define SHORT   4000 /* microseconds */

enum kind { STREAM, DATAGRAM, PACKETS, TCP, UDP, PIPE, KINDS };

/* The dice. */
unsigned below(unsigned limit);
int chance(unsigned in);
size_t some_size(void);
int some_flags(const int *flags, unsigned count, unsigned in);
unsigned cut(struct iovec *vectors, char *bytes, size_t size);

/* The two ends, and what they are. */
extern enum kind kind;
extern int ends[2];
void open_ends(void);
void settle(void); /* until what has been sent has arrived */

union control {
    char bytes[512];
    struct cmsghdr align;
};

/* One call, or what belongs to it. */
void sends_begin(void);
void send_some(int end);
void receive_some(int end);
void change(int end);
void ask(int end);

#endif
