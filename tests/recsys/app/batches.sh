# Two gradients at once, and batches in parts.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 512 --set embedding_size=8 --epochs 2 --quiet"
# What a run found, without how long it took.
found() { grep -vE '"(train_seconds|evaluation_seconds|setup_seconds|peak_memory_bytes|threads|date|command_line)"' "$1"; }

# Both batches at once: the same numbers, on any number of threads, and the same identity.
for method in bsam+ sampa; do
    expect 0 "epoch" train $tiny --optimizer $method --threads 1 --json one.json --checkpoint one.safetensors
    for threads in 1 2 3; do
        expect 0 "epoch" train $tiny --optimizer $method --parallel-batches --threads $threads --json two.json
        cmp -s <(found one.json) <(found two.json) || fail "$method: --parallel-batches has other results"
    done
    grep -q parallel two.toml && fail "run.toml says how fast a run was"
    expect 0 "epoch" train --resume one.safetensors --parallel-batches --epochs 3 --quiet --json more.json
done
expect 0 "epoch" compare $tiny --models lightgcn --optimizers none,bsam+ --seeds 1 --parallel-batches
for method in none sam bsam looksam gsam+ looksam+; do
    expect 2 "--parallel-batches: $method: expected a method that has two gradients to compute at once: sampa, or one" \
        train $tiny --optimizer $method --parallel-batches
done
expect 2 "--parallel-batches: none, sam: expected a method that has two gradients" \
    compare $tiny --optimizers none,sam --parallel-batches
expect 2 "" train $tiny --optimizer bsam+ --parallel-batches --device cuda
grep -qE "built without CUDA|expected --device cpu" err || fail "--parallel-batches --device cuda does not say why"

# In parts: another run, whose settings say so.
expect 0 "epoch" train $tiny --model layergcn --optimizer sam --micro-batches 2 --checkpoint parts.safetensors --json parts.json
has parts.json '"micro_batches": 2'
has parts.toml 'micro-batches = 2'
expect 1 "was made with micro_batches = 2, this run has" \
    train --resume parts.safetensors --micro-batches 3 --epochs 3 --quiet
expect 0 "epoch" train --resume parts.safetensors --epochs 3 --quiet
expect 0 "layergcn sam" evaluate --checkpoint parts.safetensors
expect 0 "epoch" train $tiny --micro-batches 1 --json whole.json
grep -q micro_batches whole.json && fail "a run of whole batches says that it has parts"
expect 0 "epoch" compare $tiny --models layergcn --optimizers bsam+ --seeds 1 --micro-batches 2 --parallel-batches --runs runs --checkpoints
expect 0 "layergcn bsam+" evaluate --checkpoint "$(find runs -name '*.safetensors' | head -n 1)"

expect 0 "epoch" train $tiny --model ngcf --micro-batches 2
expect 0 "epoch" train $tiny --micro-batches 2
expect 0 "epoch" train --data synthetic:tiny --epochs 1 --quiet --model slmrec --micro-batches 2
expect 2 "--micro-batches 2: vbpr+a cannot train in micro-batches: how the features of an item are moved follows from all rows of a batch; let one process compute batches whole, or leave out '+a'" \
    train $tiny --model vbpr+a --micro-batches 2
expect 2 "vbpr+a cannot train in micro-batches" \
    compare $tiny --models layergcn,vbpr+a --optimizers none --seeds 1 --micro-batches 2
expect 2 "micro-batches = 513, expected 1 to the batch size" train $tiny --model layergcn --micro-batches 513
expect 2 "--micro-batches: '0', expected a whole number from 1" train $tiny --micro-batches 0
the_end
