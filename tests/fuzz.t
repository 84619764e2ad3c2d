#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The fuzz targets for a short while each, with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer: no crash, no call
# that does not come back. MT_FUZZ_SECONDS=600 fuzzes for longer. Where clang has no libFuzzer the unit tests' random bytes
# (tests/unit/*-hostile) are all there is.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

srcdir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${MT_FUZZ_SECONDS:-5}

echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long s) { return !d && s; }' >"$scratch/try.c"
if ! clang -fsanitize=fuzzer,address -o "$scratch/try" "$scratch/try.c" 2>/dev/null; then
    skip_all "clang with libFuzzer is not there: install the packages clang and libclang-rt-dev"
fi

# Each line of a target's .seeds is an input in hexadecimal.
sow()
{
    local line count=0
    while read -r line; do
        if [[ $line != \#* ]]; then
            count=$((count + 1))
            # shellcheck disable=SC2059 # it is all escapes
            printf "$(sed 's/ //g; s/../\\x&/g' <<<"$line")" >"$2/seed-$count"
        fi
    done <"$1"
}

flags=(-g -O1 -w -std=gnu11 -D_GNU_SOURCE -fno-sanitize-recover=undefined -DHAVE_SECCOMP=0 -DHAVE_URING=0
    -DMT__RELEASE='"fuzz"' "-I$srcdir/lib")
compile()
{
    clang "${flags[@]}" -fsanitize=fuzzer-no-link,address,undefined -c -o "$scratch/lib/$(sed 's:.*/lib/::; s:/:-:g' <<<"$1").o" "$1"
}

# The library once for all targets, on as many processors as there are.
mkdir "$scratch/lib"
running=0
for source in "$srcdir"/lib/*/*.c "$srcdir/lib/arch/$(uname -m)"/{clone,switch}.S; do
    if [[ $source != */loop-uring.c && $source != */patch/* ]]; then # it needs liburing; it is a library of its own
        if ((running++ >= $(nproc))); then
            wait -n || true # what is missing is missed when a target is linked
        fi
        compile "$source" >>"$log" 2>&1 &
    fi
done
wait

targets=("$srcdir"/tests/fuzz/*.c)
echo "1..${#targets[@]}"
for target in "${targets[@]}"; do
    name=$(basename "$target" .c)
    program=$scratch/$name
    mkdir "$program.corpus"
    if [[ -e ${target%.c}.seeds ]]; then
        sow "${target%.c}.seeds" "$program.corpus"
    fi
    if clang "${flags[@]}" -fsanitize=fuzzer,address,undefined -o "$program" "$target" "$scratch"/lib/*.o -ldl -lpthread \
        >>"$log" 2>&1 &&
        (cd "$scratch" && "$program" -max_total_time="$seconds" -timeout=10 -max_len=600 -len_control=0 -rss_limit_mb=4096 \
            "$program.corpus") >"$log" 2>&1; then
        verdict 0 "$name: $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$log" | tail -1)"
    else
        verdict 1 "$name"
        for found in "$scratch"/{crash,timeout,oom,leak}-*; do
            if [[ -e $found ]]; then
                echo "# the input, in base64: $(base64 -w0 "$found")"
            fi
        done
    fi
done
