#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Threads of other languages' runtimes, preloaded: programs say what they say without it. ruby's and Python's threads are
# coroutines then; Rust's, Java's and Go's stay the kernel's. On both loops, on one hub and on three. What is not installed is
# skipped.
set -euo pipefail
# shellcheck source=tests/patch/preload.sh
source "$(dirname "${BASH_SOURCE[0]}")/preload.sh"

# same NAME COMMAND...: with each of the ways what it says without, and it ends well.
same()
{
    local name=$1 way status
    shift
    says "$scratch/plain" timeout 60 "$@"
    for way in "uring 1" "epoll 1" "uring 3" "epoll 3"; do
        status=0
        says "$scratch/patched" patched LINUXMT_LOOP="${way% *}" LINUXMT_PATCH_HUBS="${way#* }" -- timeout 60 "$@"
        diff "$scratch/plain" "$scratch/patched" >"$log" || status=1
        grep -qx 'status 0' "$scratch/plain" || status=1
        verdict "$status" "$name: by ${way% *}, in ${way#* } hub(s)"
    done
}

# threads NAME KIND COMMAND...: coroutines, or the kernel's; by what the report says.
threads()
{
    local name=$1 kind=$2 status=0
    shift 2
    says "$log" patched LINUXMT_PATCH_REPORT=1 -- timeout 60 "$@"
    if grep -q "^linuxmt: its threads are the kernel's" "$log"; then
        [[ $kind == kernel ]] || status=1
    else
        [[ $kind == coroutine ]] || status=1
    fi
    verdict "$status" "$name: what its threads are"
}

# tool NAME COMMAND...: whether it is there and works.
tool()
{
    local name=$1
    shift
    if ! command -v "$1" >/dev/null; then
        skip "$name" "$1 is not installed"
        return 1
    fi
    if ! "$@" >"$log" 2>&1; then
        skip "$name" "$1 does not work here: $(head -n 1 "$log")"
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
plan
