# Runs a fuzz target for some seconds from its own seeds: run.sh PROGRAM SECONDS [OPTION...]. An input that is a finding is
# left in the current folder, as crash-..., oom-... or timeout-.... POLDER_FUZZ_SEED chooses other random numbers
# (default 1, so that a change is not refused for what it did not do; 0 is a new seed in each run).
set -eu
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
POLDER_FUZZ_SEEDS=$seeds "$1"
# What a reader allocates must follow from what the file holds.
"$1" -seed="${POLDER_FUZZ_SEED:-1}" -max_total_time="$2" -max_len=8192 -timeout=5 \
    -malloc_limit_mb=64 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=1 "${@:3}" "$seeds" 2>&1 | tail -n 40
