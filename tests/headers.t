#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each public header compiles alone, twice over, as C11 and as C++17, without a warning, and every call it declares has a
# man page. The compilers come from the environment: CC and CXX, as configure found them.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

srcdir=$(cd "${srcdir:-.}" && pwd)

read -ra cc <<<"${CC:-cc}"
read -ra cxx <<<"${CXX:-c++}"
readonly strict=(-Wall -Wextra -Werror -pedantic -fsyntax-only "-I$srcdir/lib")

compile()
{
    local name=$1 source=$2 status=0
    shift 2
    "$@" "${strict[@]}" "$source" >"$log" 2>&1 || status=$?
    verdict "$status" "$name"
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
        skip "$include alone, C++17" "no C++ compiler: install g++"
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
done <"$scratch/calls" >"$log"
silent "each of the $(wc -l <"$scratch/calls") public calls has a man page"
plan
