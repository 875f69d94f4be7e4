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
has err "lightgcn: setting up"
for key in model optimizer seed hyper_parameters epochs loss sharpness cosine distance train_seconds \
    evaluation_seconds valid best_epoch test recall@5 recall@50 precision@10 ndcg@10 map@20 \
    setup_seconds peak_memory_bytes threads; do
    has run.json "\"$key\":"
done
has run.json '"command": "train"'
has run.json '"optimizer": "bsam+"'
has run.json '"distance": "cosine"'
has run.json '"rho": 0.2'
has run.json '"embedding_size": 8'
has run.json '"ending": "all_epochs"'
has err "wrote run.toml, which repeats this run"
has run.toml 'set = ["embedding_size=8", "n_layers='
has run.toml 'learning-rate = 0.001'
has run.toml 'lambda = 0.6'
has run.json '"version":'
has run.json '"date": "20'
has run.json '"command_line": "polder-recsys train --data synthetic:tiny --batch-size'
has run.json '"path": "synthetic:tiny"'
has run.toml 'optimizer = "bsam+"'
[ "$(wc -l <run.csv)" -eq 4 ] || fail "run.csv does not have a header and 3 rows"
has run.csv "epoch,loss,sharpness,cosine,distance,train_seconds,evaluation_seconds,valid_recall@5"
ls *.part >/dev/null 2>&1 && fail "a temporary file is left"

# Settings come from the checkpoint; results are those of a run in one piece.
expect 0 "seed 999: best epoch" \
    train $tiny --optimizer bsam+ --distance cosine --rho 0.2 --epochs 5 --json whole.json
expect 0 "going on from run.safetensors: epoch 3, batch 0" \
    train --resume run.safetensors --epochs 5 --json resumed.json
metrics() { grep -vE 'seconds|peak_memory|"date"|"command_line"' "$1"; }
diff <(metrics whole.json) <(metrics resumed.json) >out || fail "the resumed run is another one"
expect 0 "seed 999: best epoch" train --config run.toml --epochs 5 --json repeated.json
diff <(metrics whole.json) <(metrics repeated.json) >out || fail "the repeated run is another one"
expect 1 "was made with seed = 999, this run has 5" train --resume run.safetensors --seed 5
expect 1 "was made with data" train --resume run.safetensors --data-seed 5
head -c 1000 run.safetensors >cut.safetensors
expect 1 "cut.safetensors: " train --resume cut.safetensors
# A checkpoint of another model, or of other data, is not replaced by accident.
expect 1 "run.safetensors: is the checkpoint of a run with model = lightgcn, this run has bpr; expected a new name, or --overwrite" \
    train $tiny --model bpr --epochs 1 --checkpoint run.safetensors
expect 1 "this run has" train $tiny --data-seed 2 --epochs 1 --checkpoint run.safetensors
cp run.safetensors replaced.safetensors
expect 0 "best epoch" train $tiny --model bpr --epochs 1 --checkpoint replaced.safetensors --overwrite
expect 0 "best epoch" train $tiny --epochs 1
has err "the trained model is not kept; --checkpoint FILE keeps it"

comparison="compare $tiny --optimizers none,sam,bsam:distance=cosine --rho 0.1 --seeds 2 --epochs 2"
expect 0 "How to read it: each row" $comparison \
    --csv table.csv --markdown table.md --json table.json --runs runs
has out " ± "
has out "vs base"
has table.md "| model"
has table.md "How to read it"
has table.csv "model,optimizer,base_model,base_optimizer,runs,recall@5_mean,recall@5_std"
has table.csv "lightgcn,bsam:distance=cosine,lightgcn,none,2,"
has table.json '"p_users"'
[ "$(grep -c '"ending": "all_epochs"' table.json)" -eq 6 ] || fail "table.json does not have 6 runs"
has runs/compare.toml 'optimizers = "none,sam,bsam:distance=cosine"'
[ "$(ls runs/*.json | wc -l)" -eq 6 ] || fail "runs/ does not have 6 runs"

# It goes on where it was: one run is missing, and no other is trained again.
rm runs/lightgcn_sam_seed_1000.json
before=$(ls -l --full-time runs/*seed_999.json)
expect 0 "How to read it" $comparison --csv again.csv --runs runs
has err "lightgcn sam seed 1000: 2 epochs"
grep -q "none seed" err && fail "a run that was there was trained again"
[ "$before" = "$(ls -l --full-time runs/*seed_999.json)" ] || fail "a run was written again"
cut -d, -f1-100 table.csv >a; cut -d, -f1-100 again.csv >b
cmp -s a b || fail "the comparison that went on has another table"
expect 1 "was made with batch_size = 512, this comparison has 256" \
    $comparison --runs runs --batch-size 256

# More epochs: runs go on from their checkpoints, as in one piece, and begin anew where there are none.
results() { metrics "$1" | grep -v memory; }
longer="compare $tiny --optimizers none,sam --rho 0.1 --seeds 1"
expect 0 "How to read it" $longer --epochs 4 --json whole4.json
expect 0 "How to read it" $longer --epochs 2 --runs kept --checkpoints
sed -i 's/"stopping_step":/"epochs":2,&/' kept/lightgcn_sam_seed_999.json  # as files of before have it
expect 0 "going on from kept/lightgcn_none_seed_999.trained.safetensors" $longer --epochs 4 --runs kept --json kept4.json
has err "going on from kept/lightgcn_sam_seed_999.trained.safetensors"
diff <(results whole4.json) <(results kept4.json) >out || fail "a comparison with more epochs is another one"
expect 0 "trained.safetensors: epoch 4, batch 0" \
    train --resume kept/lightgcn_sam_seed_999.trained.safetensors --checkpoint resumed.st
expect 0 "How to read it" $longer --epochs 2 --runs lost
expect 0 "lightgcn sam seed 999: is trained anew, since its checkpoint was not kept" $longer --epochs 4 --runs lost --json lost4.json
diff <(results whole4.json) <(results lost4.json) >out || fail "runs that were trained anew are other runs"
before=$(ls -l --full-time kept)
expect 1 "kept/lightgcn_none_seed_999.json: has 4 epochs, this comparison has 3; expected at least as many" $longer --epochs 3 --runs kept
[ "$before" = "$(ls -l --full-time kept)" ] || fail "a comparison that was refused has written"
# One that stopped early stays.
early="compare $tiny --model bpr --optimizers none --seeds 1 --stopping-step 0"
expect 0 "How to read it" $early --epochs 200 --runs early --json early.json
has early.json '"ending": "early_stopping"'
expect 0 "How to read it" $early --epochs 300 --runs early --json early_again.json
grep -q "epochs, best" err && fail "a run that stopped early was trained again"
diff <(results early.json | sed 's/"max_epochs": 200/"max_epochs": 300/') <(results early_again.json) >out ||
    fail "a run that stopped early is another one with more epochs"
has early/bpr_none_seed_999.json '"max_epochs":300'
expect 0 "lightgcn:n_layers=1" compare $tiny --models lightgcn,lightgcn:n_layers=1 \
    --optimizers none --seeds 1 --epochs 1

# A distance that is too large makes the ascent go downhill, and the program says so, once.
expect 0 "best epoch" train --data synthetic:tiny --optimizer bsam --distance manhattan --scale 1000 \
    --batch-size 64 --epochs 2 --curve literal.csv
has err "with distance = manhattan: the ascent goes downhill"
has err "try bsam:distance=cosine"
[ "$(grep -c downhill err)" -eq 1 ] || fail "the program says more than once that bsam goes downhill"
tail -1 literal.csv | cut -d, -f4 | grep -q "^-0" || fail "the curve has no cosine below zero"
expect 0 "best epoch" train --data synthetic:tiny --optimizer bsam --distance cosine \
    --batch-size 64 --epochs 2
grep -q downhill err && fail "the program says of bsam:distance=cosine that it goes downhill"

# A checkpoint keeps its distance, also where it was the default of the program that wrote it: the argument that
# said so is replaced by one of the same length.
expect 0 "best epoch" train $tiny --optimizer bsam --distance manhattan --epochs 1 --checkpoint old.safetensors
LC_ALL=C sed -i 's/--distance=manhattan/--threads=0000000001/' old.safetensors
expect 0 "going on from old.safetensors" train --resume old.safetensors --epochs 2 --json old.json
has old.json '"distance": "manhattan"'
expect 0 "items for user 7" recommend --checkpoint old.safetensors --user 7

# Other readings of the papers have names.
expect 0 "best epoch" train $tiny --optimizer bsam+:half_steps=true --epochs 1 --json half.json
has half.json '"half_steps": true'
expect 2 "half_steps" train $tiny --optimizer bsam:half_steps=true --epochs 1
expect 0 "best epoch" train $tiny --optimizer mg:beta=5 --epochs 1 --json mg.json
has mg.json '"every": 5'

# What a trained model is for: the checkpoint knows its data and its settings.
expect 0 "items for user 7, who has" recommend --checkpoint run.safetensors --user 7 --top 5 --json items.json
[ "$(grep -c '"score"' items.json)" -eq 5 ] || fail "items.json does not have 5 items"
head -c 400 out | grep -q "lightgcn with bsam+" || fail "recommend does not say of which model"
expect 2 "user 300, expected 0 to 299" recommend --checkpoint run.safetensors --user 300
expect 2 "--checkpoint is missing" recommend --user 1
expect 1 "was made with data" recommend --checkpoint run.safetensors --data synthetic:small
expect 0 "users: 300 x 8" export --checkpoint run.safetensors --output vectors --parameters
[ "$(wc -c <vectors/items.npy)" -eq $((128 + 200 * 8 * 4)) ] || fail "items.npy is not 200 x 8 floats"
expect 0 "items: 200 x 8" export --checkpoint run.safetensors --output vectors.safetensors
has vectors.safetensors '"items"'

# Losses that are not finite end training, and what there is is written.
expect 3 "not finite" train $tiny --learning-rate 1e30 --epochs 3 --json diverged.json
has diverged.json '"ending": "not_finite"'
the_end
