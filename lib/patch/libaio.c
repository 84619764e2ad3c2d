/* SPDX-License-Identifier: MIT
 *
 * libaio's waits, which are system calls of its own, and the kernel's alone to make: its contexts have no descriptor.
 * What is there already is taken at once; for the rest the call goes on off the hub. A signal's mask means nothing
 * there, so that one with a mask passes. They return -errno, and are no cancellation points.
 *
 * libaio may be loaded for a plugin only, where its own functions are not to be found: then the kernel is called.
 */
#include "patch/patch.h"
#include "patch/libaio.h"

#include <linux/aio_abi.h>

struct events {
    unsigned long context;
    long least, most;
    struct io_event *events;
    struct timespec *timeout;
    long result;
};

static long get(const struct events *events, struct timespec *timeout)
{
    return mt__sys(SYS_io_getevents, events->context, events->least, events->most, events->events, timeout);
}

static void get_off_hub(void *arg)
{
    struct events *events = arg;

    events->result = get(events, events->timeout);
}

static long get_here(struct events *events)
{
    struct timespec none = {0, 0};
    long got = get(events, &none);

    if (got < 0 || got >= events->least)
        return got;
    events->least -= got;
    events->most -= got;
    events->events += got;
    mt__patch_off(get_off_hub, events, MT__N_io_getevents);
    return events->result < 0 && got ? got : events->result + got;
}

static int is_none(const struct timespec *timeout)
{
    return timeout && !timeout->tv_sec && !timeout->tv_nsec;
}

long mt__libaio_get(unsigned long context, long least, long most, void *list, struct timespec *timeout)
{
    struct events events = {context, least, most, list, timeout, 0};
    struct mt__patch_call call;
    long result;

    if (!mt__patched(FILE))
        return get(&events, timeout);
    if (least <= 0 || is_none(timeout)) {
        mt__patch_look();
        return get(&events, timeout);
    }
    call = mt__patch_enter();
    mt__patch_be_fair();
    if (mt__patch_leaves())
        mt__patch_end(call, 0);
    result = get_here(&events);
    mt__patch_end(call, 0);
    return result;
}

int io_getevents(unsigned long context, long least, long most, struct io_event *events, struct timespec *timeout);
int io_pgetevents(unsigned long context, long least, long most, struct io_event *events, struct timespec *timeout,
                  const sigset_t *mask);

MT__PATCHED int io_getevents(unsigned long context, long least, long most, struct io_event *events,
                             struct timespec *timeout)
{
    if (!mt__patched(FILE) && mt__original(MT__N_io_getevents))
        return mt__libc(io_getevents)(context, least, most, events, timeout);
    return (int)mt__libaio_get(context, least, most, events, timeout);
}

MT__PATCHED int io_pgetevents(unsigned long context, long least, long most, struct io_event *events,
                              struct timespec *timeout, const sigset_t *mask)
{
    const struct {
        const sigset_t *mask;
        size_t size;
    } masked = {mask, _NSIG / 8};

    if (!mask)
        return io_getevents(context, least, most, events, timeout);
    if (mt__patched(FILE) && least > 0 && !is_none(timeout))
        mt__patch_pass(io_pgetevents);
    return (int)mt__sys(SYS_io_pgetevents, context, least, most, events, timeout, &masked);
}
