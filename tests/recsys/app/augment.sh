# augment: data with simulated features, which is a data set like any other.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

expect 2 "expected --output DIR" augment --data synthetic:tiny
expect 0 "simulated, texts of 200 items mixed with what the other modality predicts, 0.5 to 0.5" \
    augment --data synthetic:tiny --output rewritten
has rewritten/augment.json '"simulated": true'
expect 0 "texts and images of 200 items" augment --data synthetic:tiny --mode fuse --weight 0.25 --output fused
for folder in rewritten fused; do
    expect 0 "synthetic-tiny-simulated" data --data $folder --json $folder.json
    has $folder.json '"items": 200'
    has $folder.json '"train": '
done
expect 0 "synthetic" data --data synthetic:tiny --json tiny.json
diff <(grep -E '"(train|valid|test|distinct_pairs)"' tiny.json) <(grep -E '"(train|valid|test|distinct_pairs)"' fused.json) >out ||
    fail "the interactions are others"
cmp -s rewritten/text_feat.npy fused/text_feat.npy && fail "another weight makes the same texts"
cmp -s rewritten/image_feat.npy fused/image_feat.npy && fail "rewrite changes images"
expect 0 "on synthetic-tiny-simulated" train --data rewritten --model vbpr --epochs 1 --threads 1 --quiet
expect 1 "rewritten/synthetic-tiny-simulated.inter" augment --data synthetic:tiny --output rewritten
expect 0 "simulated" augment --data synthetic:tiny --output rewritten --overwrite
expect 2 "weight = 2" augment --data synthetic:tiny --weight 2 --output other
[ -e other ] && fail "a refused augment has made a folder"
the_end
