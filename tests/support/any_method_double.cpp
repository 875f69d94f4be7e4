#include "support/any_method.ipp"

namespace polder::test {
template std::vector<AnyMethod<double>> all_methods(Settings const&, bool);
}  // namespace polder::test
