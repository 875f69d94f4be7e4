// Two units of one program, with and without OpenMP, keep their own number of threads, in whichever order they are linked.
#include <cstdio>

int with_openmp();
int without_openmp();

int main() {
    int const with = with_openmp(), without = without_openmp();
    std::printf("threads: %d with OpenMP, %d without\n", with - 100, without - 100);
    return with == 103 && without == 101 ? 0 : 1;
}
