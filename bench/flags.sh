#!/usr/bin/env bash
# How fast polder is under the flags that people compile with: one small program (bench/flags/steps.cpp: SAM over Adam, floats,
# one thread, next to four lines of Eigen in the same program), compiled under each, with the include folder alone.
#
#   bench/flags.sh [size]...       default: 100 10000 26000 1000000
#
# EIGEN is the folder of Eigen's headers, default: /usr/include/eigen3. The program alternates between the two sides nine times;
# a time is the median, and `+-` half of what lies between the quartiles. A compiler that is not found is left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

eigen=${EIGEN:-/usr/include/eigen3}
if [[ ! -e $eigen/Eigen/Core ]]; then
    echo "bench/flags.sh: $eigen/Eigen/Core is not there (apt: libeigen3-dev); EIGEN names the folder" >&2
    exit 1
fi
for size in "$@"; do
    if [[ ! $size =~ ^[1-9][0-9]*$ ]]; then
        echo "bench/flags.sh: a size is a whole number from 1, not '$size'" >&2
        exit 2
    fi
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo '| flags | coordinates | polder, us | Eigen, us | ratio |'
echo '|---|---|---|---|---|'
for flags in 'g++ -O2' 'g++ -O3' 'g++ -O2 -g -DNDEBUG' 'g++ -O3 -fno-math-errno' 'g++ -O2 -mavx2' \
    'g++ -O3 -fno-math-errno -mavx2' 'clang++ -O2' 'clang++ -O3 -fno-math-errno'; do
    command -v "${flags%% *}" >/dev/null || continue
    # shellcheck disable=SC2086
    $flags -std=c++20 -Iinclude -isystem "$eigen" bench/flags/steps.cpp -o "$folder/steps"
    "$folder/steps" "$@" | awk -v flags="$flags" '{
        printf "| %s | %d | %.2f +- %.2f | %.2f +- %.2f | %.2f |\n", flags, $1, $2, $3 / 2, $4, $5 / 2, $6 }'
done
