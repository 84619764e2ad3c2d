#!/bin/sh
# SPDX-License-Identifier: MIT
# Of unchanged threads that are coroutines, mtrace shows the same as of threads: by their names, and where they wait in their own code.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
patch=$(cd "${top_builddir:-.}" && pwd)/.libs/liblinuxmt-patch.so.0
[ "${mt_sanitizer:-none}" = none ] || skip_all "a sanitizer has to be the first of what is preloaded"

get()
{
    "$live/json-get" "$work/report" "$1"
}

trace_pid()
{
    rm -f "$work/report"
    run "$mtrace" "$@" --json -o "$work/report" -p "$pid"
    out=$(cat "$work/report")
}

# waits NAME WHAT CALL PLACE: what a coroutine waits for, in which call, and the function and file of that.
waits()
{
    one=coroutines/name=$1
    case $(get "$one/waits_for") in
    $2) ;;
    *) return 1 ;;
    esac
    [ "$(get "$one/call")" = "$3" ] || return 1
    case $(get "$one/place") in
    "$4 at coros-threads.c:"[0-9]*) ;;
    *) return 1 ;;
    esac
}

all_wait()
{
    waits holder sleep pause hold && waits wanter "lock ledger" null want && waits server "fd [0-9]*" recvfrom read_request &&
        waits opener "a call off the hub" fopen open_fifo && waits main 'end of "*"' null main
}

# By its record, or by the probe if it began within a recording.
runs_its_own()
{
    [ "$(get coroutines/name=holder/body)" = hold ] && [ "$(get coroutines/name=wanter/body)" = want ] &&
        [ "$(get coroutines/name=server/body)" = serve ] && [ "$(get coroutines/name=main/body)" = null ]
}

no_lost()
{
    for one in holder wanter server opener main; do
        [ "$(get coroutines/name=$one/lost_wakeup)" = false ] || return 1
    done
}

# A library that is preloaded is only found when it is there: the threads may have begun by then.
is_named()
{
    rm -f "$work/report" "$work/fifo"
    run "$mtrace" coros --json -o "$work/report" -- env LINUXMT_PATCH=all LD_PRELOAD="$patch" "$live/coros-threads" "$work/fifo" brief
    out=$(cat "$work/report")
    [ "$(get coroutines/name=napper/body)" = nap ] && [ "$(get coroutines/name=server/body)" = serve ] && ! has '"body": "run"'
}

is_asleep()
{
    trace_pid coros -d 0
    waits napper sleep usleep nap
}

for way in uring/1 epoll/1 uring/3; do
    LINUXMT_PATCH_HUBS=${way#*/}
    LINUXMT_LOOP=${way%/*}
    export LINUXMT_LOOP LINUXMT_PATCH_HUBS
    start env LINUXMT_PATCH=all LD_PRELOAD="$patch" "$live/coros-threads" "$work/fifo"

    trace_pid coros -d 0
    [ "$status" -eq 0 ] && all_wait
    ok $? "$way: at once, what each thread waits for, and where in its own code"
    await is_asleep
    ok $? "$way: also the one on whose stack its hub sleeps"
    case $(get coroutines/name=server/stack) in
    *'"read_request at coros-threads.c:'*'"serve at coros-threads.c:'*) true ;;
    *) false ;;
    esac
    ok $? "$way: with its stack"
    runs_its_own
    ok $? "$way: and the function that the program made it of"

    run "$mtrace" coros -d 0 --top=1 -p "$pid"
    has "what they wait for" "lock ledger in want at coros-threads.c:" "more kinds" "more coroutines" &&
        [ "$(echo "$out" | grep -c " 2 .* lock ledger in want")" = 1 ]
    ok $? "$way: many are told together if they do alike"

    trace_pid coros -d 0.5
    [ "$status" -eq 0 ] && all_wait && no_lost
    ok $? "$way: the same in a recording, and no wake-up is said to be lost"
    runs_its_own
    ok $? "$way: with their functions"
    [ "$(get coroutines/name=server/switches)" = 0 ] && [ "$(get coroutines/name=napper/state)" != ended ]
    ok $? "$way: who waits is not switched to"

    trace_pid -d 0.5
    [ "$status" -eq 0 ] && [ "$(get tasks/name=wanter/kind)" = coroutine ] && [ "$(get 'waits/what=lock ledger/tasks/0/name')" = wanter ] &&
        [ "$(get 'waits/what=lock ledger/holders/0/name')" = holder ]
    ok $? "$way: the default report has them by name, and who holds the lock"
    for report in "" sched; do
        # shellcheck disable=SC2086
        run "$mtrace" $report -d 0.2 --top=20 -p "$pid"
        echo "$out" | grep -q '^ *#[0-9][0-9]* wanter ' && echo "$out" | grep -q '^ *#[0-9][0-9]* server ' &&
            echo "$out" | grep -q "^ *$pid [a-z]" || break
    done
    [ -n "$report" ] && [ "$status" -eq 0 ]
    ok $? "$way: beside threads, with numbers of their own"
    trace_pid -d 0.5
    nap="waits/what=sleep (usleep)"
    case $(get "$nap/place") in
    "nap at coros-threads.c:"[0-9]*) [ "$(get "$nap/count")" -gt 1 ] && [ "$(get "$nap/time")" -le "$(get duration)" ] ;;
    *) false ;;
    esac
    ok $? "$way: so are waits that have ended, and no more than there were in the recording"
    stop
    rm -f "$work/fifo"

    await is_named
    ok $? "$way: of those that begin within a recording, too, and the names that they were given, though they are gone"
    rm -f "$work/fifo"
done

# The probes are those of the file that is mapped, whatever its name leads to by now.
unset LINUXMT_PATCH_HUBS LINUXMT_LOOP
is_seen()
{
    rm -f "$work/fifo"
    trace_pid coros -d 0.5
    stop
    [ "$status" -eq 0 ] && [ "$(get note)" = null ] && [ "$(get coroutines/name=napper/runs)" -gt 1 ] &&
        [ "$(get coroutines/name=napper/body)" = nap ]
}

copy_to()
{
    mkdir -p "$1" && cp "${patch%/*}/liblinuxmt.so.0" "$patch" "$live/coros-threads" "$1"
}

copied()
{
    LD_LIBRARY_PATH=$1 LD_PRELOAD=$1/${patch##*/} LINUXMT_PATCH=all exec "$1/coros-threads" "$work/fifo"
}

copy_to "$work/lib"
start copied "$work/lib"
copy_to "$work/new"
mv -f "$work/new/"* "$work/lib"
is_seen
ok $? "a program whose files have been replaced"

elsewhere()
{
    # shellcheck disable=SC2016
    exec unshare -m sh -c 'mount -t tmpfs none "$1" && cp "$2"/* "$1" && LD_LIBRARY_PATH=$1 LD_PRELOAD=$1/$3 LINUXMT_PATCH=all \
        exec "$1/coros-threads" "$4"' sh "$work/new" "$work/lib" "${patch##*/}" "$work/fifo"
}

if unshare -m true 2>/dev/null; then
    start elsewhere
    is_seen
    ok $? "one whose files are in a mount namespace of its own"
else
    skip "a mount namespace" "there can be none here"
fi

# The wake-up is lost in the library, as a defect of it would. It is not if the loop has not come to wait for it yet.
is_told()
{
    start env LINUXMT_PATCH=all LD_PRELOAD="$patch" "$live/coros-lost"
    trace_pid coros -d 0.3
    stop
    [ "$status" -eq 0 ] || return 1
    case $(get verdict) in
    'a wake-up was lost: "main" waits for end of "quitter" in main at coros-lost.c:'*', which has happened') ;;
    *) return 1 ;;
    esac
}

for loop in uring epoll; do
    LINUXMT_LOOP=$loop
    export LINUXMT_LOOP
    await is_told
    ok $? "$loop: a thread that has ended, and whose joiner sleeps on"
done
plan
