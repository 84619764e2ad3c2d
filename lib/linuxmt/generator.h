/* SPDX-License-Identifier: MIT
 *
 * Generators: functions that hand out items from their midst and go on from there when the next is asked for. See
 * mt_generator(3).
 */
#ifndef LINUXMT_GENERATOR_H
#define LINUXMT_GENERATOR_H

#include <linuxmt/compiler.h>
#include <linuxmt/greenlet.h>
#include <linuxmt/iter.h>
#include <stddef.h>

MT__BEGIN

struct mt_generator;

/* What a generator runs. 0 ends it with MT_STOP; -errno is what the call that waits for an item returns. */
typedef int mt_generator_fn(struct mt_generator *self, void *arg);

struct mt_generator_options {
    const char *name;  /* is copied; NULL: "generator" */
    size_t stack_size; /* bytes to reserve; 0: MT_CORO_STACK */
};

/* Makes a generator of items of that size, which begins when the first one is asked for. options may be NULL. NULL with
 * errno ENOMEM, or EINVAL: the stack is too large. */
struct mt_generator *mt_generator_new(mt_generator_fn *fn, void *arg, size_t item_size,
                                      const struct mt_generator_options *options);

/* Closes it, if need be, and frees it. 0 (also for NULL); -EBUSY: it is running; -EXDEV: it was begun by another
 * thread, which has not ended. */
int mt_generator_free(struct mt_generator *generator);

/* Goes on until the next item, which is written to *item: 0. MT_STOP: it has ended. -errno: what the function returned.
 * -EBUSY: it is running, and calls itself; -EXDEV: another thread has begun it. */
int mt_generator_next(struct mt_generator *generator, void *item);

/* The same; the pending mt_yield gives sent. -EINVAL: it has not begun, so that there is none, and sent is not NULL. */
int mt_generator_send(struct mt_generator *generator, void *sent, void *item);

/* The same; the pending mt_yield returns error. One that has not begun ends, and this returns error, as it does of one
 * that has ended. -EINVAL: error is not less than 0. */
int mt_generator_throw(struct mt_generator *generator, int error, void *item);

/* Ends it: the pending mt_yield returns -ECANCELED, and so does every later one; the function runs to its end. 0, also
 * if it has ended already, or what the function returned if that is neither 0 nor -ECANCELED; -EBUSY and -EXDEV as
 * mt_generator_free. */
int mt_generator_close(struct mt_generator *generator);

/* The generator as an iterator, whose close frees the generator. Of NULL: NULL. */
struct mt_iter *mt_generator_iter(struct mt_generator *generator);

/* What the function has left with mt_generator_return, for whoever has seen MT_STOP. */
void *mt_generator_value(const struct mt_generator *generator);

/* -- In the function ---------------------------------------------------------------------------------------------- */

/* Hands out a copy of *item and waits. 0: go on; *sent, if sent is not NULL, is what was sent, NULL if nothing. Else
 * the -errno that was thrown in; -ECANCELED: clean up and return. -EINVAL: it is not self that is running. */
int mt_yield(struct mt_generator *self, const void *item, void **sent);

/* Hands out all that iter has, and closes it. 0 when it has ended; its error; or what mt_yield returned. */
int mt_yield_from(struct mt_generator *self, struct mt_iter *iter);

/* The same of a generator, to which what is sent and thrown goes. 0 with *value, if value is not NULL, its value. It is
 * closed, not freed, so that the value can be read. -EINVAL: the sizes of their items differ. */
int mt_yield_from_generator(struct mt_generator *self, struct mt_generator *from, void **value);

/* Leaves a value for mt_generator_value. Returns 0, for "return mt_generator_return(self, value);". */
int mt_generator_return(struct mt_generator *self, void *value);

size_t mt_generator_stack_used(const struct mt_generator *generator);
int mt_generator_is_running(const struct mt_generator *generator);
int mt_generator_has_ended(const struct mt_generator *generator);

MT__END

#endif
