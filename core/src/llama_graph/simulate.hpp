// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "llama_graph/graph.hpp"
#include "llama_graph/layers.hpp"
#include "weighbridge/units.hpp"

namespace weighbridge::llama_graph {

/// Tensors of one kind that lie in a buffer at the same time. `label`: logits, hidden_states and so on, as rows of a formula have them.
struct Part {
  std::string_view label;
  Bytes bytes;
};

struct Buffer {
  Bytes bytes;
  std::vector<Part> parts;  ///< at its fullest moment, largest first; only if the job asks for explanations
};

/// Compute buffers as the engine reserves them for its largest batch.
struct Buffers {
  std::vector<Buffer> devices;  ///< in the order of the hardware
  Buffer host;
  bool is_as_run = false;  ///< of a plan: what the engine pins as it runs changes nothing
};

/// The engine puts norms at their layer's device, and with the cache on the host attention there. When it only plans (src/llama-context.cpp,
/// graph_reserve with sizes: the scheduler is reset between) this is lost. `run_one`: as it runs with all tokens in one sequence.
enum class Purpose { plan, run, run_one };

class Builder;
struct Replays;

/// One way of running, simulated for one purpose after the other. Borrows what it is made of.
class Simulation {
 public:
  Simulation(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Builds the graph, splits and allocates it as the engine does (src/llama-context.cpp, llama_context::sched_reserve); nothing for an architecture
  /// whose graph we have not read. `least`: how much of it to build at least; the answer is the same.
  [[nodiscard]] std::optional<Buffers> buffers(Purpose purpose, Detail least = Detail::few_periods);

 private:
  [[nodiscard]] std::optional<Buffers> replay(Purpose purpose);
  [[nodiscard]] std::optional<Buffers> replay(Purpose purpose, Detail detail, bool& is_sure);
  [[nodiscard]] Builder* build(bool is_of_one, Detail detail);

  const Job& job_;
  const llama_cpp::Settings& settings_;
  const llama_cpp::Placement& placement_;
  std::shared_ptr<Replays> replays_;  ///< those of the job's memo, or its own
  LentArena arena_;                   ///< of the graph
  std::unique_ptr<Builder> built_;    ///< the last graph: a plan and a run differ only in where they compute it
  bool is_of_one_ = false;
  Detail detail_ = Detail::few_periods;  ///< of it
};

/// MLA in a file without absorbed matrices: keys and values are cached per head although they come from a latent.
[[nodiscard]] bool unfolds_latents(const std::vector<Tensor>& tensors);

/// Whether every layer's device has a kernel of flash attention for its heads and types: what the engine's "auto" goes by
/// (src/llama-context.cpp, resolve_fused_ops).
[[nodiscard]] bool runs_flash_attention(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement);

/// Whether the device has a kernel for heads of `head` elements, keys and values in 16 bits.
[[nodiscard]] bool runs_flash_attention(const Device& device, std::int64_t head);

}  // namespace weighbridge::llama_graph
