# compare on several data sets: a table for each, and one over all.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
printf 'userID\titemID\tx_label\n' >d.inter
awk 'BEGIN { for (u = 0; u < 40; ++u) for (k = 0; k < 9; ++k)
    printf "%d\t%d\t%d\n", u, (u % 4 * 7 + k * 3) % 30, (k > 6 ? k - 6 : 0) }' >>d.inter
common="--models bpr,lightgcn --optimizers none,sam --seeds 2 --epochs 2 --batch-size 256 --set embedding_size=8 --threads 1 --quiet"
both="compare --data synthetic:tiny --data d.inter $common"
expect 0 "Over 2 data sets" $both --csv both.csv --markdown both.md --json both.json --runs runs
for data in synthetic:tiny d; do
    has out "$data ("
    has both.md "## $data"
done
has both.md "## Over 2 data sets"
grep -E "^model +optimizer +recall@20 synthetic:tiny +recall@20 d +vs base +better in +mean rank" out >/dev/null || fail "the table over all has other columns"
[ "$(ls runs/d/*.json runs/synthetic_tiny/*.json | wc -l)" -eq 16 ] || fail "the folder of runs does not have those of both data sets"

# Each table is the one of its data set alone.
for data in synthetic:tiny d.inter; do
    expect 0 "How to read it" compare --data $data $common --csv alone.csv
    paste -d, <(yes "${data%.inter}" | head -4) <(tail -n +2 alone.csv) >expected
    # Without seconds and memory, which differ from run to run.
    measured() { awk -F, -v OFS=, 'NR == FNR { for (k = 1; k <= NF; ++k) skip[k] = $k ~ /seconds|memory/; next } { for (k = 1; k <= NF; ++k) if (skip[k]) $k = ""; print }' <(head -1 both.csv) "$1"; }
    cmp -s <(measured expected) <(grep "^${data%.inter}," both.csv | measured /dev/stdin) || fail "$data has another table alone"
done

# Over all: the mean of the improvements, the data sets in which a row is better, and the mean rank, from the rows of each.
! command -v python3 >/dev/null || python3 - <<'END' || fail "the table over all does not follow from the others"
import json
found = json.load(open("both.json"))
rows = found["rows"]
assert len(rows) == 8 and len(found["over_data"]) == 4 and len(found["runs"]) == 16
for k, over in enumerate(found["over_data"]):
    for metric, is_ in over["metrics"].items():
        of = [rows[4 * d:4 * d + 4] for d in range(2)]
        assert [r[k]["data"] for r in of] == ["synthetic:tiny", "d"]
        mean = lambda d, row: of[d][row]["metrics"][metric]["mean"]
        assert list(is_["means"].values()) == [mean(0, k), mean(1, k)]
        base = 2 * (k // 2)
        rank = lambda d: 1 + sum(mean(d, j) > mean(d, k) for j in range(4)) + sum(mean(d, j) == mean(d, k) for j in range(4) if j != k) / 2
        assert abs(is_["mean_rank"] - (rank(0) + rank(1)) / 2) < 1e-12
        if k == base:
            assert is_["better_in"] is None and is_["improvement_percent"] is None
        else:
            assert is_["better_in"] == sum(mean(d, k) > mean(d, base) for d in range(2))
            percent = sum(of[d][k]["metrics"][metric]["improvement_percent"] for d in range(2)) / 2
            assert abs(is_["improvement_percent"] - percent) < 1e-9
END

# It goes on where it was, and repeats itself from its settings.
expect 0 "Over 2 data sets" $both --runs runs --csv again.csv
cmp -s both.csv again.csv || fail "the same command has another table"
has runs/compare.toml "data = ["
expect 0 "Over 2 data sets" compare --config runs/compare.toml --quiet --csv config.csv
cmp -s <(measured both.csv) <(measured config.csv) || fail "the file of settings repeats another comparison"
expect 0 "d (40 users" compare --config runs/compare.toml --data d.inter --quiet
grep -q "synthetic" out && fail "data that is given does not replace that of the file"
expect 0 "best in validation" compare $common --models bpr --optimizers none --seeds 1 --epochs 1 --csv default.csv
has out "synthetic:small ("
has default.toml 'data = ["synthetic:small"]'
expect 2 "data set 'd' is listed twice" compare --data d.inter --data d.inter $common
expect 1 "absent" compare --data d.inter --data absent $common --runs refused
[ -e refused ] && fail "a comparison that was refused has made a folder"
the_end
