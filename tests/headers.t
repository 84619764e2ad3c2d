#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each public header compiles alone, twice over, as C11 and as C++17, without a warning, and every call it declares has a
# man page. The compilers come from the environment: CC and CXX, as configure found them.
set -euo pipefail

srcdir=$(cd "${srcdir:-.}" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

read -ra cc <<<"${CC:-cc}"
read -ra cxx <<<"${CXX:-c++}"
readonly strict=(-Wall -Wextra -Werror -pedantic -fsyntax-only "-I$srcdir/lib")

number=0

# verdict NAME STATUS LOG
verdict()
{
    number=$((number + 1))
    if (($2 == 0)); then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        sed 's/^/# /' "$3"
    fi
}

compile()
{
    local name=$1 source=$2 status=0
    shift 2
    "$@" "${strict[@]}" "$source" >"$scratch/log" 2>&1 || status=$?
    verdict "$name" "$status" "$scratch/log"
}

have_cxx=0
if command -v "${cxx[0]}" >/dev/null; then
    have_cxx=1
fi

for header in "$srcdir"/lib/linuxmt.h "$srcdir"/lib/linuxmt/*.h; do
    include=${header#"$srcdir"/lib/}
    printf '#include <%s>\n#include <%s>\nint here;\n' "$include" "$include" >"$scratch/alone.c"
    cp "$scratch/alone.c" "$scratch/alone.cc"
    compile "$include alone, C11" "$scratch/alone.c" "${cc[@]}" -std=c11
    if ((have_cxx)); then
        compile "$include alone, C++17" "$scratch/alone.cc" "${cxx[@]}" -std=c++17
    else
        number=$((number + 1))
        echo "ok $number - $include alone, C++17 # SKIP no C++ compiler: install g++"
    fi
done

# Calls as the headers declare them: outside comments and typedefs, a name that begins with mt_ (so not with mt__) and a
# parenthesis.
cat "$srcdir"/lib/linuxmt/*.h | sed -e 's,/\*.*\*/,,' -e '/\/\*/,/\*\//d' -e '/^typedef/d' |
    grep -oE '\<mt_[a-z][a-z0-9_]*\(' | tr -d '(' | sort -u >"$scratch/calls"
while read -r call; do
    if [[ ! -f $srcdir/man/man3/$call.3 ]]; then
        echo "man/man3/$call.3 is missing"
    fi
done <"$scratch/calls" >"$scratch/log"
status=0
if [[ -s $scratch/log ]]; then
    status=1
fi
verdict "each of the $(wc -l <"$scratch/calls") public calls has a man page" "$status" "$scratch/log"

echo "1..$number"
