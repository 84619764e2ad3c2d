#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Gives the models to spin: each as it is, where no error may be found and the whole state space must have been searched, and
# each with every one of its known bugs, where an error must be found: a model that cannot fail proves nothing.
set -euo pipefail
# shellcheck source=tests/tap.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

models=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

command -v spin >/dev/null || skip_all "spin is not there: install the package spin"
cd "$scratch"

# Most verifiers are compiled for longer than they run: each is tried for a moment as this one makes it.
quick_compiler=$(command -v tcc || echo "cc -O0")

# verify: with what search has said.
verify()
{
    $quick_compiler -w "${flags[@]}" -o pan pan.c || return
    if timeout -s KILL 1 ./pan -m100000 "${options[@]}" >quick 2>&1; then
        cat quick
    else
        cc -O1 -w "${flags[@]}" -o pan pan.c && ./pan -m100000 "${options[@]}"
    fi
}

# search FOLDER WANTED MODEL KIND [DEFINES...]: leaves what the verifier said in FOLDER/log. An error ends a search, and most are
# found sooner from the other end (-DREVERSE). States are kept as hashes of 64 bits and more (-DHC4, after P. Wolper and D. Leroy,
# "Reliable hashing without collision detection", 1993): of 5,000,000 one is missed with a probability below 0.000001, and the
# search takes half the time. MT_MODEL_EXACT=1 keeps them whole.
search()
{
    local folder=$1 wanted=$2 model=$3 kind=$4
    local -a flags=(-DSAFETY "${kept[@]}") options=()
    shift 4
    case $kind in
    backwards) flags+=(-DT_REVERSE) ;;
    cycles) flags=(-DNP) options=(-l) ;;
    fair-cycles) flags=(-DNP -DNFAIR=3) options=(-l -f) ;;
    esac
    case $wanted in
    holds) options+=(-w22) ;;
    finds) flags+=(-DREVERSE) options+=(-w18) ;;
    esac
    mkdir "$folder"
    cd "$folder"
    { spin -a "$@" "$models/$model.pml" && verify; } >log 2>&1 || true
}

kept=(-DHC4)
if [[ ${MT_MODEL_EXACT:-0} != 0 ]]; then
    kept=(-DCOLLAPSE)
fi
at_once=$(nproc)
if ((at_once > 4)); then
    at_once=4 # some take 300 MB
fi

searches=0
names=()
wanted=()

# expect holds|finds MODEL KIND [DEFINES...]: begins a search, as soon as there is a processor for it.
expect()
{
    local what=$1 text
    shift
    searches=$((searches + 1))
    text="$1 holds"
    if [[ $what == finds ]]; then
        text="$1, broken on purpose, is found out"
    fi
    names[searches]="$text: ${*:2}"
    wanted[searches]=$what
    while (($(jobs -rp | wc -l) >= at_once)); do
        wait -n
    done
    (search "$searches" "$what" "$@") &
}

# Nothing found, and nothing left out: of a search that was cut short spin only says so in passing.
is_as_wanted()
{
    local log=$2
    if [[ $1 == finds ]]; then
        grep -q 'errors: [1-9]' "$log"
    else
        grep -q 'errors: 0$' "$log" && ! grep -q -e 'max search depth too small' -e 'Search not completed' "$log"
    fi
}

expect holds lock states -DTASKS=3 -DROUNDS=2
expect holds lock fair-cycles -DTASKS=3 -DROUNDS=1
expect holds lock states -DQUIET=1 -DTASKS=3 -DROUNDS=1
expect holds lock states -DQUIET=1 -DTASKS=2 -DROUNDS=4
for bug in 1 2 3 4 5 6; do
    expect finds lock backwards -DBUG="$bug"
done
expect finds lock backwards -DQUIET=1 -DBUG=8
expect finds lock backwards -DQUIET=1 -DBUG=9
expect finds lock fair-cycles -DROUNDS=1 -DBUG=7

expect holds cond states
expect holds cond cycles
expect holds cond states -DLATE=1
for bug in 1 2 3 4; do
    expect finds cond states -DBUG="$bug"
done
expect finds cond states -DLATE=1 -DBUG=5

expect holds barrier states
expect holds barrier states -DPARTIES=3
expect holds barrier cycles -DWAITS=1
for bug in 1 2 3 4 5 6 7; do
    expect finds barrier states -DBUG="$bug"
done

expect holds rwlock states
expect holds rwlock states -DSTREAK=2
expect holds rwlock cycles
for bug in 1 2 3 4 5 6 7 8 9 10; do
    expect finds rwlock states -DBUG="$bug"
done

expect holds lockline states
for bug in 1 2 3; do
    expect finds lockline states -DBUG="$bug"
done
expect holds sem states
expect holds sem cycles -DTASKS=2
for bug in 1 2 3 4 5 6; do
    expect finds sem backwards -DBUG="$bug"
done

expect holds robust states
expect holds robust states -DKILLS=0 -DNOSLICE=1
expect holds robust fair-cycles -DTASKS=2
expect finds robust states -DNOSLICE=1
expect finds robust fair-cycles -DTASKS=2 -DBUG=1
expect finds robust states -DBUG=2
expect finds robust states -DKILLS=0 -DNOSLICE=1 -DBUG=3
expect finds robust states -DKILLS=0 -DNOSLICE=1 -DBUG=4
expect finds robust states -DBUG=5
expect holds park states
for bug in 1 2 3 4 5 6 7 8; do
    expect finds park states -DBUG="$bug"
done

expect holds sent states
expect holds sent states -DSENDERS=3
for bug in 1 2 3 4 5 6; do
    expect finds sent states -DBUG="$bug"
done

for shape in 1 2 3; do
    expect holds channel states -DSHAPE=$shape -DCLOSES=1
done
expect holds channel states -DSHAPE=4
for bug in 1 2 3 4 5 6 7; do
    expect finds channel states -DSHAPE=2 -DBUG="$bug"
done
expect finds channel states -DSHAPE=2 -DCLOSES=1 -DBUG=8

expect holds future states
expect holds future states -DKILLERS=0 -DWAITERS_THERE=2
for bug in 1 2 3 4 5 6 7 8; do
    expect finds future states -DBUG="$bug"
done

expect holds pool states
expect holds pool states -DTASKS=4 -DSPURIOUS=0
expect holds pool states -DWORKERS=3 -DAPART=1 -DSPURIOUS=0
for bug in 2 3 4; do
    expect finds pool states -DBUG="$bug"
done
expect finds pool states -DTASKS=4 -DSPURIOUS=0 -DBUG=1
expect finds pool states -DWORKERS=3 -DAPART=1 -DBUG=5

expect holds queue states -DPRODUCERS=1 -DCONSUMERS=1 -DPUTS=2 -DGETS=2
expect holds queue states -DPRODUCERS=1 -DCONSUMERS=2 -DDEATHS=1
expect holds queue states -DPRODUCERS=2 -DCONSUMERS=1 -DDEATHS=1
expect holds queue states -DPRODUCERS=1 -DCONSUMERS=1 -DPUTS=2 -DGETS=2 -DSINGLE=1
for bug in 1 6 10; do
    expect finds queue states -DPRODUCERS=1 -DCONSUMERS=1 -DDEATHS=1 -DBUG="$bug"
done
for bug in 5 7 9; do
    expect finds queue states -DPRODUCERS=1 -DCONSUMERS=2 -DDEATHS=1 -DBUG="$bug"
done
for bug in 2 3 4 8; do
    expect finds queue states -DPRODUCERS=2 -DCONSUMERS=1 -DDEATHS=1 -DBUG="$bug"
done

expect holds window states -DDEATHS=0
expect holds window states -DTASKS=2 -DBACKS=0
expect holds window states -DCANCELS=0 -DBACKS=0
for bug in 1 2 3 4 5 6 8 9; do
    expect finds window states -DDEATHS=0 -DBUG="$bug"
done
expect finds window states -DCANCELS=0 -DBACKS=0 -DBUG=7

expect holds exit states
expect holds exit cycles
for bug in 1 2 3 4 5; do
    expect finds exit states -DBUG="$bug"
done
wait

for ((i = 1; i <= searches; i++)); do
    status=0
    is_as_wanted "${wanted[i]}" "$i/log" || status=1
    verdict "$status" "${names[i]}" "$i/log"
done
plan
