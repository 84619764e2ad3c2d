# SPDX-License-Identifier: MIT

# MT_CHECK_CFLAGS(VAR, FLAGS): VAR gets each of FLAGS that the compiler takes without a word.
AC_DEFUN([MT_CHECK_CFLAGS],[
  $1=
  mt_save_CFLAGS=$CFLAGS
  for mt_flag in $2; do
    AC_MSG_CHECKING([whether $CC takes $mt_flag])
    CFLAGS="-Werror $mt_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([],[])],
      [AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1],[" $mt_flag"])],
      [AC_MSG_RESULT([no])])
  done
  CFLAGS=$mt_save_CFLAGS
  AC_SUBST([$1])
])

# MT_CHECK_LDFLAGS(VAR, FLAGS): VAR gets each of FLAGS that the linker takes.
AC_DEFUN([MT_CHECK_LDFLAGS],[
  $1=
  mt_save_LDFLAGS=$LDFLAGS
  for mt_flag in $2; do
    AC_MSG_CHECKING([whether the linker takes $mt_flag])
    LDFLAGS="$mt_save_LDFLAGS $mt_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([],[])],
      [AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1],[" $mt_flag"])],
      [AC_MSG_RESULT([no])])
  done
  LDFLAGS=$mt_save_LDFLAGS
  AC_SUBST([$1])
])

# MT_CHECK_VERSION_SCRIPT: whether the linker takes a symbol map, and MT_MAP_STRICT = the flag that makes it refuse
# names in the map that nobody defines.
AC_DEFUN([MT_CHECK_VERSION_SCRIPT],[
  AC_MSG_CHECKING([whether the linker takes a symbol map])
  mt_save_LDFLAGS=$LDFLAGS
  echo 'T { global: main; local: *; };' >conftest.map
  LDFLAGS="$mt_save_LDFLAGS -Wl,--version-script=conftest.map"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([],[])],[mt_map=yes],[mt_map=no])
  rm -f conftest.map
  AC_MSG_RESULT([$mt_map])
  LDFLAGS=$mt_save_LDFLAGS
  AM_CONDITIONAL([HAVE_MAP],[test $mt_map = yes])
  MT_CHECK_LDFLAGS([MT_MAP_STRICT],[-Wl,--no-undefined-version])
])

# MT_SANITIZER: --enable-sanitizer=address|thread|undefined|address,undefined.
AC_DEFUN([MT_SANITIZER],[
  AC_ARG_ENABLE([sanitizer],
    [AS_HELP_STRING([--enable-sanitizer=WHICH],[build all with address, thread or undefined (or address,undefined)])],
    [],[enable_sanitizer=no])
  mt_sanitizer=none
  AS_CASE([$enable_sanitizer],
    [no],[],
    [address|thread|undefined|address,undefined|undefined,address],[
      mt_sanitizer=$enable_sanitizer
      MT_CHECK_LDFLAGS([MT_SANITIZER_FLAGS],[-fsanitize=$enable_sanitizer])
      AS_IF([test -z "$MT_SANITIZER_FLAGS"],
        [AC_MSG_ERROR([--enable-sanitizer=$enable_sanitizer: $CC cannot link with it; install its sanitizer runtime])])
      AS_VAR_APPEND([MT_SANITIZER_FLAGS],[" -fno-omit-frame-pointer -fno-sanitize-recover=all"])
      dnl gcc warns of a fence that TSan does not understand: it stands in a function that TSan is told to leave alone.
      AS_IF([test $enable_sanitizer = thread],[AS_VAR_APPEND([MT_SANITIZER_FLAGS],[" -Wno-tsan"])])],
    [AC_MSG_ERROR([--enable-sanitizer takes address, thread, undefined or address,undefined, not $enable_sanitizer])])
  AC_SUBST([MT_SANITIZER_FLAGS])
  AC_SUBST([mt_sanitizer])
  AM_CONDITIONAL([WITH_TSAN],[test "$enable_sanitizer" = thread])
  AM_CONDITIONAL([WITH_SANITIZER],[test "$mt_sanitizer" != none])
])
