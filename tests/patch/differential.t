#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Ordinary blocking programs say the same in a coroutine with libc's calls patched as in the main thread with libc alone, on
# each loop; and in the main thread with the library preloaded and on. Then many coroutines at once.
set -uo pipefail

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
here=$build/tests/patch
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ ! -x $here/sockets ]]; then
    echo "1..0 # SKIP $here/sockets is not there: run make check"
    exit 0
fi
if [[ ${mt_sanitizer:-none} == *thread* ]]; then
    echo "1..0 # SKIP ThreadSanitizer calls the patched names from inside its own, where it sees no locks"
    exit 0
fi
if [[ ${mt_sanitizer:-none} != none ]]; then
    preload=
else
    preload=$build/.libs/liblinuxmt-patch.so
fi

programs=(sockets connections messages waits files streams mistakes whole wide receives sequences)
loops=(uring epoll)
echo "1..$((${#programs[@]} * 3 + ${#loops[@]} + 2))"
number=0

# verdict NAME STATUS LOG
verdict()
{
    number=$((number + 1))
    if (($2 == 0)); then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        sed 's/^/# /' "$3" | head -n 60
    fi
}

# differs PROGRAM COMMAND...: what it prints from what it printed without us.
differs()
{
    local name=$1 status=0
    shift
    timeout 120 "$@" >"$scratch/ours" 2>"$scratch/errors" </dev/null || status=$?
    diff "$scratch/$name" "$scratch/ours" >"$scratch/log" || status=1
    cat "$scratch/errors" >>"$scratch/log"
    return $status
}

for program in "${programs[@]}"; do
    timeout 120 "$here/$program" main >"$scratch/$program" 2>/dev/null </dev/null || echo "it failed" >>"$scratch/$program"
    for loop in "${loops[@]}"; do
        status=0
        LINUXMT_LOOP=$loop differs "$program" "$here/$program" coro || status=1
        verdict "$program in a coroutine, by $loop" "$status" "$scratch/log"
    done
    if [[ $preload ]]; then
        status=0
        # Their peers are to be threads: some of what they do blocks.
        differs "$program" env LINUXMT_PATCH=all,-thread LD_PRELOAD="$preload" "$here/$program" main || status=1
        verdict "$program in the main thread, patched" "$status" "$scratch/log"
    else
        number=$((number + 1))
        echo "ok $number - $program in the main thread # SKIP sanitizers come first"
    fi
done

for loop in "${loops[@]}"; do
    status=0
    LINUXMT_LOOP=$loop timeout 120 "$here/coop" >"$scratch/log" 2>&1 </dev/null || status=$?
    verdict "many coroutines, by $loop" "$status" "$scratch/log"
done

# What LINUXMT_PATCH says is heard, and what it does not know is told.
status=0
LINUXMT_PATCH=all,-dns,nonsense timeout 60 "$here/coop" switch >"$scratch/log" 2>&1 || status=$?
grep -q 'there is no class nonsense' "$scratch/log" || status=1
grep -qx 'on: sleep socket select file stdio process signal thread lock' "$scratch/log" || status=1
verdict "LINUXMT_PATCH turns classes on" "$status" "$scratch/log"
status=0
LINUXMT_PATCH=sleep LINUXMT_PATCH_REPORT=1 timeout 60 "$here/coop" passes >"$scratch/log" 2>&1 || status=$?
grep -qx 'linuxmt: clock_nanosleep blocked its hub 1 time' "$scratch/log" || status=1
verdict "LINUXMT_PATCH_REPORT tells what blocked" "$status" "$scratch/log"
