#!/usr/bin/env bash
# What polder adds to the compile time of a translation unit that trains an Eigen vector with BSAM+: its time
# less that of a unit that includes the same Eigen headers alone. The median of three, with -O2.
#
#   bench/compile_time.sh [compiler]      default: g++
#
# EIGEN is the folder of Eigen's headers, default: /usr/include/eigen3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compiler=${1:-g++}
eigen=${EIGEN:-/usr/include/eigen3}
if [[ ! -e $eigen/Eigen/Core ]]; then
    echo "bench/compile_time.sh: $eigen/Eigen/Core is not there (apt: libeigen3-dev); EIGEN names the" \
        "folder" >&2
    exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/eigen.cpp" <<'EOF'
#include <Eigen/Core>

double loss(Eigen::VectorXf const& x, Eigen::VectorXf& gradient, int batch) {
    gradient = x.array() - static_cast<float>(batch);
    return 0.5 * gradient.squaredNorm();
}
EOF
{
    cat "$folder/eigen.cpp"
    cat <<'EOF'

#include <polder/polder.hpp>

void train(Eigen::VectorXf& x) {
    polder::BSAMPlus optimizer{polder::Adam{}, {.rho = 0.1, .lambda = 0.6, .kappa = 0.6}};
    for (int step = 0; step < 100; ++step) {
        optimizer.step(x, [](Eigen::VectorXf const& at, Eigen::VectorXf& gradient, polder::Pass pass) {
            return loss(at, gradient, pass.batch == polder::Batch::first ? 1 : 2);
        });
    }
}
EOF
} >"$folder/bsam_plus.cpp"

# seconds <unit>: of one compilation, on the wall's clock.
seconds() {
    local start
    start=$(date +%s.%N)
    "$compiler" -std=c++20 -O2 -fno-math-errno -fopenmp -Iinclude -isystem "$eigen" \
        -c "$folder/$1.cpp" -o "$folder/$1.o"
    awk "BEGIN { printf \"%.2f\", $(date +%s.%N) - $start }"
}

"$compiler" --version | head -n 1
seconds bsam_plus >/dev/null  # so that all headers are in the system's cache
differences=()
for run in 1 2 3; do
    with=$(seconds bsam_plus)
    without=$(seconds eigen)
    differences+=("$(awk "BEGIN { printf \"%.2f\", $with - $without }")")
    echo "run $run: BSAM+ on an Eigen vector $with s, Eigen alone $without s, polder ${differences[-1]} s"
done
printf '%s\n' "${differences[@]}" | sort -n | sed -n '2s/.*/polder: & s (median)/p'
