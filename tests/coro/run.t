#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What unwinds the stacks of greenlets: C++ exceptions, gdb, and gdb with tools/gdb/linuxmt-gdb.py, on a library without debug
# information too; and that the library does not claim to go with shadow stacks.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$here/../../lib" && pwd)
script=$here/../../tools/gdb/linuxmt-gdb.py
core=$build/.libs/libmtcore.a
read -ra libs < <(sed -n "s/^Libs.private: //p" "$build/linuxmt.pc")

[[ -e $core ]] || skip_all "$core is not there: run make first"

read -ra cxx <<<"${CXX:-c++}"
flags=(-g -O1 -D_GNU_SOURCE -Wall -Wextra "-I$lib")
if [[ ${mt_sanitizer:-none} != none ]]; then
    flags+=("-fsanitize=$mt_sanitizer")
fi

# debug ARGUMENT...: gdb on the program; whether the log has what is wanted is the caller's to say.
debug()
{
    timeout 120 gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'break stop_here' -ex run "$@" "$scratch/stacks" >"$log" 2>&1 </dev/null
}

# wants PATTERN...: each is in the log.
wants()
{
    local pattern
    for pattern in "$@"; do
        grep -q "$pattern" "$log" || return 1
    done
}

name="exceptions are thrown and caught inside a greenlet"
status=0
if ! "${cxx[@]}" "${flags[@]}" -o "$scratch/stacks" "$here/stacks.cc" "$core" "${libs[@]}" >"$log" 2>&1; then
    skip "stacks of greenlets" "stacks.cc does not compile here: is there a C++ compiler?"
else
    timeout 60 "$scratch/stacks" >"$log" 2>&1 || status=$?
    verdict "$status" "$name"
    if ! command -v gdb >/dev/null; then
        why="gdb is not installed"
    elif [[ ${mt_sanitizer:-none} != none ]]; then
        why="the sanitizers and gdb do not go together"
    elif ! gdb -nx -batch -ex run -ex quit --args true >"$log" 2>&1 || grep -qi 'ptrace\|not permitted' "$log"; then
        why="gdb cannot run a program here"
    else
        why=
    fi
    if [[ $why ]]; then
        skip "gdb's view of greenlets" "$why"
    else
        debug -ex backtrace || true
        status=0
        wants '#0.*stop_here' '#1.*stops' '#[2-4].*mt__arch_begin' || status=1
        ! wants 'corrupt\|#6' || status=1
        verdict "$status" "gdb's backtrace shows a greenlet's frames, and ends"

        status=0
        debug -ex "source $script" -ex 'linuxmt stacks' -ex backtrace || true
        wants 'waiter: suspended' 'waits_deep_inside (depth=.*0)' 'waits_deep_inside (depth=.*3)' 'stopper: runs on thread 1' '2 stacks in use' \
            '^#1.*stops' || status=1
        verdict "$status" "the gdb script lists them with their stacks, and changes nothing"

        status=0
        objcopy --strip-debug "$scratch/stacks" && debug -ex "source $script" -ex 'linuxmt stacks' || true
        wants 'waiter: suspended' 'in waits_deep_inside' 'stopper: runs on thread 1' || status=1
        verdict "$status" "without debug information too"
    fi
fi

if command -v readelf >/dev/null; then
    status=0
    readelf -n "$build/.libs/liblinuxmt.so" >"$log" 2>&1 || status=1
    ! grep -q SHSTK "$log" || status=1
    verdict "$status" "the library does not claim to go with shadow stacks"
else
    skip "shadow stacks" "no readelf: install binutils"
fi
plan
