/* SPDX-License-Identifier: MIT
 *
 * The probes' semaphores. They lie in a writable section of their own, as tracers expect; the kernel raises them
 * through the file's mapping.
 */
#include "base/probe.h"

#define MT_PROBE(name, count) uint16_t linuxmt_##name##_semaphore __attribute__((section(".probes"), used));
#include "base/probes.def"
