# The search for hyper-parameters, folders of runs that several processes share, and the list of their runs.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 512 --set embedding_size=8 --epochs 4"

search="tune $tiny --optimizers sam,bsam:distance=cosine,mg --grid rho=0.1,0.5 --grid n_layers=1,2"
expect 0 "10 settings, judged by recall@20 in validation" $search --runs runs --csv table.csv \
    --markdown table.md --best best.toml
[ "$(wc -l <table.csv)" -eq 11 ] || fail "table.csv does not have a header and 10 rows"
[ "$(ls runs/*.json | wc -l)" -eq 10 ] || fail "runs/ does not have 10 runs"
has table.csv "lightgcn:n_layers=1,bsam:distance=cosine:rho=0.5,"
has table.md "| valid recall@20"
grep -c "mg,"  table.csv | grep -qx 2 || fail "mg, which has no rho, is not there once for each model"
# The best is the first row, and its file trains it.
values=$(tail -n +2 table.csv | cut -d, -f3)
[ "$values" = "$(sort -rg <<<"$values")" ] || fail "table.csv is not sorted by validation"
best=$(sed -n 2p table.csv)
has best.toml "[train]"
expect 0 "best epoch" train --config best.toml --json best.json
has best.json "\"rho\": $(grep -o 'rho=[0-9.]*' <<<"$best" | cut -d= -f2)"
has best.json "\"n_layers\": $(grep -o 'n_layers=[0-9]*' <<<"$best" | cut -d= -f2)"
found=$(grep -A20 '^  "valid"' best.json | grep -o '"recall@20": [0-9.]*' | head -1 | cut -d' ' -f2)
awk -v a="$found" -v b="$(cut -d, -f3 <<<"$best")" 'BEGIN { exit !(a - b < 6e-5 && b - a < 6e-5) }' ||
    fail "best.toml gives $found and not what the table says: $best"

# Again: nothing is trained. With seeds: the best and none.
expect 0 "10 settings" $search --runs runs
grep -q "epochs, best" err && fail "a run that was there was trained again"
expect 0 "then test metrics of the best 2 over 2 seeds" $search --runs runs --top 2 --seeds 2
has out "none"
has out "p users"

# Halving gives half up after two epochs, and does not begin again.
expect 0 "10 settings" $search --runs halved --halving 2 --csv halved.csv
[ "$(ls halved/*.dropped.json | wc -l)" -eq 5 ] || fail "halving did not give 5 of 10 up"
[ "$(grep -c ',2$' halved.csv)" -eq 5 ] || fail "halved.csv does not say of 5 that they were given up"
expect 0 "10 settings" $search --runs halved --halving 2 --csv again.csv
cmp -s halved.csv again.csv || fail "halving again has another table"
grep -q "epochs, best" err && fail "a run that was given up was trained again"
expect 0 "10 settings" $search --runs halved2 --halving 2 --jobs 3 --csv jobs.csv
cmp -s halved.csv jobs.csv || fail "three processes have another table than one"

# Drawn points are the same each time.
expect 0 "3 settings" $search --random 3 --csv drawn.csv
expect 0 "3 settings" $search --random 3 --csv again.csv
cmp -s drawn.csv again.csv || fail "the same seed draws other points"

# One setting is no search: it is refused before anything is trained or written.
nothing="tune: nothing to choose from: lightgcn with sam"
expect 2 "$nothing is one setting; expected --grid OPTION=A,B,..." tune $tiny --runs refused --csv refused.csv
expect 2 "$nothing:rho=0.1 is one setting" tune $tiny --grid rho=0.1 --runs refused --csv refused.csv
expect 2 "nothing to choose from" tune $tiny --grid rho=0.1,0.5 --random 1 --seeds 2
[ -e refused ] || [ -e refused.csv ] && fail "a search that was refused has written"
expect 0 "2 settings" tune $tiny --epochs 1 --optimizers sam,mg
expect 2 "none of the models and optimizers has this option" tune $tiny --grid lambda=0.5
expect 2 "'0.1' is listed twice" tune $tiny --grid rho=0.1,0.1
expect 2 "--grid rho: expected name=value" tune $tiny --grid rho
expect 2 "expected --runs DIR" tune $tiny --grid rho=0.1 --halving 2
expect 2 "rho" tune $tiny --grid rho=-1

# Processes that share a folder: as if one had made all of it.
comparison="compare $tiny --optimizers none,sam,bsam:distance=cosine --rho 0.1 --seeds 3"
expect 0 "How to read it" $comparison --runs one --columns cosine,distance --csv one.csv
has out "distance"
expect 0 "How to read it" $comparison --runs three --jobs 3 --csv three.csv
without_seconds() { # every run without the time that it took
    for file in "$1"/*.json; do
        sed -E 's/"(train_seconds|evaluation_seconds|setup_seconds|peak_memory_bytes|threads)":[0-9.e+-]+//g; s/"(date|command_line)":"([^"\\]|\\.)*"//g' "$file"
    done
}
without_seconds one >a; without_seconds three >b
cmp -s a b || fail "three processes made other runs than one"
ls three/*.claim >/dev/null 2>&1 && fail "a claim is left"
expect 2 "expected --runs DIR" $comparison --jobs 2

# A claim of a process that is gone, or that was not renewed, is taken over; another one is waited for.
rm one/*seed_1001.json
echo "{\"host\": \"$(hostname)\", \"process\": 999999999}" >one/lightgcn_none_seed_1001.claim
echo '{"host": "elsewhere", "process": 1}' >one/lightgcn_sam_seed_1001.claim
touch -d "11 minutes ago" one/lightgcn_sam_seed_1001.claim
expect 0 "How to read it" $comparison --runs one --csv one_again.csv
cut -d, -f1-100 one.csv >a; cut -d, -f1-100 one_again.csv >b
cmp -s a b || fail "claims that were taken over changed the table"
rm one/lightgcn_sam_seed_1001.json
echo '{"host": "elsewhere", "process": 1}' >one/lightgcn_sam_seed_1001.claim
timeout 5 "$program" $comparison --runs one >out 2>err
[ -e one/lightgcn_sam_seed_1001.json ] && fail "a run that another process has was trained"
rm one/lightgcn_sam_seed_1001.claim

# The list of runs.
expect 0 "valid recall@20" runs --runs three --csv rows.csv --top 2
[ "$(wc -l <out)" -eq 4 ] || fail "runs --top 2 does not print 2 runs"
[ "$(wc -l <rows.csv)" -eq 10 ] || fail "rows.csv does not have a header and 9 rows"
has rows.csv "data,model,optimizer,base,seed,ending,epochs,best_epoch,seconds,valid_recall@5"
has rows.csv "bsam:distance=cosine,adam,1001,all_epochs,4,"
has rows.csv "n_layers="
mkdir empty
expect 1 "there is no run in this folder" runs --runs empty
the_end
