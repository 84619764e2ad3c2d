/* SPDX-License-Identifier: MIT
 *
 * A thread of our own making as glibc sees it: its control block (struct pthread), its TLS and the lists it must be on.
 */
#ifndef THREAD_GLIBC_H
#define THREAD_GLIBC_H

#include <resolv.h>
#include <stddef.h>

/* Bytes needed above the stack for TLS and control block, alignment included. */
size_t mt__glibc_size(void);

/* Places TLS and control block just below `end`. *thread_pointer: what CLONE_SETTLS takes; returns where the stack may
 * begin. */
char *mt__glibc_place(char *end, char **thread_pointer);

/* Fills in a control block that has never been used. 0, or -ENOMEM. */
int mt__glibc_first(char *thread_pointer);

/* Makes one whose thread has ended ready for the next: as if the thread had gone on with a new body, so that malloc's
 * cache and the like, which belong to libc's own TLS, stay with it. */
void mt__glibc_again(char *thread_pointer);

/* What each new thread needs: list heads, the stack's bounds for pthread_getattr_np. */
void mt__glibc_prepare(char *thread_pointer, char *stack, size_t stack_size);

/* The word that the kernel sets to the thread's id and clears, with a wake, when it has ended. */
int *mt__glibc_tid(char *thread_pointer);

/* Around clone: glibc's lock on its list of threads, so that setuid() and dlopen() see the thread with its id or not at
 * all. */
void mt__glibc_list_acquire(void);
void mt__glibc_list_add(char *thread_pointer);
void mt__glibc_list_release(void);
void mt__glibc_count(int change); /* of threads; the last one to go ends the process */

/* First and last acts in the thread. resolver: libresolv's state, for the first thread that runs on a block; NULL for
 * the next ones, which keep it. */
void mt__glibc_enter(char *thread_pointer, struct __res_state *resolver);
void mt__glibc_destructors(char *thread_pointer); /* C++ thread_local, pthread keys */
void mt__glibc_leave(char *thread_pointer);       /* off the list */

#endif
