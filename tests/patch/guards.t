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
programs=(descriptors accepts users)

if [[ ! -x $here/descriptors ]]; then
    echo "1..0 # SKIP $here/descriptors is not there: run make check"
    exit 0
fi
if [[ ${mt_sanitizer:-none} == *thread* ]]; then
    echo "1..0 # SKIP ThreadSanitizer calls the patched names from inside its own, where it sees no locks"
    exit 0
fi

number=0

# verdict NAME STATUS
verdict()
{
    number=$((number + 1))
    if (($2 == 0)); then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        sed 's/^/# /' "$scratch/log" | head -n 60
    fi
}

# try NAME VARIABLES... -- COMMAND
try()
{
    local name=$1 status=0
    shift
    timeout 100 env "$@" >"$scratch/log" 2>&1 </dev/null || status=$?
    verdict "$name" $status
}

for loop in uring epoll; do
    for program in "${programs[@]}"; do
        try "$program, by $loop" LINUXMT_LOOP=$loop "$here/$program"
    done
done

if [[ ${mt_sanitizer:-none} != none ]]; then
    echo "1..$number"
    exit 0 # AddressSanitizer asks pthread_getspecific who it is, within malloc
fi

for loop in uring epoll; do
    try "creates, by $loop" LINUXMT_LOOP=$loop "$here/creates"
    try "creates, in two hubs, by $loop" LINUXMT_LOOP=$loop LINUXMT_PATCH_HUBS=2 "$here/creates"
done

# hubs ASKED SAYS: threads are made all the same.
hubs()
{
    local status=0
    LINUXMT_PATCH_HUBS=$1 timeout 100 "$here/creates" 70 >"$scratch/log" 2>&1 </dev/null || status=$?
    if [[ $2 ]]; then
        grep -qxF "linuxmt: LINUXMT_PATCH_HUBS: $2 taken" "$scratch/log" || status=1
    fi
    (($(grep -c '^linuxmt' "$scratch/log") == (${#2} > 0))) || status=1
    (($(grep -cx 0 "$scratch/log") == 70)) || status=1
    verdict "LINUXMT_PATCH_HUBS='$1'" $status
}

hubs "" ""
hubs 3 ""
hubs 007 ""
hubs several "several is no number, and 1 is"
hubs 2x "2x is no number, and 1 is"
hubs -3 "-3 is no number, and 1 is"
hubs 0 "0 is none at all, and 1 is"
hubs 65 "65 is more than there can be, and 64 are"
hubs 1000000000000000000000 "1000000000000000000000 is more than there can be, and 64 are"
echo "1..$number"
