#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What unwinds the stacks of greenlets: C++ exceptions, gdb, and gdb with tools/gdb/linuxmt-gdb.py, on a library without debug
# information too; and that the library does not claim to go with shadow stacks.
set -euo pipefail

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$here/../../lib" && pwd)
script=$here/../../tools/gdb/linuxmt-gdb.py
core=$build/.libs/libmtcore.a
read -ra libs < <(sed -n "s/^Libs.private: //p" "$build/linuxmt.pc")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ ! -e $core ]]; then
    echo "1..0 # SKIP $core is not there: run make first"
    exit 0
fi

read -ra cxx <<<"${CXX:-c++}"
flags=(-g -O1 -D_GNU_SOURCE -Wall -Wextra "-I$lib")
if [[ ${mt_sanitizer:-none} != none ]]; then
    flags+=("-fsanitize=$mt_sanitizer")
fi

verdict()
{
    if (($2 == 0)); then
        echo "ok $1"
    else
        echo "not ok $1"
        sed 's/^/# /' "$scratch/log"
    fi
}

# debug ARGUMENT...: gdb on the program; whether the log has what is wanted is the caller's to say.
debug()
{
    timeout 120 gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'break stop_here' -ex run "$@" "$scratch/stacks" >"$scratch/log" 2>&1 </dev/null
}

# wants PATTERN...: each is in the log.
wants()
{
    local pattern
    for pattern in "$@"; do
        grep -q "$pattern" "$scratch/log" || return 1
    done
}

echo "1..5"
name="1 - exceptions are thrown and caught inside a greenlet"
status=0
if ! "${cxx[@]}" "${flags[@]}" -o "$scratch/stacks" "$here/stacks.cc" "$core" "${libs[@]}" >"$scratch/log" 2>&1; then
    for number in 1 2 3 4; do
        echo "ok $number - stacks.cc # SKIP it does not compile here: is there a C++ compiler?"
    done
else
    timeout 60 "$scratch/stacks" >"$scratch/log" 2>&1 || status=$?
    verdict "$name" "$status"
    if ! command -v gdb >/dev/null; then
        why="gdb is not installed"
    elif [[ ${mt_sanitizer:-none} != none ]]; then
        why="the sanitizers and gdb do not go together"
    elif ! gdb -nx -batch -ex run -ex quit --args true >"$scratch/log" 2>&1 || grep -qi 'ptrace\|not permitted' "$scratch/log"; then
        why="gdb cannot run a program here"
    else
        why=
    fi
    if [[ $why ]]; then
        for number in 2 3 4; do
            echo "ok $number - gdb # SKIP $why"
        done
    else
        debug -ex backtrace || true
        status=0
        wants '#0.*stop_here' '#1.*stops' '#[2-4].*mt__arch_begin' || status=1
        ! wants 'corrupt\|#6' || status=1
        verdict "2 - gdb's backtrace shows a greenlet's frames, and ends" "$status"

        status=0
        debug -ex "source $script" -ex 'linuxmt stacks' -ex backtrace || true
        wants 'waiter: suspended' 'waits_deep_inside (depth=.*0)' 'waits_deep_inside (depth=.*3)' 'stopper: runs on thread 1' '2 stacks in use' \
            '^#1.*stops' || status=1
        verdict "3 - the gdb script lists them with their stacks, and changes nothing" "$status"

        status=0
        objcopy --strip-debug "$scratch/stacks" && debug -ex "source $script" -ex 'linuxmt stacks' || true
        wants 'waiter: suspended' 'in waits_deep_inside' 'stopper: runs on thread 1' || status=1
        verdict "4 - without debug information too" "$status"
    fi
fi

if command -v readelf >/dev/null; then
    status=0
    readelf -n "$build/.libs/liblinuxmt.so" >"$scratch/log" 2>&1 || status=1
    ! grep -q SHSTK "$scratch/log" || status=1
    verdict "5 - the library does not claim to go with shadow stacks" "$status"
else
    echo "ok 5 - shadow stacks # SKIP no readelf: install binutils"
fi
