// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"

// Ollama by version. Read: every release from 0.6.3 to 0.33 (ollama/ollama, its tags).
namespace weighbridge::ollama {

/// A release as one number that grows with it: 0.12.4 is 12'004. Nothing: no release 0.x.
[[nodiscard]] std::optional<int> release_number(std::string_view version);

/// Who decides how many layers go to the GPUs.
enum class Placing {
  estimated,     ///< Ollama, from formulas (llm/memory.go, estimateGPULayers)
  laid_out,      ///< Ollama, by laying layers out beside graphs that its own engine measured or, for llama.cpp, its formulas give (llm/server.go)
  llama_server,  ///< llama-server's automatic fit
};

/// What a release does that others do not: one row a change.
struct Rules {
  std::string_view version;  ///< the first release with them, or the newest that was read
  std::int64_t context;      ///< tokens if none are asked for; 0: by the GPUs' memory
  std::int64_t parallel;     ///< sequences that it tries first if OLLAMA_NUM_PARALLEL is not set; 1 is what it falls back to
  Placing llama_cpp;         ///< for models that llama.cpp runs
  Placing own;               ///< for models that Ollama's own engine runs
  bool last_layer_first;     ///< the order in which `estimated` deals layers out
  bool widest_aside;         ///< it sets the widest layer aside on each GPU, the output or embedding among them, and not the first
  bool images_last;          ///< and counts its own engine's image encoder with the output, not on the first GPU
  bool packs;                ///< `estimated` tries two, three, … GPUs before all of them
  bool unified;              ///< the vendored llama.cpp has one cache for all sequences
  bool automatic_flash;      ///< llama.cpp decides on flash attention if nobody does
  bool clears_projector;     ///< llama-server is told to keep the image encoder's room clear (LLAMA_ARG_FIT_TARGET)
  std::string_view carries;  ///< the llama.cpp it is built with; empty: that whose graphs we replay
};

/// The rules of a release: those of the last row that is not newer. Of what is no release, or older than all: the newest, the oldest.
[[nodiscard]] const Rules& rules_for(std::string_view version);
/// The release to count by: the named one, or the first of its rules.
[[nodiscard]] int release_of(std::string_view version, const Rules& rules);
/// Somebody read this release, or none is named.
[[nodiscard]] bool is_read(std::string_view version);

/// Ollama's own engine runs models of this llama.cpp architecture (fs/ggml/ggml.go, OllamaEngineRequired).
[[nodiscard]] bool runs_itself(const Rules& rules, int release, std::string_view architecture);
/// Flash attention is on unless somebody turns it off (fs/ggml/ggml.go, FlashAttention).
[[nodiscard]] bool flashes(int release, std::string_view architecture);

/// How Ollama would run a model.
struct Way {
  const Rules& rules;
  int release = 0;
  bool itself = false;      ///< its own engine, not llama.cpp
  std::int64_t tokens = 0;  ///< of all sequences
  std::int64_t sequences = 0;
  std::int64_t batch = 0;
  bool flash_attention = false;
  std::string_view cache_type = "f16";

  [[nodiscard]] Placing placing() const { return itself ? rules.own : rules.llama_cpp; }
};

/// A model in Ollama's books: what each layer takes with its cache, and what it estimates of the rest.
struct Books {
  std::vector<Bytes> layers;    ///< weights and cache
  Bytes output;                 ///< norm and output matrix, or the embedding that stands in for it, and what is counted with it
  Bytes aside;                  ///< a layer's size that is set aside on each GPU
  Bytes full;                   ///< the graph on one GPU that holds everything
  Bytes partial;                ///< the graph otherwise
  Bytes images;                 ///< an encoder on the first GPU
  Bytes minimum;                ///< of each GPU, for what no model takes (ml/device.go, MinimumMemory), and OLLAMA_GPU_OVERHEAD
  std::int64_t requested = -1;  ///< layers asked for (`num_gpu`); -1: as many as fit

  [[nodiscard]] Bytes graph() const { return full > partial ? full : partial; }
  [[nodiscard]] Bytes total(std::size_t n_devices) const;  ///< what all of it would take on so many GPUs
};
[[nodiscard]] Books books_of(const Job& job, const Way& way);

/// Layers by GPU, the output counted as one.
struct Layout {
  std::vector<std::int64_t> layers;
  std::size_t first = 0;        ///< layers were offered to the GPUs from this one
  std::size_t end = 0;          ///< to the one before this
  bool without_output = false;  ///< it was left out to make room for other layers

  [[nodiscard]] std::int64_t sum() const;
  friend bool operator==(const Layout&, const Layout&) = default;
};

/// llm/memory.go, estimateGPULayers, for GPUs with `free` bytes each.
[[nodiscard]] Layout estimate_layers(const Rules& rules, const Books& books, const std::vector<Bytes>& free);
/// llm/server.go, buildLayout: `free` by falling size; `graph`: what a graph takes of each; `spread`: over all of them (OLLAMA_SCHED_SPREAD).
[[nodiscard]] Layout lay_out(const Books& books, const std::vector<Bytes>& free, const std::vector<Bytes>& graph, bool spread);
/// llm/server.go, llamaServer.Load: the same with graphs from formulas.
[[nodiscard]] Layout lay_out_estimated(const Books& books, std::vector<Bytes> free, bool spread);

/// How a release before 0.30 runs a job: everything chosen, and the plan of it.
struct Run {
  Scenario scenario;
  Way way;
  Books books;
  std::size_t n_devices = 0;  ///< that layers were offered to
  bool ignores_cache_type = false;
  Plan plan;
};
[[nodiscard]] Run run_before_llama_server(const Job& job, const Rules& rules);

/// server/sched.go, load: "Some architectures are not safe with num_parallel > 1."
[[nodiscard]] bool runs_one_at_a_time(const Model& model);
/// Tokens of a sequence: what is asked for, at most what the model was trained for. gpt-oss and Qwen3-VL got 8,192 for a while, however few
/// were asked for (server/routes.go).
[[nodiscard]] std::int64_t context_of(const Model& model, const Scenario& scenario, std::int64_t asked);
/// ml/device.go, cudaFlashAttentionSupported
[[nodiscard]] bool has_flash_attention(const Device& device);

}  // namespace weighbridge::ollama
