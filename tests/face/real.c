/* SPDX-License-Identifier: MIT
 *
 * What the face needs of the real pthread.h: leaving a thread, with its cleanup handlers.
 */
#include <pthread.h>

void face_real_exit(void);
void face_guarded(void (*fn)(void), void (*undo)(void *), void *arg);

void face_real_exit(void)
{
    pthread_exit(NULL);
}

void face_guarded(void (*fn)(void), void (*undo)(void *), void *arg)
{
    pthread_cleanup_push(undo, arg);
    fn();
    pthread_cleanup_pop(0);
}
