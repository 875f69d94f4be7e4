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
the_end
