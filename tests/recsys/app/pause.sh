# --pause and --resume-all: processes on a folder of runs stop between two steps, and go on.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
comparison="compare --data synthetic:tiny --batch-size 512 --set embedding_size=8 --epochs 400
    --stopping-step 1000 --optimizers none,sam --seeds 2 --threads 1 --quiet"

expect 2 "--pause: expected --runs DIR" compare --pause
expect 1 "is no folder" runs --runs nowhere --pause
mkdir shared
expect 0 "nothing pauses here" tune --runs shared --resume-all
expect 0 "wrote shared/paused" compare --runs shared --pause
expect 2 "--pause" compare --runs shared --pause --resume-all

# A folder that is paused before anything is trained, by two processes.
"$program" $comparison --runs shared --jobs 2 --csv shared.csv >out 2>err &
parent=$!
sleep 2
kill -0 $parent 2>/dev/null || fail "a paused comparison has ended"
[ "$(find shared -name '*.json' -o -name '*.safetensors' | wc -l)" -eq 0 ] || fail "a paused comparison trains"
expect 0 "work goes on" runs --runs shared --resume-all

# Paused again while runs go on: claims stay, and nothing ends.
for k in $(seq 100); do
    [ "$(find shared -name '*.claim' | wc -l)" -eq 2 ] && break
    sleep 0.05
done
expect 0 "wrote shared/paused" runs --runs shared --pause
sleep 1
before=$(ls shared)
ticks() { for process in $parent $(pgrep -P $parent); do cut -d' ' -f14 /proc/$process/stat; done; }
first=$(ticks)
sleep 2
[ "$before" = "$(ls shared)" ] || fail "a paused comparison writes"
second=$(ticks)
[ -n "$first" ] && paste <(echo "$first") <(echo "$second") | awk '$2 - $1 > 20 { exit 1 }' ||
    fail "paused processes work: $first, then $second"
grep -q '"host"' shared/*.claim || fail "paused runs are not claimed"
expect 0 "work goes on" compare --runs shared --resume-all
wait $parent || fail "the comparison has failed"
expect 0 "How to read it" $comparison --csv one.csv
cut -d, -f1-100 one.csv >a; cut -d, -f1-100 shared.csv >b
cmp -s a b || fail "runs that paused have another table"

# The folder above counts, too; what is not ours stays; a signal ends the pause.
mkdir -p deep/runs/baby
expect 0 "wrote deep/paused" reproduce --runs deep --pause
"$program" $comparison --runs deep/runs/baby >out 2>err &
parent=$!
sleep 1
kill -TERM $parent
wait $parent
[ $? -eq 143 ] || fail "SIGTERM did not end a pause"
echo "my notes" >deep/paused
expect 1 "is not a pause of polder-recsys" runs --runs deep --resume-all
expect 1 "deep/paused" runs --runs deep --pause
has deep/paused "my notes"
the_end
