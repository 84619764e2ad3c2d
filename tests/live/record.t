#!/bin/sh
# SPDX-License-Identifier: MIT
# The recording command on arranged waits, on real programs, and where it has to fail. Bounds are wide: the machine may be busy.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
get()
{
    "$live/json-get" "$work/report" "$1"
}

# Runs mtrace on a command with its report in $work/report.
record()
{
    rm -f "$work/report"
    run "$mtrace" --json -o "$work/report" -- "$@"
}

# lasted MILLISECONDS TASKS NS: so long together, and no longer than so many tasks can wait in the recording, whose length
# is up to the machine.
lasted()
{
    [ -n "$3" ] && [ "$3" -ge "$1"000000 ] && [ "$3" -le $(($2 * $(get duration))) ]
}

# expect KIND REASON MILLISECONDS TASKS: the arranged wait is seen for what it is and as long as it was.
expect()
{
    record "$live/waits" "$1"
    if [ "$status" -eq 77 ]; then
        skip "$1" "not on this kernel"
        return
    fi
    seen=$(get "waits/reason=$2/time")
    out="$2: $seen ns, expected $3 ms, of $4 tasks in $(get duration) ns; verdict: $(get verdict)"
    lasted "$3" "$4" "$seen"
    ok $? "$1 is a wait for $2"
}

expect mutex lock 540 3
[ "$(get waits/reason=lock/holders/0/name)" = holder ]
ok $? "the mutex has its owner"
case $(get verdict) in
"3 of 4 tasks spent "*" waiting for mutex arranged_lock, held by holder "*" % of that time; most wait in wait_for_lock at "*waits-mutex.c:*) true ;;
*) false ;;
esac
ok $? "the verdict names waiters, lock, owner and line"
[ "$(get lost/total)" = 0 ]
ok $? "nothing was lost, and that is said"
[ "$(get waits/reason=lock/count)" -ge 3 ] && [ "$(get locks/0/tasks/#)" = 3 ]
ok $? "three tasks waited"
case $(get wakers/waker=holder/place) in
"hold_against_others at "*waits-mutex.c:*) true ;;
*) false ;;
esac
ok $? "who woke them has a place"

expect pi lock 540 3
[ "$(get waits/reason=lock/holders/0/name)" = holder ]
ok $? "a priority inheritance mutex has its owner"
expect robust lock 540 3
[ "$(get waits/reason=lock/holders/0/name)" = holder ]
ok $? "a robust mutex has its owner"
expect timedlock lock 150 1
expect shared lock 150 1
[ "$(get waits/reason=lock/holders/0/name)" = holder ]
ok $? "a mutex in shared memory has its owner, who is another process"

# Three holders one after another, 200 ms each from when all wait: of what these wait together 600 ms are while first holds it, 400 while
# second does, 200 while third does.
record "$live/waits" relay
relay=locks/what=arranged_lock/holders
out="$(get $relay/0/name) $(get $relay/0/time), $(get $relay/1/name) $(get $relay/1/time), $(get $relay/2/name) $(get $relay/2/time);
$(get verdict)"
lasted 540 3 "$(get $relay/name=first/time)" && lasted 360 2 "$(get $relay/name=second/time)" &&
    lasted 180 1 "$(get $relay/name=third/time)" && lasted 1080 6 "$(get locks/what=arranged_lock/time)"
ok $? "a lock that changes hands in a wait: each holder has its part of the time"
[ "$(get $relay/name=first/count)" = 3 ] && [ "$(get $relay/name=first/released)" = 1 ] && [ "$(get $relay/name=second/released)" = 1 ] &&
    [ "$(get $relay/name=third/released)" = 1 ]
ok $? "who held it as waits began, and who ended them"
case $(get verdict) in
*"waiting for mutex arranged_lock, held by first "*" %, second "*" %, third "*" % of that time; "*) true ;;
*) false ;;
esac
ok $? "the verdict names all three"

# Who held it while the tasks of one row waited is not known: the figures are the lock's, and are said to be.
run "$mtrace" -o "$work/text" -- "$live/waits" places
out=$(sed -n '/^worst waits/,/^idle/p' "$work/text")
[ "$(printf '%s\n' "$out" | grep -c '; in all waits for it held by waits')" = 2 ] && ! has "of that time"
ok $? "a lock that is waited for at two places: no row claims holders of its own"

expect rwlock lock 150 2
lasted 360 2 "$(get locks/what=arranged_rwlock/time)" && [ "$(get waits/reason=lock/holders/0/name)" = holder ] && [ "$(get waits/reason=lock/kind)" = rwlock ] &&
    [ "$(get "waits/what=rwlock arranged_rwlock/class")" = blocked ] && [ "$(get "waits/reason=lock/what")" = "rwlock arranged_rwlock" ]
ok $? "a read-write lock has its writer, and its name"
expect readers lock 150 1
[ "$(get waits/reason=lock/kind)" = rwlock ]
ok $? "a writer that waits for readers waits for a read-write lock"
record "$live/waits" two-readers
out="$(get verdict)"
[ "$(get waits/reason=lock/holders/#)" = 1 ] && [ "$(get waits/reason=lock/holders/0/readers)" = true ] && [ "$(get waits/reason=lock/holders/0/tid)" = null ]
ok $? "readers are not told from each other: the last one to leave is not taken for the holder"
has "waiting for rwlock arranged_rwlock, held by readers "
ok $? "and the verdict says so"
expect cond futex 150 1
[ "$(get waits/reason=futex/what)" = "condition arranged_cond" ]
ok $? "a condition has its own name, not that of a word in it"
expect sem futex 150 1
for use in "semlock blocked" "semwork idle"; do
    record "$live/waits" "${use% *}"
    [ "$(get waits/kind=semaphore/class)" = "${use#* }" ] && [ "$(get waits/kind=semaphore/tasks/#)" -ge 2 ]
    ok $? "a semaphore that is used so is ${use#* }: ${use% *}"
done
expect join futex 150 1
expect waitv futex 150 1
expect futex2 futex 150 1
expect requeue futex 150 1
expect pipe pipe 150 1
expect socket socket 150 1
expect event event 150 1
expect accept accept 150 1
expect poll poll 150 1
expect epoll poll 150 1
expect child child 150 1
expect sleep sleep 150 1
[ "$(get waits/reason=sleep/waker)" = "timer or device" ]
ok $? "a timer wakes a sleeper"
# Also where the kernel hides who wakes a task and that it gets the CPU.
record "$live/waits" sleeps
arranged=$out
seen=$(get waits/reason=sleep/count)
out="$arranged sleeps, seen $seen"
[ "$seen" = "$arranged" ] && [ "$(get waits/reason=sleep/waker)" = "timer or device" ] && [ "$(get lost/total)" = 0 ]
ok $? "of thousands of sleeps none is lost"

record "$live/waits" never
seen=$(get tasks/0/running)
out="running $seen ns"
lasted 180 1 "$seen"
ok $? "a loop runs as long as its CPU time says"

# A wait that began before the recording and does not end in it.
start "$live/waits" forever
run "$mtrace" --json -d 0.5 -p "$pid"
printf '%s\n' "$out" >"$work/report"
seen=$(get waits/reason=lock/time)
[ "$status" -eq 0 ] && lasted 1300 3 "$seen" && [ "$(get waits/reason=lock/unfinished)" = 3 ] &&
    [ "$(get waits/reason=lock/holders/0/name)" = holder ]
ok $? "waits that do not end are counted, with their owner"
run "$mtrace" -d 0.2 -p "$pid"
has "lost events: 0" "cost of mtrace:" "still waiting at the end" "held by holder"
ok $? "the text says it too"
stop

# A mutex whose owner has ended before.
start "$live/waits" gone
run "$mtrace" --json -d 0.3 -p "$pid"
printf '%s\n' "$out" >"$work/report"
case $(get verdict) in
"1 of 2 tasks waits for ever for mutex arranged_lock: its owner, thread "*", has ended without giving it back; "*) true ;;
*) false ;;
esac
ok $? "a mutex whose owner has ended is the verdict"
[ "$(get waits/reason=lock/class)" = blocked ] && [ -n "$(get locks/0/owner_ended/tid)" ]
ok $? "and blocks"
stop

run "$mtrace" --json -d 2 -o "$work/report" -- timeout -s KILL 3 "$live/waits" ends
case $(get verdict) in
"1 of "*" wait"*" for ever for mutex arranged_lock: its owner, thread "*" (careless), has ended without giving it back; "*) true ;;
*) false ;;
esac
ok $? "an owner that ends while another waits"

# The same when the process is killed for it, and not when the owner is killed with the others.
start "$mtrace" --json -o "$work/report" -- "$live/waits" ends
kill -TERM "$pid"
wait "$pid"
out=$(get verdict)
case $out in
"1 of "*" wait"*" for ever for mutex arranged_lock: its owner, thread "*" (careless), has ended without giving it back; "*"waits was ended by signal 15 "*) true ;;
*) false ;;
esac
ok $? "and when the process is killed for it"
start "$mtrace" --json -o "$work/report" -- "$live/waits" forever
sleep 0.5
kill -TERM "$pid"
wait "$pid"
out=$(get verdict)
case $out in
*"waiting for mutex arranged_lock, held by holder "*) [ "$(get locks/0/unfinished)" = 3 ] ;;
*) false ;;
esac
ok $? "a holder that is killed with those who wait has not abandoned its lock"
record "$live/waits" taken
out=$(get verdict)
case $out in
*deadlock*) false ;;
*) [ "$status" -eq 143 ] && has "waiting for mutex arranged_lock, held by " "taker" ;;
esac
ok $? "nor does it wait for the lock because it once did"

# Tasks that wait for each other.
circle='deadlock: 2 of 3 tasks wait for ever for each other: '
start "$live/stuck" abba
run "$mtrace" -d 0.5 -p "$pid"
out=$(printf '%s\n' "$out" | head -n 1)
has "$circle" "first for mutex lock_b held by second" "second for mutex lock_a held by first" "; 'mtrace deadlock -p $pid' shows where"
ok $? "tasks that wait for each other in a circle are the verdict"
stop
start "$live/stuck" timed
run "$mtrace" -d 0.5 -p "$pid"
out=$(printf '%s\n' "$out" | head -n 1)
has "deadlock: 2 of 3 tasks wait until a timeout for each other: "
ok $? "and how long, if a timeout will end it"
stop
start "$mtrace" -o "$work/text" -- "$live/stuck" abba
kill -TERM "$pid"
wait "$pid"
out=$(head -n 1 "$work/text")
has "$circle" "stuck was ended by signal 15" && ! has "mtrace deadlock"
ok $? "and when the process is killed for it"
start "$live/stuck" careful
run "$mtrace" -d 1 -p "$pid"
! has "deadlock:"
ok $? "locks in both orders, but never in a circle, are none"
stop

# What liblinuxmt calls its waits.
start "$mtrace" --json -o "$work/report" -- "$live/stuck-mt" future
kill -TERM "$pid"
wait "$pid"
out=$(cat "$work/report")
[ "$(get waits/kind=future/count)" = 1 ]
ok $? "a future is told from other futexes"

run "$mtrace" -o "$work/text" -- "$live/waits" name
out=$(cat "$work/text")
has 'bad??(é)' && ! LC_ALL=C grep -q "$(printf '\377')" "$work/text"
ok $? "a name that is not UTF-8 does not go to the terminal as it is"

# Stopped, and ended.
start "$live/waits" signal
kill -STOP "$pid"
run "$mtrace" -d 0.3 -p "$pid"
has "stopped by a signal 100 % of the time, and still is: 'kill -CONT $pid' lets it go on"
ok $? "stopped by a signal"
kill -CONT "$pid"
"$mtrace" -p "$pid" >"$work/text" &
tracer=$!
tap_pids="$tap_pids $tracer"
await records "$tracer"
kill -TERM "$pid"
wait "$tracer"
out=$(cat "$work/text")
has "; waits was ended by signal 15"
ok $? "a sleeper that a signal ends"
wait "$pid" 2>/dev/null
start "$live/waits" signal
{ kill -KILL "$pid"; } &
run "$mtrace" -p "$pid"
[ "$status" -eq 125 ] && says "process $pid" && [ -z "$out" ]
ok $? "a process that ends before the recording begins: 125"
record true
short=$(get duration)
case $(get verdict) in
"only "*" recorded, too little to judge by: "*) [ "$short" -lt 20000000 ] ;;
*) [ "$short" -ge 20000000 ] ;; # it had to wait for a CPU
esac
ok $? "a run of a few milliseconds is said to be too short"

# Children, and children of children.
record sh -c 'sh -c "sleep 0.2; exit 3"; exit $?'
[ "$status" -eq 3 ]
ok $? "exits as the command did"
lasted 180 2 "$(get waits/reason=sleep/time)"
ok $? "follows forks and execs"
[ "$(get tasks/#)" -ge 2 ]
ok $? "lists the processes"

# Processes of one program that do the like, and files that are waited for at one place.
record sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11; do sleep 1 & done; sleep 1; wait'
out="$(get waits/reason=sleep/count) of $(get waits/reason=sleep/tasks/#) tasks at $(get waits/reason=sleep/place)"
[ "$(get waits/reason=sleep/count)" = 12 ] && [ "$(get waits/reason=sleep/tasks/#)" = 12 ]
ok $? "processes of one program that wait at one place are one row"
if command -v flock >/dev/null; then
    record sh -c 'exec 8>"$1/a" 9>"$1/b"
        (exec 8>"$1/a" 9>"$1/b"; flock 8; flock 9; : >"$1/held"; sleep 2) &
        while [ ! -e "$1/held" ]; do sleep 0.01; done
        flock 8 & flock 9; wait' sh "$work"
    [ "$(get waits/reason=file/count)" = 2 ] && [ "$(get waits/reason=file/what)" = "file, several files (flock)" ]
    ok $? "so are the files that are waited for at one place"
else
    skip "files that are waited for at one place" "not installed: package util-linux"
fi

# What the command prints and reads stays its own.
run sh -c "echo in | $mtrace -o /dev/null -- cat"
[ "$out" = in ] && [ -z "$err" ] && [ -c /dev/null ]
ok $? "the command keeps its standard input and output"
run "$mtrace" -- sh -c 'kill -TERM $$'
[ "$status" -eq 143 ]
ok $? "128 + the signal that killed it"

# Failures.
run "$mtrace" -o "$work/none" -- ./no-such-command
[ "$status" -eq 127 ] && says no-such-command && [ ! -e "$work/none" ]
ok $? "a command that is not there: 127, and no report"
run "$mtrace" -o "$work/none" -- "$work"
[ "$status" -eq 126 ] && says "$work" && [ ! -e "$work/none" ]
ok $? "a command that cannot be executed: 126, and no report"
if unshare --pid --fork --mount-proc true 2>/dev/null; then
    rm -f "$work/report"
    run unshare --pid --fork --mount-proc "$mtrace" --json -o "$work/report" -- "$live/waits" mutex
    [ "$status" -eq 0 ] && [ "$(get waits/reason=lock/holders/0/name)" = holder ] && [ "$(get tasks/name=holder/tid)" -lt 50 ]
    ok $? "in a PID namespace of its own tasks have the numbers of the inside"
    run unshare --pid --fork --mount-proc sh -c '"$2" abba >"$4" &
        until grep -q ready "$4"; do sleep 0.05; done
        "$1" -d 0.3 -o "$3" -p $!; kill -KILL $!' sh "$mtrace" "$live/stuck" "$work/text" "$work/inside"
    out=$(cat "$work/text")
    [ "$status" -eq 0 ] && has "deadlock: 2 of "
    ok $? "and are found by these"
    run unshare --pid --fork --mount-proc "$mtrace" --json -o "$work/report" -- unshare --pid --fork --mount-proc "$live/waits" mutex
    [ "$status" -eq 0 ] && [ "$(get waits/reason=lock/holders/0/name)" = holder ]
    ok $? "also those who are in yet another one"
    run unshare --pid --fork "$mtrace" -o "$work/none" -- true
    [ "$status" -eq 125 ] && says "mount -t proc" && [ ! -e "$work/none" ]
    ok $? "with the /proc of another namespace nobody would be found: 125"
    run unshare --pid --fork "$mtrace" doctor
    [ "$status" -eq 1 ] && has "no    PID namespace" "mount -t proc"
    ok $? "and doctor says it"
else
    for what in "numbers of the inside" "a process in there" "a namespace within" "another /proc" "and doctor"; do
        skip "a PID namespace of its own: $what" "unshare --pid does not work here"
    done
fi
run "$mtrace" -p 2147483647
[ "$status" -eq 125 ] && says 2147483647
ok $? "a process that is not there: 125"
run "$mtrace"
[ "$status" -eq 125 ] && says "nothing to trace" "--help"
ok $? "nothing to trace: 125"
run "$mtrace" -d never -p 1
[ "$status" -eq 125 ] && says "--duration cannot be 'never': expected seconds"
ok $? "a duration that is none: 125, and which option it is"
run sh -c '"$1" -d 0.1 -p $$ >&-' sh "$mtrace"
[ "$status" -eq 125 ] && says "standard output is closed"
ok $? "a standard output that is closed: 125"
run sh -c '"$1" -- echo ran 2>&-' sh "$mtrace"
[ "$status" -eq 125 ] && [ -z "$out" ]
ok $? "a standard error that is closed: 125, and nothing is run"
run sh -c 'exec 3>&1; "$1" -o /dev/null -- sh -c "echo there >&3; echo here" >&-' sh "$mtrace"
[ "$out" = there ]
ok $? "a closed stream stays closed for the command"
run sh -c '{ sleep 0.5; "$1" -d 0.1 -p $$; echo $? >&2; } | true' sh "$mtrace"
says 141
ok $? "a pipe that nobody reads: SIGPIPE"
start "$mtrace" -o "$work/text" -- sh -c 'echo ready; exec sleep 60'
kill -TERM "$pid"
wait "$pid"
status=$?
out=$(cat "$work/text")
[ "$status" -eq 143 ] && has " was ended by signal 15"
ok $? "a signal is passed on to the command, and the report is written"
run "$mtrace" -o "$work/no/where" -- true
[ "$status" -eq 125 ] && says "$work/no/where"
ok $? "an output that cannot be opened: 125"
run "$mtrace" -o /dev/full -- true
[ "$status" -eq 125 ] && says "no space left" && [ -c /dev/full ]
ok $? "a full device is said to be full"

mkdir "$work/small"
if mount -t tmpfs -o size=4k none "$work/small" 2>/dev/null; then
    run "$mtrace" --json -o "$work/small/report" -- "$live/waits" mutex
    [ "$status" -eq 125 ] && says "no space left" && [ -z "$(ls "$work/small")" ]
    ok $? "a full disk is said to be full, and nothing half-written stays"
    umount "$work/small"
else
    skip "full disk" "cannot mount a small tmpfs here"
fi

mkdir "$work/limited"
run sh -c '{ (ulimit -f 0; exec "$1" -o "$2" -- true); echo "status $?"; } 2>&1 | cat' sh "$mtrace" "$work/limited/report"
has "ulimit -f" "status 125" && [ -z "$(ls "$work/limited")" ]
ok $? "a limit on file sizes is named, and nothing half-written stays"
run sh -c 'ulimit -f 0; exec "$1" -o /dev/null -- sh -c "kill -XFSZ \$\$"' sh "$mtrace"
[ "$status" -eq 153 ]
ok $? "the command has that signal as it was"

# Descriptors: mtrace needs more than the command was given.
run sh -c 'ulimit -S -n 20; exec "$1" -o "$2" -- sh -c "ulimit -n"' sh "$mtrace" "$work/text"
[ "$status" -eq 0 ] && [ "$out" = 20 ] && [ -s "$work/text" ]
ok $? "a low limit on open files is raised, but not the command's"

for limit in 6 8 9 10 12 40 90; do
    run sh -c 'ulimit -n "$1"; exec "$2" -o "$3" -- true' sh $limit "$mtrace" "$work/text"
    [ "$status" -eq 0 ] || { [ "$status" -eq 125 ] && says "oo many open files"; } || says "the limit on open files is too low: ulimit -n 1024" || break
done
[ $limit = 90 ]
ok $? "one that it may not raise is what it complains of, wherever it meets it"
for limit in 10000 14000 18000; do
    run sh -c 'ulimit -v "$1"; exec "$2" -o "$3" -- true' sh $limit "$mtrace" "$work/text"
    [ "$status" -eq 0 ] || { [ "$status" -eq 125 ] && says "ulimit -v unlimited"; } || break
done
[ $limit = 18000 ]
ok $? "likewise one on address space"

# Two reports of the same name: the one that ends last, whole.
echo mine >"$work/both.tmp"
"$mtrace" --json -o "$work/both" -- sleep 0.3 &
tap_pids="$tap_pids $!"
other=$!
run "$mtrace" --json -o "$work/both" -- sleep 0.3
wait "$other"
[ $? -eq 0 ] && [ "$status" -eq 0 ] && "$live/json-get" "$work/both" verdict >/dev/null &&
    [ "$(cat "$work/both.tmp")" = mine ] && [ "$(echo "$work"/both*)" = "$work/both $work/both.tmp" ]
ok $? "two that write to one name do not mix, and other files stay as they are"

# Programs of the other width.
if build_i386 && "$work/waits-i386"; then
    record "$work/waits-i386"
    lasted 450 1 "$(get waits/reason=lock/time)" && [ "$(get waits/reason=lock/holders/0/name)" = waits-i386 ]
    ok $? "a 32-bit program: a lock with its owner"
    case $(get verdict) in
    *" in wait_for_lock at "*waits-i386.c:*) true ;;
    *) false ;;
    esac
    ok $? "and its place, behind the way into the kernel"
    lasted 350 1 "$(get waits/reason=poll/time)" && lasted 250 1 "$(get waits/reason=socket/time)" &&
        lasted 600 1 "$(get waits/reason=sleep/time)"
    ok $? "its other waits are told by its own numbers of system calls"
    "$work/waits-i386" again &
    other=$!
    tap_pids="$tap_pids $other"
    run "$mtrace" -d 0.2 -p "$other"
    [ "$status" -eq 0 ] && has "in take_again at waits-i386.c:"
    ok $? "also when it runs already"
    kill "$other"
else
    skip "32-bit programs" "this machine cannot make or run any"
fi

# Sizes.
run "$mtrace" --max-tasks=2 -o "$work/text" -- "$live/waits" mutex
out=$(cat "$work/text")
[ "$status" -eq 0 ] && has "2 tasks found no room (--max-tasks)" && ! has "lost events: 0"
ok $? "tasks that find no room are counted"
out=$(sed -n 2p "$work/text")
has "CAUTION: " "events were lost"
ok $? "and said to be missing near the top"
sleep 20 &
first=$!
sleep 20 &
tap_pids="$tap_pids $first $!"
run "$mtrace" --max-tasks=1 -d 0.1 -p "$first,$!"
[ "$status" -eq 0 ] && has "found no room: raise --max-tasks" && ! has "ended before"
ok $? "a process that finds no room is not said to have ended"
kill "$first" "$!"
run "$mtrace" --max-stacks=2 -o "$work/text" -- "$live/waits" mutex
out=$(sed -n 2p "$work/text")
has "CAUTION: " "stacks found no room (--max-stacks)" "the times are right" && ! has "events were lost"
ok $? "where only stacks found no room, no event is said to be lost"
plan
