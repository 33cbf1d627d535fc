// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/best_weights.hpp"

#include <algorithm>

#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "solve/kept_searches.hpp"
#include "verdict.hpp"
#include "weighbridge/fit.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

// Of GGUF the file types that are published for most models. Perplexity of Llama-3-8B rises by 0.0026, 0.0217, 0.0569, 0.1754, 0.6569 and 3.5199
// (ggml-org/llama.cpp v0.5.0 tools/quantize/quantize.cpp). int8 stands in for fp8 on cards that refuse it.
const std::vector<std::string_view>& loss_order() {
  static const std::vector<std::string_view> order{"gguf:Q8_0", "gguf:Q6_K",   "gguf:Q5_K_M", "gguf:Q4_K_M", "gguf:Q3_K_M", "gguf:Q2_K", "mlx-8bit",
                                                   "mlx-6bit",  "mlx-5bit",    "mlx-4bit",    "exl2-8bpw",   "exl2-6bpw",   "exl2-5bpw", "exl2-4bpw",
                                                   "exl2-3bpw", "exl2-2.4bpw", "exl3-8bpw",   "exl3-6bpw",   "exl3-5bpw",   "exl3-4bpw", "exl3-3bpw",
                                                   "exl3-2bpw", "q4f16_1",     "q3f16_1",     "fp8",         "int8",        "awq-int4"};
  return order;
}

namespace {

constexpr std::string_view kCheckpoint = "checkpoint";
constexpr std::string_view kWidestOnHost = "gguf:Q4_K_M";
constexpr std::int64_t kUsualContext = 8192;  // tokens: what is asked for most

/// Room by the high bounds.
Rooms sure_rooms(const Estimate& answer) {
  Rooms left = device_rooms(answer, Figure::high);
  if (answer.host && answer.host->capacity) left.push_back(difference(*answer.host->capacity, sure_need(*answer.host)));
  return left;
}

bool surely_holds(const Estimate& answer, VerdictClass kind) { return answer.verdict.kind == kind && holds(sure_rooms(answer)); }

class Search {
 public:
  Search(const Model& model, const Scenario& scenario, std::string_view smallest, KeptSearch& kept)
      : model_(model), scenario_(without_fit(scenario)), fit_(scenario.options.llama_cpp.fit), engine_(find_engine(scenario.engine)), kept_(kept) {
    scenario_.options.llama_cpp.n_gpu_layers.reset();
    if (engine_ != nullptr) places_by_itself_ = places_by_itself(in_fit(scenario_));
    formats_.push_back(kCheckpoint);
    if (engine_ == nullptr || model.from_gguf) return;
    for (const std::string_view format : loss_order()) {
      const std::vector<std::string_view>& known = engine_->weights_formats;
      if (std::find(known.begin(), known.end(), format) == known.end()) continue;
      formats_.push_back(format);
      if (format == smallest) break;
    }
  }

  Result<BestWeights> run() {
    for (std::size_t index = 0; index < formats_.size(); ++index) {
      Result<bool> found = try_on_devices(formats_[index]);
      if (!found) return fail(found.error());
      if (*found) return std::move(best_);
      // Those in between are larger than the last, so that it is what stands for all of them.
      if (index + 2 < formats_.size() && is_hopeless()) index = formats_.size() - 2;
    }
    if (rungs_.empty()) return refused();
    if (shares_with_host())
      for (std::size_t index = first_on_host(); index < rungs_.size(); ++index)
        if (try_with_host(*rungs_[index])) return std::move(best_);
    return too_large();
  }

 private:
  using Rung = KeptSearch::Rung;

  /// Placed by the engine as it was asked.
  [[nodiscard]] Scenario in_fit(Scenario trial) const {
    trial.options.llama_cpp.fit = fit_;
    return trial;
  }

  [[nodiscard]] Scenario in_format(std::string_view format) const {
    Scenario trial = scenario_;
    trial.weights_format = format;
    return trial;
  }

  Result<bool> try_on_devices(std::string_view format) {
    Scenario trial = in_format(format);
    Rung& rung = rung_of(format);
    // A wider file made of a narrower checkpoint brings nothing back.
    if (!rungs_.empty() && rung.weights >= rungs_.back()->weights) return false;
    if (!rungs_.empty() && is_beyond_devices(rung)) {
      rungs_.push_back(&rung);
      return false;
    }
    Result<Estimate> least = evaluate_least(prepared(rung), trial);
    if (!least) return fail(least.error());
    if (least->verdict.kind == VerdictClass::impossible) {
      refused_ = format;
      // What the engine names instead of a checkpoint that it cannot load is the widest that is worth its room.
      if (format == kCheckpoint && least->verdict.nearest_weights_format)
        formats_.insert(formats_.begin() + 1, *least->verdict.nearest_weights_format);
      return false;
    }
    rungs_.push_back(&rung);
    if (!surely_holds(*least, VerdictClass::fits)) {
      // An engine that takes a share of the memory may start with a smaller one.
      std::optional<double>& share = trial.options.gpu_memory_utilization;
      if (share || !least->verdict.nearest_share) return false;
      share = least->verdict.nearest_share;
    }
    Result<Estimate> answer = evaluate(prepared(rung), trial);
    if (!answer) return fail(answer.error());
    if (!surely_holds(*answer, VerdictClass::fits)) return false;
    if (places_by_itself_) {
      trial = in_fit(std::move(trial));
      answer = evaluate(prepared(rung), trial);
      if (!answer) return fail(answer.error());
      if (answer->verdict.kind != VerdictClass::fits) return false;
    }
    settle(rung, std::move(trial), std::move(*answer));
    return true;
  }

  /// As it was kept, or weighed now.
  Rung& rung_of(std::string_view format) {
    if (const auto known = kept_.rungs.find(format); known != kept_.rungs.end()) return known->second;
    Rung& rung = kept_.rungs[std::string(format)];
    rung.format = format;
    make(rung);
    rung.weights = loaded_bytes(rung.prepared->tensors());
    for (const Tensor& tensor : rung.prepared->tensors())
      if (tensor.role == TensorRole::embedding || tensor.role == TensorRole::layer_embedding || tensor.role == TensorRole::position_embedding)
        rung.tables += tensor.bytes();
    // What is too large is weighed and seldom counted; the next format is made of it.
    if (rungs_.empty() || !is_beyond_devices(rung)) return rung;
    wider_ = std::move(rung.prepared);
    return rung;
  }

  void make(Rung& rung) {
    const Prepared* like = wider_.get();
    for (const auto& [format, known] : kept_.rungs)
      if (known.prepared != nullptr && format != kCheckpoint) like = known.prepared.get();
    rung.prepared = std::make_unique<Prepared>(model_, loaded_format(model_, in_format(rung.format)), like);
  }

  Prepared& prepared(Rung& rung) {
    if (rung.prepared == nullptr) make(rung);
    return *rung.prepared;
  }

  /// Without asking the engine, which takes the files that it runs whatever their type: the matrices alone have no room. llama.cpp keeps tables of
  /// embeddings on the host.
  [[nodiscard]] bool is_beyond_devices(const Rung& rung) const {
    const bool leaves_some = scenario_.cpu_moe_layers > 0 || !scenario_.options.llama_cpp.override_tensor.empty();
    if (!is_replayed(scenario_) || scenario_.hardware.empty() || leaves_some) return false;
    return rung.weights > devices_memory() + rung.tables;
  }

  /// Whether not even the last format finds room, on the host neither.
  [[nodiscard]] bool is_hopeless() {
    if (rungs_.empty() || !is_beyond_devices(*rungs_.back())) return false;
    const Rung& last = rung_of(formats_.back());
    return last.weights < rungs_.back()->weights && is_beyond_devices(last) && (!shares_with_host() || last.weights > all_memory());
  }

  [[nodiscard]] bool shares_with_host() const { return engine_->is_llama_cpp() && scenario_.host && !scenario_.hardware.empty(); }

  [[nodiscard]] Bytes devices_memory() const {
    Bytes sum;
    for (const DeviceGroup& group : scenario_.hardware) sum += group.capacity() * static_cast<std::uint64_t>(group.count);
    return sum;
  }

  [[nodiscard]] Bytes all_memory() const { return devices_memory() + scenario_.host->capacity(); }

  [[nodiscard]] std::size_t first_on_host() const {
    const auto place = [](std::string_view format) { return std::find(loss_order().begin(), loss_order().end(), format); };
    for (std::size_t index = 0; index < rungs_.size(); ++index)
      if (rungs_[index]->format != kCheckpoint && place(rungs_[index]->format) >= place(kWidestOnHost)) return index;
    return rungs_.size() - 1;
  }

  bool try_with_host(Rung& rung) {
    if (rung.weights > all_memory()) return false;
    Scenario trial = in_format(rung.format);
    const Result<Estimate> whole = evaluate(prepared(rung), trial);
    if (!whole || !whole->engine.gpu_layers) return false;
    // The host itself is what has too little.
    if (holds(device_margin(*whole, Figure::high))) return false;
    const std::optional<std::int64_t> layers = solve_gpu_layers(prepared(rung), trial, *whole->engine.gpu_layers - 1);
    if (!layers) return false;
    trial.options.llama_cpp.n_gpu_layers = layers;
    Result<Estimate> answer = evaluate(prepared(rung), trial);
    if (!answer || !surely_holds(*answer, VerdictClass::offload)) return false;
    settle(rung, std::move(trial), std::move(*answer));
    return true;
  }

  Result<BestWeights> too_large() {
    Rung& rung = *rungs_.back();
    Scenario trial = in_format(rung.format);
    Result<Estimate> answer = evaluate(prepared(rung), trial);
    if (!answer) return fail(answer.error());
    settle(rung, std::move(trial), std::move(*answer));
    return std::move(best_);
  }

  /// No format runs: the last one's refusal, in words.
  Result<BestWeights> refused() {
    best_.scenario = in_format(refused_);
    best_.format = refused_;
    best_.loaded = loaded_format(model_, best_.scenario);
    Result<Estimate> answer = estimate(model_, best_.scenario);
    if (!answer) return fail(answer.error());
    best_.answer = std::move(*answer);
    return std::move(best_);
  }

  void settle(Rung& rung, Scenario trial, Estimate answer) {
    best_.format = rung.format;
    best_.loaded = loaded_format(model_, trial);
    best_.weights = rung.weights;
    best_.scenario = std::move(trial);
    best_.answer = std::move(answer);
    if (best_.answer.verdict.kind == VerdictClass::no && is_beyond_devices(rung)) return;
    const bool fits_by_itself = places_by_itself_ && !best_.scenario.options.llama_cpp.n_gpu_layers &&
                                best_.answer.verdict.kind == VerdictClass::fits;
    best_.context_tokens = fits_by_itself ? solve_context(prepared(rung), best_.scenario, model_.max_context_tokens).safe
                                          : longest_context(rung, best_.scenario);
  }

  [[nodiscard]] std::int64_t longest_context(Rung& rung, Scenario trial) {
    const Steps steps{context_step(trial), model_.max_context_tokens};
    const auto step_at = [&](std::int64_t tokens) { return ceil_div(std::min(tokens, steps.most), steps.step); };
    const std::int64_t asked = step_at(trial.context_tokens);
    const bool is_as_asked = !trial.options.max_model_len && !trial.options.llama_cpp.n_ctx;
    trial.options.max_model_len.reset();  // the answer is what to set it to
    trial.options.llama_cpp.n_ctx.reset();
    const auto rooms_at = [&](std::int64_t number) {
      trial.context_tokens = steps.value(number);
      const Result<Estimate> answer = evaluate(prepared(rung), trial);
      return answer ? sure_rooms(*answer) : Rooms();
    };
    const auto all_clearly_hold = [&] {
      trial.context_tokens = steps.most;
      return holds_at_most(prepared(rung), trial, sure_rooms);
    };
    // `from` parts the search: one half is where the answer is not.
    const auto longest_from = [&](std::int64_t from) {
      const bool is_even = falls_evenly(trial);
      if (is_even && all_clearly_hold()) return steps.count();
      Tried at_from{from, rooms_at(from)};
      if (!holds(at_from.rooms)) return largest_holding(from - 1, 1, rooms_at);
      if (!is_even && all_clearly_hold()) return steps.count();
      return largest_holding_from(std::move(at_from), steps.count(), rooms_at);
    };
    if (!falls_evenly(trial)) return steps.value(longest_from(asked));
    const std::int64_t usual = step_at(kUsualContext);
    const auto [kept, is_new] = rung.longest.try_emplace(trial.options.gpu_memory_utilization);
    const std::int64_t longest = is_new ? kept->second = longest_from(usual) : kept->second;
    const bool is_known = is_as_asked && surely_holds(best_.answer, VerdictClass::fits);
    const bool is_right = asked == usual || (asked <= longest && (is_known || holds(rooms_at(asked))));
    return steps.value(is_right ? longest : longest_from(asked));
  }

  /// Whether the room falls with the context all the way, so that one search finds the longest for all contexts that hold. Where layers lie on the
  /// host, or what runs llama.cpp chooses devices anew for each context, there may be more room again further up. Other engines answer in no time.
  [[nodiscard]] bool falls_evenly(const Scenario& trial) const {
    return engine_->is_llama_cpp() && engine_->usual_workload == nullptr && !trial.options.llama_cpp.n_gpu_layers;
  }

  const Model& model_;
  Scenario scenario_;  ///< the engine places nothing by itself
  std::optional<bool> fit_;
  bool places_by_itself_ = false;
  const Engine* engine_;
  std::vector<std::string_view> formats_;
  KeptSearch& kept_;
  std::vector<Rung*> rungs_;         ///< each smaller than the one before
  std::unique_ptr<Prepared> wider_;  ///< the last that was only weighed
  std::string_view refused_;
  BestWeights best_;
};

}  // namespace

Result<BestWeights> solve_best_weights(const Model& model, const Scenario& scenario, std::string_view smallest, KeptSearches* kept) {
  KeptSearch own;
  KeptSearch* known = kept != nullptr ? kept->find(model, scenario) : nullptr;
  return Search(model, scenario, smallest, known != nullptr ? *known : own).run();
}

}  // namespace weighbridge
