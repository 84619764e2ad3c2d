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

targets=("$srcdir"/tests/fuzz/*.c)
sources=()
for source in "$srcdir"/lib/*/*.c; do
    if [[ $source != */loop-uring.c && $source != */patch/* ]]; then # it needs liburing; it is a library of its own
        sources+=("$source")
    fi
done
echo "1..${#targets[@]}"
for target in "${targets[@]}"; do
    name=$(basename "$target" .c)
    program=$scratch/$name
    log=$scratch/$name.log
    mkdir "$program.corpus"
    if clang -g -O1 -w -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -DHAVE_SECCOMP=0 -DHAVE_URING=0 -DMT__RELEASE='"fuzz"' \
        "-I$srcdir/lib" -o "$program" "$target" "${sources[@]}" "$srcdir"/lib/arch/"$(uname -m)"/{clone,switch}.S -ldl -lpthread \
        >"$log" 2>&1 &&
        (cd "$scratch" && "$program" -max_total_time="$seconds" -timeout=10 -max_len=600 -rss_limit_mb=4096 \
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
