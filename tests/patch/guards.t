#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What programs do that would harm a hub if nobody saw to it, on each loop: they close its descriptors, take connections from
# under it, ask for threads when there is nothing left to make them of.
set -uo pipefail

build=$(cd "${top_builddir:-$PWD}" && pwd)
here=$build/tests/patch
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
programs=(descriptors accepts)

if [[ ! -x $here/descriptors ]]; then
    echo "1..0 # SKIP $here/descriptors is not there: run make check"
    exit 0
fi
if [[ ${mt_sanitizer:-none} == *thread* ]]; then
    echo "1..0 # SKIP ThreadSanitizer calls the patched names from inside its own, where it sees no locks"
    exit 0
fi

echo "1..$((${#programs[@]} * 2))"
number=0
for program in "${programs[@]}"; do
    for loop in uring epoll; do
        number=$((number + 1))
        if LINUXMT_LOOP=$loop timeout 100 "$here/$program" >"$scratch/log" 2>&1 </dev/null; then
            echo "ok $number - $program, by $loop"
        else
            echo "not ok $number - $program, by $loop"
            sed 's/^/# /' "$scratch/log" | head -n 60
        fi
    done
done
