#!/usr/bin/env bash
# The runs behind the tables of docs/results.md, in the order in which they tell most.
#
#     docs/results/campaign.sh PROGRAM DATA RUNS ROWS
#
# PROGRAM  build/release/bin/polder-recsys
# DATA     a folder with tiktok/ and baby/, the data sets of MMRec
# RUNS     a folder for the runs: the same command goes on where it was interrupted
# ROWS     a folder for the rows, docs/results: one CSV for each model and data set
#
# Hyper-parameters are chosen with seed 999 by Recall@20 in validation; the ten best of them, and the rivals,
# are trained with the seeds 999 to 1003. The default distance of BSAM is chosen by the same metric over the seeds
# 999 to 1001, with radius 1 on LightGCN and TikTok.
set -eu
program=$1 data=$2 runs=$3 rows=$4
mkdir -p "$runs" "$rows"

# run NAME DATASET MODEL OPTIMIZERS SEEDS [ARGUMENT...]
run() {
    local name=$1 dataset=$2 model=$3 optimizers=$4 seeds=$5
    shift 5
    "$program" compare --data "$data/$dataset" --models "$model" --optimizers "$optimizers" \
        --seeds "$seeds" --base adam --eval-step 5 --stopping-step 5 --threads 1 \
        --runs "$runs/$name" --metrics recall@10,recall@20,ndcg@10,ndcg@20 \
        --columns cosine,distance,sharpness --csv "$runs/$name.table.csv" "$@" \
        >"$runs/$name.table.txt"
    "$program" runs --runs "$runs/$name" --csv "$rows/$name.csv" >/dev/null
}

# Every method that ascends, with one radius.
with_radius() {
    local rho=$1
    printf 'sam:rho=%s,bsam:distance=cosine:rho=%s,fsam:rho=%s,bsam:distance=manhattan_mean:rho=%s,' \
        "$rho" "$rho" "$rho" "$rho"
    printf 'bsam:distance=similarity:rho=%s,bsam+:distance=cosine:rho=%s,sam+:rho=%s,' \
        "$rho" "$rho" "$rho"
    printf 'bsam:distance=projection:rho=%s,vasso:rho=%s,asam:rho=%s,fisher_sam:rho=%s,sgbd:rho=%s' \
        "$rho" "$rho" "$rho" "$rho" "$rho"
}
distances=none,sam:rho=1,bsam:distance=cosine:rho=1,bsam:distance=similarity:rho=1
distances+=,bsam:distance=manhattan_mean:rho=1,bsam:distance=projection:rho=1
distances+=,bsam:distance=manhattan:rho=1
candidates="none,$(with_radius 1),mg,$(with_radius 0.5),bsam:distance=manhattan:rho=0.1"
candidates+=",bsam:distance=manhattan:rho=1,$(with_radius 1.5),$(with_radius 0.1)"

# study NAME DATASET MODEL [ARGUMENT...]: chooses, then repeats with five seeds.
study() {
    local name=$1 dataset=$2 model=$3
    shift 3
    run "$name" "$dataset" "$model" "$candidates" 1 "$@"
    # Chosen once: later runs with other seeds must not change the choice.
    [ -s "$runs/$name.best" ] ||
        "$program" runs --runs "$runs/$name" --top 10 | awk 'NR > 2 && $2 != "none" { print $2 }' |
        paste -sd, >"$runs/$name.best"
    run "$name" "$dataset" "$model" "none,none+,$(cat "$runs/$name.best")" 5 "$@"
    # Rivals that spend as much: larger batches, and another learning rate.
    run "$name-batch4096" "$dataset" "$model" none 5 --batch-size 4096 "$@"
    run "$name-batch6144" "$dataset" "$model" none 5 --batch-size 6144 "$@"
    run "$name-rate" "$dataset" "$model" \
        none:learning_rate=0.0005,none:learning_rate=0.002,none:learning_rate=0.005 1 "$@"
}

lightgcn=lightgcn:n_layers=3:reg_weight=1e-4
run lightgcn-tiktok tiktok $lightgcn "$distances" 3
study lightgcn-tiktok tiktok $lightgcn
study bpr-tiktok tiktok bpr
study freedom-tiktok tiktok freedom:dropout=0.8:reg_weight=1e-3 --textual audio
study lightgcn-baby baby $lightgcn
