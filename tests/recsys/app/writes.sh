# What happens to files: those of the user, links, pipes, full disks, odd names; and what was not measured.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 1024 --set embedding_size=4 --epochs 1 --quiet --threads 1"
bpr="$tiny --model bpr"
expect 0 "best epoch" train $bpr --checkpoint model.safetensors
expect 0 "How to read it" compare $tiny --models bpr --optimizers none --seeds 1 --runs runs

# Every option of every command that names a file to write, with arguments that make the command work.
cat >outputs <<END
train $bpr|--json --curve --checkpoint --write-config
compare $tiny --models bpr --optimizers none --seeds 1|--json --csv --markdown --write-config
tune $tiny --models bpr --optimizers none --grid reg_weight=0.1,0.2|--csv --markdown --best --write-config
runs --runs runs|--csv
evaluate --checkpoint model.safetensors|--json --csv
robustness --checkpoint model.safetensors --tests embeddings --sigma 1e-3 --relative 1 --repeats 1 --quiet|--json --csv
recommend --checkpoint model.safetensors|--json
recommend --all --checkpoint model.safetensors|--output
similar --item 3 --checkpoint model.safetensors|--json
export --checkpoint model.safetensors|--output
data --data synthetic:tiny|--json
models bpr|--json
optimizers sam|--json
END
# No option is left out of that list.
for command in train compare tune runs evaluate robustness landscape recommend similar export data models optimizers; do
    "$program" $command --help | grep -oE -- '--(json|csv|curve|checkpoint|markdown|best|write-config|output) [A-Z|]+' |
        cut -d' ' -f1 | while read -r option; do
        [ "$option" = --checkpoint ] && [ $command != train ] && continue
        [ $command = landscape ] && continue  # a folder, see below
        grep "^$command " outputs | cut -d'|' -f2 | grep -qw -- "$option" || echo "$command $option"
    done
done >left_out
[ -s left_out ] && fail "not tested here: $(cat left_out)"

while IFS='|' read -r command options; do
    for option in $options; do
        name=file; [ "${command%% *}" = export ] && name=file.safetensors
        rm -rf "$name" link far file.toml file.polder.toml
        # A file of the user's stays, unless it is to be replaced.
        echo "the user's" >$name
        expect 1 "$name: is not a file that this command wrote" $command $option $name
        [ "$(cat $name)" = "the user's" ] || fail "$command $option replaced a file of the user's"
        expect 0 "" $command $option $name --overwrite
        grep -q "the user's" $name && fail "$command $option --overwrite did not replace the file"
        # Its own file it writes again, through a link, and with the permissions that it has.
        mkdir far; mv $name far/real; chmod 600 far/real; before=$(stat -c %i far/real)
        ln -s far/real $name
        expect 0 "" $command $option $name
        [ -L $name ] || fail "$command $option replaced a link"
        [ "$before" != "$(stat -c %i far/real)" ] || fail "$command $option did not follow a link"
        [ "$(stat -c %a far/real)" = 600 ] || fail "$command $option changed permissions"
        [ "$(ls far)" = real ] || fail "$command $option left something behind"
        # What cannot be written is told before the work.
        expect 1 "cannot be written: there is no directory" $command $option absent/$name
        [ "$(id -u)" -eq 0 ] && expect 1 "no file can be made in the folder /proc" $command $option /proc/$name
        [ "${command%% *}" = export ] && continue
        # Pipes and open files get the text; nothing is written beside them.
        "$program" $command $option >(cat >piped) >out 2>err || fail "$command $option to a pipe"
        sleep 0.1; cmp -s <(head -c 20 far/real) <(head -c 20 piped) || fail "$command $option: a pipe got something else"
        expect 1 "/dev/full: cannot be written: No space left on device" $command $option /dev/full
        # A reader who goes away is an error of that file alone.
        "$program" $command $option >(true) >out 2>err; [ $? -le 1 ] || fail "$command $option ended with a signal"
    done
done <outputs
ls /dev/*.toml /dev/fd/*.toml 2>/dev/null && fail "there is a file beside a device"
ls -a | grep -q '\.part$' && fail "a temporary file is left"

# Open files: what is in them stays, and the text comes after it.
echo before >appended
"$program" train $bpr --json /dev/stdout >>appended 2>err || fail "--json /dev/stdout"
[ "$(head -1 appended)" = before ] && has appended '"ending"' && has appended "best epoch" ||
    fail "/dev/stdout lost what was there"
expect 2 "is the file of --json, too" train $bpr --json same --curve same
"$program" data --data synthetic:tiny >/dev/full 2>err && fail "a full standard output is no error"
has err "standard output cannot be written"

# The settings beside a result: never over a file of the user's, and always those of the run.
rm -f *.toml
printf '[project]\nname = "mine"\n' >run.toml
expect 0 "" train $bpr --json run.json
has run.toml 'name = "mine"'
has run.polder.toml "[train]"
printf '[train]\ndata = "synthetic:tiny"\nmodel = "bpr"\nepochs = 1\n' >run.toml; cp run.toml before
expect 0 "wrote run.polder.toml" train --config run.toml --seed 5 --quiet --json run.json
cmp -s run.toml before || fail "the file that was read has changed"
has run.polder.toml "seed = 5"
printf 'mine' >run.polder.toml
expect 0 "are left as they are" train --config run.toml --seed 6 --quiet --json run.json
[ "$(cat run.polder.toml)" = mine ] || fail "run.polder.toml was replaced"

# A command that is refused leaves everything as it was.
state() { find "$1" -type f -exec sha256sum {} + 2>/dev/null | sort; }
before=$(state runs)
for more in "--learning-rate 0.01" "--batch-size 64" "--seeds 2 --eval-step 2"; do
    expect 1 "was made with" compare $tiny --models bpr --optimizers none --seeds 1 --runs runs $more
    [ "$before" = "$(state runs)" ] || fail "compare $more was refused and has written"
done
printf 'userID\titemID\tx_label\n0\t0\t0\n0\t1\t0\n1\t1\t0\n1\t2\t0\n0\t3\t2\n1\t0\t2\n' >no_valid.inter
expect 1 "no validation rows" compare --data no_valid.inter --models bpr --runs refused
expect 1 "no validation rows" tune --data no_valid.inter --models bpr --runs refused
expect 2 "n_layers = -1" compare --data synthetic:tiny --models bpr,lightgcn:n_layers=-1 --runs refused
expect 1 "absent: no such file or directory" landscape --checkpoint model.safetensors --output refused/deeper --data absent
expect 1 "was made with data" export --checkpoint model.safetensors --data synthetic:small --output refused
[ -e refused ] && fail "a command that was refused has made a folder"

# A folder of vectors is written again; matrices of the user's are not replaced.
expect 0 "users: 300 x 4" export --checkpoint model.safetensors --output vectors
expect 0 "users: 300 x 4" export --checkpoint model.safetensors --output vectors
mkdir mine; echo mine >mine/users.npy
expect 1 "users.npy: is not a file that this command wrote" export --checkpoint model.safetensors --output mine
[ "$(ls mine)" = users.npy ] && [ "$(cat mine/users.npy)" = mine ] || fail "export wrote over a matrix of the user's"

# Names with anything in them.
odd=$'d # " \' \\ | \n\t%é'
mkdir "$odd"
printf 'userID\titemID\tx_label\n0\t0\t0\n0\t1\t0\n1\t1\t0\n1\t2\t0\n0\t2\t1\n1\t0\t2\n' >"$odd/a # b.inter"
run=(--data "$odd" --model bpr --epochs 1 --quiet)
expect 0 "best epoch" train "${run[@]}" --json "$odd/r.json" --curve "$odd/r.csv" --checkpoint "$odd/r.st"
expect 0 "best epoch" train --config "$odd/r.toml" --json again.json
without_times() { grep -vE 'seconds|peak|"date"|"command_line"' "$1"; }
cmp -s <(without_times "$odd/r.json") <(without_times again.json) ||
    fail "a name with anything in it does not come back from the settings"
expect 0 "items for user" recommend --checkpoint "$odd/r.st" --json "$odd/i.json"
expect 0 "of a # b" evaluate --checkpoint "$odd/r.st" --csv "$odd/e.csv"
expect 0 "" compare --data "$odd" --models bpr --optimizers none --seeds 1 --epochs 1 --quiet --runs "$odd/runs" --csv "$odd/c.csv"
expect 0 "" runs --runs "$odd/runs" --csv "$odd/rows.csv"
expect 2 "is not UTF-8" train $bpr --json $'\xff.json'
mkdir $'\xfe'; cp "$odd/a # b.inter" $'\xfe/\xfe.inter'; ln -s $'\xfe' latin
expect 0 "best epoch" train --data latin --model bpr --epochs 1 --quiet --json latin.json

# A disk that is full, here a folder that goes away: training goes on, and says so at the end.
long="--data synthetic:tiny --model bpr --batch-size 64 --set embedding_size=4 --threads 1"
mkdir gone
"$program" train $long --epochs 300 --stopping-step 300 --checkpoint gone/c.st --checkpoint-every 1 --json e.json --curve e.csv >out 2>err & job=$!
for _ in $(seq 200); do [ -e gone/c.st ] && break; sleep 0.05; done
mv gone went; wait $job
[ $? -eq 1 ] || fail "a checkpoint that is not there is no error at the end"
has err "it is tried again"
has err "gone/c.st: cannot be written: there is no directory gone"
has e.json '"ending": "all_epochs"'
[ "$(wc -l <e.csv)" -eq 301 ] || fail "the curve is not complete"
has out "best epoch"
mkdir gone
"$program" train $long --epochs 300 --stopping-step 300 --checkpoint gone/c.st --checkpoint-every 1 >out 2>err & job=$!
for _ in $(seq 200); do [ -e gone/c.st ] && break; sleep 0.05; done
mv gone away; for _ in $(seq 200); do grep -q "tried again" err && break; sleep 0.05; done; mv away gone
wait $job || fail "a checkpoint that failed once is an error though the last one is there"
expect 0 "items for user" recommend --checkpoint gone/c.st
if [ "$(id -u)" -eq 0 ] && mkdir full && mount -t tmpfs -o size=16k tmpfs full 2>/dev/null; then
    expect 1 "How to read it" compare $tiny --models bpr --optimizers none,sam --seeds 2 --runs full --csv full.csv
    has full.csv "bpr,sam,"
    umount full
fi

# What was not measured is "-" in tables, nothing in CSV, null in JSON.
printf 'userID\titemID\tx_label\n' >no_test.inter
for u in 0 1 2 3 4 5; do for k in 0 1 2 3 4; do
    printf '%d\t%d\t%d\n' $u $(((u * 5 + k * 3) % 12)) $((k == 4)); done; done >>no_test.inter
expect 0 "How to read it" compare --data no_test.inter --models bpr --optimizers none,sam --seeds 2 --epochs 2 \
    --quiet --csv t.csv --json t.json --markdown t.md --runs no_test
grep -hE '^(\| )?bpr' out t.md | grep -qE '±|%|0\.0000' && fail "compare prints what was not measured"
head -2 t.csv | tail -1 | grep -q "none,2,,,,,,,,," || fail "compare writes what was not measured"
has t.json '"p_users": null'
has t.json '"recall@5": null'
expect 0 "test recall" train --data no_test.inter --model bpr --epochs 1 --quiet --json t2.json --curve t2.csv --checkpoint t.st
grep "^test" out | grep -q '[0-9]\.[0-9]' && fail "train prints what was not measured"
tail -1 t2.csv | grep -q ',,,,,,,,,,,,,,,,$' || fail "the curve has what was not measured"
expect 1 "has no rows of test" evaluate --checkpoint t.st
expect 0 "" runs --runs no_test --csv rows.csv
grep -q '0\.0000' out && fail "runs prints what was not measured"
expect 0 "" compare $tiny --models bpr --optimizers none,sam --seeds 1 --csv one.csv --json one.json
has one.json '"significant": null'
grep -q '"std": 0' one.json && fail "one seed has a deviation"
expect 0 "-" tune $tiny --models bpr --optimizers none --grid learning_rate=1e30,1e31 --csv diverged.csv --runs diverged
grep -qE -- '-1(\.0000)?' out diverged.csv && fail "tune prints what was not measured"
expect 0 "" runs --runs diverged
grep -qE ' 0 *$|-1' out && fail "runs prints seconds without an epoch"

# Scores that are not numbers are in no list.
expect 3 "train --resume goes on from a checkpoint" train $bpr --learning-rate 1e30 --epochs 3 --checkpoint far.st
has err "far.st is the run before epoch 0, in which it diverged"
# Rows of parameters that are not finite, as another program may leave them: the bytes of the second array become 0xff.
cp model.safetensors nan.st
head=$(od -An -tu8 -N8 nan.st | tr -d ' '); size=$(stat -c %s nan.st)
head -c $((size - head - 8)) /dev/zero | tr '\0' '\377' | dd of=nan.st bs=1 seek=$((head + 8)) conv=notrunc 2>dd
for command in "recommend --user 1" "export --output far_vectors" evaluate; do
    "$program" $command --checkpoint nan.st >out 2>err; [ $? -le 1 ] || fail "$command of vectors that are not finite"
    grep -qiw 'nan\|inf' out && fail "$command prints what is no number"
    grep -q "not finite\|not a number\|no score\|damaged\|checksum" err || fail "$command says nothing of what is not finite"
done

# A run that diverged goes on with another rate, and says so in all that it writes.
expect 0 "from here on learning_rate = 0.001, before it was" train --resume far.st --learning-rate 0.001 --epochs 3 --json resumed.json
has resumed.json '"changes"'
expect 0 "going on" train --resume far.st --epochs 4 --json resumed.json
has resumed.json '"from": 1e+30,'
has resumed.json '"learning_rate": 0.001'
expect 0 "items for user" recommend --checkpoint far.st
expect 1 "was made with embedding_size" train --resume far.st --set embedding_size=8
expect 2 "rho is given twice" train $bpr --optimizer sam:rho=0.1 --rho 0.2

# The last epoch, without rows to choose one by.
expect 0 "last epoch 1 of 2" train --data no_valid.inter --model bpr --epochs 2 --quiet --select last --json last.json
has last.json '"best_epoch": 1'
expect 0 "test metrics at the last epoch" compare --data no_valid.inter --models bpr --optimizers none --seeds 1 --epochs 2 --select last --quiet

# A user who has everything stops nobody.
printf 'userID\titemID\tx_label\n' >crawler.inter
for u in 0 1 2 3; do for k in 0 1 2 3 4 5; do
    [ $u -eq 3 ] || [ $k -lt 3 ] && printf '%d\t%d\t0\n' $u $(((u + k) % 6)); done
    [ $u -eq 3 ] || printf '%d\t%d\t1\n%d\t%d\t2\n' $u $(((u + 3) % 6)) $u $(((u + 4) % 6)); done >>crawler.inter
for model in $("$program" models | grep -oE '^[a-z0-9]+:' | tr -d :); do
    timeout 60 "$program" train --data crawler.inter --model $model --epochs 1 --quiet --checkpoint $model.st --json $model.json \
        >out 2>err ||
        grep -q "features" err || fail "$model is stopped by a user who has everything"
    has err "1 of 4 users have all items of the training rows"
done
for model in bpr selfcf; do
    expect 0 "largest eigenvalue" landscape --checkpoint $model.st --points 2 --iterations 2 --samples 1 --output land_$model --quiet
    expect 0 "items for user 3" recommend --checkpoint $model.st --user 3
done

# Losses that are not finite before the first update are no matter of the rate.
mkdir large
cp crawler.inter large/large.inter
{ printf '\x93NUMPY\x01\x00\x76\x00'; printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 2), }"
  for k in $(seq 12); do printf '\x8c\xc8\x2d\x61'; done; } >large/image_feat.npy  # 2e20
expect 3 "no update was made yet" train --data large --model vbpr --epochs 1 --quiet
grep -q "lower learning rate" err && fail "features are blamed on the learning rate"
expect 2 "knn_k = 10, expected 1 to 6" train --data large --model freedom --epochs 1 --quiet
the_end
