#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The USDT probes of probes.def are in the library as tools read them: each with its number of arguments, each with a semaphore in
# the data segment; and, with privilege, bpftrace sees them and counts what a program does.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

library=$top_builddir/.libs/liblinuxmt.so
list=$top_srcdir/lib/base/probes.def

command -v readelf >/dev/null || skip_all "readelf is not installed (binutils)"
mapfile -t probes < <(sed -n 's/^MT_PROBE(\([a-z_]*\), \([0-9]\))$/\1 \2/p' "$list")
echo "1..$((${#probes[@]} + 2))"

notes=$(readelf -n "$library")
for probe in "${probes[@]}"; do
    read -r name count <<<"$probe"
    grep -A3 "Name: $name\$" <<<"$notes" >"$log"
    arguments=$(sed -n 's/.*Arguments: //p' "$log" | sed -n 1p | wc -w)
    [[ $arguments -eq $count ]] && ! grep -q 'Semaphore: 0x0*$' "$log"
    verdict $? "$name has $count arguments and a semaphore"
done

name="bpftrace lists them"
if ! command -v bpftrace >/dev/null; then
    skip "$name" "bpftrace is not installed"
    skip "bpftrace counts a program's waits" "bpftrace is not installed"
    exit "$failed"
fi
bpftrace -l "usdt:$library:*" >"$log" 2>&1
[[ $(grep -c 'linuxmt:' "$log") -ge ${#probes[@]} ]]
verdict $? "$name"

name="bpftrace counts a program's threads"
if [[ $EUID -ne 0 ]]; then
    skip "$name" "needs root"
elif ! timeout 60 bpftrace -q -e 'BEGIN { exit(); }' >/dev/null 2>&1; then
    skip "$name" "bpftrace does not work here"
else
    # Other tests run programs with the same library at the same time: this one has a name of its own.
    cp "$top_builddir/examples/hello" "$scratch/counted"
    timeout 60 bpftrace -q -e "BEGIN { printf(\"ready\n\"); }
        usdt:$(readlink -f "$library"):linuxmt:thread__start /comm == \"counted\"/ { @started = count(); }
        interval:s:6 { exit(); }" >"$log" 2>&1 &
    for ((i = 0; i < 100; i++)); do
        grep -q ready "$log" && break
        sleep 0.1
    done
    sleep 1 # "ready" is said before the other probes are attached
    "$scratch/counted" >/dev/null
    wait
    grep -q '@started: 2$' "$log"
    verdict $? "$name"
fi
exit "$failed"
