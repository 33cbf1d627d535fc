// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// The buffers of graphs: llama.cpp's by device and of the host.
struct GraphTerms {
  std::vector<Term> devices;
  Term host;
};

/// All that a kept term depends on besides the model and its format, as the engine numbers it; zeros: none yet.
using MemoKey = std::array<std::int64_t, 7>;

/// What stays the same while a solver moves context and sequences, kept by the engine between its answers about one model and format.
struct Memo {
  MemoKey key{};                      ///< of the job that `weights` was counted for, and that the model can be split for
  Term weights;                       ///< without its formula
  std::string_view published;         ///< published_format()
  std::int64_t block_tokens = 1;      ///< by which the cache of a sequence grows, as the engine last counted
  std::shared_ptr<const void> pages;  ///< vLLM: how layers share pages, with what that depends on
  std::shared_ptr<void> layouts;      ///< vLLM: how DeepSeek-V4's caches lie in the pool (compressed.cpp)
  std::shared_ptr<const void> loads;  ///< what each layer weighs: llama.cpp's Loads, or the ModuleSizes of engines that deal layers out
  std::shared_ptr<const void> kinds;  ///< llama.cpp: which layers are alike (llama_graph/layers.hpp)
  std::shared_ptr<void> replays;      ///< llama.cpp: buffers by what they depend on (llama_graph/simulate.cpp)
  std::shared_ptr<void> draft;        ///< llama.cpp: the model that drafts, in its format (llama_cpp/draft_model.cpp)

  /// llama.cpp: what was done so far. A benchmark prints it, and tests hold it down.
  struct Work {
    int replayed = 0;  ///< graphs that were built, split and allocated
    int nodes = 0;     ///< of these graphs
  };
  Work work;

  /// llama.cpp: whether bounds are wanted beside the figures; without them what only widens a bound is not replayed.
  bool bounds = true;

  /// Whether the answer is shown, though it is not explained: what does not fit anyway is then counted to the byte too (llama.cpp; else its graphs
  /// are bounds, which take no time), and what would wait is no reason to refuse (Ollama).
  bool is_shown = false;

  /// llama.cpp: where closed forms are good enough, twice their most stands for graphs, so that a solver replays only what is not clear without.
  bool forms = false;

  /// Whether only what lies on the devices whole is of use: what the engine places itself, and cannot place so, is then refused at once (llama.cpp's
  /// automatic fit).
  bool whole = false;

  /// llama.cpp: taken for what replays would give, which take the time; devices that it does not name have none.
  std::optional<GraphTerms> graphs;

  /// While a solver moves nothing but context and sequences: the weights of stages that were counted, without formulas (kept_weights()).
  struct KeptWeights {
    std::array<std::int64_t, 4> stage{};
    Term term;
  };
  std::optional<std::vector<KeptWeights>> weights_of_stages;
};

/// While it lives, nothing but context and sequences of the scenario differs between questions.
class OnlyWorkloadMoves {
 public:
  explicit OnlyWorkloadMoves(Memo& memo) : memo_(memo) { memo_.weights_of_stages.emplace(); }
  ~OnlyWorkloadMoves() { memo_.weights_of_stages.reset(); }
  OnlyWorkloadMoves(const OnlyWorkloadMoves&) = delete;
  OnlyWorkloadMoves& operator=(const OnlyWorkloadMoves&) = delete;

 private:
  Memo& memo_;
};

/// While it lives, answers need no bounds.
class WithoutBounds {
 public:
  explicit WithoutBounds(Memo* memo) : memo_(memo), before_(memo == nullptr || memo->bounds) {
    if (memo_ != nullptr) memo_->bounds = false;
  }
  ~WithoutBounds() {
    if (memo_ != nullptr) memo_->bounds = before_;
  }
  WithoutBounds(const WithoutBounds&) = delete;
  WithoutBounds& operator=(const WithoutBounds&) = delete;

 private:
  Memo* memo_;
  bool before_;
};

/// While it lives, what an engine leaves to the host by its own choice is of no use.
class OnlyWhole {
 public:
  explicit OnlyWhole(Memo& memo) : memo_(memo), before_(memo.whole) { memo_.whole = true; }
  ~OnlyWhole() { memo_.whole = before_; }
  OnlyWhole(const OnlyWhole&) = delete;
  OnlyWhole& operator=(const OnlyWhole&) = delete;

 private:
  Memo& memo_;
  bool before_;
};

/// What an engine is asked: one model in one format, one scenario.
struct Job {
  const Model& model;
  const std::vector<Tensor>& tensors;  ///< the model in the asked weights format
  const Scenario& scenario;
  bool explain = true;   ///< fill in formulas and the texts of refusals; solvers leave them out
  Memo* memo = nullptr;  ///< may be null
};

/// Of memory that a GPU shares with the operating system: hosts hung where an engine took more (vllm-project/vllm#46307).
inline constexpr double kSafeShareOfSystemMemory = 0.85;

/// What an engine answers: a plan for every device (equal ones once, with their count), or why it cannot run this way.
struct Plan {
  EngineReport report;
  std::vector<DevicePlan> devices;
  std::optional<HostPlan> host;
  bool tight_at_best = false;        ///< a rule of the engine or device forbids a plain "fits"
  std::optional<Notice> impossible;  ///< with devices: what they would need is known, and the engine still refuses
  std::optional<std::int64_t> nearest_tensor_parallel;
  std::optional<Parallel> nearest_parallel;
  std::optional<std::int64_t> nearest_context_tokens;
  std::optional<std::string_view> nearest_weights_format;
  std::optional<double> nearest_share;  ///< of memory (Engine::share_option) at which this runs; empty: what follows from the card alone
  Notices warnings;
};

/// llama-server with `-np -1`, its default: four slots that share a unified cache (tools/server/server.cpp).
inline constexpr std::int64_t kServerSlots = 4;
/// src/llama-cparams.h, LLAMA_MAX_SEQ: a context of llama.cpp refuses more.
inline constexpr std::int64_t kMostSlots = 256;

/// src/llama-context.cpp: GGML_PAD(n_ctx, 256); llama_context_default_params, n_ubatch.
inline constexpr std::int64_t kContextPadding = 256;
inline constexpr std::int64_t kMicroBatch = 512;

/// The workload that an engine takes when none is asked for.
struct UsualWorkload {
  std::int64_t context_tokens = 0;
  std::int64_t sequences = 0;
};

/// What people start from with an engine: what a link means that leaves it out, and what a form shows first.
struct UsualChoice {
  std::string_view format = "checkpoint";  ///< of a model that is published with a config; a file has a format of its own
  std::int64_t sequences = 16;
};

/// Over how many machines an engine spreads one model.
enum class Machines {
  one,
  several,
  staged,  ///< several, and stages of the pipeline are what it puts into them unless asked otherwise
};

enum class OptionType { number, integer, text, flag };

/// A setting as a form shows it: the engine's own name and its default in words.
struct OptionInfo {
  std::string_view name;
  OptionType type;
  std::string_view default_text;
};

/// An engine is what it adds to the neutral parts. A new one is a new file and a row in engines().
struct Engine {
  std::string_view name;
  std::string_view title;                  ///< as people write it
  std::vector<std::string_view> versions;  ///< whose rules were read, oldest first; the last is the default
  std::vector<OptionInfo> options;
  std::vector<std::string_view> weights_formats;  ///< formats it runs, besides `checkpoint`
  std::vector<std::string_view> kv_types;         ///< cache types it accepts, besides `auto`
  Plan (*plan)(const Job& job);
  std::vector<std::string_view> checkpoint_formats = {};                  ///< published formats it runs as they are but does not make itself
  std::string_view (*loads_checkpoint_as)(const Model& model) = nullptr;  ///< the format it makes of the published one; null: as it is
  bool splits_kv_types = false;                                           ///< keys and values may have types of their own
  /// Null: 32,768 tokens for the usual sequences.
  UsualWorkload (*usual_workload)(const Model& model, const Scenario& scenario) = nullptr;
  UsualChoice usual = {};
  std::string_view share_option = "gpu_memory_utilization";  ///< what it calls the share of memory that it takes
  bool shares_total = true;                                  ///< a share of the whole card, and not of what is free at some moment
  bool loads_speech = false;                                 ///< what speaks beside the language model is loaded too
  Machines machines = Machines::one;
  std::int64_t context_padding = 1;  ///< a context of all sequences together is filled up to a multiple of so many tokens
  bool deals_in_turn = false;  ///< layers go to the first device that has room for them beside all else, so that a greater need moves them onwards

  /// Whether it runs weights of `format`, which a checkpoint may have.
  [[nodiscard]] bool loads(std::string_view format) const;

  /// Whether it has a setting of this name.
  [[nodiscard]] bool has_option(std::string_view option) const;

  /// Plans as llama.cpp does, with its options, and with settings of its own.
  [[nodiscard]] bool is_llama_cpp() const { return splits_kv_types; }
};

/// checkpoint_format() of the model, counted once.
[[nodiscard]] std::string_view published_format(const Job& job);

/// The weights format that is loaded: the asked one, or that of the checkpoint.
[[nodiscard]] std::string_view stored_format(const Job& job);
/// Whether the cache is FP8: asked for, or left to the engine with a checkpoint that says so in a way which the engine heeds.
[[nodiscard]] bool caches_fp8(const Job& job, bool heeds_modelopt, bool heeds_compressed_tensors = false);
/// What there is to say of a cache beside its figures: a checkpoint's own type, a latent that every rank has, or heads that ranks split.
[[nodiscard]] std::string_view cache_note(const Job& job, bool is_fp8, bool is_latent, std::int64_t ranks);

/// That the figures are by the rules of `used`, since nobody read those of `asked`.
[[nodiscard]] Notice unread_version(std::string_view engine, const std::string& asked, std::string_view used);

/// GiB in two digits behind the point, rounded down, as engines print them.
[[nodiscard]] std::string gib_text(Bytes bytes);

/// That the rules of `what` are in another module, which the page then brings: an error at `params.engine.module`.
[[nodiscard]] Notice rules_elsewhere(std::string_view what);

/// Whether this program has the rules of llama.cpp, what runs it, and the libraries (engine/local_rules.hpp). What only they need is asked for behind
/// this, so that it is left out where they are.
[[nodiscard]] bool has_local_rules();

/// The plan of an engine of which one version was read.
[[nodiscard]] Plan plan_of_one_version(const Job& job, const Engine& engine);

[[nodiscard]] const std::vector<Engine>& engines();
[[nodiscard]] const Engine* find_engine(std::string_view name);
/// "vllm, sglang, …": what a refusal of any other name expects.
[[nodiscard]] std::string engine_names();
[[nodiscard]] const Engine& article_engine();
[[nodiscard]] const Engine& exllamav2_engine();
[[nodiscard]] const Engine& exllamav3_engine();
[[nodiscard]] const Engine& llama_cpp_engine();
[[nodiscard]] const Engine& lmdeploy_engine();
[[nodiscard]] const Engine& lm_studio_engine();
[[nodiscard]] const Engine& mlc_engine();
[[nodiscard]] const Engine& mlx_engine();
[[nodiscard]] const Engine& ollama_engine();
[[nodiscard]] const Engine& sglang_engine();
[[nodiscard]] const Engine& tensorrt_llm_engine();
[[nodiscard]] const Engine& tgi_engine();
[[nodiscard]] const Engine& transformers_engine();
[[nodiscard]] const Engine& vllm_engine();
[[nodiscard]] const Engine& web_llm_engine();

}  // namespace weighbridge
