# Lists of items for users, in the ids that came in.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

{ echo "user,item,time"
  awk 'BEGIN { for (u = 0; u < 50; ++u) for (k = 0; k < 9; ++k)
      printf "%s,item-%d,%d\n", u == 3 ? "a \"b\"" : "user" u, (u % 5 * 8 + (k * 3 + u) % 13) % 40, k }' | sed 's/^a "b"/"a, ""b"""/'
  echo "user1,late-item,100"; } >log.csv
expect 0 "train" prepare log.csv --split "global-time:7,8" --output d
train="train --data d --model bpr --set embedding_size=8 --epochs 3 --batch-size 64 --quiet"
expect 0 "best epoch" $train --checkpoint m.st

# All users: the ids of the file, best first, without what they had in training.
expect 0 "" recommend --checkpoint m.st --all --top 4 --output all.csv
has err "up to 4 items each for 50 users, without those that they have in training"
has err "1 items have no row in training and are left out"
head -1 all.csv | grep -qx "user,item,rank,score" || fail "all.csv has another header"
[ "$(wc -l <all.csv)" -eq 201 ] || fail "all.csv does not have 200 rows"
has all.csv '"a, ""b""",item-'
grep -q late-item all.csv && fail "an item that was never trained is recommended"
tail -n +2 all.csv | grep "^user7," | awk -F, 'NR > 1 && $4 > last { exit 1 } { last = $4; if ($3 != NR) exit 1 }' ||
    fail "ranks are not those of scores"
grep "^user7," all.csv | cut -d, -f2 | sort >given
grep "^user7," log.csv | awk -F, '$3 < 7 { print $2 }' | sort >seen
[ -z "$(comm -12 given seen)" ] || fail "an item of training is recommended"
expect 0 "" recommend --checkpoint m.st --all --top 4 --output one_thread.csv --threads 1
cmp -s all.csv one_thread.csv || fail "lists depend on the number of threads"

# One user has the same list, also as JSON lines.
expect 0 "items for user user7, who has 7 in training, without these" recommend --checkpoint m.st --user user7 --top 4 --json one.json
awk 'NR > 4 { print $2 }' out >found
grep "^user7," all.csv | cut -d, -f2 >expected
cmp -s found expected || fail "one user has another list than all"
has one.json '"item": "item-'
expect 0 "" recommend --checkpoint m.st --all --top 4 --output all.jsonl
has all.jsonl '{"user": "a, \"b\"", "item": "item-'
[ "$(wc -l <all.jsonl)" -eq 200 ] || fail "all.jsonl does not have 200 rows"

# Some users, some items.
printf 'user7\r\nnobody\n\nuser9\n' >some
expect 0 "" recommend --checkpoint m.st --users some --top 4 --output some.csv
has err "some: 1 users are not in the data, the first is 'nobody'"
grep "^user[79]," all.csv | cut -d, -f1-3 >of_all
cmp -s of_all <(tail -n +2 some.csv | cut -d, -f1-3) || fail "some users have other lists than all"
# A score is a sum of products in float, whose order may follow from how many users are scored together.
paste -d, <(grep "^user[79]," all.csv) <(tail -n +2 some.csv) | awk -F, '($4 - $8) ^ 2 > (1e-5 * $4) ^ 2 { exit 1 }' ||
    fail "some users have other scores than all"
first=$(head -1 expected)
echo "$first" >bad
expect 0 "" recommend --checkpoint m.st --users some --top 4 --output rest.csv --exclude bad
grep -q ",$first," rest.csv && fail "an item that is excluded is recommended"
printf 'user7\t%s\n' "$first" >bad
expect 0 "" recommend --checkpoint m.st --users some --top 4 --output rest.csv --exclude bad
grep -q "^user7,$first," rest.csv && fail "an item that is excluded for a user is recommended to the user"
[ "$(grep -c "^user9," rest.csv)" -eq 4 ] || fail "the list of another user is not full"
printf 'item-1\nitem-2\n' >few
expect 0 "" recommend --checkpoint m.st --all --candidates few --keep-seen --output few.csv
[ "$(tail -n +2 few.csv | grep -v '^"a' | cut -d, -f2 | sort -u | tr '\n' ' ')" = "item-1 item-2 " ] || fail "items other than the candidates are recommended"
[ "$(wc -l <few.csv)" -eq 101 ] || fail "with --keep-seen not all users have both candidates"
expect 0 "" recommend --checkpoint m.st --all --top 40 --exclude-held-out --output fresh.csv
grep "^user7," fresh.csv | cut -d, -f2 | sort >given
grep "^user7," log.csv | cut -d, -f2 | sort -u >known
[ -z "$(comm -12 given known)" ] || fail "an item of validation or test is recommended"

# New users by their items: with all items of a user, about the user's own list.
{ echo "user,item"; printf 'new,item-1\nnew,item-2\nold,item-9\nlost,nothing\n'; } >history.csv
expect 0 "" recommend --checkpoint m.st --history history.csv --top 5 --output new.csv
has err "a new user's vector is the mean of those of the items"
has err "history.csv: 1 rows have items that are not in training"
has err "1 users have no item that is in training"
[ "$(wc -l <new.csv)" -eq 11 ] || fail "new.csv does not have 10 rows"
grep -qE "^new,item-[12]," new.csv && fail "an item of the history is recommended"

printf 'who,item\nnew,item-1\n' >strange.csv
expect 1 "strange.csv: no column is known as that of the users; expected one with the name user, found: who, item" \
    recommend --checkpoint m.st --history strange.csv --output strange_lists.csv
printf 'who,what\nnew,item-1\n' >strange.csv
expect 1 "strange.csv:1: neither names of columns that are known nor a row of data: 'who', 'what'; expected a first line with the names user and item" \
    recommend --checkpoint m.st --history strange.csv --output strange_lists.csv
printf 'item-1\nitem-2\n' >strange.csv
expect 1 "strange.csv:1: a single column, expected users and items with a comma or a tab between them" \
    recommend --checkpoint m.st --history strange.csv --output strange_lists.csv
[ -e strange_lists.csv ] && fail "a table that was refused has lists"

expect 0 "items like item-1" similar --checkpoint m.st --item item-1 --top 3 --json like.json
grep -qE "^ *[123] +item-1 " out && fail "an item is like itself"
has like.json '"cosine":'
expect 0 "users: 50 x 8" export --checkpoint m.st --output vectors
cmp -s vectors/users.tsv d/users.tsv || fail "export does not write the ids"
expect 0 "items: 41 x 8" export --checkpoint m.st --output vectors.safetensors
cmp -s vectors.items.tsv d/items.tsv || fail "export does not write the ids beside a file"

# evaluate uses the ids, too: its file of users, and the negatives that it reads.
expect 0 "The lists, whatever" evaluate --checkpoint m.st --negatives 30 --per-user each.csv
tail -n +2 each.csv | grep -o '^"[^"]*""[^"]*""[^"]*"\|^[^,"]*' | sort >found
tail -n +2 all.csv | grep -o '^"[^"]*""[^"]*""[^"]*"\|^[^,"]*' | sort -u >expected
cmp -s found expected || fail "evaluate --per-user does not have the ids of the users"
sed 's/^"a, ""b"""$/a, "b"/' expected | while read -r user; do
    printf '%s' "$user"; for k in 1 2 3 39 40; do printf '\titem-%d' $((k % 40)); done; echo; done >negatives
expect 0 "The lists, whatever" evaluate --checkpoint m.st --negatives negatives --json tabs.json
# Blanks where no id has one; the user whose id has one still needs tabs.
sed '/^a, /!y/\t/ /' negatives >blanks
expect 0 "The lists, whatever" evaluate --checkpoint m.st --negatives blanks --json blanks.json
cmp -s <(sed -n '/"lists"/,$p' tabs.json) <(sed -n '/"lists"/,$p' blanks.json) || fail "negatives between blanks are others"
printf 'user7\titem-1\n7\titem-1\n' >wrong
expect 1 "wrong:2: user '7' is not in the data; expected the id of a user, and those of items" evaluate --checkpoint m.st --negatives wrong
grep -v "^user7" negatives >short
expect 1 "short: has no line of user user7" evaluate --checkpoint m.st --negatives short

# Users and items that were never trained are said so.
{ cat log.csv; echo "newcomer,item-1,9"; } >later.csv
expect 0 "without a row in train: 1 users" prepare later.csv --split "global-time:7,8" --output later
expect 0 "best epoch" train --data later --model bpr --set embedding_size=8 --epochs 2 --quiet --checkpoint l.st
expect 1 "user newcomer has no row in training, so that the vector is not trained; --history FILE" recommend --checkpoint l.st --user newcomer
expect 0 "" recommend --checkpoint l.st --all --output l.csv
has err "1 users have no row in training and are left out"
expect 1 "item late-item has no row in training" similar --checkpoint l.st --item late-item

expect 2 "user 'nobody' is not in d/users.tsv, whose first is 'a, \"b\"'" recommend --checkpoint m.st --user nobody
expect 2 "expected one of --user, --users, --all and --history" recommend --checkpoint m.st --all --user user7
expect 2 "--output is missing" recommend --checkpoint m.st --all
expect 2 "--output is for --all" recommend --checkpoint m.st --user user7 --output x.csv
echo item-x >wrong
expect 1 "wrong: item 'item-x' is not in the data" recommend --checkpoint m.st --all --candidates wrong --output x.csv
expect 1 "absent: no such file" recommend --checkpoint m.st --users absent --output x.csv
expect 2 "--item is missing" similar --checkpoint m.st
the_end
