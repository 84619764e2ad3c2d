#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Lower rooms know nothing of higher ones: reads every #include in the tree and fails on an arrow that runs up. One test
# a room, and a last one that gives the check a tree with a fault in every place and wants all of them found, because a
# check that cannot fail proves nothing.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

# The rooms from the bottom up. Every room may include the public headers, which include nothing but each other.
rooms="lib/arch lib/base lib/wait lib/task lib/sync lib/thread lib/process lib/queue lib/manager lib/coro lib/pool lib/patch"
readonly rooms="$rooms bpf tools"

# Prints "FROM: FILE:LINE includes PATH" for each arrow that runs up. An include means the file beside the including one,
# or below lib/, bpf/ or the top, which are on the search path; the system's headers and generated ones are in none of
# these and are left alone.
find_faults()
{
    local files
    files=$(find lib bpf tools examples \( -name '*.[chS]' -o -name '*.def' \) -type f 2>/dev/null || true)
    # shellcheck disable=SC2086 # one file a word: no name in the tree has a space
    { echo "$files"; echo; grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' $files /dev/null; } |
        awk -v rooms="$rooms" '
        BEGIN { n = split(rooms, names); for (i = 1; i <= n; i++) rank[names[i]] = i }
        function room_of(path,  part) {
            split(path, part, "/")
            if (path ~ /^lib\/linuxmt(\.h$|\/)/) return "public"
            return part[1] == "lib" ? part[1] "/" part[2] : part[1]
        }
        function resolve(from, name,  dirs, i, path) {
            sub(/[^\/]*$/, "", from)
            split(from ":lib/:bpf/:", dirs, ":")
            for (i = 1; i <= 4; i++) {
                path = dirs[i] name
                while (sub(/[^\/.]+\/\.\.\//, "", path)) continue
                if (path in exists) return path
            }
            return ""
        }
        function allowed(from, to) {
            if (to == "public") return 1
            if (from == "examples") return to == "examples"
            return rank[from] && rank[to] && rank[to] <= rank[from]
        }
        $0 == "" { listed = 1; next }
        !listed { exists[$0] = 1; next }
        {
            split($0, where, ":")
            name = $0
            sub(/^[^<"]*[<"]/, "", name)
            sub(/[>"].*/, "", name)
            path = resolve(where[1], name)
            from = room_of(where[1])
            if (path != "" && !allowed(from, room_of(path)))
                print from ": " where[1] ":" where[2] " includes " path
        }'
}

report()
{
    printf '%s' "$2" >"$log"
    silent "$1"
}

check_tree()
{
    local faults unknown='' room
    faults=$(find_faults)
    for room in public $rooms examples; do
        report "$room includes nothing above it" "$(grep "^$room: " <<<"$faults" || true)"
    done
    for room in lib/*/; do
        room=${room%/}
        if [[ $room != lib/linuxmt && " $rooms " != *" $room "* ]]; then
            unknown+="$room has no place among the rooms: give it one in tests/check-layers.t"$'\n'
        fi
    done
    report "every room has its place" "$unknown"
}

# A tree where each of these lines is a fault.
check_the_check()
{
    local tree found
    tree=$(mktemp -d)
    mkdir -p "$tree"/lib/{linuxmt,base,wait,sync,thread} "$tree"/{bpf,tools,examples}
    touch "$tree"/lib/{linuxmt/a.h,base/b.h,wait/w.h,sync/s.h,thread/t.h} "$tree"/tools/m.h
    echo '#include <base/b.h>' >"$tree"/lib/linuxmt/bad.h
    echo '#include "wait/w.h"' >"$tree"/lib/base/bad.c
    echo '  #  include "../sync/s.h"' >"$tree"/lib/wait/bad.c
    echo '#include "thread/t.h"' >"$tree"/lib/sync/bad.c
    echo '#include "../tools/m.h"' >"$tree"/bpf/bad.bpf.c
    echo '#include "sync/s.h"' >"$tree"/examples/bad.c
    printf '#include "s.h"\n#include "base/b.h"\n#include <linuxmt/a.h>\n#include <stdio.h>\n' >"$tree"/lib/sync/good.c
    found=$(cd "$tree" && find_faults)
    rm -rf "$tree"
    if [[ $(wc -l <<<"$found") == 6 ]] && ! grep -q good <<<"$found"; then
        report "six arrows that run up are found, and no other" ""
    else
        report "six arrows that run up are found, and no other" "found: $found"
    fi
}

cd "${srcdir:-.}"
check_tree
check_the_check
plan
