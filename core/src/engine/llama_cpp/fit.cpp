// SPDX-License-Identifier: Apache-2.0
// The engine's automatic fit, step by step as it does it: ggml-org/llama.cpp v0.5.0 common/fit.cpp, common_params_fit_impl. It asks for the
// memory of one way of running after the other; ours are asked of the same plan that is shown.
#include <algorithm>
#include <array>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "python_regex.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr std::int64_t kMarginMib = 1024;     // common/common.h, fit_params_target
constexpr std::int64_t kLeastContext = 4096;  // fit_params_min_ctx

/// Which tensors of a layer that is not whole go elsewhere.
enum class Part { ffn, ffn_but_up, down, experts };
constexpr std::array<std::string_view, 4> kPatterns{"ffn_(gate|up|gate_up|down).*", "ffn_(gate|gate_up|down).*", "ffn_down.*",
                                                    "ffn_(up|down|gate_up|gate)_(ch|)exps"};

/// Layers of one device.
struct Share {
  std::uint32_t n_layer = 0;
  std::uint32_t n_part = 0;         ///< of them without all their tensors
  Part first_part = Part::experts;  ///< what the first of these leaves out; the others their experts

  [[nodiscard]] std::uint32_t n_full() const { return n_layer - n_part; }
};

struct Way {
  std::vector<Share> shares;
  std::vector<int> overflow;  ///< by device: where the first partial layer's tensors go
};

class Fit {
 public:
  Fit(const Job& job, Scenario& scenario) : job_(job), scenario_(scenario), options_(scenario.options.llama_cpp) {
    for (const std::size_t group : device_groups(scenario)) {
      const DeviceGroup& device = scenario.hardware[group];
      const Bytes free = device.capacity() - context_bytes(device.device);
      targets_.push_back(difference(free, Bytes()) - options_.fit_target_mib.value_or(kMarginMib) * static_cast<std::int64_t>(kMiB.count()));
    }
    // tools/server/server-context.cpp, load_model: the encoder's share is added to the room of its device.
    std::vector<Term> encoder;
    if (options_.mmproj_offload.value_or(true))
      add_projector({job.model, job.tensors, scenario, false, nullptr}, &scenario.hardware[device_groups(scenario).front()].device, encoder);
    for (const Term& term : encoder) targets_.front() -= difference(term.bytes, Bytes());
    n_layers_ = static_cast<std::uint32_t>(job.model.n_layers() + (drafts(job) ? static_cast<std::int64_t>(job.model.mtp_layers.size()) : 0));
    has_experts_ = first_moe(job.model) != nullptr;
    has_poor_forms_ = has_poor_forms(job);
    by_layer_.resize(static_cast<std::size_t>(layers_of_file(job)));
    for (std::size_t index = 0; index < job.tensors.size(); ++index) {
      const Tensor& tensor = job.tensors[index];
      if (is_loaded(job, tensor) && tensor.layers.first >= 0 && tensor.name.starts_with("ffn_"))
        by_layer_[static_cast<std::size_t>(tensor.layers.first)].push_back(index);
    }
    for (std::size_t part = 0; part < kPatterns.size(); ++part) leaves_.push_back(names_leaving(kPatterns[part]));
  }

  Fitted run() {
    Fitted fitted;
    const bool may_reduce = options_.n_ctx == -1;
    if (options_.n_ctx.value_or(1) <= 0) options_.n_ctx = job_.model.max_context_tokens * settings_of(scenario_).n_seq_max;
    only_whole_ = job_.memo != nullptr && job_.memo->whole && !may_reduce && may_move();
    const Sizes sizes = memory(scenario_, !only_whole_, job_.explain);
    const bool is_short = !is_met(sizes);
    fitted.is_partial = only_whole_ && is_short && (n_devices() == 1 || is_beyond_devices());
    if (fitted.is_partial) return fitted;
    const LlamaCppOptions asked = options_;
    const bool is_placed = is_short && !(may_reduce && reduce_context(sum(sizes)) && n_devices() == 1) && may_move();
    if (is_placed) place();
    fitted.is_changed = !(options_ == asked);
    const Settings settings = settings_of(scenario_);
    fitted.n_ctx = options_.n_ctx.value_or(settings.n_ctx);
    fitted.gpu_layers = settings.gpu_layers;
    fitted.is_whole = settings.offloads_all && options_.moved.empty();
    // Tensors that went to the next device are not on the host.
    fitted.is_partial = is_placed &&
                        !(settings.offloads_all && std::none_of(options_.moved.begin(), options_.moved.end(),
                                                                [](const MovedTensor& tensor) { return tensor.device == Placement::kHost; }));
    return fitted;
  }

 private:
  using Sizes = std::vector<std::int64_t>;
  [[nodiscard]] Settings settings_of(const Scenario& scenario) const { return settle({job_.model, job_.tensors, scenario, false, job_.memo}); }
  [[nodiscard]] std::size_t n_devices() const { return targets_.size(); }

  /// The tensors' names, without "blk.N.", that `pattern` is found in.
  std::vector<std::string_view> names_leaving(std::string_view pattern) {
    std::vector<std::string> names;
    std::vector<std::string_view> known;
    for (const std::vector<std::size_t>& layer : by_layer_)
      for (const std::size_t index : layer) {
        const std::string_view name = job_.tensors[index].name;
        if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
      }
    for (const std::string_view name : known) names.emplace_back(name);
    std::vector<std::string_view> leaving;
    for (const std::size_t index : regex_matching(pattern, names)) leaving.push_back(known[index]);
    return leaving;
  }

  /// `scenario` as the engine places it. Borrows from it.
  struct Placed {
    Placed(const Fit& fit, const Scenario& scenario)
        : job{fit.job_.model, fit.job_.tensors, scenario, false, fit.job_.memo},
          settings(settle(job)),
          loads(loads_of(job, job.memo != nullptr ? job.memo->loads : own)),
          placement(llama_cpp::place(job, settings)) {}

    Job job;
    Settings settings;
    std::shared_ptr<const void> own;  ///< the loads, where the job keeps none
    const Loads& loads;
    Placement placement;
  };

  [[nodiscard]] Sizes without_graphs(const Placed& placed) const {
    const auto& [job, settings, own, loads, placement] = placed;
    const std::vector<std::size_t> groups = device_groups(job.scenario);
    Sizes sizes;
    for (std::size_t index = 0; index < groups.size(); ++index) {
      const int device = static_cast<int>(index);
      const bool padded = pads_rows(job.scenario.hardware[groups[index]].device);
      Bytes sum = weights_term(job, loads, placement, device, padded).bytes + cache_term(job, settings, placement, device, padded).bytes +
                  recurrent_term(job, settings, placement, device).bytes;
      sizes.push_back(difference(sum, Bytes()));
    }
    const std::optional<DraftTerms> draft = draft_terms(job, settings, placement);
    for (std::size_t index = 0; index < sizes.size(); ++index) {
      if (draft) sizes[index] += difference(draft->devices[index].bytes, Bytes());
      if (job.scenario.draft != nullptr) sizes[index] += difference(drafting(job, settings)[index].all, Bytes());
    }
    return sizes;
  }

  /// Whether the model and its cache are more than all devices have room for together, however they are dealt out.
  [[nodiscard]] bool is_beyond_devices() const { return sum(without_graphs({*this, scenario_})) > sum(targets_); }

  /// What the engine plans on each device: weights, cache and graph. A graph is replayed where its size decides; elsewhere its form will do, since
  /// the search ends at the same settings whatever the figures far from its target.
  /// `is_shown`: this is what the answer shows, if nothing has to change, so its graph is explained in the same replay.
  [[nodiscard]] Sizes memory(const Scenario& scenario, bool is_exact = false, bool is_shown = false) const {
    const Placed placed(*this, scenario);
    const auto& [job, settings, own, loads, placement] = placed;
    Sizes sizes = without_graphs(placed);
    const ComputeTerms bounds = bounded_compute_terms(job, settings, loads, placement);
    is_exact = is_exact || has_poor_forms_;
    for (std::size_t index = 0; index < sizes.size(); ++index) {
      const Term& graph = bounds.devices[index];
      is_exact = is_exact || (sizes[index] + difference(graph.low / 2, Bytes()) <= targets_[index] &&
                              sizes[index] + difference(graph.high * 2, Bytes()) >= targets_[index]);
    }
    const ComputeTerms graphs = is_exact ? compute_terms({job_.model, job_.tensors, scenario, is_shown, job_.memo}, settings, loads, placement)
                                         : bounds;
    for (std::size_t index = 0; index < sizes.size(); ++index) sizes[index] += difference(graphs.devices[index].bytes, Bytes());
    return sizes;
  }
  [[nodiscard]] bool is_met(const Sizes& sizes) const {
    return std::equal(sizes.begin(), sizes.end(), targets_.begin(), [](std::int64_t size, std::int64_t target) { return size <= target; });
  }
  static std::int64_t sum(const Sizes& sizes) {
    std::int64_t total = 0;
    for (const std::int64_t size : sizes) total += size;
    return total;
  }

  /// A model that drafts is added to every measurement, at the context that is tried (add_extra_memory).
  [[nodiscard]] const std::vector<DraftSize>& drafting(const Job& job, const Settings& settings) const {
    if (drafting_.empty() || draft_context_ != settings.n_ctx) drafting_ = draft_model_sizes(job, settings);
    draft_context_ = settings.n_ctx;
    return drafting_;
  }

  /// Down to what fits by a line between the least and the most; false if that is not enough, or not needed.
  bool reduce_context(std::int64_t used) {
    const Settings settings = settings_of(scenario_);
    const std::int64_t most = *options_.n_ctx;
    const std::int64_t least = kLeastContext * settings.n_streams;
    std::int64_t target = sum(targets_);
    if (used <= target || most <= least) return false;
    // Over several devices whole layers leave gaps.
    const std::int64_t gaps = n_devices() > 1 ? static_cast<std::int64_t>(n_devices() + 1) : 0;
    target -= gaps * (weights_on_devices() / n_layers_) / (has_experts_ ? 6 : 2);
    options_.n_ctx = least;
    const std::int64_t used_least = sum(memory(scenario_, true));
    if (target <= used_least || used <= used_least) return false;
    const std::int64_t tokens = least + (most - least) * (target - used_least) / (used - used_least);
    options_.n_ctx = std::max(tokens - tokens % (256 * settings.n_streams), least);
    return true;
  }

  [[nodiscard]] std::int64_t weights_on_devices() const {
    const Job job{job_.model, job_.tensors, scenario_, false, job_.memo};
    std::shared_ptr<const void> kept;
    const Loads& loads = loads_of(job, job.memo != nullptr ? job.memo->loads : kept);
    const Placement placement = llama_cpp::place(job, settle(job));
    Bytes bytes;
    for (std::size_t device = 0; device < n_devices(); ++device) bytes += weights_term(job, loads, placement, static_cast<int>(device), true).bytes;
    for (const DraftSize& size : drafting_) bytes += size.weights;
    return difference(bytes, Bytes());
  }

  /// What a person set by hand is left as it is.
  [[nodiscard]] bool may_move() const {
    return options_.n_gpu_layers.value_or(-1) == -1 && options_.tensor_split.empty() && options_.override_tensor.empty() &&
           scenario_.cpu_moe_layers == 0;
  }

  void move(std::uint32_t layer, Part part, int device, std::vector<MovedTensor>& moved) const {
    if (layer >= by_layer_.size()) return;  // the engine writes a rule for the output too, which matches nothing
    const std::vector<std::string_view>& names = leaves_[static_cast<std::size_t>(part)];
    for (const std::size_t index : by_layer_[layer])
      if (std::find(names.begin(), names.end(), job_.tensors[index].name) != names.end()) moved.push_back({index, device});
  }

  /// set_ngl_tensor_split_tbo
  void apply(const Way& way, LlamaCppOptions& o) const {
    std::uint32_t layers = 0;
    for (const Share& share : way.shares) layers += share.n_layer;
    o.n_gpu_layers = layers;
    o.tensor_split.clear();
    o.override_tensor.clear();
    o.moved.clear();
    std::uint32_t layer = n_layers_ + 1 - layers;
    for (std::size_t device = 0; device < n_devices(); ++device) {
      const Share& share = way.shares[device];
      if (n_devices() > 1 && layers > 0) o.tensor_split.push_back(share.n_layer);
      layer += share.n_full();
      for (const std::uint32_t first = layer; layer < first + share.n_part; ++layer) {
        const Part part = layer == first ? share.first_part : Part::experts;
        const int to = layer == first ? way.overflow[device] : Placement::kHost;
        move(layer, part, to, o.moved);
        o.override_tensor.push_back({"blk\\." + std::to_string(layer) + "\\." + std::string(kPatterns[static_cast<std::size_t>(part)]),
                                     to == Placement::kHost ? "CPU" : device_name(scenario_, to)});
      }
    }
  }

  [[nodiscard]] Sizes memory(const Way& way) const {
    Scenario trial = scenario_;
    apply(way, trial.options.llama_cpp);
    return memory(trial);
  }

  /// The engine's integer arithmetic: a step that would be negative wraps and is cut to the largest.
  static std::uint32_t step_of(std::uint32_t delta, std::int64_t room, std::int64_t growth) {
    const std::int64_t exact = growth == 0 ? delta : std::int64_t{delta} * room / growth;
    return std::min(std::max(static_cast<std::uint32_t>(exact), std::uint32_t{1}), delta - 1);
  }

  /// Whether dense layers alone leave room: then experts come back as far as they fit.
  [[nodiscard]] bool has_room_for_experts() const {
    Scenario trial = scenario_;
    for (std::uint32_t layer = 0; layer < by_layer_.size(); ++layer) move(layer, Part::experts, Placement::kHost, trial.options.llama_cpp.moved);
    return sum(targets_) - sum(memory(trial)) > 0;
  }

  /// Step 3: whole layers, or those of a mixture of experts without its experts, from the last device to the first.
  void fill_back_to_front(Way& way, Sizes& sizes) const {
    for (std::size_t id = n_devices(); id-- > 0;) {
      const bool is_last = id == n_devices() - 1;
      std::uint32_t unassigned = n_layers_ + 1;
      for (std::size_t other = id + 1; other < n_devices(); ++other) unassigned -= way.shares[other].n_layer;
      if (unassigned == 0) continue;
      Way high = way;
      high.shares[id].n_layer = unassigned;
      if (has_experts_) high.shares[id].n_part = is_last ? unassigned - 1 : unassigned;
      Sizes high_sizes = memory(high);
      if (high_sizes[id] <= targets_[id]) {
        way = std::move(high);
        sizes = std::move(high_sizes);
        continue;
      }
      if (only_whole_ && id == 0) return;
      std::uint32_t delta = high.shares[id].n_layer - way.shares[id].n_layer;
      while (delta > 1) {
        const std::uint32_t step = step_of(delta, targets_[id] - sizes[id], high_sizes[id] - sizes[id]);
        Way test = way;
        test.shares[id].n_layer += step;
        if (has_experts_) test.shares[id].n_part += is_last && test.shares[id].n_part == 0 ? step - 1 : step;
        Sizes test_sizes = memory(test);
        const bool holds = test_sizes[id] <= targets_[id];
        (holds ? way : high) = std::move(test);
        (holds ? sizes : high_sizes) = std::move(test_sizes);
        delta = high.shares[id].n_layer - way.shares[id].n_layer;
      }
    }
  }

  /// Layers with their experts, front to back; `dense` is the first device that still has layers without.
  void convert(Way& way, Sizes& sizes, std::size_t id, std::size_t& dense) const {
    Way high = way;
    for (std::size_t other = dense; other < n_devices(); ++other) {
      const std::uint32_t layers = high.shares[other].n_layer - (other < n_devices() - 1 ? 0 : 1);
      high.shares[id].n_layer += layers;
      high.shares[other].n_layer -= layers;
      high.shares[other].n_part = 0;
    }
    std::size_t dense_high = n_devices() - 1;
    Sizes high_sizes = memory(high);
    if (high_sizes[id] <= targets_[id]) {
      way = std::move(high);
      sizes = std::move(high_sizes);
      dense = dense_high;
      return;
    }
    std::uint32_t delta = high.shares[id].n_full() - way.shares[id].n_full();
    while (delta > 1) {
      const std::uint32_t step = step_of(delta, targets_[id] - sizes[id], high_sizes[id] - sizes[id]);
      Way test = way;
      std::size_t dense_test = dense;
      std::uint32_t converted = 0;
      for (; dense_test < n_devices(); ++dense_test) {
        Share& from = test.shares[dense_test];
        const std::uint32_t count = std::min(step - converted, from.n_part);
        from.n_layer -= count;
        from.n_part -= count;
        test.shares[id].n_layer += count;
        converted += count;
        if (from.n_part > 0) break;
      }
      Sizes test_sizes = memory(test);
      const bool holds = test_sizes[id] <= targets_[id];
      (holds ? way : high) = std::move(test);
      (holds ? sizes : high_sizes) = std::move(test_sizes);
      (holds ? dense : dense_high) = dense_test;
      delta = high.shares[id].n_full() - way.shares[id].n_full();
    }
  }

  /// A part of one more layer, its rest on the next device or the host.
  void add_part(Way& way, Sizes& sizes, std::size_t id, std::size_t& dense) const {
    const bool is_last = id == n_devices() - 1;
    if (way.shares[dense].n_layer <= (is_last ? 1U : 0U) || way.shares[dense].n_part == 0) return;
    Way test = way;
    std::size_t dense_test = dense;
    --test.shares[dense].n_layer;
    --test.shares[dense].n_part;
    ++test.shares[id].n_layer;
    ++test.shares[id].n_part;
    if (test.shares[dense].n_part == 0) ++dense_test;
    if (!is_last) test.overflow[id] = static_cast<int>(id) + 1;
    const auto try_part = [&](Part part) {
      test.shares[id].first_part = part;
      Sizes test_sizes = memory(test);
      if (test_sizes[id] >= targets_[id] || (!is_last && test_sizes[id + 1] >= targets_[id + 1])) return false;
      way = test;
      sizes = std::move(test_sizes);
      dense = dense_test;
      return true;
    };
    if (try_part(Part::ffn_but_up))
      try_part(Part::down);
    else
      try_part(Part::ffn);
  }

  void place() {
    const bool returns_experts = has_experts_ && has_room_for_experts();
    Way way{std::vector<Share>(n_devices()), std::vector<int>(n_devices(), Placement::kHost)};
    Sizes sizes = memory(way);
    fill_back_to_front(way, sizes);
    if (returns_experts) {
      std::size_t dense = n_devices();
      while (dense > 0 && way.shares[dense - 1].n_layer > 0) --dense;
      for (std::size_t id = 0; id <= dense && dense < n_devices(); ++id) {
        convert(way, sizes, id, dense);
        if (dense < n_devices()) add_part(way, sizes, id, dense);
      }
    }
    apply(way, options_);
  }

  const Job& job_;
  Scenario& scenario_;
  LlamaCppOptions& options_;
  std::vector<std::int64_t> targets_;  ///< most bytes of each device
  mutable std::vector<DraftSize> drafting_;
  mutable std::int64_t draft_context_ = 0;  ///< that they are of
  /// Prediction layers count if they draft, though a file's always count where layers are placed (common/fit.cpp, hp_ngl).
  std::uint32_t n_layers_ = 0;
  bool has_experts_ = false;
  bool only_whole_ = false;                            ///< what does not end with everything on the devices may end anywhere
  bool has_poor_forms_ = false;                        ///< closed forms of some of its graphs are far off: their size decides everywhere
  std::vector<std::vector<std::size_t>> by_layer_;     ///< tensors of the feed-forward block
  std::vector<std::vector<std::string_view>> leaves_;  ///< by Part: names
};

/// As tools/fit-params prints it.
std::string flags_of(const Fitted& fitted, bool is_placed) {
  std::string text = "-c " + std::to_string(fitted.n_ctx);
  if (is_placed) text += " -ngl " + std::to_string(fitted.gpu_layers);
  for (std::size_t i = 0; i < fitted.tensor_split.size(); ++i) text += (i == 0 ? " -ts " : ",") + std::to_string(fitted.tensor_split[i]);
  for (std::size_t i = 0; i < fitted.override_tensor.size(); ++i) {
    const TensorOverride& rule = fitted.override_tensor[i];
    text += (i == 0 ? " -ot \"" : ",") + rule.pattern + "=" + rule.buffer;
  }
  return text + (fitted.override_tensor.empty() ? "" : "\"");
}

}  // namespace

Fitted fit_to_devices(const Job& job, Scenario& scenario) {
  const WithoutBounds quick(job.memo);
  Fitted fitted = Fit(job, scenario).run();
  const LlamaCppOptions& o = scenario.options.llama_cpp;
  for (const double share : o.tensor_split) fitted.tensor_split.push_back(static_cast<std::int64_t>(share));
  fitted.override_tensor = o.override_tensor;
  fitted.flags = flags_of(fitted, o.n_gpu_layers.value_or(-1) >= 0);
  return fitted;
}

}  // namespace weighbridge::llama_cpp
