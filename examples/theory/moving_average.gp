set terminal svg size 560,360 font "sans-serif,13" background "white"
set output picture
set datafile separator ","
set logscale xy
set format xy "10^{%L}"
set key bottom right
set xlabel "learning rate"
set ylabel "error of the moving average"
plot "moving_average.csv" using 1:5 with linespoints linewidth 2 linecolor rgb "#D55E00" title "lambda = 0.6", \
    "" using 1:7 with lines linewidth 2 dashtype 2 linecolor rgb "#D55E00" title "its bound", \
    "" using 1:2 with linespoints linewidth 2 linecolor rgb "#0072B2" title "lambda of the theorem", \
    "" using 1:4 with lines linewidth 2 dashtype 2 linecolor rgb "#0072B2" title "its bound"
