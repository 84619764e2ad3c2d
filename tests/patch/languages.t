#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Threads of other languages' runtimes, preloaded: programs say what they say without it. ruby's and Python's threads are
# coroutines then; Rust's, Java's and Go's stay the kernel's. On both loops, on one hub and on three. What is not installed is
# skipped.
set -euo pipefail

build=$(cd "${top_builddir:-$PWD}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
patch=$build/.libs/liblinuxmt-patch.so
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ ! -e $patch ]]; then
    echo "1..0 # SKIP $patch is not there: run make first"
    exit 0
fi
if [[ ${mt_sanitizer:-none} != none ]]; then
    echo "1..0 # SKIP a sanitizer has to be the first of what is preloaded"
    exit 0
fi

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

# run FILE ENVIRONMENT... -- COMMAND
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
    env "${environment[@]+"${environment[@]}"}" timeout 60 "$@" >"$file" 2>&1 </dev/null || status=$?
    echo "status $status" >>"$file"
}

# same NAME COMMAND...: with each of the ways what it says without, and it ends well.
same()
{
    local name=$1 way status
    shift
    run "$scratch/plain" -- "$@"
    for way in "uring 1" "epoll 1" "uring 3" "epoll 3"; do
        status=0
        run "$scratch/patched" LINUXMT_PATCH=all LINUXMT_LOOP="${way% *}" LINUXMT_PATCH_HUBS="${way#* }" LD_PRELOAD="$patch" -- "$@"
        diff "$scratch/plain" "$scratch/patched" >"$scratch/why" || status=1
        grep -qx 'status 0' "$scratch/plain" || status=1
        verdict "$name: by ${way% *}, in ${way#* } hub(s)" "$status"
    done
}

# threads NAME KIND COMMAND...: coroutines, or the kernel's; by what the report says.
threads()
{
    local name=$1 kind=$2 status=0
    shift 2
    run "$scratch/why" LINUXMT_PATCH=all LINUXMT_PATCH_REPORT=1 LD_PRELOAD="$patch" -- "$@"
    if grep -q "^linuxmt: its threads are the kernel's" "$scratch/why"; then
        [[ $kind == kernel ]] || status=1
    else
        [[ $kind == coroutine ]] || status=1
    fi
    verdict "$name: what its threads are" "$status"
}

# tool NAME COMMAND...: whether it is there and works.
tool()
{
    local name=$1
    shift
    if ! command -v "$1" >/dev/null; then
        verdict "$name" 0 "$1 is not installed"
        return 1
    fi
    if ! "$@" >"$scratch/why" 2>&1; then
        verdict "$name" 0 "$1 does not work here: $(head -n 1 "$scratch/why")"
        return 1
    fi
}

if tool ruby ruby -e 1; then
    same ruby ruby "$here/threads.rb"
    threads ruby coroutine ruby "$here/threads.rb"
fi
if tool rust rustc --edition 2021 -o "$scratch/rust" "$here/threads.rs"; then
    same rust "$scratch/rust"
    threads rust kernel "$scratch/rust"
fi
if tool python3 python3 -c 1; then
    same python3 python3 "$here/threads-many.py"
fi
if tool java javac -d "$scratch" "$here/Threads.java"; then
    java=(java -XX:TieredStopAtLevel=1 -Xshare:auto -cp "$scratch" Threads)
    same java "${java[@]}"
    threads java kernel "${java[@]}"
fi
# cgo's part of the standard library takes a while, the first time.
if tool go env GO111MODULE=off CGO_ENABLED=1 go build -o "$scratch/go" "$here/threads.go"; then
    same go "$scratch/go"
fi
echo "1..$number"
