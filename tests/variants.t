#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The tree built in other ways than this one, each in a folder of its own: by gcc and by clang with warnings as errors, and under the
# sanitizers, where the unit tests are also run. The folders stay until make clean: the next run only builds what has changed.
set -uo pipefail

# What is done very often is done so in the plain build: here a fiftieth of it has to do.
export MT_TEST_SHARE=50

# The make that runs this one hands down its overrides, the list of all tests among them: the inner ones would run this again.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

source=$(cd "$top_srcdir" && pwd)
scratch=$PWD/tests/variants.kept
mkdir -p "$scratch"
number=0
failed=0

# verdict STATUS NAME LOG
verdict()
{
    number=$((number + 1))
    if [[ $1 -eq 0 ]]; then
        echo "ok $number - $2"
    else
        failed=1
        echo "not ok $number - $2"
        tail -n 60 "$3" | sed 's/^/# /'
    fi
}

skip()
{
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

# What configure has found out about the same compiler before, for the folder that this is called in; not its arguments.
known()
{
    if [[ $1 == "$CC" && -e $scratch/../../config.cache ]]; then
        grep -v '^ac_cv_env_' "$scratch/../../config.cache" >config.cache
    fi
}

# build FOLDER COMPILER MAKE-TARGET CONFIGURE-ARGUMENT...
build()
{
    local folder=$scratch/${1//,/-} compiler=$2 target=$3
    shift 3
    mkdir -p "$folder"
    (
        cd "$folder" || exit
        if [[ ! -e Makefile ]]; then
            known "$compiler"
            "$source/configure" -q -C CC="$compiler" "$@" || exit
        fi
        make "$target"
    ) >"$folder.log" 2>&1 </dev/null
}

can_link()
{
    echo 'int main(void) { return 0; }' >"$scratch/try.c"
    "$@" "$scratch/try.c" -o "$scratch/try" 2>/dev/null && "$scratch/try"
}

echo "1..4"

# Two at a time, as configure keeps one processor busy at the most.
declare -A builds reasons
for compiler in gcc clang; do
    if command -v "$compiler" >/dev/null; then
        build "$compiler" "$compiler" all CFLAGS="-O2 -g -Werror" &
        builds[$compiler]=$!
    else
        reasons[$compiler]="$compiler is not installed"
    fi
done
for compiler in gcc clang; do
    name="$compiler builds all of it without a warning"
    if [[ -n ${builds[$compiler]-} ]]; then
        wait "${builds[$compiler]}"
        verdict $? "$name" "$scratch/$compiler.log"
    else
        skip "$name" "${reasons[$compiler]}"
    fi
done

for sanitizer in thread address,undefined; do
    if can_link "${CC%% *}" "-fsanitize=$sanitizer"; then
        build "$sanitizer" "$CC" check-unit CFLAGS="-O1 -g" --enable-sanitizer="$sanitizer" --without-bpf --with-tests &
        builds[$sanitizer]=$!
    else
        reasons[$sanitizer]="${CC%% *} has no runtime for it"
    fi
done
for sanitizer in thread address,undefined; do
    name="the unit tests and the stress test pass under -fsanitize=$sanitizer"
    if [[ -n ${builds[$sanitizer]-} ]]; then
        wait "${builds[$sanitizer]}"
        verdict $? "$name" "$scratch/${sanitizer//,/-}.log"
    else
        skip "$name" "${reasons[$sanitizer]}"
    fi
done
exit "$failed"
