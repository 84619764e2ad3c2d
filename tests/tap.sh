# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the tests written in bash share, to be sourced: TAP, and a folder that goes away. (tests/live has a tap.sh of its own.)
# Variables for the tests: $scratch (the folder), $log (what is shown of a test that fails), $number and $failed so far;
# $servers (processes that are ended with the test).
number=0
# shellcheck disable=SC2034 # some tests end by it
failed=0
scratch=$(mktemp -d) || exit 99
log=$scratch/log
servers=()

end()
{
    local pid
    for pid in "${servers[@]+"${servers[@]}"}"; do
        { kill "$pid" && wait "$pid"; } 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap end EXIT

skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

# verdict STATUS NAME [LOG]
verdict()
{
    number=$((number + 1))
    if (($1 == 0)); then
        echo "ok $number - $2"
        return
    fi
    failed=1
    echo "not ok $number - $2"
    tail -n 60 "${3:-$log}" | sed 's/^/# /'
}

# silent NAME: good if the log is empty.
silent()
{
    local status=0
    [[ ! -s $log ]] || status=1
    verdict "$status" "$1"
}

skip()
{
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

# prints NAME PATTERN COMMAND...: the command does not fail, and the pattern (as of grep -E) is in what it says.
prints()
{
    local name=$1 pattern=$2 status=0
    shift 2
    "$@" >"$log" 2>&1 </dev/null || status=$?
    grep -qE -- "$pattern" "$log" || status=1
    verdict "$status" "$name"
}

# answers COMMAND...: tries it until it is true, for a server that has just been started; not for ever.
answers()
{
    for _ in {1..400}; do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}

plan()
{
    echo "1..$number"
}
