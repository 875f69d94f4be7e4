# train --start, --start-tables and --rates.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
common="train --data synthetic:tiny --batch-size 512 --set embedding_size=8 --threads 1 --quiet"

# Tables with rates of their own: 0 leaves them as they are.
expect 0 "best epoch" $common --model bpr --epochs 2 --checkpoint bpr.safetensors --json bpr.json
expect 0 "best epoch" $common --model bpr --epochs 2 --rates user_embedding=0,item_embedding=0.01 --json rates.json \
    --checkpoint rates.safetensors
has rates.json '"rates": "user_embedding=0,item_embedding=0.01"'
has rates.toml 'rates = "user_embedding=0,item_embedding=0.01"'
expect 0 "best epoch" $common --config rates.toml --json again.json
metrics() { grep -v -E 'seconds|memory|"date"|"command_line"' "$1"; }
diff <(metrics rates.json) <(metrics again.json) >out || fail "run.toml repeats another run"
expect 0 "going on from rates.safetensors" train --resume rates.safetensors --epochs 3
expect 1 'was made with rates = "user_embedding=0,item_embedding=0.01", this run has "user_embedding=1"' \
    train --resume rates.safetensors --rates user_embedding=1
expect 2 "no block is named 'users'; known: 'user_embedding', 'item_embedding'" $common --model bpr --rates users=1
expect 2 "'users', expected the name of a table = a rate >= 0" $common --model bpr --rates users

# A warm start from another model, with no step taken: its metrics are those of the checkpoint.
expect 0 "best epoch" $common --model bpr --epochs 1 --rates '*=0' --start bpr.safetensors --json start.json \
    --checkpoint start.safetensors
best() { sed -n '/^  "test": {/,/}/p' "$1"; }
diff <(best bpr.json) <(best start.json) >out || fail "the warm start has other tables"
has start.json '"start": "bpr.safetensors"'
expect 0 "best epoch" $common --model lightgcn --epochs 1 --start bpr.safetensors --start-tables user_embedding
mv bpr.safetensors moved.safetensors
expect 0 "going on from start.safetensors" train --resume start.safetensors --epochs 2
mv moved.safetensors bpr.safetensors
expect 2 "--start-tables: expected --start FILE" $common --start-tables user_embedding
expect 2 "unknown table 'users'" $common --start bpr.safetensors --start-tables users
expect 1 "table 'item_embedding': is 200 x 8 in bpr, expected 200 x 16" \
    $common --model bpr --set embedding_size=16 --start bpr.safetensors --start-tables item_embedding
expect 1 "table 'item_linear.bias': bpr has none of that name" \
    $common --model vbpr --start bpr.safetensors --start-tables item_linear.bias
expect 1 "absent" $common --start absent

# Data that has grown: users and items begin with the rows of their ids, whatever their numbers are, and new ones as usual.
{ echo user,item,time
  awk 'BEGIN { for (u = 10; u < 50; ++u) for (k = 0; k < 9; ++k) printf "u%d,i%d,%d\n", u, (u * 7 + k * 3) % 30 + 10, k }'; } >old.csv
{ cat old.csv; for k in $(seq 8); do echo "a-new,i1$k,$k"; echo "u11,another,9"; done; } >new.csv
expect 0 "train" prepare old.csv --output old
expect 0 "train" prepare new.csv --output new
bpr="--model bpr --batch-size 64 --set embedding_size=8 --threads 1 --quiet"
expect 0 "best epoch" train --data old $bpr --epochs 2 --checkpoint old.st
expect 0 "best epoch" train --data new $bpr --epochs 1 --rates '*=0' --from old.st --checkpoint from.st
has err "old.st has rows of 40 of 41 users and of 30 of 31 items, by their ids; the others start as usual"
expect 0 "best epoch" train --data new $bpr --epochs 1 --rates '*=0' --checkpoint usual.st
for each in old from usual; do expect 0 "users" export --checkpoint $each.st --output of_$each; done
rows() { # of FOLDER users|items: an id and its vector in each line
    local n=$(($(wc -l <"$1/$2.tsv") - 1))
    paste <(tail -n +2 "$1/$2.tsv" | cut -f2) \
        <(od -An -v -tx4 -w32 -j $(($(stat -c %s "$1/$2.npy") - 32 * n)) "$1/$2.npy") | sort
}
for table in "users 40 a-new" "items 30 another"; do
    read -r table n new <<<"$table"
    [ "$(comm -12 <(rows of_old $table) <(rows of_from $table) | wc -l)" -eq "$n" ] || fail "an old row of $table does not begin with its values"
    comm -13 <(rows of_old $table) <(rows of_from $table) >rest
    [ "$(cut -f1 rest)" = "$new" ] || fail "other rows than $new of $table are new"
    [ "$(comm -12 <(rows of_usual $table) <(rows of_from $table))" = "$(cat rest)" ] || fail "$new does not begin as usual"
done
# Another folder of the same data; the old data moved, so that rows are not known; and the old data changed.
mv old moved
expect 1 "table 'user_embedding': is 40 x 8 in bpr, expected 41 x 8; rows of other users or items are found where both" \
    train --data new $bpr --epochs 1 --from old.st
mv moved old
expect 0 "train" prepare old.csv --output old --seed 2
expect 1 "old.st: was made with data of 40 users, 30 items" train --data new $bpr --epochs 1 --from old.st
the_end
