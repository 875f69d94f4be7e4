// expect: polder: a schedule is called as double(std::uint64_t step)
// lines: 15
#include <polder/polder.hpp>

int main() {
    polder::SAM optimizer{polder::SGD{}};
#ifdef POLDER_MISTAKE
    optimizer.set_rho_schedule(0.05);
#else
    optimizer.set_rho_schedule(polder::schedules::Cosine{.steps = 100});
#endif
}
