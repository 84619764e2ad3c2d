# SPDX-License-Identifier: MIT

# MT_TESTS: --with-tests, in the three states of --with-bpf.
AC_DEFUN([MT_TESTS],[
  AC_ARG_WITH([tests],[AS_HELP_STRING([--without-tests],[do not build the unit tests])],[],[with_tests=check])
  MT_THREE_STATES([tests],[$with_tests])
  mt_tests_why=
  AS_IF([test "x$with_tests" = xno],[mt_tests_why="--without-tests"],[
    PKG_CHECK_MODULES([CMOCKA],[cmocka],[],[mt_tests_why="cmocka not found: install libcmocka-dev"])
    AS_IF([test -n "$mt_tests_why"],
      [AS_IF([test "x$with_tests" = xyes],[AC_MSG_ERROR([--with-tests: $mt_tests_why])])
       with_tests=no],
      [with_tests=yes])
  ])
  AM_CONDITIONAL([WITH_TESTS],[test "x$with_tests" = xyes])
  AM_CONDITIONAL([HAVE_CXX],[test -n "$CXX" && "$CXX" --version >/dev/null 2>&1])
])

# MT_COMPLETIONS: where bash looks for completions. pkg-config would name a folder outside the prefix, so it is not asked.
AC_DEFUN([MT_COMPLETIONS],[
  AC_ARG_WITH([bash-completion-dir],
    [AS_HELP_STRING([--with-bash-completion-dir=DIR],[bash completions (default: DATADIR/bash-completion/completions)])],
    [],[with_bash_completion_dir='${datadir}/bash-completion/completions'])
  AC_SUBST([bashcompletiondir],[$with_bash_completion_dir])
])
