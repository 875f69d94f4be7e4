set terminal svg size 560,360 font "sans-serif,13" background "white"
set output picture
set datafile separator ","
set key bottom left
set xlabel "rho"
set ylabel "right, per cent"
set logscale x
set xrange [0.008:2.5]
set xtics ("0" 0.01, "0.02" 0.02, "0.05" 0.05, "0.1" 0.1, "0.2" 0.2, "0.5" 0.5, "1" 1, "2" 2)
place(rho) = rho > 0 ? rho : 0.01
plot "rho_sweep.csv" using (place($1)):2 with linespoints linewidth 2 dashtype 2 linecolor rgb "#000000" title "training, a fifth with wrong labels", \
    "" using (place($1)):3 with linespoints linewidth 2 linecolor rgb "#D55E00" title "validation", \
    "" using (place($1)):4 with linespoints linewidth 2 linecolor rgb "#0072B2" title "test"
