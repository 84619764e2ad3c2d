#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The tree built in other ways than this one, each in a folder of its own, with warnings as errors: by clang, and under the
# sanitizers, where the unit tests are also run. The folders stay until make clean: the next run only builds what has changed.
set -uo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

# What is done very often is done so in the plain build: here a fiftieth of it has to do.
export MT_TEST_SHARE=50

# The make that runs this one hands down its overrides, the list of all tests among them: the inner ones would run this again.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

source=$(cd "$top_srcdir" && pwd)
kept=$PWD/tests/variants.kept
mkdir -p "$kept"

# Of those tests that failed in a folder, the last words.
tell_failures()
{
    grep -lE '^:(global-)?test-result: (FAIL|ERROR)' "$1"/tests/*/*.trs 2>/dev/null | while read -r trs; do
        echo "# ==== ${trs%.trs}"
        tail -n 60 "${trs%.trs}.log" | sed 's/^/# /'
    done
}

# What configure has found out about the same compiler before, for the folder that this is called in; not its arguments.
known()
{
    if [[ $1 == "$CC" && -e $kept/../../config.cache ]]; then
        grep -v '^ac_cv_env_' "$kept/../../config.cache" >config.cache
    fi
}

# build FOLDER COMPILER MAKE-TARGETS CONFIGURE-ARGUMENT... (Programs are linked by one compiler everywhere: clang would do no more, and
# takes as long to start as the linker takes. It links the libraries.)
build()
{
    local folder=$kept/${1//,/-} compiler=$2 targets=$3 target
    shift 3
    mkdir -p "$folder"
    (
        cd "$folder" || exit
        if [[ ! -e Makefile ]]; then
            known "$compiler"
            CONFIG_SHELL=/bin/sh /bin/sh "$source/configure" -q -C CC="$compiler" "$@" || exit
        fi
        for target in $targets; do # one after the other: each is a make of its own, of the same files
            make -j2 LIBTOOL="/bin/sh $source/tests/quick-libtool" CCLD="$CC" UNIT_CFLAGS="${unit_flags-}" "$target" || exit
        done
    ) >"$folder.log" 2>&1 </dev/null
}

can_link()
{
    echo 'int main(void) { return 0; }' >"$scratch/try.c"
    "$@" "$scratch/try.c" -o "$scratch/try" 2>/dev/null && "$scratch/try"
}

# Two at a time, as configure keeps one processor busy at the most. begin NAME FOLDER COMPILER ARGUMENTS...: see build.
names=()
folders=()
builds=()
begin()
{
    local name=$1
    shift
    names+=("$name")
    folders+=("$1")
    build "$@" &
    builds+=($!)
}

for sanitizer in address,undefined thread; do
    # shellcheck disable=SC2086 # it may be a command with its words
    if can_link $CC "-fsanitize=$sanitizer"; then
        # Of what may be uninitialized gcc says itself that sanitizers confuse it. Where an optimizer keeps variables is for debuggers.
        flags="-O1 -g -fno-var-tracking -Werror -Wno-error=maybe-uninitialized"
        # The tests are half of what there is to compile. One of the two optimizes them, to be warned of what only that finds.
        unit_flags=$flags
        [[ $sanitizer == thread ]] || unit_flags="-O0 -g -Werror"
        # mtrace is a program of one thread.
        mtrace=--with-bpf
        [[ $sanitizer == thread || ! -e $kept/../../mtrace ]] && mtrace=--without-bpf
        begin "all is built without a warning, and the unit tests and the stress test pass, under -fsanitize=$sanitizer" "$sanitizer" "$CC" \
            "all check-unit" CFLAGS="$flags" --enable-sanitizer="$sanitizer" "$mtrace" --with-tests
    fi
done

# The shortest last. An optimizer has no part in clang's warnings.
if command -v clang >/dev/null; then
    while (($(jobs -rp | wc -l) >= 2)); do
        wait -n
    done
    begin "clang builds all of it without a warning" clang clang "all bench-programs" CFLAGS="-O0 -Werror"
fi

echo "1..3"
for i in "${!builds[@]}"; do
    folder=$kept/${folders[i]//,/-}
    status=0
    wait "${builds[i]}" || status=$?
    verdict "$status" "${names[i]}" "$folder.log"
    ((status == 0)) || tell_failures "$folder"
done
while ((number < 3)); do
    skip "a variant" "there is no clang, or $CC has no runtime for a sanitizer"
done
exit "$failed"
