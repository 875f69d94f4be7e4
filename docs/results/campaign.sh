#!/usr/bin/env bash
# The runs behind the tables of docs/results.md, in the order in which they tell most.
#
#     docs/results/campaign.sh PROGRAM DATA RUNS ROWS [STUDY]
#
# PROGRAM  build/release/bin/polder-recsys
# DATA     a folder with tiktok/ and baby/, the data sets of MMRec
# RUNS     a folder for the runs
# ROWS     a folder for the rows, docs/results: one CSV for each study. A run that has a row is not repeated, so the same
#          command goes on where it was interrupted, also on another machine.
# STUDY    only the studies whose name begins so, for example bpr: several of these commands, each with its own studies, may
#          run at once.
#
# Hyper-parameters are chosen with seed 999 by Recall@20 in validation; the best of them, and the rivals, are trained with
# the seeds 999 to 1003.
set -eu
mkdir -p "$3" "$4"
program=$(realpath "$1") data=$(realpath "$2") runs=$(realpath "$3") rows=$(realpath "$4") only=${5:-}

# one STUDY DATASET MODEL OPTIMIZER SEED [ARGUMENT...]: one run, unless its row is there. $base is its base optimizer.
base=adam
one() {
    local study=$1 dataset=$2 model=$3 optimizer=$4 seed=$5
    shift 5
    local table=$rows/$study.csv folder=$runs/$study
    if [[ $study != "$only"* ]]; then return; fi
    if [ -e "$table" ] && grep -qF ",$model,$optimizer,$base,$seed," "$table"; then return; fi
    "$program" compare --data "$data/$dataset" --models "$model" --optimizers "$optimizer" \
        --seed "$seed" --seeds 1 --base "$base" --eval-step 5 --stopping-step 5 --threads 1 \
        --runs "$folder" --metrics recall@20 "$@" >"$folder.log" 2>&1 ||
        printf '%s  %s: see %s\n' "$study" "$optimizer" "$folder.log" >&2
    "$program" runs --runs "$folder" --csv "$folder.csv" >/dev/null
    merged "$folder.csv" "$table" >"$table.new"
    mv "$table.new" "$table"
    printf '%s  %s  %s  %s  %s\n' "$(date +%H:%M:%S)" "$study" "$optimizer" "$base" "$seed"
}

# merged NEW OLD: the rows of both files in the columns of NEW, sorted. An older program wrote fewer columns: these cells are
# empty. A row that both have is that of NEW.
merged() {
    local old=$2
    [ -e "$old" ] || old=/dev/null
    head -n 1 "$1"
    awk -F, 'FNR == 1 { for (k = 1; k <= NF; ++k) name[k] = $k
                        if (NR == 1) { n = NF; for (k = 1; k <= NF; ++k) column[k] = $k }
                        next }
             { key = $1 "," $2 "," $3 "," $4 "," $5
               if (key in seen) next
               seen[key] = 1
               split("", cell)
               for (k = 1; k <= NF; ++k) cell[name[k]] = $k
               for (k = 1; k <= n; ++k) printf "%s%s", cell[column[k]], k < n ? "," : "\n" }' "$1" "$old" | sort
}

# several STUDY DATASET MODEL OPTIMIZERS SEEDS [ARGUMENT...]: the runs of optimizers (by spaces) and seeds (by spaces).
several() {
    local study=$1 dataset=$2 model=$3 optimizers=$4 seeds=$5 seed optimizer
    shift 5
    for seed in $seeds; do
        for optimizer in $optimizers; do one "$study" "$dataset" "$model" "$optimizer" "$seed" "$@"; done
    done
}

seeds='999 1000 1001 1002 1003'

# with_radius RADIUS: every method that ascends.
with_radius() {
    local method
    for method in sam bsam:distance=cosine bsam:distance=similarity vasso fsam bsam+:distance=cosine sam+ \
        bsam:distance=manhattan_mean bsam:distance=projection asam fisher_sam sgbd; do
        printf '%s:rho=%s ' "$method" "$1"
    done
}

# relative SHARE: methods whose radius is a share of the norm of the parameters.
relative() {
    printf '%s ' "sam_relative:rho=$1" "fsam:relative=all:rho=$1" "bsam:distance=cosine:relative=all:rho=$1"
}

# search STUDY DATASET MODEL [ARGUMENT...]: one run of each setting, with the seed by which settings are chosen.
search() {
    local radius
    several "$1" "$2" "$3" "$(relative 0.1) $(relative 0.05) $(relative 0.15) sam_relative:rho=0.2
        sam_relative:rho=0.12 bsam:distance=cosine:relative=all:rho=0.12 sam_relative_blocks:rho=0.1" 999 "${@:4}"
    for radius in 1 0.5 0.1; do several "$1" "$2" "$3" "$(with_radius $radius)" 999 "${@:4}"; done
    several "$1" "$2" "$3" 'mg sam:rho=0.05 sam:rho=3 bsam:distance=projection:rho=3 bsam:distance=manhattan:rho=0.1
        bsam:distance=manhattan:rho=1 sam:rho=1:warm_up=1000 bsam:distance=cosine:rho=1:warm_up=1000' 999 "${@:4}"
    # Plain rivals: another learning rate, and weight decay.
    several "$1" "$2" "$3" 'none:learning_rate=0.0005 none:learning_rate=0.002 none:learning_rate=0.005
        none:weight_decay=1e-6 none:weight_decay=1e-5 none:weight_decay=1e-4' 999 "${@:4}"
}

# readings STUDY DATASET MODEL [ARGUMENT...]: what the papers leave open, read in each way that the program has.
readings() {
    several "$1" "$2" "$3" 'bsam+:distance=cosine:rho=1 bsam+:distance=cosine:rho=1:half_steps=true mg mg:beta=1 mg:beta=5
        mg:alphas=rate mg:sign=-1 mg:redraw=true sgbd:rho=1 sgbd:rho=1:literal=true sgbd:rho=1:normalised=true' 999 "${@:4}"
}

# chosen STUDY COUNT PATTERN: the settings that are best in validation, of methods that match the pattern.
chosen() {
    if [[ $1 != "$only"* ]]; then return; fi
    awk -F, -v pattern="$3" 'NR == 1 { for (k = 1; k <= NF; ++k) if ($k == "valid_recall@20") column = k; next }
        $5 == 999 && $4 == "adam" && $3 ~ pattern { print $column, $3 }' "$rows/$1.csv" |
        sort -rg | head -n "$2" | awk '{ print $2 }'
}

# repeated STUDY DATASET MODEL [ARGUMENT...]: five seeds of the ten best, and of rivals that spend as much: the mean of two
# batches, the learning rate that is best, larger batches.
repeated() {
    several "$1" "$2" "$3" "none+ $(chosen "$1" 10 '^[^n]') $(chosen "$1" 1 '^none:')" "$seeds" "${@:4}"
    several "$1-batch4096" "$2" "$3" none "$seeds" --batch-size 4096 "${@:4}"
    several "$1-batch6144" "$2" "$3" none "$seeds" --batch-size 6144 "${@:4}"
}

# three STUDY DATASET MODEL SEEDS [ARGUMENT...]: methods with the radius, of three, that is best in validation.
three() {
    local method
    several "$1" "$2" "$3" "none mg" "$4" "${@:5}"
    for method in sam bsam bsam+; do
        several "$1" "$2" "$3" "$method:rho=0.1 $method:rho=0.5 $method:rho=1" 999 "${@:5}"
        several "$1" "$2" "$3" "$(chosen "$1" 1 "^${method/+/[+]}:")" "$4" "${@:5}"
    done
}

# appended NEW OLD: adds the rows of NEW to those of OLD.
appended() {
    [ -e "$2" ] || head -n 1 "$1" >"$2"
    tail -n +2 "$1" >>"$2"
}

# disturbed STUDY DATASET MODEL METHODS [ARGUMENT...]: trained models under noise and changed information, and the loss around
# them. The model is not kept.
disturbed() {
    local study=$1 dataset=$2 model=$3 method seed folder=$runs/$1-disturbed file table=$rows/$1-robustness.csv
    if [[ $study != "$only"* ]]; then return; fi
    for seed in $seeds; do
        for method in $4; do
            file=$method-$seed.safetensors
            if [ -e "$table" ] && grep -qF "$file," "$table"; then continue; fi
            rm -rf "$folder"
            mkdir "$folder"
            (
                cd "$folder"
                "$program" train --data "$data/$dataset" --model "$model" --optimizer "$method" --seed "$seed" --base adam \
                    --eval-step 5 --stopping-step 5 --threads 1 --checkpoint "$file" "${@:5}"
                "$program" robustness --checkpoint "$file" --threads 1 --csv robustness.csv
                "$program" landscape --checkpoint "$file" --threads 1 --grids default --points 10 --batches 10 --output landscape
            ) >"$folder.log" 2>&1
            appended "$folder/landscape/summary.csv" "$rows/$study-landscape.csv"
            appended "$folder/robustness.csv" "$table"
            printf '%s  %s  %s  %s\n' "$(date +%H:%M:%S)" "$study under noise" "$method" "$seed"
        done
    done
}

lightgcn=lightgcn:n_layers=3:reg_weight=1e-4
freedom=freedom:dropout=0.8:reg_weight=1e-3
ascending='none sam:rho=1 bsam:distance=cosine:rho=1 bsam:distance=similarity:rho=1'
# What the studies are about comes first, then the search for the best radius and method.
several lightgcn-tiktok tiktok $lightgcn "$ascending bsam+:distance=cosine:rho=1 bsam:distance=manhattan:rho=1" "$seeds"
several bpr-tiktok tiktok bpr "$ascending" "$seeds"
several freedom-tiktok tiktok $freedom "$ascending" "$seeds" --textual audio
search bpr-tiktok tiktok bpr
several bpr-tiktok tiktok bpr "$(with_radius 3) none:weight_decay=1e-3 none:weight_decay=1e-2
    none:weight_decay=3e-6 none:weight_decay=3e-5 sam_relative:rho=0.1:weight_decay=1e-5
    sam_relative:rho=0.1:weight_decay=1e-6" 999
base=adamw
several bpr-tiktok tiktok bpr 'none:weight_decay=1e-1 none:weight_decay=1' 999
base=adam
several bpr-tiktok tiktok bpr 'sam_relative:rho=0.1 bsam:distance=cosine:relative=all:rho=0.1 none:weight_decay=1e-5' "$seeds"
readings bpr-readings-tiktok tiktok bpr
readings lightgcn-readings-tiktok tiktok $lightgcn
search lightgcn-tiktok tiktok $lightgcn
search freedom-tiktok tiktok $freedom --textual audio
several lightgcn-baby baby $lightgcn 'none sam:rho=0.5 bsam:distance=cosine:rho=0.5' "$seeds"
repeated bpr-tiktok tiktok bpr
# Whether a penalty of the parameters does what a relative radius does.
for weight in 0 1e-3 1e-2 1e-1 1; do several bpr-penalty-tiktok tiktok bpr:reg_weight=$weight none 999; done
repeated lightgcn-tiktok tiktok $lightgcn
repeated freedom-tiktok tiktok $freedom --textual audio
disturbed lightgcn-tiktok tiktok $lightgcn 'none sam:rho=1 bsam:distance=cosine:rho=1 bsam+:distance=cosine:rho=1 mg'
disturbed freedom-tiktok tiktok $freedom 'none sam:rho=1 bsam:distance=cosine:rho=1 bsam+:distance=cosine:rho=1 mg' --textual audio
three bm3-tiktok tiktok bm3:n_layers=1:dropout=0.3:reg_weight=0.1 '999 1000 1001' --textual audio
three vbpr-tiktok tiktok vbpr:reg_weight=1e-2 '999 1000 1001' --textual audio
disturbed bm3-tiktok tiktok bm3:n_layers=1:dropout=0.3:reg_weight=0.1 'none sam:rho=0.1 bsam:rho=0.1 bsam+:rho=0.1 mg' --textual audio
for base in rmsprop adagrad; do several lightgcn-tiktok tiktok $lightgcn "$ascending" "$seeds"; done
base=adam
search lightgcn-baby baby $lightgcn
repeated lightgcn-baby baby $lightgcn
three layergcn-baby baby layergcn:n_layers=4:dropout=0.1:reg_weight=1e-3 '999 1000 1001'
three mmgcn-tiktok tiktok mmgcn 999 --textual audio
