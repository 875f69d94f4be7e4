# Trained models under noise and with adjusted information.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 1024 --set embedding_size=8 --epochs 2 --quiet"
learn="--epochs 15 --learning-rate 0.02"
expect 0 "best epoch" train $tiny $learn --checkpoint plain.safetensors
expect 0 "best epoch" train $tiny $learn --optimizer sam --checkpoint sam.safetensors
expect 0 "best epoch" train $tiny --model freedom --set knn_k=5 --checkpoint freedom.safetensors
expect 0 "best epoch" train $tiny --model dragon --set knn_k=5 --checkpoint dragon.safetensors

few="--sigma 0,1e-2 --feature-sigma 1e-2 --relative 0.5,5 --share 0.05 --repeats 2"
all="--checkpoint plain.safetensors sam.safetensors freedom.safetensors dragon.safetensors"
expect 0 "which are the same for every row" robustness $all $few --json r.json --csv r.csv
has out "Noise in embeddings of items, by standard deviation"
has out "lightgcn sam:learning_rate=0.02 seed 999"
has out "dragon none seed 999 (rows of items after the projection of features)"
has out "n/a: dragon none seed 999: no learnable table of items acts on its scores"
has out "n/a: lightgcn none:learning_rate=0.02 seed 999: the model has no features"
has out "Noise in features, parameters as they are, graphs of features built anew"
has out "Adjusted information, simulated: insert, by share of items"
has r.json '"mode": "inference, simulated"'
has r.json '"v_gcn.item_embedding"'
has r.csv "checkpoint,model,optimizer,seed,epoch,data,split,test,substitute,level,size,relative,repeats,metric,original,mean,std,decrease"
# Without noise nothing changes; five times as much noise as signal destroys the ranking.
awk -F, '$8 == "embeddings" && $11 == 0 && $12 == "no" && $14 != "n/a" { n++; if ($18 != 0) bad++ }
    END { exit !(n == 64 && !bad) }' r.csv || fail "noise of 0 changes metrics"
awk -F, '$8 == "embeddings" && $2 == "lightgcn" && $11 == 5 && $14 == "recall@50" { n++; if ($18 < 20) bad++ }
    END { exit !(n == 2 && !bad) }' r.csv || fail "noise of 5 rms does not harm"
# FREEDOM's features act on its scores through its graph.
awk -F, '$8 == "features" && $2 == "freedom" && $12 == "yes" && $11 == 5 && $14 == "recall@50" { n++; if ($18 == 0) bad++ }
    END { exit !(n == 1 && !bad) }' r.csv || fail "noise in features does not act"
awk -F, '$8 == "random" && $2 == "freedom" && $14 == "ndcg@50" { n++; if ($18 == 0) bad++ }
    END { exit !(n == 1 && !bad) }' r.csv || fail "adjusted information does not act"

# A row names the method as it was given.
expect 0 "best epoch" train $tiny --optimizer bsam:distance=cosine:rho=0.1 --checkpoint bsam.safetensors
expect 0 "lightgcn bsam:distance=cosine:rho=0.1 seed 999" robustness --checkpoint bsam.safetensors --tests embeddings $few

# Results do not depend on who is measured beside.
expect 0 "lightgcn sam" robustness --checkpoint sam.safetensors $few --csv alone.csv --quiet
grep "^sam" r.csv >a; grep "^sam" alone.csv >b
cmp -s a b || fail "a checkpoint alone has other numbers"

# Interrupted, it goes on: what is there is not measured again, and the end is the same.
cp r.json whole.json; cp r.csv whole.csv
slow="--checkpoint plain.safetensors sam.safetensors --tests embeddings --repeats 200 --threads 1"
: >err
set -m; "$program" robustness $slow --json slow.json >out 2>err & job=$!; set +m
for _ in $(seq 300); do
    grep -q '"level"' slow.json 2>/dev/null && break
    sleep 0.1
done
kill -INT $job; wait $job
[ $? -eq 130 ] || fail "interrupted robustness did not end with 130"
has err "the same command goes on from here"
expect 0 "which are the same" robustness $all $few --json r.json --csv r.csv
cmp -s r.json whole.json || fail "results that were there have changed"
cmp -s r.csv whole.csv || fail "the table of results that were there has changed"
expect 1 "was made with repeats = 2, this command has 3" robustness $all $few --repeats 3 --json r.json

# Trained anew on features without noise, a model is the same; with noise another.
expect 0 "Noise in features, models trained anew" robustness --checkpoint freedom.safetensors --tests features \
    --feature-sigma 0,1 --relative none --repeats 1 --retrain --csv anew.csv --json anew.json --quiet
has anew.json '"mode": "retrain"'
awk -F, '$11 == 0 && $18 != 0 { bad++ } $11 == 1 && $18 != 0 { moved++ } END { exit !(!bad && moved) }' anew.csv ||
    fail "training anew without noise changes metrics, or noise does not"
expect 1 "was made with retrain = true, this command has false" robustness --checkpoint freedom.safetensors --tests features \
    --feature-sigma 0,1 --relative none --repeats 1 --json anew.json
# LATTICE's trained copies of features are on the way to its scores.
expect 0 "best epoch" train $tiny --model lattice --checkpoint lattice.safetensors
expect 0 "Noise in embeddings" robustness --checkpoint lattice.safetensors --tests embeddings --sigma 1 --relative none \
    --repeats 1 --json own.json --quiet
grep -q '"image_embedding"' own.json && fail "copies of features are disturbed without --tables all"
expect 0 "Noise in embeddings" robustness --checkpoint lattice.safetensors --tests embeddings --sigma 1 --relative none \
    --repeats 1 --tables all --json all.json --quiet
has all.json '"image_embedding"'

expect 0 "are variances" robustness --help
expect 2 "--checkpoint is missing" robustness
expect 2 "unknown test 'noise'; known: embeddings, features, swap" \
    robustness --checkpoint plain.safetensors --tests noise
expect 2 "test 'swap' is listed twice" robustness --checkpoint plain.safetensors --tests swap,swap
expect 2 "--sigma: 'x', expected numbers from 0" robustness --checkpoint plain.safetensors --sigma 1,x
expect 2 "--share: '2', expected numbers from 0 to 1" robustness --checkpoint plain.safetensors --share 2
expect 2 "unknown metric 'auc'" robustness --checkpoint plain.safetensors --metric auc
expect 1 "expected 300 users, 200 items" robustness --checkpoint plain.safetensors --data synthetic:small
echo mine >mine
for option in --json --csv; do
    expect 1 "mine: is not a file that this command wrote" robustness --checkpoint plain.safetensors $option mine
done
[ "$(cat mine)" = mine ] || fail "a file of the user was replaced"
the_end
