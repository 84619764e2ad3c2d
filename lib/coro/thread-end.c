/* SPDX-License-Identifier: MIT
 *
 * A thread that ends with suspended greenlets and generators ends them first, on their own stacks, as mt_greenlet_free
 * and mt_generator_close do: only that thread can, for what they hold may be the thread's. Their handles stay good.
 */
#include "coro/thread-end.h"
#include "coro/greenlet.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static __thread int known __attribute__((tls_model("initial-exec")));

static void thread_ends(void *value)
{
    (void)value;
    known = 0; /* destructors of other keys may come back: there is another round then */
    mt__generators_end();
    mt__greenlet_state_end(mt__greenlets_here);
    mt__greenlets_here = NULL;
}

static void make_key(void)
{
    pthread_key_create(&key, thread_ends);
}

/* Without a key to be had, or room for it, what the thread leaves behind stays as it is. */
void mt__coro_thread(void)
{
    if (known)
        return;
    known = 1;
    pthread_once(&once, make_key);
    pthread_setspecific(key, &known);
    mt__stack_watch();
}
