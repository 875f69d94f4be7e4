#include "state/resume.hpp"

TEST_CASE("a run of float goes on from a file bit for bit, with every method", "[state]") {
    polder::test::check_resume_of_every_method<float>();
}
