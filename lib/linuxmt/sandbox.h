/* SPDX-License-Identifier: MIT
 *
 * What a process may not do. See mt_sandbox(3).
 */
#ifndef LINUXMT_SANDBOX_H
#define LINUXMT_SANDBOX_H

#include <linuxmt/compiler.h>
#include <linuxmt/task.h>
#include <stddef.h>

MT__BEGIN

/* For the field `sandbox` of struct mt_process_options: one or several. */
enum {
    MT_SANDBOX_COMPUTE =
        1, /* memory, waiting, time, threads, reading and writing of the descriptors handed over, ending */
    MT_SANDBOX_NO_NETWORK = 2, /* no sockets but Unix ones */
    MT_SANDBOX_NO_EXEC = 4,    /* no other programs */
    MT_SANDBOX_READ_ONLY = 8,  /* files can be read and executed but not changed, made or removed */
    MT_SANDBOX_LOG = 16, /* nothing is refused by the first three: what would have been is noted for mt_sandbox_noted */
};

/* The name of the system call that the sandbox refused, which ended the process; "" if none was. NULL: the process has
 * not ended, or the task is no process. Valid as long as the handle. */
const char *mt_sandbox_refused(const struct mt_task *task);

/* With MT_SANDBOX_LOG: fills in up to `count` names of system calls that the sandbox would have refused so far, in the
 * order of their numbers, and returns how many there are. The names are constant. -EINVAL: the task is no process. */
int mt_sandbox_noted(const struct mt_task *task, const char **names, size_t count);

MT__END

#endif
