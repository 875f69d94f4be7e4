// A step of SAM over Adam, captured in a CUDA graph: one launch per step, and the host waits for none of them.
//
// The parameters are a million angles x_i, the loss is the sum of 1 - cos(x_i - t_i) for angles t_i that are to be found.
// Prints how long a step takes. Compiled where POLDER_CUDA is on; without a GPU it says that it is skipped.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include <polder/cuda.hpp>

__host__ __device__ float target(std::size_t i) { return static_cast<float>(i % 1000) * 1e-3f; }

__global__ void gradient_of_loss(float const* x, float* gradient, std::size_t size) {
    const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < size) gradient[i] = sinf(x[i] - target(i));
}

void check(cudaError_t status) {
    if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

int main() {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        std::printf("SKIPPED: cuda_graph: this machine has no GPU that CUDA can use\n");
        return 0;
    }
    constexpr std::size_t size = 1'000'000;
    constexpr int steps = 1000;
    cudaStream_t stream{};
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));

    thrust::device_vector<float> x(size, 0.0f);
    check(cudaDeviceSynchronize());  // Thrust has written on another stream
    polder::SAM optimizer{polder::Adam{.learning_rate = 0.02}, {.rho = 0.05}};
    optimizer.set_learning_rate_schedule(polder::schedules::Cosine{.steps = steps});
    optimizer.set_stream(stream);
    auto const closure = [&](auto const& at, auto& gradient) {
        constexpr unsigned threads = 256;
        gradient_of_loss<<<(size + threads - 1) / threads, threads, 0, stream>>>(
            at.data().get(), gradient.data().get(), size);
        return polder::DeviceLoss();  // nobody asks for it
    };

    // The first step makes the state, which a capture must not.
    optimizer.step(x, closure);
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    const polder::DeviceReport report = optimizer.step(x, closure);
    cudaGraph_t graph{};
    cudaGraphExec_t step{};
    check(cudaStreamEndCapture(stream, &graph));
    check(cudaGraphInstantiate(&step, graph, 0));

    cudaEvent_t begin{}, end{};
    check(cudaEventCreate(&begin));
    check(cudaEventCreate(&end));
    check(cudaEventRecord(begin, stream));
    for (int t = 1; t < steps; ++t) {
        optimizer.before_replay(x);
        check(cudaGraphLaunch(step, stream));
    }
    check(cudaEventRecord(end, stream));

    const polder::Report last = report.read();  // waits
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end));
    std::vector<float> found(size);
    thrust::copy(x.begin(), x.end(), found.begin());
    float farthest = 0;
    for (std::size_t i = 0; i < size; ++i) {
        farthest = std::max(farthest, std::abs(found[i] - target(i)));
    }
    std::printf("%.1f us a step; gradient norm %.2g, farthest angle off by %.2g\n",
                1e3 * static_cast<double>(milliseconds) / (steps - 1), last.gradient_norm,
                static_cast<double>(farthest));
    return farthest < 0.01f ? 0 : 1;
}
