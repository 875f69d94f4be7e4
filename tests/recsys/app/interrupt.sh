# Ctrl-C ends training after the batch; everything asked for is written, and the run can go on.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# interrupt SIGNAL ARGUMENT...: sends SIGNAL once the first epoch or run is reported, or a comparison keeps its runs;
# sets $code.
interrupt() {
    local signal=$1
    shift
    : >err
    # A shell starts background jobs with SIGINT ignored; job control does not.
    set -m
    "$program" "$@" >out 2>err &
    local job=$!
    set +m
    for _ in $(seq 600); do
        grep -q "^epoch\|seed 999\|wrote runs/" err && sleep 2 && break  # and is well under way
        kill -0 $job 2>/dev/null || break
        sleep 0.1
    done
    kill "-$signal" $job
    wait $job
    code=$?
}

files="--json run.json --curve run.csv --checkpoint run.safetensors"
interrupt INT train --data synthetic:tiny --batch-size 64 --stopping-step 100000 --epochs 100000 \
    --optimizer bsam $files
[ $code -eq 130 ] || fail "interrupted training ended with $code, expected 130"
has err "interrupted after batch"
has out "(interrupted)"
has run.json '"ending": "interrupted"'
has run.csv "epoch,loss"
expect 0 "going on from run.safetensors: epoch" \
    train --resume run.safetensors --epochs 1 --stopping-step 100000

interrupt TERM train --data synthetic:tiny --batch-size 64 --stopping-step 100000 --epochs 100000
[ $code -eq 143 ] || fail "terminated training ended with $code, expected 143"

interrupt INT compare --data synthetic:tiny --optimizers none --seeds 100000 --epochs 1 --csv table.csv
[ $code -eq 130 ] || fail "interrupted comparison ended with $code, expected 130"
has err "interrupted: the table has the runs that were finished"
has table.csv "model,optimizer"

# A comparison that keeps its runs goes on with the very batch.
interrupt INT compare --data synthetic:tiny --batch-size 64 --optimizers none --seeds 1 \
    --stopping-step 100000 --epochs 100000 --runs runs
[ $code -eq 130 ] || fail "interrupted comparison ended with $code, expected 130"
has err "the same command goes on from here"
interrupt INT compare --data synthetic:tiny --batch-size 64 --optimizers none --seeds 1 \
    --stopping-step 100000 --epochs 100000 --runs runs
has err "going on from runs/lightgcn_none_seed_999.safetensors"
the_end
