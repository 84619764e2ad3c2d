# SPDX-License-Identifier: MIT

# MT_THREE_STATES(OPTION, VALUE): stops unless VALUE is yes, no or check.
AC_DEFUN([MT_THREE_STATES],[
  AS_CASE([$2],[yes|no|check],[],[AC_MSG_ERROR([--with-$1=$2 is not possible: say yes, no or check])])
])

# MT_BPF: --with-bpf has three states. "yes" fails when something is missing, "check" (the default) builds without mtrace and
# keeps the reason in mt_bpf_why, "no" does not look.
AC_DEFUN([MT_BPF],[
  AC_ARG_WITH([bpf],[AS_HELP_STRING([--without-bpf],[do not build the eBPF programs and mtrace])],[],[with_bpf=check])
  MT_THREE_STATES([bpf],[$with_bpf])
  AC_ARG_VAR([CLANG],[clang that compiles the eBPF programs])
  AC_ARG_VAR([BPFTOOL],[bpftool of the build machine])
  AC_ARG_VAR([BPF_CFLAGS],[more flags for the eBPF programs])
  mt_bpf_why=
  AS_IF([test "x$with_bpf" = xno],[mt_bpf_why="--without-bpf"],[
    PKG_CHECK_MODULES([LIBBPF],[libbpf >= 1.0],[],[mt_bpf_why="libbpf 1.0 or newer not found: install libbpf-dev"])
    PKG_CHECK_MODULES([LIBDW],[libdw],[],[mt_bpf_why="libdw not found: install libdw-dev (elfutils)"])
    PKG_CHECK_MODULES([JANSSON],[jansson],[],[mt_bpf_why="jansson not found: install libjansson-dev"])
    AC_PATH_PROGS([CLANG],[clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14],[no])
    AC_PATH_PROG([BPFTOOL],[bpftool],[no],[$PATH:/usr/sbin:/sbin])
    AC_PATH_PROGS([LLVM_STRIP],[llvm-strip llvm-strip-19 llvm-strip-18 llvm-strip-17 llvm-strip-16 llvm-strip-15 llvm-strip-14],[:])
    AS_IF([test "$CLANG" = no],[mt_bpf_why="clang not found"])
    AS_IF([test "$BPFTOOL" = no],[mt_bpf_why="bpftool not found"])
    AS_CASE([$host_cpu],[x86_64],[BPF_ARCH=x86],[aarch64*],[BPF_ARCH=arm64],[BPF_ARCH=; mt_bpf_why="no eBPF register layout for $host_cpu"])
    AS_IF([test "$CLANG" != no],[
      AC_MSG_CHECKING([whether $CLANG compiles for eBPF])
      echo 'int x;' >conftest-bpf.c
      AS_IF([$CLANG -target bpf -O2 -c conftest-bpf.c -o conftest-bpf.o 2>/dev/null],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no]); mt_bpf_why="$CLANG has no eBPF target"])
      rm -f conftest-bpf.c conftest-bpf.o])
    dnl <linux/types.h> wants <asm/types.h>, which distributions with multiarch keep in a folder that clang -target bpf does not search.
    mt_multiarch=`$CC $CFLAGS -print-multiarch 2>/dev/null`
    AS_IF([test -n "$mt_multiarch" && test -d "/usr/include/$mt_multiarch"],[BPF_ARCH_INCLUDE="-idirafter /usr/include/$mt_multiarch"])
    AS_IF([test -n "$mt_bpf_why"],
      [AS_IF([test "x$with_bpf" = xyes],[AC_MSG_ERROR([--with-bpf: $mt_bpf_why])])
       with_bpf=no],
      [with_bpf=yes])
  ])
  AC_SUBST([BPF_ARCH])
  AC_SUBST([BPF_ARCH_INCLUDE])
  AM_CONDITIONAL([WITH_BPF],[test "x$with_bpf" = xyes])
])
