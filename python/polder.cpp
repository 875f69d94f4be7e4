// The Python module polder: every optimizer of the registry for numpy's arrays and CPU tensors of torch, without a copy.
//
// tools/python compiles this file once for each part of the registry and each scalar, with POLDER_PYTHON_PART and
// POLDER_PYTHON_SCALAR, and once without them for the module.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <polder/any_optimizer.hpp>

namespace polder::python {

// Named arrays in memory of Python's objects. A copy has memory of its own.
template <class T>
class Arrays {
public:
    using value_type = T;

    Arrays() = default;
    Arrays(Arrays const& other) : blocks_(other.blocks_) {
        for (Block& block : blocks_) {
            owned_.emplace_back(block.size);
            if (block.data != nullptr) std::copy_n(block.data, block.size, owned_.back().begin());
            block.data = owned_.back().data();
        }
    }
    Arrays(Arrays&&) noexcept = default;
    Arrays& operator=(Arrays const& other) {
        for (std::size_t k = 0; k < blocks_.size(); ++k)
            std::copy_n(other.blocks_.at(k).data, blocks_[k].size, blocks_[k].data);
        return *this;
    }
    ~Arrays() = default;

    // data: may be null for a gradient that there is not.
    void add(std::string name, T* data, std::size_t size, BlockShape shape) {
        blocks_.push_back({std::move(name), data, size, shape});
    }
    void add_copy(std::string name, std::vector<T> values, BlockShape shape) {
        owned_.push_back(std::move(values));
        add(std::move(name), owned_.back().data(), owned_.back().size(), shape);
    }
    void become(Arrays&& other) {
        blocks_.swap(other.blocks_);
        owned_.swap(other.owned_);
    }
    template <class F>
    void visit_blocks(F&& f) {
        for (Block& block : blocks_) f(block.name, block.data, block.size, block.shape);
    }

private:
    struct Block {
        std::string name;
        T* data;
        std::size_t size;
        BlockShape shape;
    };
    std::vector<Block> blocks_;
    std::vector<std::vector<T>> owned_;
};

}  // namespace polder::python

template <class T>
inline constexpr bool polder::steps_in_place_alone<polder::python::Arrays<T>> = true;

namespace polder::python {

template <class T>
using Lines = std::vector<registry::MethodLine<Arrays<T>>>;

// One part of the registry's four.
template <class T, int part>
Lines<T> lines_of_part();

}  // namespace polder::python

#ifdef POLDER_PYTHON_PART

namespace polder::python {

template <>
Lines<POLDER_PYTHON_SCALAR> lines_of_part<POLDER_PYTHON_SCALAR, POLDER_PYTHON_PART>() {
    return registry::method_lines<Arrays<POLDER_PYTHON_SCALAR>>([](auto const& f) {
        constexpr int part = POLDER_PYTHON_PART;
        if constexpr (part == 0) registry::for_each_ball(f);
        if constexpr (part == 1) registry::for_each_metric(f);
        if constexpr (part == 2) registry::for_each_direction(f);
        if constexpr (part == 3) registry::for_each_mix(f);
    });
}

}  // namespace polder::python

#else

#include <sstream>
#include <stdexcept>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <polder/state/state.hpp>

namespace py = pybind11;

namespace polder::python {

template <>
Lines<float> lines_of_part<float, 0>();
template <>
Lines<float> lines_of_part<float, 1>();
template <>
Lines<float> lines_of_part<float, 2>();
template <>
Lines<float> lines_of_part<float, 3>();
template <>
Lines<double> lines_of_part<double, 0>();
template <>
Lines<double> lines_of_part<double, 1>();
template <>
Lines<double> lines_of_part<double, 2>();
template <>
Lines<double> lines_of_part<double, 3>();

namespace {

template <class T>
Lines<T> const& all_lines() {
    static Lines<T> const all = [] {
        Lines<T> lines = lines_of_part<T, 0>();
        for (auto const& part :
             {lines_of_part<T, 1>(), lines_of_part<T, 2>(), lines_of_part<T, 3>()})
            lines.insert(lines.end(), part.begin(), part.end());
        return lines;
    }();
    return all;
}

// What DLPack's capsules point to (https://dmlc.github.io/dlpack).
struct DeviceOf {
    std::int32_t type, id;
};
struct DataType {
    std::uint8_t code, bits;
    std::uint16_t lanes;
};
struct ArrayOf {
    void* data;
    DeviceOf device;
    std::int32_t dimensions;
    DataType type;
    std::int64_t* shape;
    std::int64_t* strides;
    std::uint64_t byte_offset;
};
constexpr std::int32_t on_cpu = 1;
constexpr std::uint8_t floating = 2;

// What messages call an array of that name; a lone array has none.
std::string called(std::string const& name) {
    return name.empty() ? "the array" : "array '" + name + "'";
}

// An array of Python's, held while this lives.
class Array {
public:
    enum class Use { parameter, gradient };
    Array(std::string name, py::handle object, Use use = Use::parameter)
        : name_(std::move(name)), use_(use) {
        py::object source = py::reinterpret_borrow<py::object>(object);
        if (py::hasattr(source, "detach")) source = source.attr("detach")();
        if (!py::hasattr(source, "__dlpack__"))
            refuse(std::string("it is a ") + Py_TYPE(object.ptr())->tp_name +
                   ", expected a numpy array or a tensor");
        if (is_read_only(source)) {
            if (use == Use::parameter) refuse("it is read-only, and a step writes to it");
            source = source.attr("copy")();  // numpy exports no read-only memory
        }
        try {
            capsule_ = source.attr("__dlpack__")();
        } catch (py::error_already_set const& error) {
            if (!error.matches(PyExc_BufferError)) throw;
            refuse(py::str(error.value()));
        }
        auto* const pointer = PyCapsule_GetPointer(capsule_.ptr(), "dltensor");
        if (pointer == nullptr) throw py::error_already_set();
        array_ = static_cast<ArrayOf const*>(pointer);
        if (array_->device.type != on_cpu) refuse("it is not in the CPU's memory");
        if (array_->type.code != floating || array_->type.lanes != 1 ||
            (array_->type.bits != 32 && array_->type.bits != 64))
            refuse("its scalars are not float32 or float64");
    }

    std::string const& name() const { return name_; }
    bool is_double() const { return array_->type.bits == 64; }
    std::size_t size() const {
        std::size_t size = 1;
        for (int k = 0; k < array_->dimensions; ++k)
            size *= static_cast<std::size_t>(array_->shape[k]);
        return size;
    }
    BlockShape shape() const {
        if (array_->dimensions < 2 || size() == 0) return {size(), 1, true};
        auto const rows = static_cast<std::size_t>(array_->shape[0]);
        return {rows, size() / rows, true};
    }
    bool same_sizes(Array const& other) const {
        return std::equal(array_->shape, array_->shape + array_->dimensions, other.array_->shape,
                          other.array_->shape + other.array_->dimensions);
    }
    bool contiguous() const {
        if (array_->strides == nullptr || size() == 0) return true;
        std::int64_t expected = 1;
        for (int k = array_->dimensions; k-- > 0;) {
            if (array_->shape[k] != 1 && array_->strides[k] != expected) return false;
            expected *= array_->shape[k];
        }
        return true;
    }
    template <class T>
    T* data() const {
        return reinterpret_cast<T*>(static_cast<char*>(array_->data) + array_->byte_offset);
    }
    // The values in row-major order.
    template <class T>
    std::vector<T> values() const {
        std::vector<T> result(size());
        for (std::size_t k = 0; k < result.size(); ++k) {
            auto rest = static_cast<std::int64_t>(k);
            std::int64_t at = 0;
            for (int d = array_->dimensions; d-- > 0;) {
                at += rest % array_->shape[d] * array_->strides[d];
                rest /= array_->shape[d];
            }
            result[k] = data<T>()[at];
        }
        return result;
    }
    [[noreturn]] void refuse(std::string const& why) const {
        throw std::invalid_argument(
            "polder: " + std::string(use_ == Use::gradient ? "the gradient of " : "") +
            called(name_) + ": " + why);
    }

private:
    static bool is_read_only(py::object const& source) {
        return py::hasattr(source, "flags") && py::hasattr(source.attr("flags"), "writeable") &&
               !source.attr("flags").attr("writeable").cast<bool>();
    }

    std::string name_;
    Use use_;
    py::object capsule_;  // its destructor gives the array back
    ArrayOf const* array_ = nullptr;
};

struct Named {
    std::string name;
    py::object object;
};
// The arrays in a nest of dicts, lists and tuples, named by the way to them.
void collect(py::handle of, std::string const& name, std::vector<Named>& into) {
    auto const below = [&](std::string const& key) {
        return name.empty() ? key : name + "." + key;
    };
    if (py::isinstance<py::dict>(of)) {
        for (auto const& [key, value] : py::reinterpret_borrow<py::dict>(of))
            collect(value, below(py::str(key)), into);
    } else if (py::isinstance<py::list>(of) || py::isinstance<py::tuple>(of)) {
        std::size_t k = 0;
        for (py::handle value : of) collect(value, below(std::to_string(k++)), into);
    } else {
        into.push_back({name, py::reinterpret_borrow<py::object>(of)});
    }
}
std::vector<Named> arrays_in(py::handle x) {
    std::vector<Named> arrays;
    bool const iterates = py::isinstance<py::iterator>(x) || PyGen_Check(x.ptr());
    collect(iterates ? py::object(py::list(py::reinterpret_borrow<py::object>(x)))
                     : py::reinterpret_borrow<py::object>(x),
            "", arrays);
    if (arrays.empty()) throw std::invalid_argument("polder: there are no parameters");
    return arrays;
}

// Whether a closure has to be given something. lambda n=n: ... has not: its n is not for the pass.
bool takes_pass(py::function const& closure) {
    auto const inspect = py::module_::import("inspect");
    auto const kinds = inspect.attr("Parameter");
    for (py::handle parameter :
         inspect.attr("signature")(closure).attr("parameters").attr("values")()) {
        auto const kind = parameter.attr("kind");
        if ((kind.equal(kinds.attr("POSITIONAL_ONLY")) ||
             kind.equal(kinds.attr("POSITIONAL_OR_KEYWORD"))) &&
            parameter.attr("default").is(kinds.attr("empty")))
            return true;
    }
    return false;
}

double number_of(py::handle value) {
    py::object number = py::reinterpret_borrow<py::object>(value);
    if (py::hasattr(number, "detach")) number = number.attr("detach")();
    return py::float_(number).cast<double>();
}

// What a closure returned: the loss, and a gradient for each parameter, None where there is none.
std::pair<double, std::vector<py::object>> parts_of(py::object const& result,
                                                    std::vector<Named> const& named) {
    std::vector<py::object> gradients;
    if (!py::isinstance<py::tuple>(result)) {
        if (result.is_none())
            throw std::invalid_argument(
                "polder: the closure returned None, expected the loss, or (loss, gradient)");
        for (Named const& each : named) {
            if (!py::hasattr(each.object, "grad"))
                throw std::invalid_argument("polder: the closure returned the loss alone, and " +
                                            called(each.name) +
                                            " has no grad; expected (loss, gradient)");
            gradients.push_back(each.object.attr("grad"));
        }
        return {number_of(result), std::move(gradients)};
    }
    auto const pair = py::reinterpret_borrow<py::tuple>(result);
    if (pair.size() != 2)
        throw std::invalid_argument("polder: the closure returned " + std::to_string(pair.size()) +
                                    " values, expected the loss, or (loss, gradient)");
    std::vector<Named> given;
    collect(pair[1], "", given);
    if (given.size() != named.size())
        throw std::invalid_argument("polder: there are " + std::to_string(given.size()) +
                                    " gradients, expected " + std::to_string(named.size()));
    for (std::size_t k = 0; k < named.size(); ++k) {
        // A dict may have them in another order.
        auto const is_it = [&](Named const& each) { return each.name == named[k].name; };
        auto const at = is_it(given[k]) ? given.begin() + static_cast<std::ptrdiff_t>(k)
                                        : std::find_if(given.begin(), given.end(), is_it);
        if (at == given.end())
            throw std::invalid_argument("polder: there is no gradient of " + called(named[k].name) +
                                        "; expected the gradient built as the parameters are");
        gradients.push_back(at->object);
    }
    return {number_of(pair[0]), std::move(gradients)};
}

registry::Options options_of(py::kwargs const& given) {
    registry::Options options;
    for (auto const& [key, value] : given) {
        std::string text = py::str(value);
        if (py::isinstance<py::bool_>(value))
            text = registry::OptionText(value.cast<bool>()).text();
        options.emplace_back(py::str(key), std::move(text));
    }
    return options;
}

// Parameters as they were handed over, with what keeps them.
template <class T>
struct Held {
    std::vector<Array> arrays;
    Arrays<T> x;
};
template <class T>
Held<T> hold(std::vector<Named> const& named) {
    Held<T> held;
    for (Named const& each : named) {
        Array array(each.name, each.object);
        if (array.is_double() != std::is_same_v<T, double>)
            array.refuse(std::string("expected scalars of the first array's type, ") +
                         (array.is_double() ? "float32" : "float64"));
        if (!array.contiguous())
            array.refuse("it is not contiguous; expected a C-contiguous array or tensor");
        held.x.add(array.name(), array.data<T>(), array.size(), array.shape());
        held.arrays.push_back(std::move(array));
    }
    return held;
}

class Optimizer {
public:
    Optimizer(std::string method, std::string base, registry::Options options)
        : method_(std::move(method)), base_(std::move(base)), options_(std::move(options)),
          optimizer_(made<double>()) {}

    py::dict step(py::object const& parameters, py::function const& closure) {
        auto const named = arrays_in(parameters);
        return is_double(named) ? step_as<double>(named, closure) : step_as<float>(named, closure);
    }
    py::bytes state(py::object const& parameters) {
        auto const named = arrays_in(parameters);
        return is_double(named) ? state_as<double>(named) : state_as<float>(named);
    }
    void load_state(py::bytes const& bytes, py::object const& parameters) {
        auto const named = arrays_in(parameters);
        is_double(named) ? load_as<double>(bytes, named) : load_as<float>(bytes, named);
    }

    double learning_rate() const {
        return std::visit([](auto const& o) { return o.learning_rate(); }, optimizer_);
    }
    void set_learning_rate(double rate) {
        std::visit([&](auto& o) { o.set_learning_rate(rate); }, optimizer_);
    }
    std::uint64_t steps() const {
        return std::visit([](auto const& o) { return o.steps(); }, optimizer_);
    }
    int batches() const {
        return std::visit([](auto const& o) { return o.batches(); }, optimizer_);
    }
    void begin_epoch() {
        std::visit([](auto& o) { o.settings().begin_epoch(); }, optimizer_);
    }
    void set_threads(int threads) {
        std::visit([&](auto& o) { o.settings().set_threads(threads); }, optimizer_);
    }
    std::string text() const { return "polder.make('" + method_ + "', base='" + base_ + "')"; }

private:
    template <class T>
    using Any = AnyOptimizer<Arrays<T>>;

    template <class T>
    Any<T> made() const {
        return registry::make_optimizer(all_lines<T>(), method_, registry::NamedOptions{}, base_,
                                        options_);
    }
    static bool is_double(std::vector<Named> const& named) {
        return Array(named.front().name, named.front().object).is_double();
    }
    // The optimizer for scalars T. The first step decides which they are.
    template <class T>
    Any<T>& of() {
        if (!std::holds_alternative<Any<T>>(optimizer_)) {
            if (steps() != 0)
                throw std::invalid_argument(
                    "polder: the scalar type of the parameters is not that of "
                    "the first step");
            Any<T> other = made<T>();
            std::visit([&](auto& o) { other.settings() = o.settings(); }, optimizer_);
            other.set_learning_rate(learning_rate());
            optimizer_ = std::move(other);
        }
        return std::get<Any<T>>(optimizer_);
    }

    template <class T>
    py::dict step_as(std::vector<Named> const& named, py::function const& closure) {
        auto& optimizer = of<T>();
        auto held = hold<T>(named);
        Arrays<T> gradient;
        std::vector<Array> gradients;  // what the pointers in gradient point to
        bool const with_pass = takes_pass(closure);
        if (!with_pass && optimizer.batches() > 1)
            throw std::invalid_argument("polder: this method uses two batches; expected "
                                        "closure(pass), and pass.batch says which "
                                        "one is asked for");
        Report const report = optimizer.step_in_place(held.x, gradient, [&](Pass pass) {
            if (!with_pass && pass.sample >= 0)
                throw std::invalid_argument("polder: this method asks for single samples; expected "
                                            "closure(pass), and pass.sample says which one");
            py::object const result = with_pass ? closure(pass) : closure();
            auto const [loss, given] = parts_of(result, named);
            gradients.clear();
            Arrays<T> fresh;
            for (std::size_t k = 0; k < named.size(); ++k) {
                Array const& parameter = held.arrays[k];
                if (given[k].is_none()) {
                    fresh.add(parameter.name(), nullptr, parameter.size(), parameter.shape());
                    continue;
                }
                Array array(parameter.name(), given[k], Array::Use::gradient);
                if (array.is_double() != std::is_same_v<T, double> || !array.same_sizes(parameter))
                    array.refuse("its scalars or sizes are not those of the parameters");
                if (array.contiguous()) {
                    fresh.add(parameter.name(), array.template data<T>(), array.size(),
                              parameter.shape());
                } else {
                    fresh.add_copy(parameter.name(), array.template values<T>(), parameter.shape());
                }
                gradients.push_back(std::move(array));
            }
            gradient.become(std::move(fresh));
            return loss;
        });
        py::dict result;
        result["loss"] = report.loss;
        result["perturbed_loss"] = report.perturbed_loss;
        result["sharpness"] = report.sharpness();
        result["second_loss"] = report.second_loss;
        result["gradient_norm"] = report.gradient_norm;
        result["perturbation_norm"] = report.perturbation_norm;
        result["distance"] = report.distance;
        result["cosine"] = report.cosine;
        result["learning_rate"] = report.learning_rate;
        result["rho"] = report.rho;
        result["evaluations"] = report.evaluations;
        return result;
    }

    template <class T>
    py::bytes state_as(std::vector<Named> const& named) {
        auto held = hold<T>(named);
        SafetensorsWriter writer;
        add_state(writer, of<T>(), held.x);
        std::ostringstream stream;
        writer.write(stream);
        return stream.str();
    }
    template <class T>
    void load_as(py::bytes const& bytes, std::vector<Named> const& named) {
        auto held = hold<T>(named);
        auto const file = py::module_::import("tempfile").attr("NamedTemporaryFile")();
        file.attr("write")(bytes);
        file.attr("flush")();
        SafetensorsFile saved(std::string(py::str(file.attr("name"))));
        saved.verify();
        auto& optimizer = of<T>();
        optimizer = read_state(saved, optimizer, held.x);
    }

    std::string method_, base_;
    registry::Options options_;
    std::variant<Any<double>, Any<float>> optimizer_;
};

}  // namespace

}  // namespace polder::python

PYBIND11_MODULE(polder, module) {
    using polder::Batch;
    using polder::Pass;
    using polder::python::Optimizer;

    module.doc() = "Sharpness-aware optimizers for numpy arrays and CPU tensors of torch.";

    py::class_<Pass>(module, "Pass", "For which evaluation of a step the closure is called.")
        .def_property_readonly(
            "batch", [](Pass pass) { return static_cast<int>(pass.batch); },
            "0 for the first batch of the step, 1 for the second")
        .def_readonly("perturbed", &Pass::perturbed, "whether the parameters are x + eps")
        .def_readonly("sample", &Pass::sample,
                      "-1: the whole batch; else the one sample that is asked for");

    py::class_<Optimizer>(module, "Optimizer", "An optimizer; make() makes one.")
        .def("step", &Optimizer::step, py::arg("x"), py::arg("closure"),
             "One step of x: an array, or a nest of dicts, lists and tuples of arrays (numpy's or "
             "torch's; float32 or float64, contiguous, on the CPU), changed in place. closure() "
             "returns (loss, gradient) at what x holds, the gradient as x is built; or, with "
             "tensors, the loss alone after backward(). A closure with a parameter that has no "
             "default is given the Pass, which methods with two batches need. Returns what was "
             "measured, as a dict.")
        .def("state", &Optimizer::state, py::arg("x"),
             "The state as bytes, in the format of the C++ library's files of state.")
        .def("load_state", &Optimizer::load_state, py::arg("state"), py::arg("x"),
             "Goes on from bytes that state() returned. The optimizer must be of the same make.")
        .def("begin_epoch", &Optimizer::begin_epoch,
             "To be called before each epoch, for methods that count them.")
        .def("set_threads", &Optimizer::set_threads, py::arg("threads"))
        .def_property("learning_rate", &Optimizer::learning_rate, &Optimizer::set_learning_rate)
        .def_property_readonly("steps", &Optimizer::steps)
        .def_property_readonly("batches", &Optimizer::batches, "the batches that a step asks for")
        .def("__repr__", &Optimizer::text);

    module.def(
        "make",
        [](std::string method, std::string base, py::kwargs const& options) {
            return std::make_unique<Optimizer>(std::move(method), std::move(base),
                                               polder::python::options_of(options));
        },
        py::arg("method"), py::arg("base") = "adam",
        "The optimizer of a method's name over a base optimizer's, with options of both by name. "
        "Raises ValueError for a name or "
        "an option that is unknown, with those that are known.");
    module.def(
        "methods",
        [] { return polder::registry::method_names(polder::python::all_lines<double>()); },
        "The names of all methods.");
    module.def(
        "base_optimizers", [] { return polder::registry::base_names(); },
        "The names of all base optimizers.");
}

#endif
