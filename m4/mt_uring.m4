# SPDX-License-Identifier: MIT

# MT_URING: --with-uring, in the three states of --with-bpf. Without it hubs wait by epoll.
AC_DEFUN([MT_URING],[
  AC_ARG_WITH([uring],[AS_HELP_STRING([--without-uring],[wait by epoll only, without liburing])],[],[with_uring=check])
  MT_THREE_STATES([uring],[$with_uring])
  URING_CPPFLAGS=-DHAVE_URING=0
  mt_uring_why=
  AS_IF([test "x$with_uring" = xno],[mt_uring_why="--without-uring"],[
    PKG_CHECK_MODULES([URING],[liburing >= 2.3],[],[mt_uring_why="liburing 2.3 or newer not found: install liburing-dev"])
    AS_IF([test -n "$mt_uring_why"],
      [AS_IF([test "x$with_uring" = xyes],[AC_MSG_ERROR([--with-uring: $mt_uring_why])])
       with_uring=no],
      [with_uring=yes; URING_CPPFLAGS=-DHAVE_URING=1])
  ])
  AC_SUBST([URING_CPPFLAGS])
  AM_CONDITIONAL([HAVE_URING],[test "x$with_uring" = xyes])
])
