#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# POSIX conformance programs, unchanged, on the system's pthread.h and on ours, the latter with both ways to make threads. What
# the system's passes too is what POSIX asks, and not what we think it does. One test a program and way.
set -euo pipefail

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
face=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$(cd "$face/../../lib" && pwd)
core=$build/.libs/libmtcore.a
read -ra libs < <(sed -n "s/^Libs.private: //p" "$build/linuxmt.pc")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ ! -e $core ]]; then
    echo "1..0 # SKIP $core is not there: run make first"
    exit 0
fi
case ${mt_sanitizer:-none} in
none) sanitizer=() ;;
*) sanitizer=("-fsanitize=$mt_sanitizer") ;;
esac
if [[ ${mt_sanitizer:-none} == *thread* ]]; then
    echo "1..0 # SKIP ThreadSanitizer refuses threads after fork, which the programs need"
    exit 0
fi

read -ra cc <<<"${CC:-cc}"
flags=(-std=gnu11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter "${sanitizer[@]+"${sanitizer[@]}"}")
number=0

# verdict NAME STATUS
verdict()
{
    number=$((number + 1))
    if (($2 == 0)); then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        sed 's/^/# /' "$scratch/log"
    fi
}

# try NAME PROGRAM [ENVIRONMENT...]: it must end well, having said of each requirement that it is met.
try()
{
    local name=$1 program=$2 status=0
    shift 2
    env "$@" timeout 120 "$program" >"$scratch/log" 2>&1 </dev/null || status=$?
    if ((status == 0)) && { ! grep -q '^ok' "$scratch/log" || grep -q '^not ok' "$scratch/log"; }; then
        status=1
    fi
    verdict "$name" "$status"
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
    if "${cc[@]}" "${flags[@]}" -o "$scratch/real" "$source" -lpthread >"$scratch/log" 2>&1 &&
        "${cc[@]}" "${flags[@]}" "-I$face/include" "-I$lib" -o "$scratch/face" "$source" "$scratch"/*.o "$core" \
            "${libs[@]}" >"$scratch/log" 2>&1; then
        try "$name on the system's threads" "$scratch/real"
        try "$name on raw threads" "$scratch/face" LINUXMT_THREADS=raw
        try "$name on pthread threads" "$scratch/face" LINUXMT_THREADS=pthread
    else
        verdict "$name builds on both" 1
    fi
done
echo "1..$number"
