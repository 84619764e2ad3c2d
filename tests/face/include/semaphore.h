/* SPDX-License-Identifier: MIT
 *
 * POSIX semaphores on liblinuxmt: see pthread.h beside this.
 */
#ifndef TESTS_FACE_SEMAPHORE_H
#define TESTS_FACE_SEMAPHORE_H

#include <pthread.h>
#include_next <semaphore.h>

struct face_sem {
    struct mt_sem sem;
};

#define sem_t         struct face_sem
#define sem_init      face_sem_init
#define sem_destroy   face_sem_destroy
#define sem_open      face_sem_open
#define sem_close     face_sem_close
#define sem_unlink    face_sem_unlink
#define sem_wait      face_sem_wait
#define sem_trywait   face_sem_trywait
#define sem_timedwait face_sem_timedwait
#define sem_clockwait face_sem_clockwait
#define sem_post      face_sem_post
#define sem_getvalue  face_sem_getvalue

#undef SEM_FAILED
#define SEM_FAILED ((struct face_sem *)0)

#ifdef __cplusplus
extern "C" {
#endif

int face_sem_init(sem_t *sem, int shared, unsigned value);
int face_sem_destroy(sem_t *sem);
sem_t *face_sem_open(const char *name, int flags, ...);
int face_sem_close(sem_t *sem);
int face_sem_unlink(const char *name);
int face_sem_wait(sem_t *sem);
int face_sem_trywait(sem_t *sem);
int face_sem_timedwait(sem_t *sem, const struct timespec *until);
int face_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until);
int face_sem_post(sem_t *sem);
int face_sem_getvalue(sem_t *sem, int *value);

#ifdef __cplusplus
}
#endif

#endif
