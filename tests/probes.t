#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The USDT probes of probes.def are in the library as tools read them: each with its number of arguments, each with a semaphore in
# the data segment; and, with privilege, bpftrace sees them and counts what a program does.
set -uo pipefail

library=$top_builddir/.libs/liblinuxmt.so
list=$top_srcdir/lib/base/probes.def
number=0
failed=0

verdict()
{
    number=$((number + 1))
    [[ $1 -eq 0 ]] && echo "ok $number - $2" && return
    failed=1
    echo "not ok $number - $2"
    sed 's/^/# /' <<<"${3:-}" | tail -n 20
}

skip()
{
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

if ! command -v readelf >/dev/null; then
    echo "1..0 # SKIP readelf is not installed (binutils)"
    exit 0
fi
mapfile -t probes < <(sed -n 's/^MT_PROBE(\([a-z_]*\), \([0-9]\))$/\1 \2/p' "$list")
echo "1..$((${#probes[@]} + 2))"

notes=$(readelf -n "$library")
for probe in "${probes[@]}"; do
    read -r name count <<<"$probe"
    note=$(grep -A3 "Name: $name\$" <<<"$notes")
    arguments=$(sed -n 's/.*Arguments: //p' <<<"$note" | head -n 1 | wc -w)
    [[ $arguments -eq $count ]] && ! grep -q 'Semaphore: 0x0*$' <<<"$note"
    verdict $? "$name has $count arguments and a semaphore" "$note"
done

name="bpftrace lists them"
if ! command -v bpftrace >/dev/null; then
    skip "$name" "bpftrace is not installed"
    skip "bpftrace counts a program's waits" "bpftrace is not installed"
    exit "$failed"
fi
listed=$(bpftrace -l "usdt:$library:*" 2>&1)
[[ $(grep -c 'linuxmt:' <<<"$listed") -ge ${#probes[@]} ]]
verdict $? "$name" "$listed"

name="bpftrace counts a program's threads"
if [[ $EUID -ne 0 ]]; then
    skip "$name" "needs root"
elif ! timeout 60 bpftrace -q -e 'BEGIN { exit(); }' >/dev/null 2>&1; then
    skip "$name" "bpftrace does not work here"
else
    counted=$(mktemp)
    timeout 60 bpftrace -q -e "BEGIN { printf(\"ready\n\"); } usdt:$(readlink -f "$library"):linuxmt:thread__start { @started = count(); }
        interval:s:6 { exit(); }" >"$counted" 2>&1 &
    for ((i = 0; i < 100; i++)); do
        grep -q ready "$counted" && break
        sleep 0.1
    done
    sleep 1 # "ready" is said before the other probes are attached
    "$top_builddir/examples/hello" >/dev/null
    wait
    grep -q '@started: 2$' "$counted"
    verdict $? "$name" "$(cat "$counted")"
    rm -f "$counted"
fi
exit "$failed"
