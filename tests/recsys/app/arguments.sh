# Arguments that are wrong are answered with what is right, before anything is trained.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

expect 0 "Usage: polder-recsys" --help
expect 0 "Exit codes:" train --help
expect 0 "synthetic:NAME=synthetic:small" compare --help
expect 0 "polder " --version
expect 2 "A subcommand is required"
expect 2 "unknown command 'trian'; nearest: train; known: train, compare, tune, runs, report, evaluate, rivals, robustness, landscape, reproduce, recommend, similar, export, prepare, augment, data, models, optimizers" trian
expect 2 "not expected: --frob" train --frob

expect 2 "unknown model 'lightgnc'; nearest: lightgcn; known:" train --model lightgnc
expect 2 "unknown hyper-parameter of lightgcn 'n_layer'; nearest: n_layers; known: embedding_size" \
    train --set n_layer=3
expect 2 "unknown hyper-parameter of lightgcn 'x'; known:" train --model lightgcn:x=3
expect 2 "--set n_layers: expected name=value" train --set n_layers
expect 2 "n_layers = -1, expected an integer in" train --set n_layers=-1
expect 2 "unknown data set with published settings of bm3 'sport'; nearest: sports; known: baby, " \
    train --model bm3 --published sport
expect 2 "--published tiktok: no settings of lightgcn were published for any data set; models with such settings: " \
    train --published tiktok
expect 2 "nearest to --lr: --learning-rate" train --lr 0.1
expect 2 "nearest to --epoch: --epochs" train --epoch=3
"$program" train --help | tr -s ' \n' ' ' >help
for default in "--learning-rate NUMBER Learning rate" "Default: 0.001 (adam"; do has help "$default"; done
grep -qE -- "--rho NUMBER [^[]*Default: [0-9.]+" help || fail "--help does not say the default of --rho"
expect 2 "unknown optimizer 'sham'; nearest: sam, asam, fsam; known: none, sam" \
    train --optimizer sham
expect 2 "unknown base optimizer 'adan'; nearest: adam, adamw; known: adam, adamw, sgd" \
    train --base adan
expect 2 "unknown distance 'l1'; known: cosine, manhattan" train --optimizer bsam --distance l1
expect 2 "unknown option of optimizer 'sam' on 'adam' 'distance'; known: learning_rate" \
    train --optimizer sam --distance cosine
expect 2 "unknown option of optimizer 'none' on 'adam' 'rho'; known: learning_rate" \
    train --rho 0.1
expect 2 "rho = -1" train --optimizer sam --rho -1
expect 2 "rho = 'wide', expected a number" train --optimizer sam --rho wide
expect 2 "--epochs: '0', expected a whole number from 1 to 2147483647" train --epochs 0
# A method that needs a first moment takes a base that has one by its options.
for command in "train --optimizer momentum_sam" "compare --seeds 1 --optimizers none,momentum_sam"; do
    expect 0 "momentum_sam" $command --base sgd --momentum 0.9 --data synthetic:tiny --model bpr --epochs 1 --quiet
    expect 2 "momentum" $command --base sgd --data synthetic:tiny --model bpr --epochs 1 --quiet
done
# Every option that takes a number says its name and its range where a text is too large a number, or none.
for command in train compare tune robustness landscape recommend runs evaluate; do
    "$program" $command --help | grep -oE '^ +--[a-z-]+(,--[a-z-]+)? (UINT|INT|FLOAT)' | grep -oE -- '--[a-z-]+' |
        sort -u >options
    [ -s options ] || fail "$command --help shows no number"
    while read -r option; do
        "$program" $command "$option" 1e999 >out 2>err && fail "$command $option 1e999 is taken"
        grep -qE -- "error: $option: '1e999', expected a (whole number from|finite number)" err ||
            fail "$command $option 1e999: no range"
    done <options
done
expect 2 "--decay-factor: 'nan', expected a finite number > 0" train --decay-factor nan
expect 0 "rows in train" data --data synthetic:tiny --data-seed 18446744073709551615
expect 2 "'18446744073709551616', expected a whole number from 0 to 18446744073709551615" \
    data --data synthetic:tiny --data-seed 18446744073709551616
expect 2 "--batch-size: '-5', expected a whole number" train --batch-size -5
expect 2 "--seed: '1.5', expected a whole number" train --seed 1.5
expect 2 "unknown metric 'auc'; known: recall@5" train --valid-metric auc

expect 1 "/absent: no such file or directory" train --data /absent
expect 1 "no .inter file in this directory" data --describe --data .
expect 2 "unknown synthetic data set 'huge'; known: tiny" data --data synthetic:huge
expect 2 "interactions = 10, expected at least 30" \
    data --data synthetic --users 10 --items 10 --interactions 10
printf 'userID\titemID\tx_label\n0\t0\t0\n0\tx\t0\n' >bad.inter
expect 1 "bad.inter:3: itemID is 'x', expected an integer" train --data bad.inter
printf 'userID\titemID\tx_label\n0\t0\t0\n1\t1\t0\n0\t1\t2\n' >no_valid.inter
expect 1 "'no_valid' has no validation rows (x_label 1) to choose an epoch by; --select last" \
    train --data no_valid.inter
printf 'userID\titemID\tx_label\n0\t0\t0\n0\t1\t1\n' >full.inter
expect 1 "every user has all items of the training rows" train --data full.inter

# Numbers that begin at 1 make a user and an item without rows.
printf 'userID\titemID\tx_label\n1\t1\t0\n1\t2\t2\n2\t2\t0\n2\t3\t0\n' >from_1.inter
expect 0 "the numbers of users begin at 1, so that user 0 has no row" data --data from_1.inter
has err "the numbers of items begin at 1"
# Also where rows of users without training rows are left out; but not where one of these has the number 0.
printf '3\t1\t2\n' | cat from_1.inter - >cold_from_1.inter
expect 0 "the numbers of users begin at 1, so that user 0 has no row" data --data cold_from_1.inter
has err "dropped 0 validation and 1 test rows"
printf '0\t1\t2\n' | cat from_1.inter - >cold_0.inter
expect 0 "the numbers of items begin at 1" data --data cold_0.inter
grep -q "numbers of users" err && fail "a user 0 whose rows are left out is said not to be there"
# Rows that are held out although training has them.
printf '0\t1\t0\n0\t1\t1\n1\t2\t1\n1\t1\t2\n' | cat from_1.inter - >leak.inter
expect 0 "leak: 1 validation and 1 test rows are in train, too, the first is user 0 with item 1" data --data leak.inter
mkdir -p none
expect 1 "no .inter file in this directory; polder-recsys prepare FILE --output DIR makes one" data --data none

# Lists of what there is.
expect 0 "lightgcn: " models
expect 0 "n_layers" models lightgcn
expect 0 "published for sports: n_layers=1:dropout=0.5:reg_weight=0.01" models bm3
expect 2 "unknown model 'lightgc'; nearest: lightgcn" models lightgc
expect 0 "eps = rho g / |g|_2, u = s" optimizers
expect 0 "distance cosine" optimizers bsam
expect 0 "kappa 0.6" optimizers bsam+
expect 2 "unknown optimizer 'bsamm'; nearest: bsam" optimizers bsamm

# Configuration files.
printf '[train]\nmodel = "lightgcn"\nrho = -1\noptimizer = "sam"\n' >run.toml
expect 2 "rho = -1" train --config run.toml
expect 2 "rho = -2" train --config run.toml --rho -2
expect 2 "rho = -1" --config run.toml
expect 1 "run.toml: there is no option for compare; it has a section train" \
    compare --config run.toml
printf '[train]\nlearnin_rate = 1\n' >wrong.toml
expect 2 "unknown key in wrong.toml, section train, 'learnin_rate'; nearest: learning-rate" \
    train --config wrong.toml
expect 1 "absent.toml: no such file" train --config absent.toml

# Features.
mkdir data
printf 'userID\titemID\tx_label\n0\t0\t0\n1\t1\t0\n0\t1\t1\n' >data/data.inter
printf 'not numbers' >data/image_feat.npy
expect 1 "data/image_feat.npy: is not an npy file" data --data data
expect 1 "audio: no such file of features, and no modality of data: image" \
    data --data data --textual audio

# Files that cannot be written are told before training: none of these may take its 1000 epochs.
for option in --json --curve --checkpoint; do
    expect 1 "/absent/file: cannot be written: there is no directory /absent" \
        train $option /absent/file
done
expect 1 "cannot be written: it is a directory" compare --csv .
expect 1 "absent: no such file" train --resume absent
echo "not a checkpoint" >text
expect 1 "text: promises a header of" train --resume text

expect 2 "optimizer 'sam' is listed twice" compare --optimizers sam,sam
expect 2 "unknown optimizer 'sham'" compare --optimizers none,sham
expect 2 "lambda = 0.5: none of the optimizers none, sam on adam has this option" \
    compare --optimizers none,sam --lambda 0.5
expect 2 "unknown metric 'recall'" compare --metrics recall

expect 2 "--device: gpu not in {cpu,cuda}" train --device gpu
# Where the program was built without CUDA or there is no GPU, it says which.
for command in train compare; do
    "$program" $command --data synthetic:tiny --epochs 1 --device cuda >out 2>err ||
        grep -qE "built without CUDA; configure with|polder: cuda[A-Za-z]*: " err ||
        fail "$command --device cuda does not say why"
done
the_end
