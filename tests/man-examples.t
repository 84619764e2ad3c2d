#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The manual of the library tells the truth: every program in an EXAMPLES section compiles without a warning and, where the
# library is built, runs and exits with 0; the pages are well formed; the links lead somewhere; every page is installed; and
# mt_probes(7) lists the probes that there are, with as many arguments.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

build=$PWD
srcdir=$(cd "${srcdir:-.}" && pwd)
cd "$srcdir"

read -ra cc <<<"${CC:-cc}"
flags=(-std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror "-I$srcdir/lib")
case ${mt_sanitizer:-none} in
none) ;;
*) flags+=("-fsanitize=$mt_sanitizer") ;;
esac

# The programs of a page's EXAMPLES section, as they look on the screen: one file each, PREFIX1.c, PREFIX2.c, ...
extract()
{
    awk -v prefix="$2" '
        /^\.Sh / { inside = ($2 == "EXAMPLES") }
        inside && /^\.Bd -literal/ { file = prefix (++count) ".c"; next }
        /^\.Ed/ { file = "" }
        file != "" { gsub(/\\e/, "\\"); gsub(/\\&/, ""); gsub(/\\-/, "-"); print >file }' "$1"
}

try()
{
    local source=$1 program=${1%.c}
    "${cc[@]}" "${flags[@]}" -c -o "$program.o" "$source" >"$log" 2>&1 || echo "it does not compile" >>"$log"
    if [[ -s $log || ! -e $build/.libs/liblinuxmt.so ]]; then
        return
    fi
    "${cc[@]}" "${flags[@]}" -o "$program" "$program.o" "-L$build/.libs" -Wl,--as-needed -llinuxmt-patch -llinuxmt -Wl,-rpath,"$build/.libs" >"$log" 2>&1 ||
        echo "it does not link" >>"$log"
    if [[ ! -s $log ]] && ! timeout 30 "$program" </dev/null >"$program.out" 2>&1; then
        cp "$program.out" "$log"
        echo "it did not end with status 0 within 30 s" >>"$log"
    fi
}

for page in man/man3/*.3 man/man7/*.7; do
    if grep -q '^\.so ' "$page"; then
        continue
    fi
    extract "$page" "$scratch/$(basename "$page")-"
    for source in "$scratch/$(basename "$page")"-*.c; do
        if [[ -e $source ]] && grep -q 'int main' "$source"; then
            try "$source"
            silent "$page: its example compiles and runs"
        elif [[ $page == *.3 ]]; then
            echo "no program in its EXAMPLES" >"$log"
            silent "$page: its example compiles and runs"
        fi
    done
done

if command -v mandoc >/dev/null; then
    grep -L '^\.so ' man/man3/*.3 man/man7/*.7 | xargs mandoc -T lint -W warning 2>&1 | grep -v 'referenced manual not found' >"$log" || true
    silent "mandoc finds no fault in the pages"
else
    skip "mandoc finds no fault in the pages" "mandoc is not there: install the package mandoc"
fi

grep -h '^\.so ' man/man3/*.3 man/man7/*.7 | sort -u | while read -r _ target; do
    test -f "man/$target" || echo "man/$target, to which a page leads, is not there"
done >"$log"
for page in man/man3/*.3; do
    sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([^ ]*\).*/\1/p' "$page" | while read -r call; do
        test -f "man/man3/$call.3" || echo "$page describes $call, but man/man3/$call.3 is not there"
    done
done >>"$log"
silent "every call has its page, and every link leads to one"

for page in man/man[37]/*.[37]; do
    grep -q "%D%/${page#man/}" man/local.mk || echo "$page is not in man/local.mk"
done >"$log"
silent "every page is installed"

sed -n 's/^MT_PROBE(\([a-z_]*\), *\([0-9]*\)).*/\1 \2/p' lib/base/probes.def | sort >"$scratch/probes"
sed -n 's/^\.It Li \([a-z_]*\) ( \(.*\) )$/\1 \2/p' man/man7/mt_probes.7 |
    awk '{ name = $1; print name, gsub(/,/, "") + 1 }' | sort >"$scratch/documented"
diff "$scratch/probes" "$scratch/documented" >"$log" || true
silent "mt_probes(7) lists the probes that there are"
plan
