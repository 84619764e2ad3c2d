#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Ordinary blocking programs say the same in a coroutine with libc's calls patched as in the main thread with libc alone, on
# each loop; and in the main thread with the library preloaded and on. Then many coroutines at once.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=${top_builddir:-$PWD}
build=$(cd "$build" && pwd)
here=$build/tests/patch

if [[ ! -x $here/sockets ]]; then
    skip_all "$here/sockets is not there: run make check"
fi
if [[ ${mt_sanitizer:-none} == *thread* ]]; then
    skip_all "ThreadSanitizer calls the patched names from inside its own, where it sees no locks"
fi
if [[ ${mt_sanitizer:-none} != none ]]; then
    preload=
else
    preload=$build/.libs/liblinuxmt-patch.so
fi

programs=(sockets connections messages waits signals files streams mistakes whole wide receives sequences)
loops=(uring epoll)
echo "1..$((${#programs[@]} * 3 + ${#loops[@]} + 2))"

# differs PROGRAM COMMAND...: what it prints from what it printed without us.
differs()
{
    local name=$1 status=0
    shift
    timeout 120 "$@" >"$scratch/ours" 2>"$scratch/errors" </dev/null || status=$?
    diff "$scratch/$name" "$scratch/ours" >"$log" || status=1
    cat "$scratch/errors" >>"$log"
    return $status
}

for program in "${programs[@]}"; do
    timeout 120 "$here/$program" main >"$scratch/$program" 2>/dev/null </dev/null || echo "it failed" >>"$scratch/$program"
    for loop in "${loops[@]}"; do
        status=0
        LINUXMT_LOOP=$loop differs "$program" "$here/$program" coro || status=1
        verdict "$status" "$program in a coroutine, by $loop"
    done
    if [[ $preload ]]; then
        status=0
        # Their peers are to be threads: some of what they do blocks.
        differs "$program" env LINUXMT_PATCH=all,-thread LD_PRELOAD="$preload" "$here/$program" main || status=1
        verdict "$status" "$program in the main thread, patched"
    else
        skip "$program in the main thread" "sanitizers come first"
    fi
done

for loop in "${loops[@]}"; do
    status=0
    LINUXMT_LOOP=$loop timeout 120 "$here/coop" >"$log" 2>&1 </dev/null || status=$?
    verdict "$status" "many coroutines, by $loop"
done

# What LINUXMT_PATCH says is heard, and what it does not know is told.
status=0
LINUXMT_PATCH=all,-dns,nonsense timeout 60 "$here/coop" switch >"$log" 2>&1 || status=$?
grep -q 'there is no class nonsense' "$log" || status=1
grep -qx 'on: sleep socket select file stdio process signal thread lock' "$log" || status=1
verdict "$status" "LINUXMT_PATCH turns classes on"
status=0
LINUXMT_PATCH=sleep LINUXMT_PATCH_REPORT=1 timeout 60 "$here/coop" passes >"$log" 2>&1 || status=$?
grep -qx 'linuxmt: clock_nanosleep blocked its hub 1 time' "$log" || status=1
verdict "$status" "LINUXMT_PATCH_REPORT tells what blocked"
