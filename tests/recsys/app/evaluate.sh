# Trained models measured again, on the same and on changed data.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 512 --set embedding_size=8 --quiet"

expect 0 "best epoch" train $tiny --epochs 3 --checkpoint run.safetensors --json run.json

# The numbers are those of training, to the last digit.
expect 0 "lightgcn none seed 999, epoch " evaluate --checkpoint run.safetensors --json test.json --csv test.csv
expect 0 "valid of synthetic:tiny" evaluate --checkpoint run.safetensors --split valid --json valid.json
for split in test valid; do
    # The last object of that name in run.json is that of the best epoch.
    sed -n "/^  \"$split\": {/,/}/p" run.json | grep -oE '"[a-z]+@[0-9]+": [0-9.e-]+' >expected
    sed -n '/^  "metrics": {/,/}/p' $split.json | grep -oE '"[a-z]+@[0-9]+": [0-9.e-]+' >found
    [ "$(wc -l <found)" -eq 16 ] || fail "$split.json does not have 16 metrics"
    cmp -s expected found || fail "$split: evaluate has other metrics than train"
done
has test.json '"data_is_that_of_training": true'
has test.csv "checkpoint,model,optimizer,seed,epoch,data,split,users,recall@5"
[ "$(wc -l <test.csv)" -eq 2 ] || fail "test.csv does not have a header and a row"

# The last epoch, where that is the result; also of a comparison.
expect 0 "epoch" compare $tiny --models lightgcn --optimizers none --seeds 1 --epochs 3 --select last --runs runs --checkpoints
last=$(find runs -name '*.safetensors' | head -n 1)
expect 0 "lightgcn none seed 999, epoch 2" evaluate --checkpoint "$last"

# Further measures of the lists, and users and items apart by their training rows.
expect 0 "The lists, whatever they hit" evaluate --checkpoint run.safetensors --at 1,5,20,100 --auc --groups 5,20 \
    --per-user users.csv --json lists.json
for name in '"recall@5"' '"hr@1"' '"mrr@100"' '"coverage@5"' '"gini@100"' '"auc"' '"user_groups"' '"21 and more"'; do
    has lists.json "$name"
done
has users.csv "user,training_rows,rows,recall@1,precision@1,f1@1,ndcg@1,map@1,hr@1,mrr@1"
value() { grep -oE "\"recall@5\": [0-9.e-]+" "$1" | head -n 1; }
[ "$(value lists.json)" = "$(value test.json)" ] || fail "recall@5 is another one among further measures"
# The mean over users of their file.
awk -F, -v expected="$(value test.json | sed 's/.*: //')" 'NR == 1 { for (k = 1; k <= NF; ++k) if ($k == "recall@5") c = k; next }
    { sum += $c; ++n } END { d = sum / n - expected; exit !(n > 0 && d * d < 1e-18) }' users.csv || fail "users.csv has another mean"
expect 0 "users; items of validation masked" evaluate --checkpoint run.safetensors --mask-valid --json masked.json
has masked.json '"mask_valid": true'
expect 0 "users; items of validation not masked" evaluate --checkpoint run.safetensors
expect 0 "valid of synthetic:tiny, " evaluate --checkpoint run.safetensors --split valid
grep -q "masked" out && fail "evaluate says of validation what is masked in test"
cmp -s <(grep '@' masked.json) <(grep '@' test.json) && fail "--mask-valid has no effect"
expect 2 "--at 5,3: expected whole numbers above 0, ascending" evaluate --checkpoint run.safetensors --at 5,3
expect 2 "expected at most the number of items, " evaluate --checkpoint run.safetensors --at 100000
expect 2 "--mask-valid: expected --split test" evaluate --checkpoint run.safetensors --split valid --mask-valid

# Sampled and listed negatives.
expect 0 "The lists, whatever" evaluate --checkpoint run.safetensors --negatives 20 --json sampled.json
recall() { sed -n '/^  "lists"/,$p' "$1" | grep -oE '"recall@20": [0-9.]+' | head -n 1 | sed 's/.* //'; }
awk -v all="$(recall lists.json)" -v few="$(recall sampled.json)" 'BEGIN { exit !(all > 0 && few > all) }' ||
    fail "among few negatives recall is no higher"
expect 0 "" evaluate --checkpoint run.safetensors --negatives 20 --json again.json
cmp -s <(sed -n '/"lists"/,$p' sampled.json) <(sed -n '/"lists"/,$p' again.json) || fail "the same seed draws other negatives"
for user in $(awk -F, 'NR > 1 { print $1 }' users.csv); do echo "$user 1 2 3"; done >listed
expect 0 "The lists, whatever" evaluate --checkpoint run.safetensors --negatives listed
echo "0 1 x" >bad
expect 1 "bad:1: item 'x' is not in the data; expected the number of a user, and those of items" evaluate --checkpoint run.safetensors --negatives bad
echo "0 1" >short
expect 1 "short: has no line of user" evaluate --checkpoint run.safetensors --negatives short
expect 1 "absent: cannot be read" evaluate --checkpoint run.safetensors --negatives absent

# Recommenders without parameters.
expect 0 "popularity, test of synthetic:tiny" rivals --data synthetic:tiny --at 10 --neighbours 5,20 --json rivals.json
has rivals.json '"name": "item-knn"'
expect 2 "--neighbours 0 --shrink 0,10,100: expected whole numbers above 0" rivals --data synthetic:tiny --neighbours 0
expect 2 "unknown metric 'recal@20'; nearest: recall@20" rivals --data synthetic:tiny --valid-metric recal@20

# Other features: what the model builds of them is built again.
mkdir data
{
    printf 'userID\titemID\tx_label\n'
    for user in $(seq 0 19); do
        for k in 0 1 2 3 4; do printf '%d\t%d\t%d\n' $user $(((user * 7 + k * 3) % 20)) $((k < 3 ? 0 : k - 2)); done
    done
} >data/data.inter
# An npy file of 20 x 4 floats; argument 2 decides their order.
features() {
    { printf '\x93NUMPY\x01\x00\x76\x00'
      printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (20, 4), }"
      for item in $(seq 0 19); do
          for k in 0 1 2 3; do printf "\\x00\\x00\\x$(printf %02x $(((item * $2 + k * 5) % 7 * 16 + 8)))\\x3f"; done
      done; } >"$1"
}
features data/image_feat.npy 1
features data/text_feat.npy 3
features other.npy 5
expect 0 "best epoch" train --data data --model freedom --set embedding_size=8 --set knn_k=3 --epochs 2 \
    --batch-size 16 --checkpoint freedom.safetensors --quiet
expect 0 "test of data" evaluate --checkpoint freedom.safetensors --json same.json
has same.json '"data_is_that_of_training": true'
expect 0 "The data is not that of training" \
    evaluate --checkpoint freedom.safetensors --textual ../"$(basename "$PWD")"/other.npy --json other.json
has other.json '"data_is_that_of_training": false'
cmp -s <(grep -A17 '"metrics"' same.json) <(grep -A17 '"metrics"' other.json) && fail "other features have no effect"
expect 0 "epoch" evaluate --checkpoint freedom.safetensors --data data
# recommend goes by the run alone, and takes no other data.
expect 1 "was made with data" recommend --checkpoint freedom.safetensors --data synthetic:tiny

expect 0 "Where the data is not that of training" evaluate --help
expect 2 "--checkpoint is missing" evaluate
# One bit at the end, in the optimizer's state, which nobody here reads: the file is damaged all the same.
head -c -1 run.safetensors >damaged.safetensors
tail -c 1 run.safetensors | tr '\000-\377' '\001-\377\000' >>damaged.safetensors
expect 1 "damaged.safetensors: is damaged: the checksum" evaluate --checkpoint damaged.safetensors
expect 1 "damaged.safetensors: is damaged: the checksum" recommend --checkpoint damaged.safetensors --user 3
expect 1 "absent: no such file" evaluate --checkpoint absent
expect 1 "expected 300 users, 200 items, as run.safetensors has been trained on" \
    evaluate --checkpoint run.safetensors --data synthetic:small
expect 2 "--split: train not in {valid,test}" evaluate --checkpoint run.safetensors --split train
echo "mine" >mine.json
for option in --json --csv; do
    expect 1 "mine.json: is not a file that this command wrote" \
        evaluate --checkpoint run.safetensors $option mine.json
    [ "$(cat mine.json)" = mine ] || fail "a file of the user was replaced"
done
expect 0 "epoch" evaluate --checkpoint run.safetensors --json test.json
the_end
