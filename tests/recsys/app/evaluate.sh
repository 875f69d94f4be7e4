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
