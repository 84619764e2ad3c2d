#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace on programs that nobody here wrote. A program that is not installed is skipped, with its package's name.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
get()
{
    "$live/json-get" "$work/report" "$1"
}

missing()
{
    command -v "$1" >/dev/null && return 1
    skip "$1" "not installed: package $2"
}

# Python: four threads, one of which sleeps for half a second.
if ! missing python3 python3; then
    cat >"$work/threads.py" <<'END'
import threading, time
def count():
    n = 0
    for i in range(3000000):
        n += i
def rest():
    time.sleep(0.5)
threads = [threading.Thread(target=f) for f in (count, count, count, rest)]
for t in threads:
    t.start()
for t in threads:
    t.join()
END
    run "$mtrace" --json -o "$work/report" -- python3 "$work/threads.py"
    seen=$(get waits/reason=sleep/time)
    out="sleep $seen ns; $(get verdict)"
    [ "$status" -eq 0 ] && [ "$seen" -ge 490000000 ] && [ "$seen" -le 1500000000 ]
    ok $? "python3: the thread that sleeps 0.5 s"
    [ "$(get tasks/#)" -ge 5 ]
    ok $? "python3: all threads are there"
    what=$(get "waits/what=GIL/what")
    out="$what; $(get verdict)"
    if [ -n "$what" ]; then
        [ "$(get "waits/what=GIL/class")" = blocked ]
        ok $? "python3: the interpreter's lock is a lock"
    else
        skip "python3: the interpreter's lock" "this python3 keeps it elsewhere"
    fi
fi

# redis: threads that spin for work, threads that sleep for it.
if ! missing redis-server redis-server && ! missing redis-benchmark redis-tools; then
    port=$((20000 + $$ % 10000))
    redis-server --port $port --bind 127.0.0.1 --io-threads 2 --save '' --appendonly no >"$work/redis" 2>&1 &
    redis=$!
    tap_pids="$tap_pids $redis"
    for _ in $(seq 50); do
        grep -q "eady to accept" "$work/redis" && break
        sleep 0.1
    done
    redis-benchmark -h 127.0.0.1 -p $port -t set,get -n 100000000 -c 8 --csv >/dev/null 2>&1 &
    bench=$!
    tap_pids="$tap_pids $bench"
    sleep 0.5
    run "$mtrace" --json -d 1.5 -p $redis
    printf '%s\n' "$out" >"$work/report"
    out="$(get verdict); lost $(get lost/total); threads $(get tasks/#)"
    [ "$status" -eq 0 ] && [ "$(get lost/total)" = 0 ] && [ "$(get tasks/#)" -ge 5 ]
    ok $? "redis-server: all threads, nothing lost"
    [ "$(get tasks/name=redis-server/running)" -ge 50000000 ]
    ok $? "redis-server: the main thread runs"
    [ "$(get tasks/name=bio_close_file/idle)" -ge 1400000000 ] && [ "$(get waits/reason=futex/class)" = idle ]
    ok $? "redis-server: its background threads are idle, not blocked"
    kill $bench $redis 2>/dev/null
    wait $bench $redis 2>/dev/null
fi

# liblinuxmt: names of locks, semaphores and tasks, and where a lock was taken.
bank=$(cd "${top_builddir:-.}" && pwd)/examples/bank
if [ -x "$bank" ]; then
    run "$mtrace" --json -o "$work/report" -- "$bank"
    out="$(get verdict); ledger $(get locks/name=ledger/holders/0/place)"
    [ "$(get locks/name=ledger/holders/0/name)" = auditor ] && get locks/name=ledger/holders/0/place | grep -q 'bank.c:'
    ok $? "bank: the ledger's holder, and the line where it took the lock"
    [ "$(get "waits/name=vault door/what")" = 'semaphore "vault door"' ]
    ok $? "bank: a semaphore has its name"
else
    skip "bank" "the examples are not built"
fi

# Compressors: workers that run, and a main thread that waits for them.
head -c 3000000 /dev/urandom >"$work/data"
if ! missing xz xz-utils; then
    run "$mtrace" --json -o "$work/report" -- xz -1 -T2 --block-size=500000 -k -c "$work/data"
    out="$(get verdict); tasks $(get tasks/#)"
    [ "$status" -eq 0 ] && [ "$(get tasks/#)" -ge 3 ]
    ok $? "xz -T2: main thread and two workers"
fi
if ! missing pigz pigz; then
    run "$mtrace" --json -o "$work/report" -- pigz -p 2 -c "$work/data"
    out="$(get verdict); tasks $(get tasks/#)"
    [ "$status" -eq 0 ] && [ "$(get tasks/#)" -ge 3 ] && [ "$(get lost/total)" = 0 ]
    ok $? "pigz -p 2: its threads, nothing lost"
fi

# A pipeline: the answer is at its end, and also while nobody has written yet.
run "$mtrace" --json -o "$work/report" -- sh -c 'sleep 1 | cat | wc -l'
out="$(get verdict)"
[ "$status" -eq 0 ] && get verdict | grep -q 'end of pipe.*: sleep, which slept '
ok $? "sh: who waits for a pipe waits for the sleep at its end"
run "$mtrace" --json -d 1 -o "$work/report" -- sh -c 'sleep 20 | cat'
out="$(get verdict)"
get verdict | grep -q '^cat.*end of pipe.*: sleep, which slept '
ok $? "sh: the other end of a pipe that nobody has written to"
plan
