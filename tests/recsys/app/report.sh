# The page of what runs show, the same tables in other formats, and the map of a search.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 512 --set embedding_size=8 --epochs 4 --quiet"
cells() { sed 's/<[^>]*>/ /g; s/&#39;/'"'"'/g; s/&lt;/</g; s/  */ /g; s/^ //' "$1"; } # a page's text, a row in a line

# A comparison with two bases, a search, robustness and landscape beside it, and the rows of runs elsewhere.
comparison="compare $tiny --optimizers none,sam:rho=0.5,none:base=sgd,sam:base=sgd:rho=0.5 --seeds 3"
expect 0 "How to read it" $comparison --runs all/runs --metrics recall@20 --csv compare.csv --markdown compare.md
has out "none (adam alone) or none:base=sgd (sgd alone), whichever has the same base optimizer"
has out "gradients"
for row in "none,lightgcn,none," "sam:rho=0.5,lightgcn,none," "none:base=sgd,lightgcn,none:base=sgd," \
    "sam:base=sgd:rho=0.5,lightgcn,none:base=sgd,"; do
    has compare.csv "lightgcn,$row"
done
# Two gradients in a step of SAM, one in a step of its base; memory and gap are there.
column() { awk -F, -v name="$2" -v row="$3" 'NR == 1 { for (k = 1; k <= NF; ++k) if ($k == name) c = k }
    $2 == row { print $c }' "$1"; }
awk -v one="$(column compare.csv gradients_mean none)" -v two="$(column compare.csv gradients_mean sam:rho=0.5)" \
    'BEGIN { exit !(one > 0 && two == 2 * one) }' || fail "SAM does not take twice the gradients of its base"
for name in memory_bytes_mean gap_mean; do
    column compare.csv $name none | grep -qE '^-?[0-9.e+-]+$' || fail "compare.csv has no $name"
done
# Another model on the same data.
expect 0 "How to read it" compare $tiny --models bpr --optimizers none,sam:rho=0.5 --seeds 2 --runs all/other
expect 0 "settings, judged by" tune $tiny --optimizers sam,bsam --grid rho=0.1,0.5 --grid n_layers=1,2 \
    --runs all/tuned --heat-map map.svg
expect 0 "best epoch" train $tiny --checkpoint plain.safetensors --json all/train.json
expect 0 "Noise in embeddings" robustness --checkpoint plain.safetensors --tests embeddings,swap --repeats 2 \
    --json all/robustness.json --quiet
expect 0 "L(p)" landscape --checkpoint plain.safetensors --points 5 --iterations 5 --samples 1 --batches 2 \
    --output all/landscape --quiet

expect 0 "wrote page.html" report --runs all --output page.html --tables tables --metrics recall@20,ndcg@20
has out "the spread over seeds (p = "
has err "wrote tables/tables.tex"
head -c 15 page.html | grep -q '<!DOCTYPE html>' || fail "page.html is not HTML"
for section in Contents Results "Spread over seeds" "Costs, generalisation gap" "Search for hyper-parameters" \
    Robustness "Loss landscapes" "Settings and command of every run" "How the tests are made" \
    "polder-recsys train --data synthetic:tiny --model lightgcn:embedding_size=8 --optimizer sam:base=sgd:rho=0.5 --base sgd"; do
    has page.html "$section"
done
grep -qE '<script|src="http|href="http|@import|url\(http' page.html && fail "the page takes something from elsewhere"

# The numbers are those of compare: metric, improvement and both p-values of every row.
cells page.html >page.text
n_rows=0
while IFS='|' read -r _ model optimizer metric vs_base p_users p_seeds _; do
    row=$(echo $model $optimizer 3 $metric $vs_base $p_users $p_seeds)
    grep -qF -- "$row" page.text || fail "the page does not have compare's row: $row"
    n_rows=$((n_rows + 1))
done < <(grep '^| lightgcn' compare.md)
[ $n_rows -eq 4 ] || fail "compare.md has $n_rows rows and not 4"
has tables/tables.md "| lightgcn | none"
has tables/tables.tex '\toprule'
has tables/tables.tex '$\pm$'
[ "$(grep -c '\\begin{table}' tables/tables.tex)" -eq "$(ls tables/*.csv | wc -l)" ] ||
    fail "the tables in LaTeX are not as many as those in CSV"
for metric in recall@20 recall@20_p_users recall@20_p_seeds; do
    name=$([ "$metric" = recall@20 ] && echo recall@20_mean || echo $metric)
    [ "$(column compare.csv $name sam:rho=0.5)" = \
        "$(column "tables/results-recall@20-lightgcn-on-synthetic-tiny-adam.csv" $name sam:rho=0.5)" ] ||
        fail "$name of the report is not compare's"
done

# From rows alone: the same means and p over seeds; users are not known.
expect 0 "" runs --runs all/runs --csv rows.csv
expect 0 "the spread over seeds (p = " report --runs rows.csv --output rows.html --tables rows
a=$(column "rows/results-recall@20-lightgcn-on-synthetic-tiny-adam.csv" recall@20_p_seeds sam:rho=0.5)
awk -v a="$a" -v b="$(column compare.csv recall@20_p_seeds sam:rho=0.5)" \
    'BEGIN { exit !(a > 0 && a - b < 1e-3 && b - a < 1e-3) }' || fail "rows give other p-values: $a"
# The rows of a program that knew less, with a name that nobody should run.
sed '1s/,train_seconds,gradients,memory_bytes,gap//; 1!s/\(,[^,]*\)\{4\}\(,[^,]*\)$/\2/' rows.csv |
    sed "s/,sam:rho=0.5,/,<script>alert('1')<\/script>\`touch hurt\`,/" >old.csv
expect 0 "" report --runs old.csv --output old.html --tables old
grep -q "<script" old.html && fail "a name of a row is a script in the page"
has old.html "&lt;script&gt;alert(&#39;1&#39;)"
[ -e hurt ] && fail "a name of a row was run"

# Pictures by gnuplot; without it the page says so.
if command -v gnuplot >/dev/null; then
    [ "$(grep -c '<svg' page.html)" -ge 6 ] || fail "the page has few pictures"
    [ "$(grep -c '<img' page.html)" -eq 2 ] || fail "the page does not have the landscape's pictures"
    [ "$(grep -o "id=['\"][^'\"]*" page.html | sort | uniq -d | wc -l)" -eq 0 ] || fail "ids occur twice"
    grep -q '<svg' map.svg || fail "there is no map of the search"
    has map.svg "n_layers"
    has map.svg "rho"
fi
mkdir empty
PATH=$PWD/empty "$program" report --runs all/runs --output bare.html >out 2>err || fail "report without gnuplot"
has bare.html "gnuplot is not found, so the tables stand alone"

# A browser opens it: nothing is wrong on its console, and every picture has a size.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -n "$browser" ] && command -v gnuplot >/dev/null; then
    sed '/<\/body>/d; /<\/html>/d' page.html >measured.html
    cat >>measured.html <<'END'
<script>addEventListener("load", () => { document.title = [...document.querySelectorAll("svg, img")]
    .map(p => p.getBoundingClientRect()).map(r => r.width > 0 && r.height > 0 ? "sized" : "EMPTY").join(" "); });
</script></body></html>
END
    "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --enable-logging=stderr --v=0 \
        --virtual-time-budget=5000 --dump-dom "file://$PWD/measured.html" >out 2>err || fail "$browser ended with $?"
    title=$(grep -o '<title>[^<]*' out | head -1)
    [ "$(grep -o sized <<<"$title" | wc -l)" -eq "$(($(grep -c '<svg' page.html) + $(grep -c '<img' page.html)))" ] ||
        fail "not every picture has a size: $title"
    grep -q "CONSOLE" err && fail "the console is not empty"
else
    echo "skipped: the page in a browser, which takes chromium and gnuplot"
fi

expect 1 "absent: there is no such file or folder" report --runs absent
expect 1 "empty: there is no run" report --runs empty
expect 2 "--runs is required" report
expect 2 "unknown metric 'auc'" report --runs all --metrics auc --output x.html
echo mine >mine.html
expect 1 "mine.html: is not a file that this command wrote" report --runs all/runs --output mine.html
[ "$(cat mine.html)" = mine ] || fail "a file of the user's was replaced"
mkdir mine && echo mine >mine/file
expect 1 "mine: has files that report did not write" report --runs all/runs --output new.html --tables mine
[ -e new.html ] && fail "a page was written though its tables could not be"
echo '{"identity": 1, "run": ' >all/bad.json
expect 1 "bad.json: is damaged" report --runs all --output page.html
expect 2 "unknown axis 'rhoo'; nearest: rho" tune $tiny --grid rho=0.1,0.5 --grid n_layers=1,2 --heat-map x.svg --axes rhoo,n_layers
expect 2 "--heat-map: expected a search over two options" tune $tiny --grid rho=0.1,0.5 --heat-map x.svg
[ -e x.svg ] && fail "a map was written of what has none"
the_end
