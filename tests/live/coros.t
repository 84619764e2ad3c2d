#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace coros, and coroutines in the other reports: what they say against what was arranged in coros-mt.c, on both loops.
# Times are only ever too long on a loaded machine, so they are checked from below, and shares only where load cannot change them.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"

get()
{
    "$live/json-get" "$work/report" "$1"
}

# What "mtrace ..." wrote as JSON.
trace()
{
    rm -f "$work/report"
    run "$mtrace" "$@" --json -o "$work/report" -- "$live/coros-mt" "$kind"
    out=$(cat "$work/report")
}

trace_pid()
{
    rm -f "$work/report"
    run "$mtrace" "$@" --json -o "$work/report" -p "$pid"
    out=$(cat "$work/report")
}

# verdict PATTERN
verdict()
{
    case $(get verdict) in
    $1) true ;;
    *) false ;;
    esac
}

at_least()
{
    [ "$(get "$1")" -ge "$2" ]
}

ms=000000
coro=coroutines/name=
hub=hubs/0
for loop in uring epoll; do
    LINUXMT_LOOP=$loop
    export LINUXMT_LOOP

    kind=naps
    trace coros
    [ "$status" -eq 0 ] && [ "$(get hubs/#)" = 1 ] && [ "$(get coroutines/#)" = 4 ] && [ "$(get lost/total)" = 0 ] &&
        [ "$(get ${coro}napper/state)" = ended ] && [ "$(get ${coro}napper/outcome)" = 0 ] &&
        at_least ${coro}napper/waiting 190$ms && at_least ${coro}napper/switches 5 &&
        { [ "$(get ${coro}main/thread)" = true ] || [ "$(get ${coro}coros-mt/thread)" = true ]; } # its record may not be read in time
    ok $? "$loop: each coroutine with its times and switches"
    at_least $hub/turns 10 && at_least $hub/sleeps 5 && at_least $hub/slept 100$ms && at_least $hub/submitted 1 && at_least $hub/ready_most 1
    ok $? "$loop: the hub's turns and sleeps"
    if [ $loop = uring ] && "$live/coros-mt" loop | grep -q uring; then
        op=$hub/operations/operation=read
        [ "$(get $op/begun)" = 10 ] && [ "$(get $op/done)" = 10 ] && [ "$(get $op/failed)" = 0 ] && at_least $op/times/p50 10$ms &&
            [ "$(get $hub/operations/operation=write/done)" = 10 ]
        ok $? "$loop: operations with their latency"
    else
        at_least $hub/operations/operation=poll/done 1 && at_least $hub/operations/operation=poll/times/p50 1$ms
        ok $? "$loop: operations with their latency"
    fi

    kind=block
    trace coros
    verdict "the hub of \"*\" was kept for * by \"blocker\" in *nanosleep (call_that_blocks at coros-mt.c:*): nothing else of it ran meanwhile*"
    ok $? "$loop: the verdict is a call that kept the hub, with who made it and where"
    [ "$(get $hub/kept_by/0/coroutine)" = blocker ] && at_least $hub/kept_by/0/time 250$ms && at_least ${coro}blocker/longest_run 290$ms &&
        at_least ${coro}napper/longest_ready 250$ms
    ok $? "$loop: and for how long, and who had to wait meanwhile"

    start "$live/coros-mt" lost
    trace_pid coros -d 0.3
    [ "$(get coroutines/#)" = 5 ] && [ "$(get ${coro}eternal/waits_for)" = 'event "never"' ] && [ "$(get ${coro}eternal/body)" = wait_for_ever ] && [ "$(get ${coro}sleeper/waits_for)" = sleep ] &&
        get ${coro}reader/waits_for | grep -q '^fd [0-9]' && get ${coro}eternal/place | grep -q '^coros-mt.c:[0-9]' &&
        [ "$(get ${coro}main/waits_for)" = 'end of "eternal"' ] && at_least ${coro}eternal/waiting 200$ms && [ "$(get $hub/kept_by/#)" = 0 ]
    ok $? "$loop: a running program: what each waits for, and where, also if nothing happens"
    verdict 'a wake-up was lost: "eternal" waits for event "never" at coros-mt.c:*, which has happened' && [ "$(get ${coro}eternal/lost_wakeup)" = true ] &&
        [ "$(get ${coro}sleeper/lost_wakeup)" = false ]
    ok $? "$loop: a lost wake-up"
    trace_pid coros -d 0
    [ "$status" -eq 0 ] && [ "$(get ${coro}eternal/state)" = waiting ] && [ "$(get ${coro}eternal/waits_for)" = 'event "never"' ] &&
        verdict "4 coroutines in 1 hub*"
    ok $? "$loop: -d 0 shows what is there"
    stop
done
unset LINUXMT_LOOP

kind=naps
rm -f "$work/report"
run "$mtrace" --json -o "$work/report" -- "$live/coros-mt" naps
out=$(cat "$work/report")
[ "$(get tasks/name=napper/kind)" = coroutine ] && at_least tasks/name=napper/waiting 190$ms && [ "$(get tasks/#)" = 4 ] &&
    [ "$(get waits/what=sleep/tasks/0/count)" = 10 ] # the napper's or the sender's, whichever slept longer
ok $? "the default report has coroutines among the tasks, and their waits"

kind=compute
trace coros
verdict "\"computer\" ran for * without a wait or a yield*: nothing else of its hub \"*\" ran meanwhile*" &&
    at_least ${coro}computer/longest_run 290$ms
ok $? "a computation that never yields"

kind=lock
trace locks
[ "$(get locks/name=accounts/holders/0/name)" = holder ] && [ "$(get locks/name=accounts/count)" = 3 ] &&
    at_least locks/name=accounts/time 700$ms && verdict "3 of [0-9] tasks spent * waiting for lock \"accounts\", held by holder *"
ok $? "a lock among coroutines has its holder by name"

# A sleep that the kernel has interrupted for its own ends is gone on with by restart_syscall.
is_sleep()
{
    case $1 in
    *nanosleep | restart_syscall) ;;
    *) return 1 ;;
    esac
}

is_in_call()
{
    trace_pid coros -d 0
    verdict "1 coroutine in 1 hub; \"rude\" runs, in *, be_rude at coros-mt.c:*"
}
start "$live/coros-mt" rude
await is_in_call && [ "$(get ${coro}rude/state)" = running ] && is_sleep "$(get ${coro}rude/call)"
ok $? "at once, the call that keeps a hub now"
stop

start "$live/coros-mt" patient
sleep 0.3
trace_pid coros -d 0.1
verdict "nothing keeps a hub*" && [ "$(get coroutines/#)" -ge 6 ] && ! has '"lost_wakeup": true'
ok $? "half a latch, a process, a group and one of several: these waits are right, and no wake-up was lost"
stop

start "$live/coros-mt" asleep
trace_pid coros -d 3
[ "$(get ${coro}sleeper/state)" = waiting ] && [ "$(get ${coro}sleeper/running)" -lt 500$ms ] && verdict "nothing keeps a hub*"
ok $? "one that waited before the recording has not run meanwhile"
stop

start "$live/coros-mt" circle
sleep 0.1
run "$mtrace" deadlock -p "$pid"
[ "$status" -eq 3 ] && has "2 tasks wait for each other in a circle" 'coroutine "left" waits for lock accounts, held by coroutine "right"' \
    'coroutine "right" waits for lock books, held by coroutine "left"' 'waits for the end of coroutine "left"'
ok $? "mtrace deadlock finds a circle of coroutines"
stop

kind=many
trace coros
[ $(($(get coroutines/#) - 1 + $(get ended_coroutines/body=nothing/count))) = 6000 ] && [ "$(get lost/total)" = 0 ]
ok $? "more than are kept one by one are added up"

run env LINUXMT_MONITOR=0.1 "$live/coros-mt" block
says '"blocker" has kept the hub of thread'
ok $? "the library's own monitor says it too"

run "$mtrace" coros -o - --threshold=30 -- "$live/coros-mt" block
has "nothing keeps a hub" "hubs" "coroutines" "napper" "operation" "lost events: 0" && ! has "calls that kept it"
ok $? "the text has it, and a threshold of one's own"
run "$mtrace" coros -o - -- true
[ "$status" -eq 0 ] && has "no coroutine of liblinuxmt was there"
ok $? "a program without coroutines"
run "$mtrace" coros -d 0 -- true
[ "$status" -eq 125 ] && says "needs a process, with -p PID"
ok $? "-d 0 with a command is misuse"
start sh -c 'echo ready; exec sleep 60'
stop
run "$mtrace" coros -d 0 -p "$pid"
[ "$status" -eq 125 ] && says "there is no process $pid"
ok $? "and so is a process that is not there"
run "$mtrace" -d 0 -p $$
[ "$status" -eq 125 ] && says "expected seconds"
ok $? "and of other commands, too"
run "$mtrace" coros --help
[ "$status" -eq 0 ] && has "Usage:" "--json" "-p" "--threshold" && [ -z "$err" ]
ok $? "coros --help"
plan
