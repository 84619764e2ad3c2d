#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Threads that compute and never call anything, preloaded: the others have their turn, and all come to what they come to
# with libc's threads. On both loops, on one hub and on three.
set -euo pipefail

build=$(cd "${top_builddir:-$PWD}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
patch=$build/.libs/liblinuxmt-patch.so
scratch=$(mktemp -d)
server=
end()
{
    [[ ! $server ]] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end EXIT

if [[ ! -e $patch ]]; then
    echo "1..0 # SKIP $patch is not there: run make first"
    exit 0
fi
if [[ ${mt_sanitizer:-none} != none ]]; then
    echo "1..0 # SKIP a sanitizer has to be the first of what is preloaded"
    exit 0
fi

read -ra cc <<<"${CC:-cc}"
read -ra cxx <<<"${CXX:-c++}"
number=0

verdict() # NAME STATUS [SKIP WHY]
{
    number=$((number + 1))
    if (($2 == 0)); then
        echo "ok $number - $1${3:+ # SKIP $3}"
    else
        echo "not ok $number - $1"
        head -n 40 "$scratch/why" | sed 's/^/# /'
    fi
}

# run FILE ENVIRONMENT... -- COMMAND: its output, status and, in FILE.errors, the report.
run()
{
    local file=$1 status=0
    local environment=()
    shift
    while [[ $1 != -- ]]; do
        environment+=("$1")
        shift
    done
    shift
    env "${environment[@]+"${environment[@]}"}" timeout -k 5 110 "$@" >"$file" 2>"$file.errors" </dev/null || status=$?
    echo "status $status" >>"$file"
}

# same NAME COMMAND...: each of the ways says what it says without, and some have made way.
same()
{
    local name=$1 way status jobs=()
    shift
    run "$scratch/plain" -- "$@"
    for way in "uring 1" "epoll 1" "uring 3" "epoll 3"; do
        run "$scratch/${way/ /-}" LINUXMT_PATCH=all LINUXMT_PATCH_REPORT=1 LINUXMT_LOOP="${way% *}" LINUXMT_PATCH_HUBS="${way#* }" LD_PRELOAD="$patch" -- "$@" &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    for way in "uring 1" "epoll 1" "uring 3" "epoll 3"; do
        status=0
        diff "$scratch/plain" "$scratch/${way/ /-}" >"$scratch/why" || status=1
        grep -qx 'status 0' "$scratch/plain" || status=1
        if ! grep -q '^linuxmt: who computed made way' "$scratch/${way/ /-}.errors"; then
            echo "nobody made way" >>"$scratch/why"
            cat "$scratch/${way/ /-}.errors" >>"$scratch/why"
            [[ $way == *3 ]] || status=1 # there may be no need
        fi
        verdict "$name: by ${way% *}, in ${way#* } hub(s)" "$status"
    done
}

compile() # PROGRAM SOURCES FLAGS...
{
    # shellcheck disable=SC2086 # several sources
    (cd "$here" && "${cc[@]}" -std=gnu11 -g -D_GNU_SOURCE -o "$scratch/$1" $2 "${@:3}" -pthread -lm) >"$scratch/why" 2>&1
}

for flags in "-O0" "-O3 -fomit-frame-pointer" "-O2 -fno-omit-frame-pointer -fno-pie -no-pie"; do
    read -ra words <<<"$flags"
    if compile slices "slices.c slices-registers.c" "${words[@]}"; then
        same "with $flags" "$scratch/slices"
    else
        verdict "slices.c builds with $flags" 1
    fi
done
if "${cxx[@]}" -std=c++17 -O2 -o "$scratch/cxx" "$here/slices-cxx.cc" -pthread >"$scratch/why" 2>&1; then
    same "C++" "$scratch/cxx"
else
    verdict "C++" 0 "no C++ compiler"
fi

# What cannot be left is counted, and where; and neither happens without slices.
if compile slices "slices.c slices-registers.c" -O2; then
    patched=(LINUXMT_PATCH=all LINUXMT_PATCH_REPORT=1 LD_PRELOAD="$patch")
    status=0
    run "$scratch/why" "${patched[@]}" -- "$scratch/slices" callback
    grep -q '^linuxmt: who computed could not be interrupted' "$scratch/why.errors" || status=1
    cat "$scratch/why.errors" >>"$scratch/why"
    verdict "what cannot be interrupted is counted" "$status"
    for loop in uring epoll; do
        status=0
        run "$scratch/plain" -- "$scratch/slices" accepting
        run "$scratch/patched" "${patched[@]}" LINUXMT_LOOP=$loop -- "$scratch/slices" accepting
        diff "$scratch/plain" "$scratch/patched" >"$scratch/why" || status=1
        verdict "a signal that the program has is another's no more (by $loop)" "$status"
    done
    status=0
    run "$scratch/why" "${patched[@]}" LINUXMT_PATCH_SLICE=off -- "$scratch/slices" compute
    ! grep -q '^linuxmt: who computed' "$scratch/why.errors" || status=1
    grep -qx 'its threads: 1' "$scratch/why" || status=1
    cat "$scratch/why.errors" >>"$scratch/why"
    verdict "LINUXMT_PATCH_SLICE=off is heard" "$status"
    status=0
    run "$scratch/why" "${patched[@]}" LINUXMT_PATCH_SLICE=0.001 -- "$scratch/slices" flags
    grep -q '^linuxmt: who computed made way' "$scratch/why.errors" || status=1
    cat "$scratch/why.errors" >>"$scratch/why"
    verdict "LINUXMT_PATCH_SLICE has them sooner" "$status"
    status=0
    run "$scratch/why" "${patched[@]}" LINUXMT_PATCH_SLICE=soon -- "$scratch/slices" flags
    grep -q '^linuxmt: LINUXMT_PATCH_SLICE: soon is neither seconds nor off' "$scratch/why.errors" || status=1
    grep -qx 'flags: 3' "$scratch/why" || status=1
    verdict "LINUXMT_PATCH_SLICE that is neither is told" "$status"
else
    verdict "slices.c builds" 1
fi

if compile native slices-native.c "-I$here/../../lib" "-L$build/.libs" -llinuxmt; then
    status=0
    run "$scratch/why" LD_LIBRARY_PATH="$build/.libs" LINUXMT_PATCH=all LD_PRELOAD="$patch" -- "$scratch/native"
    grep -qx 'in a turn: 0' "$scratch/why" && grep -qx 'after it: 1' "$scratch/why" || status=1
    verdict "hubs of mt_coro_spawn's are left alone" "$status"
else
    verdict "slices-native.c builds" 1
fi

# A server whose main thread waits for its others by looking at variables.
redis() # LOOP
{
    local socket=$scratch/redis.socket status=0
    rm -f "$socket"
    LINUXMT_PATCH=all LINUXMT_PATCH_REPORT=1 LINUXMT_LOOP=$1 LD_PRELOAD=$patch redis-server --port 0 --unixsocket "$socket" \
        --save '' --io-threads 4 --io-threads-do-reads yes --dir "$scratch" >"$scratch/why" 2>&1 </dev/null &
    server=$!
    for ((i = 0; i < 400; i++)); do
        timeout 60 redis-cli -s "$socket" ping >/dev/null 2>&1 && break
        sleep 0.05
    done
    timeout 100 redis-benchmark -s "$socket" -c 20 -n 400 -t incr -q >"$scratch/load" 2>&1 || status=1
    [[ $(timeout 60 redis-cli -s "$socket" get counter:__rand_int__) == 400 ]] || status=1
    timeout 60 redis-cli -s "$socket" info stats | grep '^io_threaded_reads_processed:[1-9]' >/dev/null || status=1
    timeout 60 redis-cli -s "$socket" shutdown nosave || status=1
    wait "$server" || status=1
    server=
    grep -q '^linuxmt: who computed made way' "$scratch/why" || status=1
    cat "$scratch/load" >>"$scratch/why"
    return $status
}
for loop in uring epoll; do
    if command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null; then
        status=0
        redis $loop || status=1
        verdict "redis-server with threads for input and output (by $loop)" "$status"
    else
        verdict "redis-server with threads for input and output (by $loop)" 0 "redis is not installed"
    fi
done
echo "1..$number"
