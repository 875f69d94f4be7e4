// The method that docs/writing_a_method.md builds, as it stands there.

#include "writing_a_method.hpp"

#include "support/any_method.ipp"

namespace polder::test {

template <class T>
AnyMethod<T> written_method(Settings const& with) {
    return erased<T>(written_name, MaximumSAM{with.base, with.rho});
}

template AnyMethod<float> written_method(Settings const&);
template AnyMethod<double> written_method(Settings const&);

}  // namespace polder::test
