# Several processes that train one model, each with a part of every batch: ranks.sh PROGRAM [MPIRUN OPTION], OPTION being how
# mpirun is told their number. Without the two the program was built without MPI.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
mpirun=${2:-} option=${3:-}
alone=$program
tiny="--data synthetic:tiny --batch-size 512 --set embedding_size=8 --epochs 2 --threads 1 --quiet"

if [ -z "$mpirun" ]; then
    OMPI_COMM_WORLD_SIZE=2 expect 2 "mpirun has started 2 processes, but this program was built without MPI" train $tiny
    OMPI_COMM_WORLD_SIZE=1 expect 0 "epoch" train $tiny
    the_end
fi

# on N: from here on the program is N ranks.
on() {
    printf '#!/bin/sh\nexec timeout 100 "%s" %s %s "%s" "$@"\n' "$mpirun" "$option" "$1" "$alone" >launch
    chmod +x launch
    program=./launch
}
# close ONE TWO: curves that differ by rounding. Columns 6 and 7 are seconds. A metric may differ by what one item at the edge of
# the lists of a few users makes.
close() {
    paste -d, "$1" "$2" | awk -F, '
        NR > 1 {
            n = NF / 2
            for (i = 1; i <= n; i++) {
                d = $i - $(i + n)
                if (i != 6 && i != 7 && (d < 0 ? -d : d) > (i < 6 ? 1e-4 : 2e-3)) {
                    print "row " NR ", column " i ": " $i " and " $(i + n)
                    bad = 1
                }
            }
            rows++
        }
        END { exit bad || rows == 0 }' >differences || { cat differences; fail "$1 and $2 differ"; }
}
# both N ARGUMENT...: N ranks train as one process does.
both() {
    local ranks=$1
    shift
    program=$alone
    expect 0 "epoch" train $tiny "$@" --curve one.csv --json one.json
    on $ranks
    expect 0 "epoch" train $tiny "$@" --curve several.csv --json several.json
    close one.csv several.csv
    has several.json "\"ranks\": $ranks"
    cmp -s <(grep '"gradients"' one.json) <(grep '"gradients"' several.json) || fail "$*: other gradients on several ranks"
}

# A mean over rows, a sum, norms left out; samples; batches in parts and both at once; a last batch of one row for three ranks.
both 2 --model freedom --optimizer bsam+
[ "$(grep -c "epoch" out)" -eq 1 ] || fail "several ranks print the results"
both 2 --model layergcn --optimizer fisher_sam_samples --micro-batches 2
both 2 --model lattice --set reg_weight=0 --optimizer sampa --parallel-batches
rows=$(sed -n 's/.*"train": \([0-9]*\),.*/\1/p' one.json | head -n 1)
both 3 --model bpr --optimizer bsam --batch-size $((rows - 1)) --eval-users 50

# One log and one set of files, and any number of ranks goes on.
on 2
expect 0 "epoch" train ${tiny/--quiet/} --model freedom --optimizer bsam --checkpoint run.safetensors
[ "$(grep -c "^epoch 0 " err)" -eq 1 ] && [ "$(grep -c "wrote run.safetensors" err)" -eq 1 ] || fail "several ranks write a log"
for ranks in 1 3; do
    on $ranks
    cp run.safetensors more.safetensors
    expect 0 "going on from more.safetensors: epoch 2" train --resume more.safetensors --epochs 4 --curve more$ranks.csv
done
program=$alone
expect 0 "epoch" train $tiny --epochs 4 --model freedom --optimizer bsam --curve one.csv
close one.csv more1.csv
close one.csv more3.csv

# kill -9 of a rank ends all, and the run goes on from its last checkpoint. SIGTERM of one rank ends all after a batch.
is_rank() { grep -qa "^$alone" "/proc/$1/cmdline" 2>/dev/null; }
ranks_of() { for process in $(pgrep -P "$1"); do is_rank $process && echo $process || ranks_of $process; done; }
long="--data synthetic:tiny --batch-size 64 --model freedom --set embedding_size=8 --optimizer bsam --epochs 100000
    --stopping-step 100000 --threads 1 --checkpoint-every 1"
for signal in KILL TERM; do
    on 2
    ./launch train $long --checkpoint $signal.safetensors >out 2>err &
    parent=$!
    for _ in $(seq 600); do
        [ -s $signal.safetensors ] || ! kill -0 $parent 2>/dev/null && break
        sleep 0.1
    done
    processes=$(ranks_of $parent)
    kill -$signal "$(echo "$processes" | tail -n 1)"
    wait $parent
    code=$?
    for process in $processes; do
        for _ in $(seq 50); do
            is_rank $process || break
            sleep 0.1
        done
        is_rank $process && fail "a rank outlives kill -$signal of another"
    done
    on 3
    expect 0 "going on from $signal.safetensors: epoch" train --resume $signal.safetensors --epochs 1
    if [ $signal = KILL ]; then
        [ $code -ne 0 ] || fail "a run of which a rank was killed ends with 0"
        program=$alone
        expect 0 "freedom bsam" evaluate --checkpoint $signal.safetensors
    else
        [ $code -eq 143 ] || fail "a run of which a rank was terminated ends with $code, expected 143"
    fi
done

# Refusals: said once, by the rank that knows.
on 2
expect 2 "2 ranks: vbpr+a cannot train on several ranks: how the features of an item are moved follows from all rows of a batch" train $tiny --model vbpr+a
[ "$(grep -c "cannot train" err)" -eq 1 ] || fail "ranks say the same twice"
expect 2 "mpirun has started 2 processes: compare runs in one; only train is split over several" compare $tiny
expect 2 "" train $tiny --model freedom --device cuda
grep -qE "built without CUDA|expected --device cpu" err || fail "several ranks with --device cuda do not say why"
expect 1 "nowhere" train $tiny --model freedom --data nowhere
# each A B: rank 0 gets the arguments A, rank 1 B.
each() { timeout 100 "$mpirun" "$option" 1 "$alone" train $tiny --model freedom $1 : "$option" 1 "$alone" train $tiny --model freedom $2 >out 2>err; }
each "" "--seed 7" && fail "ranks with different seeds train"
has err "rank 1: was given other arguments or other data than rank 0"
each "" "--data nowhere" && fail "a rank without data trains"
has err "rank 1: "
has err "nowhere"
each "" "--nosuch 1" && fail "a rank with an unknown option trains"
has err "rank 1: "
has err "nosuch"
the_end
