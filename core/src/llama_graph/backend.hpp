// SPDX-License-Identifier: Apache-2.0
// What the scheduler and the allocator ask of a backend. The CUDA rules are those of ggml-org/llama.cpp v0.5.0 ggml/src/ggml-cuda.
#pragma once

#include <cstdint>
#include <vector>

#include "llama_graph/graph.hpp"

namespace weighbridge::llama_graph {

enum class BackendKind : std::uint8_t {
  host,    ///< the processor: runs everything
  cuda,    ///< also ROCm, which is the same source
  metal,   ///< its sizes and what it runs; not the order in which it computes (ggml_graph_optimize), nor what it fuses
  vulkan,  ///< assumed to run what CUDA runs, but for attention; not its order either (ggml_vk_graph_optimize)
};

struct Backend {
  BackendKind kind = BackendKind::host;

  /// Bytes to which every tensor of its buffers is aligned.
  [[nodiscard]] std::uint64_t alignment() const;
  /// Whether it runs the operation.
  [[nodiscard]] bool supports(const Node& node) const;
  /// Whether it runs the operation although the weights lie on the host, copying them.
  [[nodiscard]] bool wants(const Node& node) const;
  /// Bytes of the tensor in one of its buffers, before alignment.
  [[nodiscard]] std::uint64_t alloc_size(const Node& tensor) const;
};

/// Metal's part of Backend::supports and Backend::alloc_size.
[[nodiscard]] bool metal_supports(const Node& node);
[[nodiscard]] std::uint64_t metal_bytes(const Node& tensor);

/// `tensor` must not be freed before `until` is computed.
struct Dependency {
  Node* tensor = nullptr;
  Node* until = nullptr;
};

/// What CUDA's fused operations read and write at once (ggml-cuda.cu, ggml_backend_cuda_graph_optimize). `nodes`: one split, in order.
[[nodiscard]] std::vector<Dependency> fused_dependencies(Node* const* nodes, int n_nodes);

}  // namespace weighbridge::llama_graph
