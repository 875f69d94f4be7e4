# Loss surfaces and curvature of trained models.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
tiny="--data synthetic:tiny --batch-size 1024 --set embedding_size=8 --epochs 2 --quiet"
expect 0 "best epoch" train $tiny --model bpr --checkpoint plain.safetensors
expect 0 "best epoch" train $tiny --model bpr --optimizer sam --checkpoint sam.safetensors

all="landscape --checkpoint plain.safetensors sam.safetensors --points 5 --iterations 20 --samples 2"
expect 0 "largest eigenvalue" $all --grids default,literal,small --output land
has out "bpr sam seed 999"
has out "default: ring"
has land/landscape.csv "checkpoint,model,optimizer,seed,epoch,grid,m,n,a,b,loss"
[ "$(wc -l <land/landscape.csv)" -eq $((1 + 2 * 3 * 25)) ] || fail "landscape.csv does not have 150 points"
[ "$(wc -l <land/summary.csv)" -eq 7 ] || fail "summary.csv does not have 6 rows"
has land/landscape.json '"largest_eigenvalue"'
# The middle of five points is the model itself.
awk -F, 'NR == FNR { if (NR > 1) loss[$1] = $7; next } $7 == 0 && $8 == 0 { n++; if ($11 != loss[$1]) bad++ }
    END { exit !(n == 6 && !bad) }' land/summary.csv land/landscape.csv || fail "L(0, 0) is not L(p)"
if command -v gnuplot >/dev/null; then
    for grid in default literal small; do
        for picture in contours.svg contours.png surface.svg surface.png; do
            [ "$(wc -c <land/${grid}_$picture)" -gt 2000 ] || fail "no picture ${grid}_$picture"
        done
    done
    has land/default_contours.svg "bpr sam seed 999"
    rm land/*.png && (cd land && gnuplot landscape.gp) && [ -e land/small_surface.png ] ||
        fail "the script does not draw the pictures again"
else
    has err "gnuplot is not found"
fi
# Without gnuplot there are the numbers and the script. (The program itself is called by its path.)
mkdir empty
PATH=$PWD/empty "$program" landscape --checkpoint plain.safetensors --points 3 --iterations 0 --samples 0 \
    --output bare --quiet >out 2>err || fail "landscape without gnuplot"
has err "gnuplot is not found"
[ -e bare/landscape.gp ] || fail "there is no script"

# It goes on from what is there, with the same end.
cp land/landscape.json whole.json
expect 0 "largest eigenvalue" $all --grids default,literal,small --output land
cmp -s land/landscape.json whole.json || fail "results that were there have changed"
: >err
set -m
"$program" landscape --checkpoint plain.safetensors --points 101 --iterations 0 --samples 0 --output slow >out 2>err &
job=$!
set +m
for _ in $(seq 300); do
    grep -qE '^ +[0-9.]+,$' slow/landscape.json 2>/dev/null && [ "$(wc -l <slow/landscape.json)" -gt 300 ] && break
    sleep 0.1
done
kill -INT $job; wait $job
[ $? -eq 130 ] || fail "interrupted landscape did not end with 130"
has err "the same command goes on from here"
before=$(wc -l <slow/landscape.csv)
[ "$before" -gt 1 ] || fail "what was measured is not written"
expect 0 "bpr none" landscape --checkpoint plain.safetensors --points 101 --iterations 0 --samples 0 --output slow
[ "$(wc -l <slow/landscape.csv)" -eq $((1 + 101 * 101)) ] || fail "the landscape is not complete"
head -$((before - 1)) slow/landscape.csv >a
expect 1 "was made with points = 101, this command has 5" \
    landscape --checkpoint plain.safetensors --points 5 --iterations 0 --samples 0 --output slow

expect 0 "expect saturation" landscape --help
expect 2 "--checkpoint is missing" landscape
expect 2 "unknown grid 'smal'; nearest: small" landscape --checkpoint plain.safetensors --grids smal
expect 2 "grid 'small' is listed twice" landscape --checkpoint plain.safetensors --grids small,small
expect 2 "--points: '1', expected a whole number from 2 to" landscape --checkpoint plain.safetensors --points 1
mkdir mine && echo mine >mine/file
expect 1 "mine: has files that landscape did not write" landscape --checkpoint plain.safetensors --output mine
[ "$(ls mine)" = file ] || fail "something was written beside the user's files"
expect 1 "file: is not a directory" landscape --checkpoint plain.safetensors --output mine/file
the_end
