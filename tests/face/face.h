/* SPDX-License-Identifier: MIT
 *
 * Inside the face.
 */
#ifndef TESTS_FACE_FACE_H
#define TESTS_FACE_FACE_H

#include <pthread.h>
#include <semaphore.h>

/* Around a call that is a cancellation point: begin acts on a request that is there, end on one that came during the
 * call and made it fail with -ECANCELED. */
void face_point_begin(void);
int face_point_end(int result);

/* An absolute time of a clock as a deadline. 0, or EINVAL. */
int face_deadline(clockid_t clock, const struct timespec *until, mt_deadline *deadline);

/* pthread.h's calls return the error's number. */
static inline int face_error(int result)
{
    return result < 0 ? -result : 0;
}

void face_real_exit(void) __attribute__((noreturn));

/* Calls fn(); if that is left by pthread_exit or cancellation, undo(arg) is called. */
void face_guarded(void (*fn)(void), void (*undo)(void *), void *arg);

#endif
