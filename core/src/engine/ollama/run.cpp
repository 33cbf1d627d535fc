// SPDX-License-Identifier: Apache-2.0
// How releases before 0.30 ran a model: their own choice of GPUs and layers, then a llama.cpp of their time, or an engine of their own. Both
// are planned as the llama.cpp that we replay, and what their graphs may take otherwise is in the band (ollama/ollama v0.24.0 llm/server.go,
// runner/llamarunner/runner.go, runner/ollamarunner/runner.go, kvcache).
#include <algorithm>
#include <utility>

#include "engine/formula.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "engine/llama_cpp/stages.hpp"
#include "engine/local_rules.hpp"
#include "engine/ollama/ollama.hpp"
#include "gguf/architecture.hpp"
#include "json_text.hpp"

namespace weighbridge::ollama {

namespace {

constexpr std::int64_t kBatch = 512;
constexpr std::uint64_t kOwnGraphs = 200;     // percent; two logs: 6 % less (ollama/ollama#13343) to 66 % more (#13372)
constexpr std::int64_t kWindowMemory = 4096;  // model/models/gptoss/model.go and gemma4/model.go, NewSWAMemCache
constexpr Source kCheckpointSource{"ollama/ollama v0.24.0 kvcache/recurrent_checkpoints.go: all are set aside on the layer's device at the start",
                                   "https://github.com/ollama/ollama/blob/v0.24.0/kvcache/recurrent_checkpoints.go"};

/// fs/ggml/ggml.go, SupportsFlashAttention: heads of keys as wide as those of values. Encoders have none.
bool model_flashes(const Model& model, std::string_view architecture) {
  if (is_any_of(architecture, {"gemma2", "grok"})) return false;
  const FullAttention* heads = first_grouped_attention(model.layers);
  return heads != nullptr && heads->head_dim_k == heads->head_dim_v && first_latent_attention(model.layers) == nullptr &&
         !std::holds_alternative<EncoderAttention>(model.layers.front().mixer);
}

bool is_quantized(std::string_view cache_type) { return is_any_of(cache_type, {"q8_0", "q4_0"}); }

/// With attention to sinks a quantized cache was refused until 0.12.4 (fs/ggml/ggml.go, SupportsKVCacheType).
bool supports_cache_type(int release, std::string_view architecture) {
  constexpr int refused_from = 11'005;
  constexpr int refused_until = 12'004;
  return architecture != "gpt-oss" || release < refused_from || release >= refused_until;
}

/// States of a sequence that its own engine keeps to go back to.
std::int64_t checkpoints(const Way& way, std::string_view architecture) {
  constexpr int for_all = 17'001;
  constexpr int for_one = 15'005;
  if (!way.itself) return 0;
  if (way.release >= for_all) return 24;
  return way.release >= for_one && architecture == "qwen3next" ? 32 : 0;
}

/// The windows as its own engine keeps them, where they are wider than the model's.
Model with_kept_windows(const Model& model) {
  Model kept = model;
  kept.layers.change_all([](LayerSpec& layer) {
    if (auto* sliding = std::get_if<SlidingAttention>(&layer.mixer)) sliding->window = std::max(sliding->window, kWindowMemory);
  });
  return kept;
}

/// The devices one by one, the one with most memory first: what its group is.
std::vector<std::size_t> cards_of(const Scenario& scenario) {
  std::vector<std::size_t> cards;
  for (std::size_t group = 0; group < scenario.hardware.size(); ++group)
    cards.insert(cards.end(), static_cast<std::size_t>(scenario.hardware[group].count), group);
  std::stable_sort(cards.begin(), cards.end(),
                   [&](std::size_t a, std::size_t b) { return scenario.hardware[a].capacity() > scenario.hardware[b].capacity(); });
  return cards;
}

/// Chooses for one job.
class Chooser {
 public:
  Chooser(const Job& job, const Rules& rules)
      : job_(job), architecture_(gguf::architecture_of(job.model)), cards_(cards_of(job.scenario)), run_{job.scenario, {rules}, {}, 0, false, {}} {
    run_.way.release = release_of(job.scenario.engine_version, rules);
    run_.way.itself = runs_itself(rules, run_.way.release, architecture_);
    run_.way.sequences = runs_one_at_a_time(job.model) ? 1 : job.scenario.sequences;
    if (run_.way.itself && is_any_of(architecture_, {"gpt-oss", "gemma4"})) kept_ = with_kept_windows(job.model);
    for (const std::size_t card : cards_) free_.push_back(job.scenario.hardware[card].capacity());
  }

  Run choose() {
    choose_attention();
    choose_batch(run_.way.sequences);
    if (cards_.empty() || requested() == 0) {
      choose_batch(most_sequences());  // server/sched.go: "simplifying assumption of defaultParallel when in CPU mode"
      place({});
    } else if (run_.way.placing() == Placing::estimated) {
      place(estimate());
    } else {
      run_.books = books_of(job_, run_.way);
      place(run_.way.itself ? measure_and_lay_out() : lay_out_estimated(run_.books, free_, spreads()));
    }
    run_.plan = plan_of(run_.scenario, job_.explain);
    add_checkpoints();
    llama_cpp::widen_graphs(run_.plan, run_.way.itself ? kOwnGraphs : llama_cpp::kOtherGraphs);
    restore_groups();
    return std::move(run_);
  }

 private:
  [[nodiscard]] LlamaCppOptions& options() { return run_.scenario.options.llama_cpp; }
  [[nodiscard]] std::int64_t requested() const { return job_.scenario.options.llama_cpp.n_gpu_layers.value_or(-1); }
  [[nodiscard]] bool spreads() const { return job_.scenario.options.llama_cpp.sched_spread.value_or(false); }

  void choose_attention() {
    const std::vector<DeviceGroup>& groups = job_.scenario.hardware;
    const std::optional<bool>& asked = job_.scenario.options.llama_cpp.flash_attn;
    const bool supported = std::all_of(groups.begin(), groups.end(), [](const DeviceGroup& g) { return has_flash_attention(g.device); }) &&
                           model_flashes(job_.model, architecture_);
    run_.way.flash_attention = asked.value_or(flashes(run_.way.release, architecture_)) && supported;
    const bool leaves_it = !asked && run_.way.rules.automatic_flash && !run_.way.itself;
    options().flash_attn = run_.way.flash_attention;
    if (leaves_it) {
      run_.way.flash_attention = false;  // for its formulas, and for the cache's type
      options().flash_attn.reset();
    }
    run_.ignores_cache_type = is_quantized(job_.scenario.kv_type) &&
                              !(run_.way.flash_attention && supports_cache_type(run_.way.release, architecture_));
    if (run_.ignores_cache_type) run_.scenario.kv_type = run_.scenario.kv_value_type = "f16";
  }

  /// What the runner gets for so many sequences. A context of llama.cpp took 512 tokens at once until 0.13.3 (llama/llama.go, NewContextParams).
  void choose_batch(std::int64_t sequences) {
    constexpr int passes_micro_batch = 13'003;
    LlamaCppOptions& o = options();
    Way& way = run_.way;
    way.sequences = sequences;
    way.tokens = context_of(job_.model, job_.scenario, job_.scenario.context_tokens) * sequences;
    way.batch = std::min(job_.scenario.options.llama_cpp.n_batch.value_or(kBatch), way.tokens);
    way.cache_type = run_.scenario.kv_type;
    run_.scenario.sequences = sequences;
    o.n_seq_max = sequences;
    o.n_ctx = way.tokens;
    o.n_batch = way.itself ? way.batch : way.batch * sequences;
    o.n_ubatch = way.itself || way.release >= passes_micro_batch ? way.batch : std::min(kBatch, *o.n_batch);
    o.kv_unified = way.itself || way.rules.unified;
    o.swa_full = !way.itself;                 // llama_context_default_params
    if (way.itself) o.n_outputs = sequences;  // reserveWorstCaseGraph
    o.mmproj = o.mmproj.value_or(llama_cpp::projector_bytes(job_) > Bytes());
    o.fit = o.mtp = false;
    o.caches_latent_values = true;        // kvcache/causal.go, Put, and its llama.cpp: ggml-org/llama.cpp#19067 came after
    o.has_predictions = false;            // its converters left those that predict further tokens out
    o.cache_ram = o.ctx_checkpoints = 0;  // of llama-server
    run_.scenario.engine_version.clear();
  }

  /// What it tries to make room for.
  [[nodiscard]] std::int64_t most_sequences() const {
    const bool leaves_it = !job_.scenario.options.llama_cpp.n_seq_max && !runs_one_at_a_time(job_.model);
    return leaves_it ? std::max(run_.way.sequences, run_.way.rules.parallel) : run_.way.sequences;
  }

  [[nodiscard]] bool holds_all(const Layout& layout) const {
    const std::int64_t all = job_.model.n_layers() + 1;
    return layout.sum() >= (requested() < 0 ? all : std::min(requested(), all));
  }

  /// server/sched.go and llm/memory.go, pickBestFullFitByLibrary: few GPUs if they hold everything, for as many sequences as it tries first.
  Layout estimate() {
    const std::int64_t least = run_.way.sequences;
    const std::int64_t most = most_sequences();
    const auto estimate_on = [&](std::size_t n_cards, std::int64_t sequences) {
      choose_batch(sequences);
      run_.books = books_of(job_, run_.way);
      Layout layout = estimate_layers(run_.way.rules, run_.books, {free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(n_cards)});
      layout.layers.resize(cards_.size());  // the others hold nothing
      return layout;
    };
    for (std::size_t n_cards = spreads() ? cards_.size() : 1; n_cards <= cards_.size(); n_cards = run_.way.rules.packs ? n_cards + 1 : next(n_cards))
      for (const std::int64_t sequences : {most, least})
        if (Layout layout = estimate_on(n_cards, sequences); holds_all(layout)) return layout;
    return estimate_on(cards_.size(), least);
  }
  /// After one GPU all of them.
  [[nodiscard]] std::size_t next(std::size_t n_cards) const { return n_cards < cards_.size() ? cards_.size() : n_cards + 1; }

  /// llm/server.go, ollamaServer.Load: lays out, asks the runner what the graph takes, and again until nothing changes.
  Layout measure_and_lay_out() {
    add_to_books();
    Layout layout{std::vector<std::int64_t>(cards_.size()), 0, 1, false};
    layout.layers.front() = job_.model.n_layers() + 1;
    std::vector<Layout> past;
    std::vector<Bytes> graph;
    const auto again = [&](std::int64_t wanted) {
      Books books = run_.books;
      if (wanted >= 0) books.requested = wanted;
      return lay_out(books, free_, graph, spreads());
    };
    while (true) {
      graph = graphs_of(layout);
      past.push_back(layout);
      const Layout next_layout = again(-1);
      if (next_layout.sum() <= layout.sum() && std::find(past.begin(), past.end(), next_layout) == past.end()) {
        layout = next_layout;
        continue;
      }
      for (std::int64_t between = next_layout.sum() - 1; requested() < 0 && between > layout.sum(); --between) {
        const Layout trial = again(between);
        const std::vector<Bytes> before = std::exchange(graph, graphs_of(trial));
        if (again(-1).sum() >= trial.sum()) return trial;
        graph = before;
      }
      return layout;
    }
  }

  /// Its own engine counts every byte of cache; the formulas have been right for llama.cpp only.
  void add_to_books() {
    const Job own{model(), job_.tensors, run_.scenario, false, job_.memo};
    const llama_cpp::Settings settings = llama_cpp::settle(own);
    std::shared_ptr<const void> kept;
    const llama_cpp::Loads& loads = llama_cpp::loads_of(job_, job_.memo != nullptr ? job_.memo->loads : kept);
    llama_cpp::Placement alone;
    alone.n_devices = 1;
    for (std::size_t i = 0; i < run_.books.layers.size(); ++i) {
      const LayerSpec& layer = model().layers[i];
      alone.layer_device.assign(run_.books.layers.size(), llama_cpp::Placement::kHost);
      alone.layer_device[i] = 0;
      const Bytes state = recurrent_part(layer) == nullptr ? Bytes() : llama_cpp::recurrent_term(own, settings, alone, 0).bytes;
      run_.books.layers[i] = loads.layers[i].plain + loads.experts[i].plain +
                             (layer.shares_cache ? Bytes() : llama_cpp::cache_bytes(layer.mixer, settings, false)) +
                             state * static_cast<std::uint64_t>(1 + checkpoints(run_.way, architecture_));
    }
    run_.books.output += run_.books.images;
    run_.books.images = Bytes();
  }

  /// What the graph of a layout takes of each GPU.
  std::vector<Bytes> graphs_of(const Layout& layout) {
    const Scenario before = run_.scenario;
    place(layout);
    bool kept = false;
    if (job_.memo != nullptr) std::swap(kept, job_.memo->forms);
    const Plan trial = plan_of(run_.scenario, false);
    if (job_.memo != nullptr) job_.memo->forms = kept;
    std::vector<Bytes> graph(cards_.size());
    std::vector<std::size_t> used;
    for (std::size_t card = 0; card < cards_.size(); ++card)
      if (layout.layers[card] > 0) used.push_back(card);
    for (std::size_t device = 0; device < std::min(used.size(), trial.devices.size()); ++device)
      for (const Term& term : trial.devices[device].terms)
        if (term.id == "compute" || term.id == "projector_compute") graph[used[device]] += term.bytes;
    run_.scenario = before;
    return graph;
  }

  /// The runner sees only the GPUs that hold layers; without any, it starts on one and leaves it alone.
  void place(const Layout& layout) {
    LlamaCppOptions& o = options();
    run_.n_devices = layout.end - layout.first;
    o.n_gpu_layers = layout.sum();
    o.moved.clear();
    if (cards_.empty()) return;
    std::vector<DeviceGroup> hardware;
    origin_.clear();
    o.tensor_split.clear();
    for (std::size_t card = 0; card < cards_.size(); ++card) {
      const bool stands_in = layout.sum() == 0 && card == 0;
      if (!stands_in && (layout.sum() == 0 || layout.layers[card] == 0)) continue;
      const DeviceGroup& group = job_.scenario.hardware[cards_[card]];
      if (origin_.empty() || origin_.back() != cards_[card]) {
        hardware.push_back(group);
        hardware.back().count = 0;
        origin_.push_back(cards_[card]);
      }
      ++hardware.back().count;
      o.tensor_split.push_back(layout.sum() == 0 ? 1 : static_cast<double>(layout.layers[card]));
    }
    run_.scenario.hardware = std::move(hardware);
    run_.scenario.parallel = {};
    run_.scenario.parallel.tensor = run_.scenario.device_count();
    o.op_offload = layout.sum() > 0;
    o.main_gpu.reset();
    o.split_mode.reset();
    // Its own engine leaves the output on the host where llama.cpp counts it first.
    if (layout.without_output && run_.way.itself && layout.sum() > 0) move_output();
  }

  void move_output() {
    ++*options().n_gpu_layers;
    for (std::size_t i = 0; i < job_.tensors.size(); ++i) {
      const Tensor& tensor = job_.tensors[i];
      const bool is_head = tensor.role == TensorRole::embedding || (tensor.layers.first < 0 && tensor.name.starts_with("output"));
      if (tensor.part == ModelPart::text && is_head) options().moved.push_back({i, llama_cpp::Placement::kHost});
    }
  }

  [[nodiscard]] const Model& model() const { return kept_ ? *kept_ : job_.model; }
  [[nodiscard]] Plan plan_of(const Scenario& scenario, bool explain) const {
    return llama_cpp::plan({model(), job_.tensors, scenario, explain, job_.memo});
  }

  void add_checkpoints() {
    const std::int64_t number = checkpoints(run_.way, architecture_);
    for (DevicePlan& device : run_.plan.devices) {
      const auto state = std::find_if(device.terms.begin(), device.terms.end(), [](const Term& term) { return term.id == "recurrent_state"; });
      if (number == 0 || state == device.terms.end()) continue;
      Term term;
      term.id = "checkpoints";
      term.source = kCheckpointSource;
      FormulaRow row = make_row(job_.explain, "checkpoints", {{"bytes_of_one", llama_cpp::as_factor(state->bytes)}, {"checkpoints", number}});
      term.bytes = term.low = term.high = row.bytes;
      if (job_.explain) term.formula.rows.push_back(std::move(row));
      device.reserved += term.bytes;
      device.observed += term.bytes;
      device.terms.push_back(std::move(term));
    }
  }

  void restore_groups() {
    for (DevicePlan& device : run_.plan.devices) device.group = origin_[device.group];
    std::stable_sort(run_.plan.devices.begin(), run_.plan.devices.end(), [](const DevicePlan& a, const DevicePlan& b) { return a.group < b.group; });
  }

  const Job& job_;
  std::string_view architecture_;
  std::vector<std::size_t> cards_;
  std::vector<Bytes> free_;
  std::optional<Model> kept_;
  std::vector<std::size_t> origin_;  ///< the group that each group of the chosen hardware is of
  Run run_;
};

}  // namespace

Run run_before_llama_server(const Job& job, const Rules& rules) { return Chooser(job, rules).choose(); }

}  // namespace weighbridge::ollama
