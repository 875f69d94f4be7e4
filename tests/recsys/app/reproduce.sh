# Tables and figures of the papers: each runs, and what is measured stands beside what is published.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# The page is what the command writes.
expect 0 "wrote page.md" reproduce --list --results "$root/docs/results" --markdown page.md
cmp page.md "$root/docs/reproduction.md" || fail "docs/reproduction.md is not what --list writes: build/release/bin/polder-recsys \
reproduce --list --results docs/results --markdown docs/reproduction.md"
expect 0 "bsam-table-2" reproduce --list
[ "$(grep -cE '^(bsam|mg|sgbd)-(table|figure)-' out)" -eq 36 ] || fail "the list does not have 36 tables and figures"
grep -q "data not at hand" out || fail "without data there is a state"

# Each runs for one epoch; --quick takes two models and methods of each, as the whole would train 1,200 runs.
expect 0 "SGBD, Table 8" reproduce all --size tiny --quick --epochs 1 --threads 1 --quiet --runs quick --csv quick.csv
for file in "$root"/examples/recsys/reproduce/*-*.toml; do
    name=$(basename "$file" .toml)
    grep -q "^$name,.*,yes,.*,[0-9.e-]\+,[^,]*,[^,]*$" quick.csv || fail "$name has no measured number"
done
has out "Recall@5 is HR@5"
awk -F, '$1 == "bsam-table-3" && $8 ~ /swap/ && $10 == 1 { n++ } END { exit !(n > 0) }' quick.csv ||
    fail "robustness is not among the measured"
awk -F, '$1 == "mg-figure-3" && $8 == "eigenvalue" && $10 == 1 && $11 > 0 { n++ } END { exit !(n > 0) }' quick.csv ||
    fail "the landscape is not among the measured"
# Each has data of its shape.
expect 0 "compare --data synthetic:electronics --models vbpr" reproduce all --synthetic --commands
# What is there is not made again.
expect 0 "MG, Table 9" reproduce mg-table-9 --size tiny --quick --epochs 1 --threads 1 --runs quick
grep -q "best [0-9-]*, valid" err && fail "runs that are there are trained again"

# Data of files: what needs features is left out, and says so.
mkdir baby
awk 'BEGIN { srand(1); print "userID\titemID\tx_label"
    for (u = 0; u < 60; ++u) { split("", seen)
        for (k = 0; k < 8;) { i = int(rand() * 40); if (i in seen) continue; seen[i]; print u "\t" i "\t" (k < 6 ? 0 : k - 5); ++k } } }' \
    >baby/baby.inter
table() {
    printf 'title = "Two models"\nshows = "MG is above."\ndata = ["baby"]\nmodels = ["LightGCN = lightgcn:embedding_size=8",\n'
    printf '          "BM3 = bm3"]\nmethods = ["plain = none", "MG = mg", "other = -"]\ncolumns = ["recall@10", "recall@20"]\n'
    printf 'claims = ["MG > plain", "plain > MG", "MG | other > other"]\nseeds = 2\n[compare]\nepochs = 2\n'
    printf '[published.baby]\nrows = ["LightGCN plain %s %s",\n        "LightGCN MG seed=1000 %s -"]\n' "$@"
}
table - - - >mine.toml
expect 0 "State: differs. Of the claims 4 of" reproduce mine.toml --data baby --runs files --threads 1 --csv mine.csv --quiet
has out "BM3 on baby needs features"
has out "other is nothing that polder-recsys has"
grep -qE "^MG \| other > other +not measured" out || fail "a claim without measured numbers"
expect 0 "How to read it" compare --data baby --models lightgcn:embedding_size=8 --optimizers none,mg --epochs 2 \
    --seeds 2 --threads 1 --quiet --csv compare.csv
number() { awk -F, -v method="$2" -v column="$3" '$6 == method && $8 == column { print $11 }' "$1"; }
[ "$(number mine.csv plain recall@10)" = "$(awk -F, 'NR == 1 { for (k = 1; k <= NF; ++k) if ($k == "recall@10_mean") c = k }
    $2 == "none" { print $c }' compare.csv)" ] || fail "reproduce and compare have other numbers"
# Published numbers of which one in two is 6 % off, and then all are right.
numbers="$(number mine.csv plain recall@10) $(number mine.csv plain recall@20) $(number mine.csv MG recall@10)"
table $numbers | grep -v claims >mine.toml
expect 0 "State: reproduced. 3 of 3 printed numbers were measured, 3 of them within 5 %" \
    reproduce mine.toml --data baby --runs files --quiet
table $(echo $numbers | awk '{ print $1 * 1.06, $2, $3 }') | grep -v claims >mine.toml
expect 0 "State: differs. 3 of 3 printed numbers were measured, 2 of them within 5 %" \
    reproduce mine.toml --data baby --runs files --quiet --markdown mine.md
has mine.md "| LightGCN | plain "
expect 0 "differs" reproduce --list mine.toml --runs files
# Rows of CSV files are results, too; those of other settings are not.
expect 0 "lightgcn" runs --runs "$(echo files/runs/baby*)" --csv rows.csv
expect 0 "differs" reproduce --list mine.toml --results rows.csv
sed 's/epochs = 2/epochs = 3/' mine.toml >other.toml
expect 0 "data not at hand" reproduce --list other.toml --results rows.csv
expect 0 "not run yet" reproduce --list other.toml --results rows.csv --data baby
expect 0 "data not at hand" reproduce --list bsam-table-4 --data baby
expect 0 "compare --data baby --models lightgcn:embedding_size=8 --optimizers none --epochs 2" \
    reproduce mine.toml --data baby --only plain --commands

# A checkpoint that compare keeps is one of train.
expect 0 "How to read it" compare --data synthetic:tiny --models bm3 --published baby --optimizers sam:rho=0.05 --base adamw \
    --learning-rate 0.01 --epochs 2 --seeds 1 --threads 1 --quiet --runs kept --checkpoints
expect 0 "bm3 sam:rho=0.05:learning_rate=0.01:base=adamw seed 999" evaluate --checkpoint kept/*.trained.safetensors --json kept.json
[ "$(grep -c '"recall@10"' kept.json)" -eq 2 ] && [ "$(grep '"recall@10"' kept.json | tr -d ' ,' | sort -u | wc -l)" -eq 1 ] ||
    fail "the checkpoint has other metrics than the run"
rm kept/*.trained.safetensors
expect 0 "best" compare --data synthetic:tiny --models bm3 --published baby --optimizers sam:rho=0.05 --base adamw \
    --learning-rate 0.01 --epochs 2 --seeds 1 --threads 1 --runs kept --checkpoints
[ -s kept/*.trained.safetensors ] || fail "a run without its checkpoint is not made again"
expect 2 "--checkpoints: expected --runs DIR" compare --checkpoints

# Training goes on while its loss falls (--stop loss), though validation has long been at its best.
expect 0 "early_stopping" train --data synthetic:tiny --set embedding_size=8 --learning-rate 0.05 --epochs 400 --stopping-step 2 \
    --stop loss --curve loss.csv --threads 1 --quiet
awk -F, 'NR > 1 { n = NR == 2 || $2 < lowest ? 0 : n + 1; if (n == 0) lowest = $2; if (n > 2) stops = NR }
    END { exit !(stops == NR && NR > 10) }' loss.csv || fail "--stop loss does not stop at the third epoch without a gain"
expect 2 "--stop: sharpness not in" train --stop sharpness

expect 2 "unknown table or figure 'bsam-tabel-2'; nearest: bsam-table-2" reproduce bsam-tabel-2
expect 2 "unknown data set 'babi'; nearest: baby; known: baby, sports" reproduce mg-table-9 --data babi=baby
expect 2 "unknown data set, model or method 'GCN'; nearest: LayerGCN" reproduce mg-table-9 --size tiny --only GCN
expect 2 "unknown synthetic data set 'smal'; nearest: small" reproduce mg-table-9 --size smal
expect 2 "--data and --synthetic: expected one of them" reproduce mg-table-9 --synthetic --data baby
expect 2 "expected the name of a table or figure, or --list" reproduce
expect 1 "nowhere: no such data" reproduce mg-table-9 --data baby=nowhere
expect 1 "no.toml: cannot be read" reproduce no.toml
broken() {
    local text=$1
    shift
    table 1 1 1 | sed "$@" >broken.toml
    expect 1 "broken.toml: $text" reproduce --list broken.toml
}
broken "colour: is no key; known: title" -e '1i colour = "red"'
broken "columns: 'recal@10'" -e 's/"recall@10"/"recal@10"/'
broken "claims: 'MF > plain': no section has these methods" -e 's/MG > plain/MF > plain/'
broken "published.baby: 'LightGCN plain 1 1 1' has 3 values, expected 2" -e 's/plain 1 1/plain 1 1 1/'
broken "published.baby: 'GCN plain 1 1': nothing is run" -e 's/"LightGCN plain/"GCN plain/'
broken "published.baby: 'LightGCN plain x 1': 'x' is no number" -e 's/plain 1/plain x/'
broken "data: unknown data set 'babi'" -e 's/"baby"/"babi"/'
echo "user's" >own.csv
expect 1 "is not a file that this command wrote" reproduce mine.toml --data baby --csv own.csv
has own.csv "user's"

the_end
