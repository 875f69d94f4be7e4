#!/usr/bin/env bash
# What it costs to compile a translation unit that trains an Eigen vector with SAM over Adam, with -O2: seconds of CPU, bytes of
# code (`text` of size) and of the object. Next to it: the same step by hand, the includes alone, and ensmallen's Adam where
# ENSMALLEN names its folder of headers (with Armadillo). The median of three.
#
#   bench/compile_time.sh [compiler]      default: g++
#
# EIGEN is the folder of Eigen's headers, default: /usr/include/eigen3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compiler=${1:-g++}
eigen=${EIGEN:-/usr/include/eigen3}
if ! command -v "$compiler" >/dev/null; then
    echo "bench/compile_time.sh: $compiler is no compiler on the PATH" >&2
    exit 2
fi
if [[ ! -e $eigen/Eigen/Core ]]; then
    echo "bench/compile_time.sh: $eigen/Eigen/Core is not there (apt: libeigen3-dev); EIGEN names the" \
        "folder" >&2
    exit 1
fi
if [[ -n ${ENSMALLEN:-} && ! -e $ENSMALLEN/ensmallen.hpp ]]; then
    echo "bench/compile_time.sh: $ENSMALLEN/ensmallen.hpp is not there; ENSMALLEN names the folder" >&2
    exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/includes.cpp" <<'EOT'
#include <Eigen/Core>
#include <polder/polder.hpp>
EOT
cat >"$folder/polder.cpp" <<'EOT'
#include <Eigen/Core>
#include <polder/polder.hpp>

double train(Eigen::VectorXf& x) {
    polder::SAM optimizer{polder::Adam{}};
    auto const loss = [](Eigen::VectorXf const& at, Eigen::VectorXf& gradient) {
        gradient = at;
        return 0.5 * double(at.squaredNorm());
    };
    return optimizer.step(x, loss).loss;
}
EOT
cat >"$folder/hand.cpp" <<'EOT'
#include <Eigen/Core>
#include <cmath>

struct State {
    Eigen::VectorXf g, y, s, m, v;
    int k = 0;
};
double train(Eigen::VectorXf& x, State& a) {
    auto const loss = [](Eigen::VectorXf const& at, Eigen::VectorXf& gradient) {
        gradient = at;
        return 0.5 * double(at.squaredNorm());
    };
    double const value = loss(x, a.g);
    a.y = x + 0.05f / a.g.norm() * a.g;
    loss(a.y, a.s);
    ++a.k;
    a.m = 0.9f * a.m + 0.1f * a.s;
    a.v = 0.999f * a.v.array() + 0.001f * a.s.array().square();
    x.array() -= 1e-3f / (1 - std::pow(.9f, a.k)) * a.m.array() /
                 (a.v.array().sqrt() / std::sqrt(1 - std::pow(.999f, a.k)) + 1e-8f);
    return value;
}
EOT
cat >"$folder/ensmallen.cpp" <<'EOT'
#include <ensmallen.hpp>

struct Loss {
    double EvaluateWithGradient(arma::mat const& x, size_t, arma::mat& gradient, size_t) {
        gradient = x;
        return 0.5 * arma::accu(x % x);
    }
    size_t NumFunctions() const { return 1; }
    void Shuffle() {}
    double Evaluate(arma::mat const& x, size_t, size_t) { return 0.5 * arma::accu(x % x); }
    void Gradient(arma::mat const& x, size_t, arma::mat& gradient, size_t) { gradient = x; }
};
double train(arma::mat& x) {
    Loss loss;
    ens::Adam adam;
    return adam.Optimize(loss, x);
}
EOT

flags=(-std=c++20 -O2 -Iinclude -isystem "$eigen")
[[ -z ${ENSMALLEN:-} ]] || flags+=(-isystem "$ENSMALLEN")

# row <name> <unit>
row() {
    local seconds=()
    for _ in 1 2 3; do
        seconds+=("$({
            TIMEFORMAT='%U %S'
            time "$compiler" "${flags[@]}" -c "$folder/$2.cpp" -o "$folder/$2.o" 2>"$folder/log"
        } 2>&1 | awk '{ print $1 + $2 }')")
    done
    if [[ ! -e $folder/$2.o ]]; then
        cat "$folder/log" >&2
        exit 1
    fi
    printf '| %s | %.1f | %d | %d |\n' "$1" "$(printf '%s\n' "${seconds[@]}" | sort -n | sed -n 2p)" \
        "$(size "$folder/$2.o" | awk 'NR == 2 { print $1 }')" "$(stat -c %s "$folder/$2.o")"
}

"$compiler" --version | head -n 1
"$compiler" "${flags[@]}" -fsyntax-only "$folder/polder.cpp" # so that all headers are in the system's cache
echo '| unit | seconds of CPU | code, bytes | object, bytes |'
echo '|---|---|---|---|'
row 'polder: SAM over Adam' polder
row 'the same by hand' hand
row 'the includes of the first row alone' includes
[[ -z ${ENSMALLEN:-} ]] || row "ensmallen's Adam" ensmallen
