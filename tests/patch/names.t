#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# lib/patch/names.def against libc: every name that libc has is in it or in nonblocking.txt, so that a new one which blocks is
# noticed; what it says is taken over is defined by the library, and nothing else is; and the manual has the same table.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=$(cd "${top_builddir:-$PWD}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
library=$build/.libs/liblinuxmt-patch.so
tested_on=2.36
export LC_ALL=C

if ! command -v nm >/dev/null || [[ ! -e $library ]]; then
    skip_all "it needs nm (install binutils), and the library: run make first"
fi

# silent_here NAME: what is found is only worth a look where this libc is not the one that the list is of.
silent_here()
{
    if [[ $todo && -s $log ]]; then
        silent "$1 # TODO $todo"
    else
        silent "$1"
    fi
}

sed -nE 's/^NAME\(([A-Za-z0-9_]+), .*/\1/p' "$top/lib/patch/names.def" | sort >"$scratch/all"
sed -nE '/NOT_COVERED/d; s/^NAME\(([A-Za-z0-9_]+), .*/\1/p' "$top/lib/patch/names.def" | sort >"$scratch/ours"
nm -D --defined-only "$library" | awk '$2 == "T" && $3 !~ /^mt_/ {print $3}' | sed 's/@.*//' | sort -u >"$scratch/defined"

# Of other libraries; liburing's are there where it was built with.
others='^(__)?io_(uring_|p?getevents)'
if ! grep -q '^URING_CPPFLAGS = -DHAVE_URING=1' "$build/Makefile"; then
    grep -vE '^(__)?io_uring_' "$scratch/ours" >"$scratch/without" || true
    mv "$scratch/without" "$scratch/ours"
fi

uniq -d "$scratch/all" >"$log"
silent "no name is there twice"

diff "$scratch/ours" "$scratch/defined" >"$log" || true
silent "the library defines what the table says it takes over, and nothing else"

# The sanitizers' libraries come before libc in what ldd prints, but are none. ldd is a script: all that it prints is read,
# or it fails for the reader that has gone.
libc=$(ldd "$library" | awk '/libc\.so/ && !found {print $3; found = 1}')
version=$("$libc" 2>/dev/null | sed -nE '1s/.*version ([0-9.]+[0-9]).*/\1/p' || true)
todo=
if [[ $version != "$tested_on" ]]; then
    todo="this list is of glibc $tested_on; here is ${version:-another libc}"
fi
nm -D --defined-only "$libc" | awk '$2 ~ /^[TWi]$/ && $3 !~ /@GLIBC_PRIVATE/ {print $3}' | sed 's/@.*//' |
    sort -u >"$scratch/libc"
tr -s ' \n' '\n' <"$here/nonblocking.txt" | sort -u >"$scratch/others"
comm -23 "$scratch/libc" <(sort -u "$scratch/all" "$scratch/others") |
    sed 's/$/ is new: does it block? put it into names.def or nonblocking.txt/' >"$log"
silent_here "every name of libc has been looked at"

# Names that only newer versions have are for programs built with them.
comm -13 "$scratch/libc" "$scratch/all" | grep -vE "^__isoc23_|$others" >"$log" || true
silent_here "every name is one of libc's, or of libaio's or liburing's"

awk -f "$here/table.awk" "$top/lib/patch/names.def" >"$scratch/table"
sed -n '/^\.\\" The table is made by/,/^\.\\" The end of the table/p' "$top/man/man7/liblinuxmt-patch.7" | sed '1d; $d' |
    diff "$scratch/table" - >"$log" || true
silent "the manual has the same table"
plan
