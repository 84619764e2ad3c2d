/* SPDX-License-Identifier: MIT
 *
 * The face's attribute objects: what they hold is checked when it is set.
 */
#include "face.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* An attribute with two values. */
#define SET(call, type, member, one, two)     \
    int call(type *attributes, int value)     \
    {                                         \
        if (value != (one) && value != (two)) \
            return EINVAL;                    \
        attributes->member = value;           \
        return 0;                             \
    }
#define GET(call, type, member)                  \
    int call(const type *attributes, int *value) \
    {                                            \
        *value = attributes->member;             \
        return 0;                                \
    }
#define BOTH(noun, name, type, member, one, two)         \
    SET(face_##noun##_set##name, type, member, one, two) \
    GET(face_##noun##_get##name, type, member)
#define LIFE(noun, type)                              \
    int face_##noun##_init(type *attributes)          \
    {                                                 \
        memset(attributes, 0, sizeof *attributes);    \
        return 0;                                     \
    }                                                 \
    int face_##noun##_destroy(type *attributes)       \
    {                                                 \
        memset(attributes, 0xff, sizeof *attributes); \
        return 0;                                     \
    }

/* -- Threads ------------------------------------------------------------------------------------------------------ */

int face_attr_init(pthread_attr_t *attributes)
{
    *attributes = (pthread_attr_t){
        .stack_size = 1024 * 1024, .guard_size = (size_t)sysconf(_SC_PAGESIZE), .detached = PTHREAD_CREATE_JOINABLE};
    return 0;
}

int face_attr_destroy(pthread_attr_t *attributes)
{
    memset(attributes, 0xff, sizeof *attributes);
    return 0;
}

BOTH(attr, detachstate, pthread_attr_t, detached, PTHREAD_CREATE_JOINABLE, PTHREAD_CREATE_DETACHED)
BOTH(attr, inheritsched, pthread_attr_t, inherits, PTHREAD_INHERIT_SCHED, PTHREAD_EXPLICIT_SCHED)
GET(face_attr_getschedpolicy, pthread_attr_t, policy)
GET(face_attr_getscope, pthread_attr_t, scope)

int face_attr_setscope(pthread_attr_t *attributes, int scope)
{
    if (scope == PTHREAD_SCOPE_PROCESS)
        return ENOTSUP;
    if (scope != PTHREAD_SCOPE_SYSTEM)
        return EINVAL;
    attributes->scope = scope;
    return 0;
}

int face_attr_setschedpolicy(pthread_attr_t *attributes, int policy)
{
    if (policy != SCHED_OTHER && policy != SCHED_FIFO && policy != SCHED_RR)
        return EINVAL;
    attributes->policy = policy;
    return 0;
}

int face_attr_setschedparam(pthread_attr_t *attributes, const struct sched_param *parameters)
{
    if (parameters->sched_priority < sched_get_priority_min(attributes->policy) ||
        parameters->sched_priority > sched_get_priority_max(attributes->policy))
        return EINVAL;
    attributes->parameters = *parameters;
    return 0;
}

int face_attr_getschedparam(const pthread_attr_t *attributes, struct sched_param *parameters)
{
    *parameters = attributes->parameters;
    return 0;
}

int face_attr_setstacksize(pthread_attr_t *attributes, size_t size)
{
    if (size < (size_t)PTHREAD_STACK_MIN)
        return EINVAL;
    attributes->stack_size = size;
    return 0;
}

int face_attr_getstacksize(const pthread_attr_t *attributes, size_t *size)
{
    *size = attributes->stack_size;
    return 0;
}

int face_attr_setguardsize(pthread_attr_t *attributes, size_t size)
{
    attributes->guard_size = size;
    return 0;
}

int face_attr_getguardsize(const pthread_attr_t *attributes, size_t *size)
{
    *size = attributes->guard_size;
    return 0;
}

/* -- Objects ------------------------------------------------------------------------------------------------------ */

LIFE(mutexattr, pthread_mutexattr_t)
BOTH(mutexattr, pshared, pthread_mutexattr_t, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)
GET(face_mutexattr_gettype, pthread_mutexattr_t, type)
GET(face_mutexattr_getprotocol, pthread_mutexattr_t, protocol)
GET(face_mutexattr_getrobust, pthread_mutexattr_t, robust)

int face_mutexattr_settype(pthread_mutexattr_t *attributes, int type)
{
    if (type != PTHREAD_MUTEX_NORMAL && type != PTHREAD_MUTEX_RECURSIVE && type != PTHREAD_MUTEX_ERRORCHECK &&
        type != PTHREAD_MUTEX_DEFAULT)
        return EINVAL;
    attributes->type = type;
    return 0;
}

int face_mutexattr_setprotocol(pthread_mutexattr_t *attributes, int protocol)
{
    if (protocol == PTHREAD_PRIO_INHERIT || protocol == PTHREAD_PRIO_PROTECT)
        return ENOTSUP;
    if (protocol != PTHREAD_PRIO_NONE)
        return EINVAL;
    attributes->protocol = protocol;
    return 0;
}

int face_mutexattr_setrobust(pthread_mutexattr_t *attributes, int robust)
{
    if (robust == PTHREAD_MUTEX_ROBUST)
        return ENOTSUP;
    if (robust != PTHREAD_MUTEX_STALLED)
        return EINVAL;
    attributes->robust = robust;
    return 0;
}

LIFE(rwlockattr, pthread_rwlockattr_t)
BOTH(rwlockattr, pshared, pthread_rwlockattr_t, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)
LIFE(barrierattr, pthread_barrierattr_t)
BOTH(barrierattr, pshared, pthread_barrierattr_t, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)
LIFE(condattr, pthread_condattr_t)
BOTH(condattr, pshared, pthread_condattr_t, shared, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED)
SET(face_condattr_setclock, pthread_condattr_t, clock, CLOCK_REALTIME, CLOCK_MONOTONIC)
GET(face_condattr_getclock, pthread_condattr_t, clock)
