/* SPDX-License-Identifier: MIT
 *
 * What liblinuxmt-patch, a library of its own, uses of the inside of this one: exported under LINUXMT_PRIVATE, and
 * nobody else's. The two are always of one release.
 */
#ifndef BASE_SEAM_H
#define BASE_SEAM_H

#define MT__SEAM __attribute__((visibility("default")))

#endif
