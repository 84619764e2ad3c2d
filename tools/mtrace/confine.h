/* SPDX-License-Identifier: MIT
 *
 * mtrace gives up the system calls that it does not need any more once its probes are loaded.
 */
#ifndef MTRACE_CONFINE_H
#define MTRACE_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

/* The filter's mode, as MTRACE_SECCOMP says. */
enum confine_mode {
    CONFINE_ON,  /* a call that is not needed ends mtrace, with a message */
    CONFINE_LOG, /* it is done, and noted in the kernel's log */
    CONFINE_OFF,
};

/* False after a complaint if the variable says something else. To be asked before anything is started. */
bool confine_mode(enum confine_mode *mode);

/* For good. launched: the one process that may be sent signals, 0: none. False after a complaint. Does nothing, and
 * says so to nobody, where mtrace is built without libseccomp. */
bool confine(enum confine_mode mode, pid_t launched);

#endif
