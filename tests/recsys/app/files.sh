# What the commands print and write, and a run that goes on from its checkpoint.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 512 --set embedding_size=8"

expect 0 "rows in train" data --describe --data synthetic:tiny --json data.json
has data.json '"users": 300'
has data.json '"density"'

expect 0 "lightgcn with bsam+ on synthetic:tiny, seed 999: best epoch" \
    train $tiny --optimizer bsam+ --distance cosine --rho 0.2 --epochs 3 \
    --json run.json --curve run.csv --checkpoint run.safetensors
has err "epoch 2  loss"
for key in model optimizer seed hyper_parameters epochs loss sharpness train_seconds \
    evaluation_seconds valid best_epoch test recall@5 recall@50 precision@10 ndcg@10 map@20 \
    peak_memory_bytes threads; do
    has run.json "\"$key\":"
done
has run.json '"optimizer": "bsam+"'
has run.json '"distance": "cosine"'
has run.json '"rho": 0.2'
has run.json '"embedding_size": 8'
has run.json '"ending": "all_epochs"'
[ "$(wc -l <run.csv)" -eq 4 ] || fail "run.csv does not have a header and 3 rows"
has run.csv "epoch,loss,sharpness,train_seconds,evaluation_seconds,valid_recall@5"
[ -e run.json.part ] && fail "a temporary file is left"

# Settings come from the checkpoint; results are those of a run in one piece.
expect 0 "seed 999: best epoch" \
    train $tiny --optimizer bsam+ --distance cosine --rho 0.2 --epochs 5 --json whole.json
expect 0 "going on from run.safetensors: epoch 3, batch 0" \
    train --resume run.safetensors --epochs 5 --json resumed.json
metrics() { grep -vE 'seconds|peak_memory' "$1"; }
diff <(metrics whole.json) <(metrics resumed.json) >out || fail "the resumed run is another one"
expect 1 "was made with seed = 999, this run has 5" train --resume run.safetensors --seed 5
expect 1 "was made with data" train --resume run.safetensors --data-seed 5
head -c 1000 run.safetensors >cut.safetensors
expect 1 "cut.safetensors: " train --resume cut.safetensors

expect 0 "How to read it: each row" compare $tiny --optimizers none,sam --seeds 2 --epochs 2 \
    --csv table.csv --markdown table.md --json runs.json
has out " ± "
has out "vs none"
has table.md "| optimizer |"
has table.md "How to read it"
has table.csv "optimizer,runs,recall@5_mean,recall@5_std,recall@5_improvement_percent"
[ "$(grep -c '"model": "lightgcn"' runs.json)" -eq 4 ] || fail "runs.json does not have 4 runs"

# Losses that are not finite end training, and what there is is written.
expect 3 "not finite" train $tiny --learning-rate 1e30 --epochs 3 --json diverged.json
has diverged.json '"ending": "not_finite"'
the_end
