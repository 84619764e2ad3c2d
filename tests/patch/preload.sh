# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the tests share that preload liblinuxmt-patch into programs of others, to be sourced: tests/tap.sh, and
# $build, $here (the folder of the test) and $preload (the library). Without the library they skip all.
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

build=$(cd "${top_builddir:-$PWD}" && pwd)
# shellcheck disable=SC2034 # for the tests
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
preload=$build/.libs/liblinuxmt-patch.so

[[ -e $preload ]] || skip_all "$preload is not there: run make first"
[[ ${mt_sanitizer:-none} == none ]] || skip_all "a sanitizer has to be the first of what is preloaded"

# patched VARIABLE=VALUE... -- COMMAND
patched()
{
    local environment=()
    while [[ $1 != -- ]]; do
        environment+=("$1")
        shift
    done
    shift
    env LINUXMT_PATCH=all "${environment[@]+"${environment[@]}"}" LD_PRELOAD="$preload" "$@"
}

# says FILE COMMAND...: what it says, and its status, into the file.
says()
{
    local file=$1 status=0
    shift
    "$@" >"$file" 2>&1 </dev/null || status=$?
    echo "status $status" >>"$file"
}
