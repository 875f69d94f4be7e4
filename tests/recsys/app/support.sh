# What the scripts share: a folder of their own, and checks that count failures.
set -u
program=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
n_failures=0

fail() {
    echo "FAILED: $*"
    echo "--- standard output"; head -20 out
    echo "--- standard error"; head -20 err
    n_failures=$((n_failures + 1))
}

# expect CODE TEXT ARGUMENT...: the program ends with CODE, and TEXT is in what it prints.
expect() {
    local code=$1 text=$2
    shift 2
    "$program" "$@" >out 2>err
    local found=$?
    [ $found -eq "$code" ] || fail "$* ended with $found, expected $code"
    cat out err | grep -qF -- "$text" || fail "$* does not say: $text"
}

# has FILE TEXT
has() {
    grep -qF -- "$2" "$1" || fail "$1 does not have: $2"
}

# the_end: the last line of every script.
the_end() {
    [ $n_failures -eq 0 ] && echo "all checks passed"
    exit $((n_failures > 0))
}
