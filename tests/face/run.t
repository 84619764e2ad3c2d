#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# POSIX conformance programs, unchanged, on the system's pthread.h and on ours, the latter with both ways to make threads. What
# the system's passes too is what POSIX asks, and not what we think it does. One test a program and way.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
face=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$face/../../lib" && pwd)
core=$build/.libs/libmtcore.a
read -ra libs < <(sed -n "s/^Libs.private: //p" "$build/linuxmt.pc")

[[ -e $core ]] || skip_all "$core is not there: run make first"
case ${mt_sanitizer:-none} in
none) sanitizer=() ;;
*) sanitizer=("-fsanitize=$mt_sanitizer") ;;
esac
if [[ ${mt_sanitizer:-none} == *thread* ]]; then
    skip_all "ThreadSanitizer refuses threads after fork, which the programs need"
fi

read -ra cc <<<"${CC:-cc}"
flags=(-std=gnu11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter "${sanitizer[@]+"${sanitizer[@]}"}")

# try NAME PROGRAM [ENVIRONMENT...]: it must end well, having said of each requirement that it is met.
try()
{
    local name=$1 program=$2 status=0
    shift 2
    env "$@" timeout 120 "$program" >"$log" 2>&1 </dev/null || status=$?
    if ((status == 0)) && { ! grep -q '^ok' "$log" || grep -q '^not ok' "$log"; }; then
        status=1
    fi
    verdict "$status" "$name"
}

for source in "$face"/*.c; do
    include=("-I$face/include")
    if [[ $source == */real.c ]]; then
        include=()
    fi
    "${cc[@]}" "${flags[@]}" "${include[@]+"${include[@]}"}" "-I$lib" "-I$build" -c -o "$scratch/$(basename "$source" .c).o" "$source"
done

for source in "$face"/posix/*.c; do
    name=$(basename "$source" .c)
    if "${cc[@]}" "${flags[@]}" -o "$scratch/real" "$source" -lpthread >"$log" 2>&1 &&
        "${cc[@]}" "${flags[@]}" "-I$face/include" "-I$lib" -o "$scratch/face" "$source" "$scratch"/*.o "$core" \
            "${libs[@]}" >"$log" 2>&1; then
        try "$name on the system's threads" "$scratch/real"
        try "$name on raw threads" "$scratch/face" LINUXMT_THREADS=raw
        try "$name on pthread threads" "$scratch/face" LINUXMT_THREADS=pthread
    else
        verdict 1 "$name builds on both"
    fi
done
plan
