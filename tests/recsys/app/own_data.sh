# The commands of docs/own_data.md, run as they stand there on the files that the page makes.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
page=$(dirname "${BASH_SOURCE[0]}")/../../../docs/own_data.md
case $page in /*) ;; *) page=$OLDPWD/$page ;; esac
mkdir bin; ln -s "$program" bin/polder-recsys
PATH=$PWD/bin:$PATH

# The blocks of the page: those after "<!-- files -->" make files, all others are commands.
awk -v files=files.sh -v commands=commands.sh '
    /^<!-- files -->/ { is_files = 1; next }
    /^```sh/ { inside = 1; next }
    /^```/ { if (inside) is_files = 0; inside = 0; next }
    inside { print >(is_files ? files : commands) }' "$page"
bash -e files.sh >out 2>err || fail "the files of the page cannot be made"
n=$(grep -c "^polder-recsys" commands.sh)
[ "$n" -gt 5 ] && [ "$n" -lt 10 ] || fail "the page has $n commands"
bash -e commands.sh >out 2>err || fail "a command of the page fails"

has out "MovieLens's ratings.csv"
has out "JSON lines; user is 'user_id', item is 'parent_asin'"
has out "text_feat.npy"
has out "items for user 7"
has err "features: visual 8 columns, textual"
head -1 lists.csv | grep -qx "user,item,rank,score" || fail "lists.csv has another header"
[ "$(tail -n +2 lists.csv | cut -d, -f1 | sort -u | wc -l)" -gt 100 ] || fail "lists.csv does not have 100 users"
grep -q "^new,[0-9]*,10," new.csv || fail "the new user does not have ten items"
[ "$(grep -c '"user": "A7", "item": "B' shop.jsonl)" -eq 10 ] || fail "user A7 does not have ten items"
has shop.json '"optimizer": "bsam'
# What a user likes is in the list: of the items of the user's kind there are more than the quarter that chance gives.
awk -F, 'NR > 1 { ++n; like += $1 % 4 == $2 % 4 } END { exit !(like > 0.5 * n) }' lists.csv || fail "lists.csv is no better than chance"
the_end
