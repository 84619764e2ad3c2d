#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace queues: what it says against what was arranged in queues-mt.c, and that mtrace confines itself.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
get()
{
    "$live/json-get" "$work/report" "$1"
}

# A recording of an arranged kind, as JSON.
queues()
{
    rm -f "$work/report"
    run "$mtrace" queues --json -o "$work/report" -- "$live/queues-mt" "$1"
    out=$(cat "$work/report")
}

# share LOW HIGH VALUE: of a number from 0 to 1, in thousandths.
share()
{
    awk -v low="$1" -v high="$2" -v value="$3" 'BEGIN { exit !(value != "" && value * 1000 >= low && value * 1000 <= high) }'
}

# Lets mtrace record the program that runs, and keeps the filter's state (proc_pid_status(5)) as it was at the most, in $out.
watch_filter()
{
    "$mtrace" queues --json -d 1 -o "$work/report" -p "$pid" &
    tracer=$!
    out=
    while kill -0 "$tracer" 2>/dev/null; do
        seen=$(grep -E '^(Seccomp|NoNewPrivs):' "/proc/$tracer/status" 2>/dev/null)
        case $seen in
        *"Seccomp:"*2*) out=$seen ;;
        *) out=${out:-$seen} ;;
        esac
        sleep 0.05
    done
    wait "$tracer"
    status=$?
}

jobs=queues/name=jobs
queues full
[ "$status" -eq 0 ] && [ "$(get $jobs/put/messages)" = 100 ] && [ "$(get $jobs/get/messages)" = 100 ] && [ "$(get $jobs/put_total)" = 100 ] &&
    [ "$(get $jobs/got_total)" = 100 ] && [ "$(get $jobs/depth)" = 0 ] && [ "$(get $jobs/deepest)" = 4 ] && [ "$(get $jobs/capacity)" = 4 ] &&
    [ "$(get $jobs/message_max)" = 32 ] && [ "$(get $jobs/order)" = fifo ] && [ "$(get $jobs/closed)" = false ] && [ "$(get lost/total)" = 0 ]
ok $? "a queue that is full: messages, depth, capacity"
[ "$(get "$jobs/put/tasks/name=producer one/messages")" = 50 ] && [ "$(get "$jobs/put/tasks/name=producer two/messages")" = 50 ] &&
    [ "$(get $jobs/get/tasks/name=writer/messages)" = 100 ] && [ "$(get $jobs/get/tasks/#)" = 1 ] &&
    [ "$(get $jobs/get/tasks/0/pid)" = "$(get $jobs/put/tasks/0/pid)" ]
ok $? "who puts and who gets"
# Producers that are long without a processor find room for four, but not for more: each of them waits then.
[ "$(get $jobs/put/waits)" -ge 12 ] && [ "$(get $jobs/put/time)" -ge 60000000 ] && [ "$(get $jobs/put/waiting)" = 0 ] &&
    [ "$(get $jobs/put/times/count)" = "$(get $jobs/put/waits)" ] && share 100 1000 "$(get $jobs/full)"
ok $? "producers waited, and it was full for much of the time"
case $(get verdict) in
"queue \"jobs\" is full "*": its 2 producers (producer "*") waited for room "*" % of their time; its 1 consumer (writer) got "*": getting is too slow") true ;;
*) false ;;
esac
ok $? "the verdict says who holds up whom"

queues starved
[ "$(get $jobs/get/waits)" = 5 ] && [ "$(get $jobs/get/time)" -ge 450000000 ] && [ "$(get $jobs/get/max)" -ge 90000000 ] && [ "$(get $jobs/put/waits)" = 0 ] &&
    [ "$(get $jobs/put/messages)" = 5 ] && [ "$(get $jobs/get/messages)" = 5 ] && share 800 1000 "$(get $jobs/empty)"
ok $? "a queue that is empty: five waits of 100 ms"
case $(get verdict) in
"nobody waits for room; queue \"jobs\" is empty "*" % of the time: its 1 consumer (reader) waited for messages "*" % of their time; "*) true ;;
*) false ;;
esac
ok $? "the verdict says that the consumer waits"

queues batch
[ "$(get $jobs/put/calls)" = 10 ] && [ "$(get $jobs/put/messages)" = 100 ] && [ "$(get $jobs/get/calls)" = 2 ] && [ "$(get $jobs/get/messages)" = 60 ] &&
    [ "$(get $jobs/depth)" = 40 ] && [ "$(get $jobs/deepest)" = 100 ] && [ "$(get $jobs/got_total)" = 60 ]
ok $? "batches: calls and messages, and what is left"
queues killed
[ "$(get $jobs/put_total)" = 2 ] && [ "$(get $jobs/got_total)" = 1 ] && [ "$(get $jobs/lost_put)" = 1 ] && [ "$(get $jobs/lost_got)" = 0 ] &&
    [ "$(get $jobs/again)" = 0 ]
ok $? "what a killed producer had begun is counted"
queues vain
[ "$(get $jobs/get/waits)" = 3 ] && [ "$(get $jobs/get/in_vain)" = 3 ] && [ "$(get $jobs/order)" = priority ] && [ "$(get $jobs/get/messages)" = 1 ] &&
    [ "$(get $jobs/put/messages)" = 2 ] && [ "$(get $jobs/depth)" = 1 ] && [ "$(get $jobs/put_total)" = 2 ] && [ "$(get $jobs/got_total)" = 1 ] &&
    [ "$(get $jobs/closed)" = true ]
ok $? "by priority: waits in vain, a view is a message got, a peek is not"

queues processes
[ "$(get queues/#)" = 1 ] && [ "$(get $jobs/put/messages)" = 100 ] && [ "$(get $jobs/put/tasks/#)" = 2 ] &&
    [ "$(get $jobs/put/tasks/0/pid)" != "$(get $jobs/put/tasks/1/pid)" ] && [ "$(get $jobs/put/tasks/0/messages)" = 50 ] &&
    [ "$(get $jobs/get/tasks/0/messages)" = 100 ] && [ "$(get $jobs/get/tasks/0/pid)" != "$(get $jobs/put/tasks/0/pid)" ]
ok $? "one queue of three processes"

# Attached to what has been stuck since before: no probe fires, memory and task records tell.
start "$live/queues-mt" stuck
run "$mtrace" queues -d 0.8 -p "$pid"
case $out in
"queue \"jobs\" stands still: it is full (4 of 4 messages), 1 producer (producer one) waits for room, all the "*" that were recorded, and nobody gets"*) true ;;
*) false ;;
esac
ok $? "a producer that has been stuck since before the recording"
has "now 4, 4.0 on average, at most 4; full 100 % of the time" "since it was made 4 put, 0 got" "nobody got"
ok $? "and its queue"
watch_filter
[ "$(get $jobs/put/waiting)" = 1 ] && [ "$(get $jobs/put/waits)" = 1 ] && [ "$(get $jobs/put/tasks/0/waiting)" = true ] &&
    [ "$(get $jobs/put/max)" -ge 500000000 ] && [ "$(get $jobs/depth)" = 4 ]
ok $? "a wait that goes on is counted from the recording's start"
if "$mtrace" doctor 2>/dev/null | grep -q 'built without libseccomp'; then
    skip "mtrace confines itself" "built without libseccomp"
else
    has "Seccomp:	2" "NoNewPrivs:	1"
    ok $? "mtrace confines itself while it records"
fi
export MTRACE_SECCOMP=off
watch_filter
unset MTRACE_SECCOMP
[ "$status" -eq 0 ] && has "Seccomp:	0"
ok $? "unless it is told not to"
MTRACE_SECCOMP=maybe run "$mtrace" queues -d 1 -p "$pid"
[ "$status" -eq 125 ] && says "MTRACE_SECCOMP cannot be 'maybe': expected on, log or off"
ok $? "a mode that there is not"
stop

start "$live/queues-mt" hungry
run "$mtrace" queues -d 0.8 -p "$pid"
case $out in
"queue "[0-9]*" stands still: it is empty, 1 consumer (reader) waits for a message, all the "*", and nobody puts"*) true ;;
*) false ;;
esac
ok $? "a queue without a name, a consumer without a producer"
stop

# Without the privilege for probes memory tells what it can.
if command -v setpriv >/dev/null && as_nobody true 2>/dev/null; then
    mkdir -m 1777 "$work/nobody"
    cp "$mtrace" "$work/nobody"
    run as_nobody --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon "$work/nobody/mtrace" queues --json -o "$work/nobody/report" -- \
        setpriv --inh-caps=-all --ambient-caps=-all "$live/queues-mt" full
    cp "$work/nobody/report" "$work/report"
    out=$(cat "$work/report")
    if [ "$status" -ne 0 ] && [ ! -s "$work/report" ]; then
        skip "no probes" "these capabilities do not let mtrace record here: $err"
    elif [ -z "$(get note | grep 'could not be attached')" ]; then
        skip "no probes" "this kernel gives probes to CAP_PERFMON"
    else
        [ "$(get $jobs/put_total)" = 100 ] && [ "$(get $jobs/got_total)" = 100 ] && [ "$(get $jobs/put/messages)" = 0 ] && [ "$(get $jobs/deepest)" = 4 ] &&
            get verdict | grep -q '^queue "jobs" is full [0-9]* % of the time, though nobody was seen to wait'
        ok $? "without the privilege for probes: depth and totals"
    fi
else
    skip "no probes" "setpriv cannot drop privileges here"
fi

# The command is not confined: it may start what it likes.
run "$mtrace" queues -- sh -c 'sh -c "exit 7"'
[ "$status" -eq 7 ] && says "no queue of liblinuxmt was used"
ok $? "a program without queues, and the command's status"
run "$mtrace" queues --help
[ "$status" -eq 0 ] && has "Usage:" "--json" "-p" && [ -z "$err" ]
ok $? "queues --help"
plan
