# SPDX-License-Identifier: MIT

# MT_NSYNC: the nsync library, only a peer for the benches.
AC_DEFUN([MT_NSYNC],[
  NSYNC_CPPFLAGS= NSYNC_LIBS=
  AC_CHECK_HEADER([nsync.h],
    [AC_CHECK_LIB([nsync],[nsync_mu_lock],[NSYNC_CPPFLAGS=-DHAVE_NSYNC; NSYNC_LIBS=-lnsync])])
  AC_SUBST([NSYNC_CPPFLAGS])
  AC_SUBST([NSYNC_LIBS])
])
