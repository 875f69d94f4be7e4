set terminal svg size 560,360 font "sans-serif,13" background "white"
set output picture
set datafile separator ","
set logscale y
set format y "10^{%L}"
set key outside bottom center horizontal
set xlabel "kappa"
set ylabel "mean squared gradient"
plot "mixed_loss.csv" using 1:2 with linespoints linewidth 2 linecolor rgb "#D55E00" title "from the origin", \
    "" using 1:3 with lines linewidth 2 dashtype 2 linecolor rgb "#D55E00" title "its bound", \
    "" using 1:4 with linespoints linewidth 2 linecolor rgb "#0072B2" title "from the minimum", \
    "" using 1:5 with lines linewidth 2 dashtype 2 linecolor rgb "#0072B2" title "its bound"
