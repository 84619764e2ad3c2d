/* SPDX-License-Identifier: MIT
 *
 * Inside the room: that calls on a descriptor may wait for as long as it takes (belief.c). Anybody's.
 */
#ifndef PATCH_BELIEF_H
#define PATCH_BELIEF_H

#include <stdint.h>

/* A guess, which is to be looked at again by who waits long. */
int mt__is_believed(int fd);

/* It has been asked, since the version was this. */
uint32_t mt__beliefs_version(void);
void mt__believe(int fd, uint32_t since);

void mt__refute(int fd);

/* By this program: the number is given away; or its open file has been told otherwise, under whatever numbers it has.
 */
void mt__belief_ends(int fd);
void mt__beliefs_drop(int fd);

/* Whether one of these has been, since somebody believed. */
int mt__belief_is_over(int fd);

#endif
