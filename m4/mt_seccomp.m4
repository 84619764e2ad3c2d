# SPDX-License-Identifier: MIT

# MT_SECCOMP: --with-seccomp, in the three states of --with-bpf. Without it the library has no sandboxes but read-only files.
AC_DEFUN([MT_SECCOMP],[
  AC_ARG_WITH([seccomp],[AS_HELP_STRING([--without-seccomp],[do not build the sandboxes that need libseccomp])],[],[with_seccomp=check])
  MT_THREE_STATES([seccomp],[$with_seccomp])
  SECCOMP_CPPFLAGS=-DHAVE_SECCOMP=0
  mt_seccomp_why=
  AS_IF([test "x$with_seccomp" = xno],[mt_seccomp_why="--without-seccomp"],[
    PKG_CHECK_MODULES([SECCOMP],[libseccomp >= 2.5],[],[mt_seccomp_why="libseccomp 2.5 or newer not found: install libseccomp-dev"])
    AS_IF([test -n "$mt_seccomp_why"],
      [AS_IF([test "x$with_seccomp" = xyes],[AC_MSG_ERROR([--with-seccomp: $mt_seccomp_why])])
       with_seccomp=no],
      [with_seccomp=yes; SECCOMP_CPPFLAGS=-DHAVE_SECCOMP=1])
  ])
  AC_SUBST([SECCOMP_CPPFLAGS])
])
