# Arguments that are wrong are answered with what is right, before anything is trained.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

expect 0 "Usage: polder-recsys" --help
expect 0 "Exit codes:" train --help
expect 0 "synthetic:NAME=synthetic:small" compare --help
expect 0 "polder " --version
expect 2 "A subcommand is required"
expect 2 "unknown command 'frob'; known: train, compare, data" frob
expect 2 "not expected: --frob" train --frob

expect 2 "unknown model 'bpr2'; known:" train --model bpr2
expect 2 "unknown hyper-parameter 'layers'; known: embedding_size, n_layers" train --set layers=3
expect 2 "--set n_layers: expected name=value" train --set n_layers
expect 2 "n_layers = -1, expected an integer in" train --set n_layers=-1
expect 2 "unknown optimizer 'sham'; known: none, sam" train --optimizer sham
expect 2 "unknown base optimizer 'adamw'; known: adam, sgd" train --base adamw
expect 2 "unknown distance 'l1'; known: manhattan" train --optimizer bsam --distance l1
expect 2 "optimizer 'sam' has no distance" train --optimizer sam --distance cosine
expect 2 "has no hyper-parameter 'rho'; known: learning_rate" train --rho 0.1
expect 2 "rho = -1" train --optimizer sam --rho -1
expect 2 "rho = 'wide', expected a number" train --optimizer sam --rho wide
expect 2 "--epochs: '0', expected a whole number of at least 1" train --epochs 0
expect 2 "--batch-size: '-5', expected a whole number" train --batch-size -5
expect 2 "--seed: '1.5', expected a whole number" train --seed 1.5
expect 2 "unknown metric 'auc', known: recall@5" train --valid-metric auc

expect 1 "/absent: no such file or directory" train --data /absent
expect 1 "no .inter file in this directory" data --describe --data .
expect 2 "unknown synthetic data set 'huge', known: tiny" data --data synthetic:huge
expect 2 "interactions = 10, expected at least 30" \
    data --data synthetic --users 10 --items 10 --interactions 10
printf 'userID\titemID\tx_label\n0\t0\t0\n0\tx\t0\n' >bad.inter
expect 1 "bad.inter:3: itemID is 'x', expected an integer" train --data bad.inter
printf 'userID\titemID\tx_label\n0\t0\t0\n1\t1\t0\n0\t1\t2\n' >no_valid.inter
expect 1 "'no_valid' has no validation rows" train --data no_valid.inter
printf 'userID\titemID\tx_label\n0\t0\t0\n0\t1\t1\n' >full.inter
expect 1 "user 0 has all 1 items of the training rows" train --data full.inter

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
expect 2 "none of the optimizers none, sam on adam has this" \
    compare --optimizers none,sam --lambda 0.5
expect 2 "unknown metric 'recall'" compare --metrics recall
the_end
