#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Unchanged threaded programs, preloaded: their threads are coroutines, and they say what they say without it. On both
# loops, on one hub and on three. Servers whose every connection is a thread have few: MT_TEST_CONNECTIONS says how many
# connections they get (5000).
set -euo pipefail
# shellcheck source=tests/patch/preload.sh
source "$(dirname "${BASH_SOURCE[0]}")/preload.sh"

read -ra cc <<<"${CC:-cc}"
python=$(command -v /usr/bin/python3 || command -v python3 || true)
read -ra cxx <<<"${CXX:-c++}"

compile() # PROGRAM SOURCES FLAGS...
{
    # shellcheck disable=SC2086 # several sources
    (cd "$here" && "${cc[@]}" -std=gnu11 -O1 -g -D_GNU_SOURCE -o "$scratch/$1" $2 "${@:3}" -pthread) >"$log" 2>&1
}

# same NAME COMMAND...: with each of the ways, all at once, what it says without.
same()
{
    local name=$1 way status=0 jobs=()
    local -A ways=([uring]="LINUXMT_LOOP=uring" [epoll]="LINUXMT_LOOP=epoll" [three-hubs]="LINUXMT_PATCH_HUBS=3"
        [three-pthread-hubs]="LINUXMT_PATCH_HUBS=3 LINUXMT_LOOP=epoll LINUXMT_THREADS=pthread")
    local -a environment
    shift
    mkdir "$scratch/$name.d"
    says "$scratch/$name.d/plain" timeout 60 "$@" &
    jobs=($!)
    for way in "${!ways[@]}"; do
        read -ra environment <<<"${ways[$way]}"
        says "$scratch/$name.d/$way" patched "${environment[@]}" -- timeout 60 "$@" &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    for way in "${!ways[@]}"; do
        status=0
        diff "$scratch/$name.d/plain" "$scratch/$name.d/$way" >"$log" || status=1
        verdict "$status" "$name is the same on $way"
    done
}

if compile pthreads "pthreads.c pthreads-*.c"; then
    for part in mutexes conditions rwlocks others futexes keyed threads processes variables polls signals sent interrupts left departs crowds pipes masks strays leave_main; do
        same "$part" "$scratch/pthreads" "$part"
    done
else
    verdict 1 "pthreads.c builds"
fi

# Waits that are not libc's: they wait in the hub, and leave threads what they are.
if compile rings rings.c -luring; then
    same rings "$scratch/rings"
    if grep -q io_uring_queue_init "$scratch/rings.d/plain"; then
        skip "no ring blocks its hub" "io_uring is refused here, or the kernel is older than Linux 6.1"
    else
        patched LINUXMT_PATCH_REPORT=1 -- timeout 60 "$scratch/rings" 2>&1 >/dev/null </dev/null | grep "blocked its hub\|the kernel's" >"$log" || true
        silent "no ring blocks its hub"
    fi
else
    skip "liburing's waits" "liburing is not there, or too old for this"
fi
if compile aio rings.c -DAIO -l:libaio.so.1; then
    same aio "$scratch/aio"
else
    skip "libaio's waits" "no libaio.so.1"
fi

if "${cxx[@]}" -std=c++17 -O1 -o "$scratch/cxx" "$here/threads-cxx.cc" -pthread >"$log" 2>&1; then
    same cxx "$scratch/cxx"
else
    skip "C++'s threads" "no C++ compiler"
fi

# Variables of threads: of modules that are loaded meanwhile, too; and threads that have to be the kernel's.
if "${cxx[@]}" -std=c++17 -O1 -o "$scratch/variables" "$here/threads-variables.cc" -pthread -ldl >"$log" 2>&1 &&
    "${cxx[@]}" -std=c++17 -O1 -shared -fPIC -o "$scratch/module.so" "$here/threads-module.cc" >"$log" 2>&1; then
    same cxx-variables "$scratch/variables" "$scratch/module.so"
    same cxx-exit "$scratch/variables" "$scratch/module.so" exit
    churned=()
    for size in 8 108 208 308; do
        compile "churned-$size.so" threads-churned.c -shared -fPIC -DSIZE=$size || true
        churned+=("$scratch/churned-$size.so")
    done
    if "${cxx[@]}" -std=c++17 -O1 -o "$scratch/churn" "$here/threads-churn.cc" -pthread -ldl >"$log" 2>&1; then
        same churn "$scratch/churn" "${churned[@]}"
    else
        verdict 1 "threads-churn.cc builds"
    fi
    # shellcheck disable=SC2016 # for the dynamic linker, which looks there as it is the program that asks
    if compile loads threads-loads.c -ldl '-Wl,-rpath,$ORIGIN'; then
        same loads "$scratch/loads" module.so
    else
        verdict 1 "threads-loads.c builds"
    fi
    if compile unloads threads-unloads.c -ldl; then
        same unloads "$scratch/unloads" "$scratch/module.so"
    else
        verdict 1 "threads-unloads.c builds"
    fi
else
    skip "C++'s variables of threads" "no C++ compiler"
fi
# shellcheck disable=SC2016 # for the dynamic linker
if compile liballocator.so threads-allocator.c -shared -fPIC &&
    compile allocator threads-allocator.c -DPROGRAM "-L$scratch" -Wl,--no-as-needed -lallocator '-Wl,-rpath,$ORIGIN'; then
    same allocator "$scratch/allocator"
else
    verdict "threads-allocator.c builds" 1
fi

if compile names threads-names.c -ldl -rdynamic; then
    same names "$scratch/names"
else
    verdict "threads-names.c builds" 1
fi

# kernels NAME COUNT WHY COMMAND...: the same, and so many threads were the kernel's, and the report says why.
kernels()
{
    local status=0 name=$1 count=$2 why=$3
    shift 3
    same "$name" "$@"
    patched LINUXMT_PATCH_REPORT=1 -- timeout 60 "$@" >/dev/null 2>"$log" </dev/null || status=1
    grep -q "^linuxmt: pthread_create made a thread of the kernel $count times$" "$log" || status=1
    grep -q "^linuxmt: its threads are the kernel's: .*$why" "$log" || status=1
    verdict "$status" "$name says why"
}
if compile runtime.so threads-runtime.c -shared -fPIC && compile ring.so threads-runtime.c -shared -fPIC -DRING &&
    compile mixture threads-mixture.c -ldl && compile large threads-mixture.c -DLARGE=20000; then
    kernels mixture 4 "runtime.so has GC_init" "$scratch/mixture" "$scratch/runtime.so"
    kernels mixture-ring 4 "ring.so has waits of liburing's" "$scratch/mixture" "$scratch/ring.so"
    kernels large 8 "they have 20008 bytes" "$scratch/large"
else
    verdict 1 "threads-mixture.c builds"
fi

# Locks only: coroutines and threads of libc's contend.
if compile mixed mixed.c "-I$here/../../lib" "-L$build/.libs" -llinuxmt; then
    for mode in threads processes; do
        for loop in uring epoll; do
            status=0
            env LD_LIBRARY_PATH="$build/.libs" LINUXMT_LOOP=$loop LINUXMT_PATCH=sleep,lock LD_PRELOAD="$preload" timeout 60 "$scratch/mixed" $mode >"$log" 2>&1 || status=1
            grep -q "wrong 0$" "$log" || status=1
            expected=$(sed -n 's/^expected //p' "$log")
            grep -q "^$expected $expected $expected $((expected / 3)), taken $expected left 0, serial 3, once 1," "$log" || status=1
            verdict "$status" "coroutines and threads contend ($mode, $loop)"
        done
    done
else
    verdict 1 "mixed.c builds"
fi

# wait_for FILE TEXT PID
wait_for()
{
    for ((i = 0; i < 1200; i++)); do
        grep -q "$2" "$1" 2>/dev/null && return
        kill -0 "$3" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# A server of threads: COUNT connections at once, and how many threads that took.
echo_server() # COUNT LOOP
{
    local server client port threads
    rm -f "$scratch"/{server,client}.{in,out}
    mkfifo "$scratch/server.in" "$scratch/client.in"
    env LINUXMT_PATCH=all LINUXMT_LOOP="$2" LD_PRELOAD="$preload" timeout 100 "$scratch/echo-threads" <"$scratch/server.in" >"$scratch/server.out" 2>&1 &
    server=$!
    servers+=("$server")
    exec 5>"$scratch/server.in"
    wait_for "$scratch/server.out" port $server || return 1
    port=$(sed -n 's/^port //p' "$scratch/server.out")
    timeout 100 "$scratch/echo-client" "$port" "$1" <"$scratch/client.in" >"$scratch/client.out" 2>&1 &
    client=$!
    servers+=("$client")
    exec 6>"$scratch/client.in"
    wait_for "$scratch/client.out" "^open $1" $client || return 1
    printf x >&5
    wait_for "$scratch/server.out" threads $server || return 1
    exec 6>&-
    wait $client || return 1
    exec 5>&-
    wait $server || return 1
    threads=$(sed -n 's/^threads //p' "$scratch/server.out")
    ((threads < 5)) && grep -q "^served $1, at once $1$" "$scratch/server.out"
}

# As many as asked for, or as few as descriptors allow, EACH a connection. Servers that do not raise their limit have it raised.
files=$(ulimit -Hn)
asked=${MT_TEST_CONNECTIONS:-5000}
if [[ $files == unlimited ]] || ((files > 2 * asked + 100)); then
    files=$((2 * asked + 100))
fi
ulimit -Sn "$files"
at_most() # EACH
{
    local most=$(((files - 100) / $1))
    echo $((asked < most ? asked : most))
}

count=$(at_most 1)
if compile echo-threads echo-threads.c && compile echo-client echo-client.c; then
    for loop in uring epoll; do
        status=0
        echo_server "$count" $loop || status=1
        cat "$scratch/server.out" "$scratch/client.out" >"$log" 2>/dev/null || true
        verdict "$status" "$count connections, a thread each, on few threads ($loop)"
    done
else
    verdict 1 "the echo server builds"
fi

# tinyproxy, whose every connection is a thread, on an address of this run's own; see proxy-load.c.
proxy() # COUNT LOOP
{
    local server status=0 address="127.$(($$ / 62500 % 250 + 1)).$(($$ / 250 % 250)).$(($$ % 250 + 1))"
    printf '%s\n' "Port 8888" "Listen $address" "Timeout 600" "MaxClients $(($1 + 10))" "LogLevel Error" "LogFile \"$scratch/proxy.log\"" >"$scratch/proxy.conf"
    # Not by patched(), in the background: that would be a shell's process, and what it is asked is the shell's.
    env LINUXMT_PATCH=all LINUXMT_LOOP="$2" LD_PRELOAD="$preload" tinyproxy -d -c "$scratch/proxy.conf" >"$scratch/proxy.out" 2>&1 &
    server=$!
    servers+=("$server")
    timeout 100 "$scratch/proxy-load" "$address" 8888 "$1" "$server" >"$scratch/client.out" 2>&1 || status=1
    kill "$server" || status=1
    wait "$server" || status=1 # it ends well when it is told to
    threads=$(awk '/^Threads:/ { print $2 }' "$scratch/client.out")
    grep -q '^Name:.*tinyproxy$' "$scratch/client.out" && ((status == 0 && ${threads:-99} < 5))
}

if ! compile proxy-load proxy-load.c; then
    verdict 1 "proxy-load.c builds"
elif command -v tinyproxy >/dev/null; then
    count=$(at_most 2)
    for loop in uring epoll; do
        status=0
        proxy "$count" "$loop" || status=1
        cat "$scratch"/{proxy.out,proxy.log,client.out} >"$log" 2>/dev/null || true
        verdict "$status" "tinyproxy serves $count connections at once on few threads ($loop)"
        sed 's/^/# /' "$scratch/client.out"
    done
else
    skip "tinyproxy" "tinyproxy is not there"
fi

if [[ -n $python ]]; then
    same python "$python" "$here/threads.py"
else
    skip "python3" "it is not there"
fi

if compile sqlite sqlite.c -lsqlite3; then
    for loop in uring epoll; do
        status=0
        "$scratch/sqlite" "$scratch/plain-$loop.db" >"$scratch/sqlite.plain" 2>&1
        patched LINUXMT_LOOP=$loop -- timeout 60 "$scratch/sqlite" "$scratch/$loop.db" >"$scratch/sqlite.patched" 2>&1 || status=1
        diff "$scratch/sqlite.plain" "$scratch/sqlite.patched" >"$log" || status=1
        verdict "$status" "sqlite3 in many coroutines stays right ($loop)"
    done
else
    skip "sqlite3" "no sqlite3.h"
fi
plan
