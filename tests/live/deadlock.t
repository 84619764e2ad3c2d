#!/bin/sh
# SPDX-License-Identifier: MIT
# mtrace deadlock, on programs that are stuck in known ways, on such as are not, and with less privilege.
. "${top_srcdir:-.}/tests/live/tap.sh"
[ "$(id -u)" = 0 ] || skip_all "reads other processes by eBPF: run it as root"
"$mtrace" doctor >/dev/null 2>&1 || skip_all "no eBPF here: mtrace doctor says why"

# circle NAME ARGUMENT TEXT...: the arranged program is stuck and the report says each text.
circle()
{
    name=$1 argument=$2
    shift 2
    start "$live/stuck" "$argument"
    run "$mtrace" deadlock -p "$pid"
    [ $status = 3 ] && has Deadlock "$@"
    ok $? "$name"
    stop
}

circle "two threads, two mutexes, each with its names and lines" abba \
    'Deadlock: 2 threads wait for each other' '"first" waits for mutex lock_b, held by' '"second" waits for mutex lock_a, held by' \
    'in take_second at stuck.c:'
circle "three threads, and two behind them" three \
    'Deadlock: 3 threads' 'lock_a, held by' 'lock_b, held by' 'lock_c, held by' '2 more wait behind' '"behind" waits for mutex lock_a'
circle "two threads after the first one has ended" leaderless 'waits for mutex lock_b' 'in take_second at stuck.c:'
circle "a thread that takes its own mutex again" self 'a thread waits for itself' 'lock_a, which it holds itself'
circle "a join that waits for a thread that waits for the joiner" join \
    '"joiner" waits for the end of' '"joined" waits for mutex lock_a, held by' 'in joiner_body at stuck.c:'
circle "a writer's rwlock" rwlock '"reader" waits for rwlock table_lock, held by' '"writer" waits for mutex lock_a'
circle "robust mutexes" robust 'robust mutex lock_a' 'robust mutex lock_b'
circle "a circle that a timeout will break says so" timed 'with a timeout' 'A timeout will break this circle'

start "$live/stuck" gone
run "$mtrace" deadlock -p "$pid"
[ $status = 3 ] && has Abandoned 'waits for mutex lock_a, held by thread' 'which has ended'
ok $? "a mutex whose owner has ended"
stop

start "$live/stuck" processes
child=$(sed -n 's/^child //p' "$work/ready")
run "$mtrace" deadlock -p "$pid,$child"
[ $status = 3 ] && has "2 threads wait for each other" "of process $pid" "of process $child"
ok $? "two processes that wait for each other"
run "$mtrace" deadlock -p "$pid"
[ $status = 4 ] && has "No circle found: " "of process $child, which was not given: -p $pid,$child looks at both"
ok $? "one of the two alone: the other is named"
kill "$child"
stop

# -- What is not stuck
start "$live/stuck" chain
run "$mtrace" deadlock -p "$pid"
[ $status = 4 ] && has 'No circle found: ' '1 of them without a known owner' 'Longest chain' '"waiter" waits for mutex lock_a, held by' '"sleeper" is in clock_nanosleep' \
    'Most threads wait for' '": 3,'
ok $? "a chain that ends in a sleeper"
stop

start "$live/stuck" chain
kill -STOP "$pid"
run "$mtrace" deadlock -p "$pid"
has "Process $pid is stopped by a signal: 'kill -CONT $pid' lets it go on."
ok $? "a process that is stopped is said to be"
stop

# never NAME ARGUMENT: 20 looks at a busy program find nothing.
never()
{
    start "$live/stuck" "$2"
    found=0
    for _ in $(seq 20); do
        run "$mtrace" deadlock -p "$pid"
        # 4: a mutex that is between two owners
        { [ $status = 0 ] || [ $status = 4 ]; } && ! has "Deadlock:" || { found=1; break; }
    done
    ok $found "$1"
    stop
}
never "contended, always in the same order: no deadlock in 20 looks" busy
never "contended, in both orders but careful: no deadlock in 20 looks" careful

start "$live/waits" readers-forever
run "$mtrace" deadlock -p "$pid"
[ $status = 4 ] && has 'No circle found' 'waits for rwlock arranged_rwlock, no owner recorded'
ok $? "a writer that waits for readers: no owner is recorded"
stop

if command -v python3 >/dev/null; then
    cat >"$work/stuck.py" <<'END'
import threading, time
a, b = threading.Lock(), threading.Lock()
meet = threading.Barrier(2)
def body(mine, other):
    with mine:
        meet.wait()
        other.acquire()
for pair in ((a, b), (b, a)):
    threading.Thread(target=body, args=pair, daemon=True).start()
time.sleep(0.3)
print("ready", flush=True)
time.sleep(60)
END
    start python3 "$work/stuck.py"
    run "$mtrace" deadlock -p "$pid"
    [ $status = 4 ] && has "No circle found" "without a known owner" "no owner recorded" && ! has "held by" && ! has "No deadlock"
    ok $? "python's locks have no owner, and none is invented"
    stop
else
    skip "python's locks" "python3 is not installed"
fi

# -- liblinuxmt
# library NAME ARGUMENT STATUS TEXT...
library()
{
    name=$1 argument=$2 wanted=$3
    shift 3
    start "$live/stuck-mt" "$argument"
    run "$mtrace" deadlock -p "$pid"
    [ $status = "$wanted" ] && has "$@"
    ok $? "$name"
    stop
}
library "liblinuxmt: locks and tasks by name, and where they were acquired" locks 3 \
    '"teller" waits for lock journal, held by' '"auditor" waits for lock accounts, held by' 'in hold_accounts at stuck-mt.c:' \
    'journal was acquired at stuck-mt.c:'
library "liblinuxmt: a join in a circle" join 3 '"boss" waits for the end of' '"worker" waits for lock accounts, held by' \
    'in join_other at stuck-mt.c:'
library "liblinuxmt: an event has no owner" event 4 '"listener" waits for event never, no owner recorded'
library "liblinuxmt: a read-write lock's writer" rwlock 3 '"reader" waits for rwlock table, held by' '"writer" waits for lock accounts, held by'
library "liblinuxmt: a lock whose owner has ended" gone 3 'Abandoned: 1 thread waits' '"heir" waits for lock accounts, held by thread' 'which has ended' \
    'accounts was acquired at stuck-mt.c:'
library "liblinuxmt: a future in a circle with a lock" future 3 '"client" waits for future ' 'which is up to ' '"office/' ' waits for lock accounts, held by'
library "liblinuxmt: a sleeper waits for nobody" sleep 0 'No deadlock: 0 of 2 threads wait for others.'
start "$live/stuck-mt" sleep
run "$mtrace" deadlock --json -p "$pid"
has '"kind": "sleep"'
ok $? "and is a sleeper in JSON"
stop

# -- Names, where they are hard to come by
cp "$live/stuck" "$work/gone"
start "$work/gone" abba
rm "$work/gone"
run "$mtrace" deadlock -p "$pid"
[ $status = 3 ] && has 'lock_b, held by' 'in take_second at stuck.c:'
ok $? "a program whose file has been deleted"
stop

if command -v strip >/dev/null && strip -o "$work/bare" "$live/stuck" 2>/dev/null; then
    start "$work/bare" abba
    run "$mtrace" deadlock -s -p "$pid"
    [ $status = 3 ] && has 'waits for mutex bare+0x' ' bare+0x' 'libc.so.6)'
    ok $? "a stripped program: offsets in its file"
    stop
else
    skip "a stripped program" "strip is not installed"
fi

if unshare --mount true 2>/dev/null; then
    mkdir "$work/inside"
    start unshare --mount sh -c 'mount -t tmpfs none "$1" && cp "$2" "$1/hidden" && exec "$1/hidden" abba' sh "$work/inside" "$live/stuck"
    run "$mtrace" deadlock -p "$pid"
    [ $status = 3 ] && [ ! -e "$work/inside/hidden" ] && has 'lock_b, held by' 'in take_second at stuck.c:'
    ok $? "a program that only its own mount namespace has"
    stop
else
    skip "a program of another mount namespace" "unshare --mount does not work here"
fi

cat >"$work/bank.cc" <<'END'
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>
#include <unistd.h>
namespace bank {
struct Account { std::mutex lock; };
static Account savings, current;
template <typename T> struct Ledger {
    __attribute__((noinline)) void post(T &a, T &b)
    {
        std::lock_guard<std::mutex> first(a.lock);
        usleep(100000);
        std::lock_guard<std::mutex> second(b.lock);
        asm volatile("");
    }
};
}
int main()
{
    alarm(60);
    bank::Ledger<bank::Account> ledger;
    std::thread one([&] { ledger.post(bank::savings, bank::current); });
    std::thread two([&] { ledger.post(bank::current, bank::savings); });
    std::thread([] { std::this_thread::sleep_for(std::chrono::seconds(50)); }).detach();
    usleep(300000);
    puts("ready");
    fflush(stdout);
    one.join();
    two.join();
}
END
if ${CXX:-c++} -g -O2 -o "$work/bank" "$work/bank.cc" -lpthread 2>/dev/null; then
    start "$work/bank"
    run "$mtrace" deadlock -p "$pid"
    [ $status = 3 ] && has 'mutex bank::savings, held by' 'mutex bank::current, held by' 'bank::Ledger<bank::Account>::post' \
        'at bank.cc:14' 'waits for the end of'
    ok $? "C++: names as they were written, and the line that used std::lock_guard"
    if [ "$(id -u)" -eq 0 ]; then
        run "$mtrace" -d 0.3 -p "$pid"
        printf '%s\n' "$out" | grep 'sleep (' | grep -q 'at bank.cc:25'
        ok $? "C++: the line that called into its library, although that is in headers"
    else
        skip "C++: the line that called into its library" "needs root"
    fi
    stop
else
    skip "C++ names" "no C++ compiler"
    skip "C++: the line that called into its library" "no C++ compiler"
fi

# -- Time
start "$live/stuck" three
# 1 s is promised, of CPU time here: a busy machine gives it when it can.
run sh -c '"$@"; status=$?; times >&2; exit $status' sh "$mtrace" deadlock -p "$pid"
spent=$(printf '%s\n' "$err" | awk 'END { gsub(/[ms]/, " "); print int(1000 * ($1 * 60 + $2 + $3 * 60 + $4)) }')
[ $status = 3 ] && [ "$spent" -lt 3000 ]
ok $? "the answer comes at once ($spent ms of CPU time)"

# -- JSON
run "$mtrace" deadlock --json -p "$pid"
[ $status = 3 ] && printf '%s' "$out" | {
    if command -v python3 >/dev/null; then
        python3 -c '
import json, sys
r = json.load(sys.stdin)
assert r["report"] == "deadlock" and r["version"] == 1 and r["deadlock"] is True
assert len(r["circles"]) == 1 and len(r["circles"][0]) == 3
threads = {t["tid"]: t for t in r["threads"]}
for tid, following in zip(r["circles"][0], r["circles"][0][1:] + r["circles"][0][:1]):
    assert threads[tid]["wait"]["kind"] == "mutex" and threads[tid]["wait"]["owner"] == following
    assert threads[tid]["at"]["function"] == "take_second" and threads[tid]["at"]["line"] > 0
'
    else
        grep -q '"deadlock": true'
    fi
}
ok $? "--json has the circle"
stop

# -- Another pid namespace: the locks hold the numbers of the inside
if unshare --pid --fork true 2>/dev/null; then
    start unshare --pid --fork --kill-child "$live/stuck" abba
    inner=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null | awk '{print $1}')
    run "$mtrace" deadlock -p "${inner:-0}"
    [ $status = 3 ] && has 'Deadlock: 2 threads' 'lock_b, held by'
    ok $? "a process of another pid namespace"
    kill -KILL "$inner" # unshare waits for it, and the first process of a namespace takes no other signal
    stop
else
    skip "a process of another pid namespace" "unshare --pid does not work here"
fi

if build_i386 && { "$work/waits-i386" again & } && tap_pids="$tap_pids $!" && pid=$! && sleep 0.3 && kill -0 "$pid"; then
    run "$mtrace" deadlock -p "$pid"
    [ $status = 3 ] && has 'Deadlock' 'waits for itself' 'which it holds itself' 'in take_again at waits-i386.c:'
    ok $? "a 32-bit program"
    kill "$pid"
    if command -v setpriv >/dev/null && as_nobody true 2>/dev/null; then
        cp "$mtrace" "$work"
        setpriv --reuid=65534 --regid=65534 --clear-groups "$work/waits-i386" again &
        pid=$! tap_pids="$tap_pids $!"
        sleep 0.3
        run as_nobody "$work/mtrace" deadlock -p "$pid"
        [ $status = 3 ] && has 'waits for itself' 'which it holds itself' 'by /proc in'
        ok $? "and by /proc"
        kill "$pid"
    fi
else
    skip "a 32-bit program" "this machine cannot make or run any"
fi

# -- Less privilege
if command -v setpriv >/dev/null && as_nobody true 2>/dev/null; then
    cp "$mtrace" "$live/stuck" "$work"
    start setpriv --reuid=65534 --regid=65534 --clear-groups "$work/stuck" abba
    run as_nobody "$work/mtrace" deadlock -p "$pid"
    [ $status = 3 ] && has 'Deadlock: 2 threads' 'by /proc in'
    ok $? "without privilege: a process of one's own, by /proc"
    stop
    start setpriv --reuid=65534 --regid=65534 --clear-groups "$work/stuck" private
    run as_nobody "$work/mtrace" deadlock -p "$pid"
    [ $status = 125 ] && says "process $pid is yours, but it lets nobody read it" PR_SET_DUMPABLE "sudo $work/mtrace deadlock -p $pid"
    ok $? "without privilege: a process of one's own that lets nobody read it"
    run as_nobody "$work/mtrace" deadlock -p 1
    [ $status = 125 ] && says CAP_BPF "sudo $work/mtrace deadlock -p 1" 'setcap cap_bpf'
    ok $? "without privilege: another's process, the command that would do it"
    stop
    start "$live/stuck" abba
    run as_nobody --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon "$work/mtrace" deadlock -p "$pid"
    [ $status = 3 ] && has 'Deadlock: 2 threads' 'by eBPF in'
    ok $? "with CAP_BPF and CAP_PERFMON only"
    run as_nobody --inh-caps=+bpf,+perfmon,+sys_ptrace --ambient-caps=+bpf,+perfmon,+sys_ptrace "$work/mtrace" deadlock -p "$pid"
    [ $status = 3 ] && has 'lock_b, held by' 'in take_second at stuck.c:'
    ok $? "with CAP_SYS_PTRACE as well: names"
    stop
    start "$live/stuck-mt" locks
    run as_nobody --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon "$work/mtrace" deadlock -p "$pid"
    [ $status = 3 ] && has 'lock journal, held by' 'CAP_SYS_PTRACE' && ! has "not liblinuxmt's"
    ok $? "task records that may not be read are not said to be none"
    stop
else
    for what in "without privilege" "without privilege, another's" "a private process" "two capabilities" "three capabilities" "task records"; do
        skip "$what" "setpriv cannot drop privileges here"
    done
fi

# -- Mistakes
run "$mtrace" deadlock -p 4194300
[ $status = 125 ] && says 'no process 4194300'
ok $? "a process that does not exist"
run "$mtrace" deadlock -p twelve
[ $status = 125 ] && says "'twelve' is not a process id"
ok $? "something that is no number"
run "$mtrace" deadlock
[ $status = 125 ] && says 'Give -p PID'
ok $? "no process at all"
start "$live/stuck" abba
thread=$(ls "/proc/$pid/task" | tail -n 1)
run "$mtrace" deadlock -p "$thread"
[ $status = 125 ] && says "a thread of process $pid"
ok $? "a thread instead of a process"
run sh -c '"$1" deadlock -p "$2" >/dev/full' sh "$mtrace" "$pid"
[ $status = 125 ] && says 'could not be written'
ok $? "a full disk"
stop

plan
