set terminal svg size 560,360 font "sans-serif,13" background "white"
set output picture
set datafile separator ","
set logscale xy
set format xy "10^{%L}"
set key bottom right
set xlabel "learning rate"
set ylabel "left between the two steps"
plot "mirror_gradient.csv" using 1:2 with linespoints linewidth 2 dashtype 2 linecolor rgb "#000000" title "no term", \
    "" using 1:4 with linespoints linewidth 2 dashtype 3 linecolor rgb "#D55E00" title "c = 1, eq. (7): second order", \
    "" using 1:3 with linespoints linewidth 2 linecolor rgb "#0072B2" title "c = 1/2, eq. (6): third order"
