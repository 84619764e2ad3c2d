#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace locks and mtrace sched: their tables, and that their JSON has the same figures.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"

run "$mtrace" locks -o - -- "$live/waits" mutex
[ "$status" -eq 0 ] && has "mutex arranged_lock" "held by holder" "lost events: 0" "cost of mtrace:"
ok $? "locks: names the lock and who held it"
run "$mtrace" locks --json -o "$work/report" -- "$live/waits" mutex
lock="locks/what=arranged_lock"
[ "$("$live/json-get" "$work/report" $lock/owned)" = true ] && [ "$("$live/json-get" "$work/report" $lock/times/count)" -ge 3 ] &&
    [ "$("$live/json-get" "$work/report" $lock/max)" -ge 150000000 ]
ok $? "locks: JSON has count and longest wait"

# A robust mutex whose owner ends is released by that: it is the owner's until then, and the heir's from then on.
run "$mtrace" locks --json -o "$work/report" -- "$live/waits" heir
holders=locks/what=arranged_lock/holders
out="$("$live/json-get" "$work/report" $holders/name=departed/released) $("$live/json-get" "$work/report" $holders/name=heir/released)"
[ "$out" = "1 1" ]
ok $? "locks: the end of a robust mutex's owner is a release"

# One wait has one length: half a second is far from the middle of its bucket, 268 to 537 ms.
start "$live/waits" gone
run "$mtrace" locks --json -d 0.5 -p "$pid"
printf '%s\n' "$out" >"$work/report"
p50=$("$live/json-get" "$work/report" $lock/times/p50) max=$("$live/json-get" "$work/report" $lock/times/max)
out="p50 $p50 longest $max"
[ "$("$live/json-get" "$work/report" $lock/times/count)" = 1 ] && [ -n "$p50" ] && [ "$p50" = "$max" ]
ok $? "locks: the median of one wait is that wait"
stop

# liblinuxmt: one wait is one, however often the task slept in it, and each is counted for its primitive.
run "$mtrace" locks --json -o "$work/report" -- "$live/waits-mt" all
kinds=
for kind in lock rwlock condition semaphore event latch barrier join sleep; do
    count=$("$live/json-get" "$work/report" primitives/kind=$kind/count)
    time=$("$live/json-get" "$work/report" primitives/kind=$kind/time)
    [ "${time:-0}" -ge 150000000 ] && [ "${time:-0}" -le 2000000000 ] || kinds="$kinds $kind:$count:$time"
done
out="wrong:$kinds"
[ -z "$kinds" ]
ok $? "waits of liblinuxmt by kind"
counter=locks/name=counter
out="$("$live/json-get" "$work/report" $counter/count) waits, longest $("$live/json-get" "$work/report" $counter/max), $(
    "$live/json-get" "$work/report" $counter/holders/0/name)"
[ "$("$live/json-get" "$work/report" $counter/count)" = 1 ] && [ "$("$live/json-get" "$work/report" $counter/max)" -ge 150000000 ] &&
    [ "$("$live/json-get" "$work/report" $counter/times/count)" = 1 ]
ok $? "a wait for a lock of liblinuxmt is one wait"
[ "$("$live/json-get" "$work/report" locks/name=table/kind)" = rwlock ] && [ "$("$live/json-get" "$work/report" locks/name=table/owned)" = true ] &&
    [ "$("$live/json-get" "$work/report" locks/name=table/holders/0/time)" -ge 150000000 ]
ok $? "liblinuxmt's read-write lock has its writer"
run "$mtrace" locks -o - -- "$live/waits-mt" latch
has "time waited by kind of primitive" "latch \"all in\""
ok $? "and the text has it"

run env LINUXMT_THREADS=raw "$mtrace" --json -o "$work/report" -- "$live/waits-mt" lock
"$live/json-get" "$work/report" tasks/name=linuxmt-check/tid >/dev/null
ok $? "the thread by which the library looks at glibc has a name"

# A program that has the library within itself.
start "$live/stuck-mt" locks
run "$mtrace" locks --json -d 0.3 -p "$pid"
printf '%s\n' "$out" >"$work/report"
[ "$("$live/json-get" "$work/report" locks/name=journal/kind)" = lock ] && "$live/json-get" "$work/report" locks/name=journal/holders/0/place |
    grep -q 'stuck-mt.c:'
ok $? "a program that is linked with the static library"
stop

start "$live/waits-mt" gone
run "$mtrace" locks -d 0.3 -p "$pid"
has "waits for ever for lock \"counter\": its owner, thread "
ok $? "a lock of liblinuxmt whose owner has ended"
stop

# Without the privilege for probes, names are those in the task records.
if command -v setpriv >/dev/null && as_nobody true 2>/dev/null; then
    mkdir -m 1777 "$work/nobody"
    cp "$mtrace" "$live/waits-mt" "${top_builddir:-.}/.libs/liblinuxmt.so.0" "$work/nobody" # the clone may be closed to nobody
    start env LD_LIBRARY_PATH="$work/nobody" setpriv --reuid=65534 --regid=65534 --clear-groups "$work/nobody/waits-mt" forever
    run as_nobody --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon "$work/nobody/mtrace" locks --json -d 0.5 -p "$pid"
    printf '%s\n' "$out" >"$work/report"
    get="$live/json-get $work/report"
    out="$($get note); $($get locks/name=tickets/what) $($get locks/name=tickets/tasks/0/name)"
    if [ "$($get note)" ] && [ -z "$($get note | grep "could not be attached")" ]; then
        skip "task records" "this kernel gives probes to CAP_PERFMON"
    else
        [ "$status" -eq 0 ] && [ "$($get locks/name=tickets/kind)" = semaphore ] && [ "$($get locks/name=tickets/tasks/0/name)" = customer ]
        ok $? "without the privilege for probes: names out of the task records"
    fi
    stop
else
    skip "task records" "setpriv cannot drop privileges here"
fi

run "$mtrace" sched -o - -- "$live/waits" never
[ "$status" -eq 0 ] && has "sch delay" "run queue" "p99" "lost events: 0"
ok $? "sched: has the table and the run queue"
run "$mtrace" sched --json -o "$work/report" -- "$live/waits" never
[ "$("$live/json-get" "$work/report" tasks/0/running)" -ge 180000000 ] && "$live/json-get" "$work/report" run_queue/p99 >/dev/null
ok $? "sched: JSON has the times"

for command in "" locks sched; do
    run "$mtrace" $command --help
    [ "$status" -eq 0 ] && has "Usage:" "--json" "-p" && [ -z "$err" ]
    ok $? "${command:-mtrace} --help"
    run "$mtrace" $command --version
    [ "$status" -eq 0 ] && has liblinuxmt
    ok $? "${command:-mtrace} --version"
done
plan
