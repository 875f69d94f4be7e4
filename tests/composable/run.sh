#!/usr/bin/env bash
# Checks that polder::composable is true of the mixtures of all policies (table.hpp): what it admits agrees with the
# reference in plain loops, and what it does not is refused at compile time in a sentence.
#
#   run.sh SETTINGS draw                    a part that is drawn anew in each run; it prints the seed, and
#                                           POLDER_TEST_SEED repeats it
#   run.sh SETTINGS all FOLDER [FROM [TO]]  everything, one perturbation after the other, from number FROM to TO. FOLDER
#                                           gets a file for each that is done, and the next call goes on from there.
#
# SETTINGS: the file that CMake writes, with the compiler and what the target polder_composable has built.
# POLDER_COMPOSABLE_PAIRS, POLDER_COMPOSABLE_REFUSED: how many pairs of a perturbation and a distance are drawn, each for
# every mix and base optimizer, and how many mixtures that do not fit.
set -euo pipefail
export LC_ALL=C

fail() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
}
[[ $# -ge 2 ]] || fail "usage: run.sh SETTINGS draw | run.sh SETTINGS all FOLDER [FROM [TO]]"
# shellcheck source=/dev/null
source "$1"  # compiler, options, link_options, precompiled, sources, library
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT

compile() { "$compiler" "${options[@]}" -include "$precompiled" "$@"; }

# Compiles $here/mixtures_*.cpp, all at the same time, and checks them with the seeds.
check_mixtures() {
    local file job jobs=()
    for file in "$here"/mixtures_*.cpp; do
        compile -c "$file" -o "${file%.cpp}.o" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do
        wait "$job" || fail "what composable admits does not compile"
    done
    "$compiler" "$here"/mixtures_*.o "$library" "${link_options[@]}" -o "$here/check" ||
        fail "mixtures do not link"
    for seed in "$@"; do
        "$here/check" "$seed" || fail "mixtures disagree, with the seed $seed"
    done
}

# Every line of $here/refused.cpp is refused, and all errors are sentences of polder's.
check_refused() {
    local log=$here/refused.log line
    compile "$1" -fsyntax-only "$here/refused.cpp" 2>"$log" && [[ $(wc -l <"$here/refused.cpp") -gt 1 ]] &&
        fail "all that composable refuses compiles"
    line=$(grep -E 'error:' "$log" | grep -vE 'static.assert.*"?polder: ' | head -n 5) &&
        fail "what composable refuses is refused without a sentence: $line"
    grep -oE 'refused\.cpp:[0-9]+:' "$log" | sort -u >"$here/refused.lines" || true
    grep -n 'Refused<' "$here/refused.cpp" | while IFS=: read -r line mixture; do
        grep -qx "refused\.cpp:$line:" "$here/refused.lines" ||
            fail "composable refuses what polder compiles: $mixture"
    done || exit 1
    printf '%s are refused in a sentence\n' "$(grep -c 'Refused<' "$here/refused.cpp" || true)"
}

case $("$compiler" --version) in
    *clang*) all_errors=-ferror-limit=0 ;;
    *) all_errors=-fmax-errors=0 ;;
esac
case $2 in
    draw)
        seed=${POLDER_TEST_SEED:-$(date +%s)}
        echo "POLDER_TEST_SEED=$seed"
        "$sources" draw "$seed" "${POLDER_COMPOSABLE_PAIRS:-24}" 2 "${POLDER_COMPOSABLE_REFUSED:-60}" "$here"
        check_refused "$all_errors"
        check_mixtures "$seed"
        ;;
    all)
        [[ $# -ge 3 ]] || fail "all: which folder for what is done?"
        folder=$3
        mkdir -p "$folder"
        last=$("$sources" | cut -d ' ' -f 1)
        for ((k = ${4:-0}; k < ${5:-$last}; ++k)); do
            [[ -e $folder/$k.done ]] && continue
            rm -f "$here"/*
            "$sources" all "$k" "$here"
            started=$(date +%s)
            # (In a shell of its own: the next one is tried where this one fails.)
            if (
                check_refused "$all_errors"
                [[ ! -e $here/mixtures_0.cpp ]] || check_mixtures 1 2 3
            ) >"$folder/$k.log" 2>&1; then
                printf '%s seconds\n' "$(($(date +%s) - started))" >>"$folder/$k.log"
                mv "$folder/$k.log" "$folder/$k.done"
            else
                printf 'perturbation %s fails: see %s\n' "$k" "$folder/$k.log"
            fi
        done
        ;;
    *) fail "unknown '$2', expected draw or all" ;;
esac
