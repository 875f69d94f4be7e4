# A program that answers from a checkpoint, beside what polder-recsys answers: serve.sh POLDER-RECSYS SERVE
serve=$(realpath "$2")
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

{ echo "user,item,time"
  awk 'BEGIN { for (u = 0; u < 50; ++u) for (k = 0; k < 9; ++k)
      printf "user%d,item-%d,%d\n", u, (u % 5 * 8 + (k * 3 + u) % 13) % 40, k }'
  echo "user1,late-item,100"; echo "late,item-1,100"; } >log.csv
expect 0 "train" prepare log.csv --split "global-time:7,8" --output d
expect 0 "best epoch" train --data d --model lightgcn --set embedding_size=8 --epochs 2 --batch-size 64 --quiet --checkpoint m.st
expect 0 "" recommend --checkpoint m.st --all --top 10 --output all.csv

# same EXPECTED FOUND: the same users and items in the same order, with scores to six digits.
same() {
    cmp -s <(cut -d, -f1,2 "$1") <(cut -d, -f1,2 "$2") &&
        paste -d, "$1" "$2" | awk -F, '{ d = $4 - $7; if (d < 0) d = -d; if (d > 1e-5 * ($4 < 0 ? -$4 : $4) + 1e-7) exit 1 }'
}
"$serve" m.st user7 user12 >served 2>err || fail "serve ended with $?"
[ "$(wc -l <served)" -eq 20 ] || fail "serve does not give two lists of ten"
for user in user7 user12; do grep "^$user," all.csv; done >expected
same expected served || fail "serve has other lists than recommend"
grep -q late-item served && fail "an item that was never trained is recommended"

# Synthetic data has numbers in the place of ids.
expect 0 "best epoch" train --data synthetic:tiny --model bpr --set embedding_size=4 --epochs 1 --quiet --checkpoint s.st
expect 0 "" recommend --checkpoint s.st --all --output s.csv
"$serve" s.st 17 >served 2>err || fail "serve ended with $?"
grep "^17," s.csv >expected
same expected served || fail "serve has other lists than recommend for synthetic data"

# What is wrong is said.
refuses() { # TEXT ARGUMENT...
    local text=$1; shift
    "$serve" "$@" >out 2>err && fail "serve $* did not end with an error"
    grep -qF -- "$text" err || fail "serve $* does not say: $text"
}
refuses "expected: serve CHECKPOINT USER..." m.st
refuses "user 'nobody' is not in d/users.tsv" m.st nobody
refuses "user late has no row in training, so that the vector is not trained; recommend_by_items" m.st late
refuses "absent" absent.st user7
refuses "log.csv" log.csv user7
expect 0 "train" prepare log.csv --split "global-time:6,8" --output d
refuses "m.st: was made with data of 51 users, 41 items" m.st user7
the_end
