# Tables of interactions as people have them become data.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# A log of 60 users and 40 items: user, item, rating, time; each pair at most once.
log() {
    awk 'BEGIN { for (u = 1; u <= 60; ++u) for (k = 0; k < 12; ++k)
        printf "%d %d %.1f %d\n", u, (u * 7 + k * 3) % 40 + 1, (u + k) % 5 + 1, 1600000000 + u * 1000 + k * 10 }'
}

# The same rows in any layout are the same data.
{ echo "userId,movieId,rating,timestamp"; log | tr ' ' ,; } >ratings.csv
log | tr ' ' '\t' >u.data
log | sed 's/ /::/g' >ratings.dat
{ printf 'user_id:token\titem_id:token\trating:float\ttimestamp:float\n'; log | tr ' ' '\t'; } >log.inter
{ echo 'timestamp,rating,parent_asin,user_id'; log | awk '{ printf "%s,\"%s\",%s,%s\r\n", $4, $3, $2, $1 }'; } >amazon.csv
log | awk '{ printf "{\"user_id\": \"%s\", \"parent_asin\": \"%s\", \"rating\": %s, \"timestamp\": %s, \"text\": \"so \\\"so\\\"\"}\n", $1, $2, $3, $4 }' >reviews.jsonl
{ head -1 ratings.csv; tail -n +2 ratings.csv | sort -r; } >reversed.csv
layouts="ratings.csv u.data ratings.dat log.inter amazon.csv reviews.jsonl reversed.csv"
if gzip -k ratings.csv 2>/dev/null; then
    if "$program" prepare ratings.csv.gz --output gz >out 2>err; then layouts="$layouts ratings.csv.gz"; else
        grep -q "built without zlib" err || fail "a gz file is not read"
    fi
fi
for file in $layouts; do
    expect 0 "user is " prepare $file --output of_$file --min-rating 2 --k-core 3 --split time:0.8,0.1,0.1
    cmp -s of_$file/of_$file.inter of_ratings.csv/of_ratings.csv.inter || fail "$file gives other rows than ratings.csv"
    cmp -s of_$file/items.tsv of_ratings.csv/items.tsv || fail "$file gives other items than ratings.csv"
done

# From each of them to lists: the same ones, in the ids of the table.
for file in ratings.csv u.data log.inter amazon.csv reviews.jsonl; do
    expect 0 "best epoch" train --data of_$file --model bpr --set embedding_size=8 --epochs 1 --quiet --checkpoint of_$file.st
    expect 0 "" recommend --checkpoint of_$file.st --all --top 20 --output of_$file.lists.csv
    head -1 of_$file.lists.csv | grep -qx "user,item,rank,score" || fail "the lists of $file have another header"
    for column in 1:users 2:items; do
        tail -n +2 of_$file.lists.csv | cut -d, -f${column%:*} | sort -u >found
        log | cut -d' ' -f${column%:*} | sort -u | comm -13 - found >strange
        [ -s strange ] && fail "the lists of $file have other ${column#*:} than the table: $(head -1 strange)"
    done
    [ "$(wc -l <of_$file.lists.csv)" -eq $((60 * 20 + 1)) ] || fail "the lists of $file do not have 20 items for each of 60 users"
    cmp -s of_$file.lists.csv of_ratings.csv.lists.csv || fail "$file gives other lists than ratings.csv"
done
head -1 of_u.data/of_u.data.inter | grep -qx $'userID\titemID\trating\ttimestamp\tx_label' || fail "the .inter file has another header"
expect 0 "rating at least 2" prepare ratings.csv --min-rating 2 --output of_ratings.csv
has out "removed"
has out "MovieLens's ratings.csv; user is 'userId', item is 'movieId', rating is 'rating', timestamp is 'timestamp'"
has of_ratings.csv/users.tsv $'0\t1'
expect 0 "ids of users" data --data of_ratings.csv

# Settings come back from prepare.toml, whatever the folder.
mkdir elsewhere
(cd elsewhere && "$program" prepare --config ../of_u.data/prepare.toml --output again >../out 2>../err) || fail "prepare.toml is not taken"
cmp -s elsewhere/again/again.inter of_u.data/of_u.data.inter || fail "prepare.toml gives other data"

# Old numbers stay, and new ids come after them.
{ cat ratings.csv; echo "0,99,5,1700000000"; echo "0,5,5,1700000001"; } | grep -v "^7," >later.csv
expect 0 "train" prepare later.csv --ids of_u.data --output later
cmp -s <(head -61 later/users.tsv) of_u.data/users.tsv || fail "users have other numbers than before"
tail -1 later/users.tsv | grep -qx $'60\t0' || fail "a new user does not come last"
tail -1 later/items.tsv | grep -qx $'40\t99' || fail "a new item does not come last"
expect 0 "rows in train" data --data later
grep -qE "^users +61" out || fail "a user without rows has lost the number"

# Splits, and what is said of them.
expect 0 "leave-one-out: 600 (83.3 %) train, 60 (8.3 %) valid, 60 (8.3 %) test" prepare u.data --split leave-one-out --output one
expect 0 "global-time:2020-09-13 20:00:00" prepare u.data --split "global-time:2020-09-13 20:00:00,2020-09-14" --output global
has out "without a row in train:"
expect 0 "given:" prepare one/one.inter --output given
cmp -s <(cut -f1,2,5 one/one.inter) <(cut -f1,2,5 given/given.inter) || fail "a given split is another one"
# A given split that holds out what is in train is refused, wherever the rows are.
printf 'user,item,rating,x_label\na,i,1,0\n"a",j,5,0\nb,i,5,0\n\na,i,5,1\nb,i,5,2\n' >leak.csv
expect 1 "leak.csv:6: user 'a' and item 'i' are in valid, and together in train, too (such rows: 2); expected none with --split given" \
    prepare leak.csv --output wrong
expect 1 "leak.csv:7: user 'b' and item 'i' are in test, and together in train, too (such rows: 1)" \
    prepare leak.csv --min-rating 2 --duplicates all --split given --output wrong
sed -n '1p;6p' leak.csv >held_out.csv; sed -n 1,4p leak.csv >train.csv
expect 1 "held_out.csv:2: user 'a'" prepare train.csv held_out.csv --output wrong
expect 0 "train" prepare leak.csv --split random:0.6,0.2,0.2 --output whole
{ cat u.data; head -5 u.data; } >twice.tsv
expect 0 "duplicates: last" prepare twice.tsv --duplicates last --output twice
grep -E "^duplicates: last +720 +5 " out >/dev/null || fail "5 duplicates are not counted"

# Features and texts of items.
{ echo "movieId,title,genres"; for i in $(seq 1 39); do echo "$i,\"Film, the $i\",$([ $((i % 2)) = 1 ] && echo "Drama|War" || echo "Comedy|Love")"; done; } >movies.csv
for i in $(seq 2 40); do echo "$i,$((i % 7)),0.5,-$i"; done >image.csv
expect 0 "image_feat.npy: 3 columns; 1 of 40 items have none, and the mean of the others" prepare ratings.csv --output films \
    --items movies.csv --title title --text title,genres --text-size 4 --features image=image.csv
has out "text_feat.npy: 4 columns (tf-idf of title, genres, truncated SVD); 1 of 40 items have none"
has films/items.tsv $'0\t1\tFilm, the 1'
expect 0 "visual features" data --data films
grep -qE "visual features +40 x 3" out && grep -qE "textual features +40 x 4" out || fail "the features are not those of the data"
has films/prepare.toml 'image='"$PWD"'/image.csv'

# Any number of modalities, from prepare to models that take them.
awk -F, '{ print $1 "," $3 }' image.csv >audio.csv
expect 0 "audio_feat.npy: 1 columns" prepare ratings.csv --output three --items movies.csv --text title,genres --text-size 4 \
    --features image=image.csv --features audio=audio.csv --features tags=image.csv
three="train --data three --features audio --features labels=three/tags_feat.npy --epochs 1 --set embedding_size=8"
for model in freedom vbpr; do
    expect 0 "features: visual 3 columns, textual 4 columns, audio 1 columns, labels 3 columns" $three --model $model \
        --json three.json --checkpoint three.st --overwrite
    has three.json '"labels": 3'
done
expect 0 "items for user" recommend --checkpoint three.st
expect 0 "best epoch" train --config three.toml --quiet --json again.json
has again.json '"labels": 3'
expect 2 "lattice: takes visual and textual features alone, and not 'audio'" $three --model lattice
expect 2 "--features audio: lightgcn takes no features" $three --model lightgcn

# A file that is no data is answered with the command that makes data of it.
for file in ratings.csv u.data ratings.dat log.inter amazon.csv reviews.jsonl; do
    expect 1 "polder-recsys prepare $file --output DIR" data --data $file
done
expect 1 "it looks like MovieLens's ratings.csv" train --data ratings.csv
expect 1 "it looks like RecBole's atomic file" train --data log.inter

# What is wrong is said, and nothing is written.
expect 2 "no file is given" prepare --output wrong
expect 2 "--output is missing" prepare ratings.csv
expect 1 "absent.csv: no such file" prepare absent.csv --output wrong
expect 1 "--user name: there is no such column; known: userId, movieId, rating, timestamp" prepare ratings.csv --user name --output wrong
expect 2 "--split: 'half', expected random:0.8,0.1,0.1" prepare ratings.csv --split half --output wrong
expect 2 "--k-core: 'x', expected a whole number" prepare ratings.csv --k-core x --output wrong
expect 2 "--duplicates: 'any', expected first, last, once or all" prepare ratings.csv --duplicates any --output wrong
expect 2 "--min-rating: 'good', expected a finite number" prepare ratings.csv --min-rating good --output wrong
expect 1 "no row is left" prepare ratings.csv --k-core 1000 --output wrong
expect 2 "--features image: expected NAME=FILE" prepare ratings.csv --features image --output wrong
expect 2 "expected --items FILE" prepare ratings.csv --title title --output wrong
expect 1 "there is no users.tsv in it" prepare ratings.csv --ids elsewhere --output wrong
printf 'user,item\nu\n' >short.csv
expect 1 "short.csv:2: 1 fields, expected 2" prepare short.csv --output wrong
[ -e wrong ] && fail "a command that was refused has made a folder"

# Nothing of the user's is replaced; its own folder is written again.
mkdir mine; echo mine >mine/users.tsv
expect 1 "mine/users.tsv: is not a file that this command wrote" prepare ratings.csv --output mine
[ "$(ls mine)" = users.tsv ] || fail "something was written beside a file of the user's"
expect 0 "train" prepare ratings.csv --output one
expect 1 "image_feat.npy: has features of items whose numbers may be others now" prepare ratings.csv --output films
the_end
