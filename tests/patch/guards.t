#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What programs do that would harm a hub if nobody saw to it, on each loop: they close its descriptors, take connections from
# under it, ask for threads when there is nothing left to make them of.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=$(cd "${top_builddir:-$PWD}" && pwd)
here=$build/tests/patch
programs=(descriptors accepts users)

if [[ ! -x $here/descriptors ]]; then
    skip_all "$here/descriptors is not there: run make check"
fi
if [[ ${mt_sanitizer:-none} == *thread* ]]; then
    skip_all "ThreadSanitizer calls the patched names from inside its own, where it sees no locks"
fi

# try NAME VARIABLES... -- COMMAND
try()
{
    local name=$1 status=0
    shift
    timeout 100 env "$@" >"$log" 2>&1 </dev/null || status=$?
    verdict "$status" "$name"
}

for loop in uring epoll; do
    for program in "${programs[@]}"; do
        try "$program, by $loop" LINUXMT_LOOP=$loop "$here/$program"
    done
done

if [[ ${mt_sanitizer:-none} != none ]]; then
    plan
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
    LINUXMT_PATCH_HUBS=$1 timeout 100 "$here/creates" 70 >"$log" 2>&1 </dev/null || status=$?
    if [[ $2 ]]; then
        grep -qxF "linuxmt: LINUXMT_PATCH_HUBS: $2 taken" "$log" || status=1
    fi
    (($(grep -c '^linuxmt' "$log") == (${#2} > 0))) || status=1
    (($(grep -cx 0 "$log") == 70)) || status=1
    verdict "$status" "LINUXMT_PATCH_HUBS='$1'"
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
plan
