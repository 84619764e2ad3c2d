/* SPDX-License-Identifier: MIT
 * A module that has what a runtime has, for threads-mixture.c.
 */
void GC_init(void);
void GC_init(void) {}
