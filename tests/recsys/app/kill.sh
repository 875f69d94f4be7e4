# Processes that share a folder of runs and are killed at random moments: what is left goes on, and nothing is lost or
# changed. POLDER_KILLS says how often, 8 times without it.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
comparison="compare --data synthetic:tiny --batch-size 512 --set embedding_size=8 --epochs 150
    --stopping-step 1000 --optimizers none,sam,bsam+:distance=cosine --seeds 3 --threads 1 --quiet"

expect 0 "How to read it" $comparison --runs one --csv one.csv
n_killed=0
for moment in $(seq "${POLDER_KILLS:-8}"); do
    "$program" $comparison --runs shared --jobs 3 >out 2>err &
    parent=$!
    sleep "0.$((RANDOM % 900 + 100))"
    # One of the three: the parent, or a copy of it.
    victims=($parent $(pgrep -P $parent))
    kill -9 "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null && n_killed=$((n_killed + 1))
    kill -9 $parent 2>/dev/null
    wait $parent 2>/dev/null
    [ -e shared/lightgcn_sam_seed_1001.json ] && [ $((RANDOM % 2)) -eq 0 ] && rm -f shared/*_seed_1001.json
done
[ $n_killed -gt 0 ] || fail "no process was killed"
expect 0 "How to read it" $comparison --runs shared --csv shared.csv
cut -d, -f1-100 one.csv >a; cut -d, -f1-100 shared.csv >b
cmp -s a b || fail "runs that were killed have another table"
[ "$(ls shared/*.json | wc -l)" -eq 9 ] || fail "shared/ does not have 9 runs"
for pair in one shared; do
    for file in $pair/*.json; do
        sed -E 's/"(train_seconds|evaluation_seconds|setup_seconds|peak_memory_bytes|threads)":[0-9.e+-]+//g; s/"(date|command_line)":"([^"\\]|\\.)*"//g' "$file"
    done >$pair.text
done
cmp -s one.text shared.text || fail "runs that were killed are other runs"
the_end
