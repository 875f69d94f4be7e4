# The course of the trainings of `digits --out FOLDER`: the mean over the seeds after every epoch.
set terminal svg size 860,400 font "sans-serif,13" background "white"
set output picture
set datafile separator ","
set multiplot layout 1,2
set key outside below maxrows 2 samplen 2
set xlabel "epoch" offset 0,0.6
set ylabel "unseen digits that are read, %"
set yrange [80:100]
set grid ytics linecolor "#dddddd"
methods = "plain plain-5x SAM FSAM ASAM BSAM BSAM+"
# Colours that colour-blind readers tell apart (Okabe and Ito), and dashes for print.
array colours = ["#000000", "#888888", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00"]
do for [base in "SGD Adam"] {
    set title base.(base eq "SGD" ? " with momentum" : "")
    plot for [k = 1:words(methods)] "curves.csv" \
        using (strcol(1) eq base && strcol(2) eq word(methods, k) ? $4 : NaN):6 smooth unique \
        with lines linewidth 2 linecolor rgb colours[k] dashtype k title word(methods, k)
}
unset multiplot
