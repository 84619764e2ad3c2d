#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# libc and what stands on it inside our threads, with both ways to make them: C++ thread_local objects and exceptions; libraries
# with static TLS that are loaded while threads run; and a debugger, which is to see the threads by name, with their stacks and
# thread-local variables. tests/unit/thread*.c have the rest.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$here/../../lib" && pwd)
core=$build/.libs/libmtcore.a
read -ra libs < <(sed -n "s/^Libs.private: //p" "$build/linuxmt.pc")

[[ -e $core ]] || skip_all "$core is not there: run make first"

read -ra cc <<<"${CC:-cc}"
read -ra cxx <<<"${CXX:-c++}"
flags=(-g -O1 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter "-I$lib")
if [[ ${mt_sanitizer:-none} != none ]]; then
    flags+=("-fsanitize=$mt_sanitizer")
fi

# both NAME COMMAND...: with each way to make threads.
both()
{
    local name=$1 way status
    shift
    for way in raw pthread; do
        status=0
        LINUXMT_THREADS=$way timeout 120 "$@" >"$log" 2>&1 </dev/null || status=$?
        verdict "$status" "$name on $way threads"
    done
}

# compile PROGRAM COMMAND...: or says why not.
compile()
{
    local program=$1
    shift
    "$@" -o "$scratch/$program" >"$log" 2>&1 || {
        verdict 1 "$program compiles"
        return 1
    }
}

if ! command -v "${cxx[0]}" >/dev/null; then
    skip "C++ thread_local objects and exceptions" "no C++ compiler: install g++"
elif compile cxx "${cxx[@]}" -std=c++17 "${flags[@]}" "$here/cxx.cc" "$core" "${libs[@]}"; then
    both "C++ thread_local objects and exceptions" "$scratch/cxx"
fi

if compile plugin.so "${cc[@]}" "${flags[@]}" -shared -fPIC "$here/plugin.c" &&
    compile static-tls "${cc[@]}" -std=gnu11 "${flags[@]}" "$here/static-tls.c" "$core" "${libs[@]}"; then
    both "dlopen of a library with static TLS" "$scratch/static-tls" "$scratch/plugin.so"
fi

# What gdb is to say of the three sleepers.
debug()
{
    gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'set breakpoint pending off' -ex 'break stop_here' -ex run \
        -ex 'info threads' -ex 'thread apply all print number' -ex 'thread apply all backtrace' -ex 'kill' \
        "$scratch/sleepers" >"$scratch/said" 2>&1 </dev/null || return 1
    cat "$scratch/said"
    for name in anna bert carl; do
        grep -q "\"$name\"" "$scratch/said" || return 1
    done
    for value in 1 100 200 300; do
        grep -q "^\\\$[0-9]* = $value\$" "$scratch/said" || return 1
    done
    (($(grep -c 'sleep_well (arg=' "$scratch/said") >= 3))
}

name="gdb sees the threads, their names, stacks and thread-local variables"
if ! command -v gdb >/dev/null; then
    skip "$name" "gdb is not installed"
elif [[ ${mt_sanitizer:-none} != none ]]; then
    skip "$name" "the sanitizers and gdb do not go together"
elif compile sleepers "${cc[@]}" -std=gnu11 "${flags[@]}" "$here/sleepers.c" "$core" "${libs[@]}"; then
    if ! gdb -nx -batch -ex run -ex quit --args true >"$log" 2>&1 || grep -qi 'ptrace\|not permitted' "$log"; then
        skip "$name" "gdb cannot run a program here"
    else
        export scratch
        export -f debug
        both "$name" bash -c debug
    fi
fi
plan
