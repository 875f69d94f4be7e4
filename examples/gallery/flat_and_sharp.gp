set terminal svg size 720,640 font "sans-serif,13" background "white"
set output picture
set datafile separator ","
set table $ends
plot "flat_and_sharp.csv" every ::1 using 1:2:3 with table
unset table
set datafile separator whitespace
set xrange [0:4.5]
set yrange [0:4]
set isosamples 70
set contour base
set cntrparam levels incremental -0.5, 0.1, 1
unset surface
set table $contours
splot 1 - exp(-((x - 1)**2 + (y - 1)**2) / 0.045) - 0.9 * exp(-((x - 2.5)**2 + (y - 2)**2) / 2)
unset table
set multiplot layout 2,2
methods = "SGD SAM ASAM BSAM"
do for [k=0:3] {
    set title word(methods, k + 1)
    plot $contours using 1:2 with lines linecolor rgb "#BBBBBB" notitle, \
        $ends using ($1 == k ? $2 : NaN):3 with points pointtype 7 pointsize 0.5 linecolor rgb "#D55E00" notitle
}
unset multiplot
