/* SPDX-License-Identifier: MIT
 *
 * What mtrace may do here, and for what it may not: the capability by name and the exact command that grants it.
 *
 * The checks are made before anything is loaded, so that nobody has to read an errno. Each caps_require_... says by
 * complain() what is wrong and returns false, or returns true in silence.
 */
#ifndef MTRACE_CAPS_H
#define MTRACE_CAPS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* In glibc's and the kernel's headers of older systems the youngest ones are missing. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* Whether the capability is effective in this process, in the user namespace that the kernel asks about. */
bool caps_have(int capability);

/* "CAP_BPF", or "capability 77". The text is valid until the next call. */
const char *caps_name(int capability);

/* Whether this process is in the machine's first user namespace: in another one capabilities do not count for eBPF. */
bool caps_in_first_namespace(void);

/* Whether this process is in the machine's first PID namespace, not in a container's. */
bool caps_in_first_pid_namespace(void);

/* Whether /proc numbers processes as this process's own PID namespace does. */
bool caps_proc_is_ours(void);

/* The same; complains. */
bool caps_require_own_proc(void);

/* Whether eBPF programs that look at tasks can be loaded: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN. */
bool caps_can_trace(void);

/* The same, with the kernel's type information (BTF); complains. */
bool caps_require_tracing(void);

/* Whether pid is a living process and not a thread of one; complains. */
bool caps_require_process(pid_t pid);

/* Also one whose status nobody has fetched yet. */
bool caps_has_ended(pid_t pid);

/* Whether the process is of the user who runs this one. */
bool caps_is_mine(pid_t pid);

/* Complains that loading or attaching what ("the scheduler's programs") failed with errno error: by what is missing if
 * that is known, else by the error's text and "mtrace doctor". */
void caps_explain(int error, const char *what);

/* "sudo mtrace deadlock -p 42": this very command, run by root. Returns text. */
char *caps_sudo_command(char *text, size_t size);

/* The command that lets anybody run this mtrace without root. Returns text. */
char *caps_setcap_command(char *text, size_t size);

#endif
