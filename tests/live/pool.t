#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace pool: what it says against what was arranged in pool-mt.c. And the locks that are taken in both orders.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
get()
{
    "$live/json-get" "$work/report" "$1"
}

pool()
{
    rm -f "$work/report"
    run "$mtrace" pool --json -o "$work/report" "$@"
    out=$(cat "$work/report")
}

render=pools/name=render
fire='message=disk 7 is on fire'
pool -- "$live/pool-mt" threads
[ "$status" -eq 0 ] && [ "$(get pools/#)" = 1 ] && [ "$(get $render/kind)" = thread ] && [ "$(get $render/queued)" = 25 ] &&
    [ "$(get $render/started)" = 24 ] && [ "$(get $render/done)" = 24 ] && [ "$(get $render/failed)" = 4 ] && [ "$(get $render/cancelled)" = 1 ] &&
    [ "$(get $render/queued_now)" = 0 ] && [ "$(get $render/running_now)" = 0 ] && [ "$(get lost/total)" = 0 ]
ok $? "tasks queued, started, done, failed and cancelled"
[ "$(get $render/queued_most)" -ge 23 ] && [ "$(get $render/queued_most)" -le 25 ]
ok $? "the longest the queue was"
[ "$(get $render/failures/#)" = 1 ] && [ "$(get "$render/failures/$fire/count")" = 4 ] && [ "$(get "$render/failures/$fire/code")" = -5 ] &&
    [ "$(get "$render/failures/$fire/body")" = burn ]
ok $? "failures with code, message and function"
[ "$(get $render/run_times/count)" = 24 ] && [ "$(get $render/wait_times/count)" = 24 ] && [ "$(get $render/run_times/p50)" -ge 16000000 ] &&
    [ "$(get $render/wait_times/max)" -ge 150000000 ]
ok $? "how long tasks waited and ran"
[ "$(get $render/workers/#)" = 2 ] && [ $(($(get $render/workers/0/done) + $(get $render/workers/1/done))) = 24 ] &&
    [ $(($(get $render/workers/0/failed) + $(get $render/workers/1/failed))) = 4 ]
ok $? "each worker's part"
case $(get verdict) in
"pool \"render\": 4 of 24 tasks failed, all with -5 \"disk 7 is on fire\"; it has too few workers: 2 workers were busy "*) true ;;
*) false ;;
esac
ok $? "the verdict says what fails and that workers are too few"

pool -- "$live/pool-mt" processes
[ "$(get $render/kind)" = process ] && [ "$(get $render/done)" = 25 ] && [ "$(get $render/failed)" = 5 ] && [ "$(get $render/failures/#)" = 2 ] &&
    [ "$(get "$render/failures/$fire/count")" = 4 ] && [ "$(get "$render/failures/message=killed by signal 9/count")" = 1 ] &&
    [ "$(get "$render/failures/message=killed by signal 9/body")" = be_killed ]
ok $? "a pool of processes: messages, and the signal"

pool -d 1.5 -- "$live/pool-mt" stuck
[ "$(get $render/running_now)" = 2 ] && [ "$(get $render/queued_now)" = 3 ] && [ "$(get $render/done)" = 0 ] &&
    [ "$(get $render/workers/0/body)" = hang ] && [ "$(get $render/workers/0/running)" -ge 500000000 ]
ok $? "what runs and what waits when the recording ends"
case $(get verdict) in
"pool \"render\" stands still: all 2 workers are in tasks, the longest for "[1-9]*" s (hang), and 3 tasks are in the queue") true ;;
*) false ;;
esac
ok $? "the verdict says that it stands still"

pool -- "$live/pool-mt" easy
case $(get verdict) in
"pool \"render\" keeps up: 2 workers were busy "*) [ "$(get $render/done)" = 5 ] && [ "$(get $render/workers/#)" = 2 ] ;;
*) false ;;
esac
ok $? "a pool that keeps up, and its idle worker"

run "$mtrace" pool -o - -- "$live/pool-mt" threads
has '"render" of process' "25 queued, 24 started, 24 done, 4 failed, 1 cancelled" "ran:" '4 times -5 "disk 7 is on fire" in burn' "lost events: 0"
ok $? "the text has it"
run "$mtrace" pool -- true
[ "$status" -eq 0 ] && says "no pool of liblinuxmt did anything"
ok $? "a program without pools"
run "$mtrace" pool --help
[ "$status" -eq 0 ] && has "Usage:" "--json" "-p" && [ -z "$err" ]
ok $? "pool --help"

run env LINUXMT_LOCKORDER=report "$mtrace" locks --json -o "$work/report" -- "$live/waits-mt" inversion
out=$(cat "$work/report")
[ "$(get inversions/#)" = 1 ] && [ "$(get inversions/0/wanted)" = '"counter"' ] && [ "$(get inversions/0/held)" = '"guard"' ] &&
    get inversions/0/wanted_place | grep -q 'waits-mt.c:[0-9]' && get inversions/0/held_place | grep -q 'waits-mt.c:[0-9]'
ok $? "locks that are taken in both orders, with both places"
case $(get verdict) in
*'; can deadlock: "counter" ('*'waits-mt.c:'*') and "guard" ('*'waits-mt.c:'*') are locked in both orders') true ;;
*) false ;;
esac
ok $? "the verdict says so"
run env LINUXMT_LOCKORDER=report "$mtrace" -o - -- "$live/waits-mt" inversion
has "locks that are taken in both orders" 'wanted "counter" at ' 'and held "guard" since '
ok $? "and so does the report on waits"
run "$mtrace" locks --json -o "$work/report" -- "$live/waits-mt" inversion
[ "$(get inversions/#)" = 0 ]
ok $? "nothing is said where nobody watches"
plan
