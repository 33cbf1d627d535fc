// SPDX-License-Identifier: Apache-2.0
// MLX on Apple's unified memory, as mlx_lm.generate runs it. Metal lets one program take recommendedMaxWorkingSetSize, which mlx-lm wires
// (wired_limit in mlx_lm/generate.py); weights, caches and what a step holds must fit into it.
#include "engine/mlx/mlx.hpp"

#include <algorithm>

#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/local_rules.hpp"
#include "engine/recurrent.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::mlx {

namespace {

constexpr std::int64_t kPrefillStep = 2048;  // generate_step prefill_step_size
constexpr Source kWeightsSource{"ml-explore/mlx-lm mlx_lm/utils.py load_model; ml-explore/mlx python/mlx/nn/layers/quantized.py",
                                "https://github.com/ml-explore/mlx-lm/blob/d78bf58e217c904ec282ed8da9b947491f78c022/mlx_lm/utils.py"};
constexpr Source kCacheSource{"ml-explore/mlx-lm mlx_lm/models/cache.py",
                              "https://github.com/ml-explore/mlx-lm/blob/d78bf58e217c904ec282ed8da9b947491f78c022/mlx_lm/models/cache.py"};
constexpr Source kStepSource{"ml-explore/mlx mlx/backend/metal/device.cpp, eval.cpp, mlx/transforms.cpp",
                             "https://github.com/ml-explore/mlx/blob/846d176227a0ac13d2667e58d2bb68b322109ab0/mlx/transforms.cpp"};

Limits limits_of(const Device& device) {
  const bool is_large = device.id.find("max") != std::string::npos || device.id.find("ultra") != std::string::npos;
  return is_large ? Limits{50, 50} : Limits{40, 40};
}

Settings settle(const Job& job) {
  const LibraryOptions& o = job.scenario.options.library;
  Settings s;
  s.sequences = job.scenario.sequences;
  s.total_tokens = job.scenario.context_tokens;
  s.prompt_tokens = std::max<std::int64_t>(1, s.total_tokens - o.new_tokens.value_or(0));
  s.step_tokens = std::min(o.prefill_tokens.value_or(kPrefillStep), std::max<std::int64_t>(1, s.prompt_tokens - 1));
  const Caches caches = find_class(job.model.architecture)->caches;
  if (caches == Caches::plain) s.max_kv_size = o.max_kv_size.value_or(0);
  s.keeps_windows = caches == Caches::windows;
  s.cache_group = o.kv_group_size.value_or(64);
  if (job.scenario.kv_type.starts_with("q")) s.cache_bits = job.scenario.kv_type[1] - '0';
  return s;
}

/// Tokens that a layer holds room for once `tokens` are in its cache.
std::int64_t room(const Kept& kept, std::int64_t tokens, std::int64_t step) {
  const std::int64_t whole = ceil_div(tokens, kCacheStep) * kCacheStep;
  // _update_concat: while a prompt is read, the window and all but one token of the step.
  return kept.window > 0 ? std::min(whole, kept.window + step - 1) : whole;
}

FormulaRow cache_row(const Job& job, const Settings& s, const Kept& kept, std::int64_t layers, std::int64_t tokens) {
  if (s.cache_bits >= 16)
    return make_row(
        job.explain, "full_sequences",
        {{"tokens_in_blocks", tokens}, {"sequences", s.sequences}, {"values_per_token", kept.values}, {"layers", layers}, {"bytes_per_value", 2}});
  return make_row(job.explain, "full_sequences",
                  {{"tokens_in_blocks", tokens},
                   {"sequences", s.sequences},
                   {"values_per_token", kept.values},
                   {"layers", layers},
                   {"bits", s.cache_bits * s.cache_group + 32},
                   {"bits_of_values", 8 * s.cache_group, Op::divide}});
}

/// Rows of the cache with `tokens` tokens of each sequence; `step` 1: while tokens are generated.
std::vector<FormulaRow> cache_rows(const Job& job, const Settings& s, std::int64_t tokens, std::int64_t step) {
  struct Run {
    Kept kept;
    std::int64_t layers;
  };
  std::vector<Run> runs;
  for (const LayerSpec& layer : job.model.layers) {
    const Kept kept = kept_of(layer, s);
    if (kept.values == 0) continue;
    auto run = std::find_if(runs.begin(), runs.end(), [&](const Run& r) { return r.kept.values == kept.values && r.kept.window == kept.window; });
    if (run == runs.end()) run = runs.insert(run, {kept, 0});
    ++run->layers;
  }
  std::vector<FormulaRow> rows;
  for (const Run& run : runs) rows.push_back(cache_row(job, s, run.kept, run.layers, room(run.kept, tokens, step)));
  return rows;
}

Bytes sum_of(const std::vector<FormulaRow>& rows) {
  Bytes sum;
  for (const FormulaRow& row : rows) sum += row.bytes;
  return sum;
}

Term weights_term(const Job& job) {
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = kWeightsSource;
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part != ModelPart::text || tensor.is_copy) continue;  // mlx-lm runs text; sanitize() leaves the rest out
    term.bytes += tensor.bytes();
    if (!job.explain) continue;
    const std::string_view label = row_label(tensor);
    auto& rows = term.formula.rows;
    auto row = std::find_if(rows.begin(), rows.end(), [&](const FormulaRow& r) { return r.label == label; });
    if (row == rows.end()) row = rows.insert(row, {label, {}, {}, true});
    row->bytes += tensor.bytes();
  }
  sort_largest_first(term.formula.rows);
  term.records = 2;
  term.low = term.bytes - term.bytes / 50;
  term.high = term.bytes + term.bytes / 50;
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization"};
  return term;
}

Term cache_term(const Job& job, const Settings& s) {
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::modelled;
  term.source = kCacheSource;
  term.records = 2;
  std::vector<FormulaRow> rows = cache_rows(job, s, s.total_tokens, 1);
  term.bytes = term.low = sum_of(rows);
  term.high = term.bytes + term.bytes / 50;
  if (!job.explain) return term;
  term.formula.rows = std::move(rows);
  term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  return term;
}

Term recurrent_term(const Job& job, const Settings& s) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::modelled;
  term.source = kCacheSource;
  for (const RecurrentRun& run : recurrent_runs(job.model, [](std::size_t) { return true; })) {
    FormulaRow state = make_row(
        job.explain, "recurrent_layers",
        {{"sequences", s.sequences}, {"layers", run.layers}, {"state_values", run.mixer->state_values}, {"bytes_per_value", 4}});
    FormulaRow convolution = make_row(
        job.explain, "convolutions",
        {{"sequences", s.sequences}, {"layers", run.layers}, {"convolution_values", run.mixer->conv_values()}, {"bytes_per_value", 2}});
    for (FormulaRow* row : {&state, &convolution}) {
      term.bytes += row->bytes;
      if (job.explain && row->bytes > Bytes()) term.formula.rows.push_back(std::move(*row));
    }
  }
  term.low = term.bytes / 2;
  term.high = term.bytes + term.bytes / 10;
  return term;
}

/// The last step of the prompt, whose cache is still smaller than in the end, and the step of a token that makes the caches grow.
Term compute_term(const Job& job, const Settings& s, const Limits& limits) {
  const std::int64_t before = (s.prompt_tokens - 1) / s.step_tokens * s.step_tokens;
  const std::int64_t last = s.prompt_tokens - 1 - before;
  const bool is_split = before > 0;
  // The last whole step; a shorter one after it has fewer tokens, yet the longest cache.
  const StepSize whole{s.step_tokens, is_split ? before - s.step_tokens : 0, true};
  Bytes prompt = step_bytes(job, s, limits, whole);
  if (last > 0) prompt = std::max(prompt, step_bytes(job, s, limits, {last, before, true}));
  const std::int64_t grown_at = (s.total_tokens - 1) / kCacheStep * kCacheStep;
  const Bytes token = step_bytes(job, s, limits, {1, grown_at, true});
  const Job silent{job.model, job.tensors, job.scenario, false, job.memo};
  const Bytes full = sum_of(cache_rows(silent, s, s.total_tokens, 1));
  const Bytes now = sum_of(cache_rows(silent, s, std::max<std::int64_t>(1, s.prompt_tokens - 1), s.step_tokens));
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.source = kStepSource;
  term.records = 2;
  const Bytes reading = now >= full ? prompt + (now - full) : prompt - (full - now);
  term.bytes = std::max(reading, token);
  term.low = term.bytes * 7 / 10;
  // Runs of hybrids hold up to 2.3 times as much: their kernels differ by model.
  const bool is_recurrent = std::any_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(),
                                        [](const LayerSpec& l) { return recurrent_part(l); });
  term.high = term.bytes * (is_recurrent ? 12 : 7) / 5 + 64 * kMiB;
  if (is_recurrent) term.records = 0;
  if (!job.explain) return term;
  term.formula.is_maximum = true;
  FormulaRow read{"prompt_step", {{"tensors_in_flight", difference(prompt, Bytes())}}, reading, reading >= token};
  const Bytes missing = now >= full ? now - full : full - now;
  if (missing > Bytes())
    read.factors.push_back(
        {now >= full ? "cache_outside_windows" : "cache_still_to_come", difference(missing, Bytes()), now >= full ? Op::plus : Op::minus});
  term.formula.rows.push_back(std::move(read));
  term.formula.rows.push_back({"growing_step", {{"tensors_in_flight", difference(token, Bytes())}}, token, reading < token});
  sort_largest_first(term.formula.rows);
  term.formula.note = "eleven_command_buffers";
  return term;
}

/// Freed buffers are kept for the next step (MetalAllocator), and count as the program's until clear_cache.
Term overhead_term(const Job& job, Bytes compute) {
  constexpr Bytes heap = kMiB;  // MetalAllocator::heap_size_
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.source = kStepSource;
  term.bytes = heap;
  term.high = heap + compute / 2 + 128 * kMiB;
  if (job.explain) term.formula.rows.push_back({"metal_heap", {}, heap, true});
  return term;
}

Term prompt_caches_term(const Job& job, const Term& cache, std::int64_t count) {
  Term term;
  term.id = "prompt_cache";
  term.basis = Basis::modelled;
  term.source = kCacheSource;
  const std::int64_t of_one = difference(cache.bytes / static_cast<std::uint64_t>(job.scenario.sequences), Bytes());
  FormulaRow row = make_row(job.explain, "earlier_prompts", {{"bytes_of_one", of_one}, {"sequences", count}});
  term.bytes = row.bytes;
  term.high = row.bytes;
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

/// mlx_lm/models/cache.py: RotatingKVCache.to_quantized raises.
std::optional<Notice> rotating_cache_problem(const Job& job) {
  if (!job.scenario.kv_type.starts_with("q")) return std::nullopt;
  const Settings s = settle(job);
  if (s.max_kv_size == 0 && !(s.keeps_windows && sliding_layers(job.model).n_layers > 0)) return std::nullopt;
  return notice::custom("unsupported", "params.kv_cache", "MLX does not quantize a cache that keeps a window: RotatingKVCache Quantization NYI.",
                        "kv_cache", job.scenario.kv_type, "auto");
}

/// mx.quantize (mlx/ops.cpp): groups of 32, 64 or 128 values, of which a head has whole ones.
std::optional<Notice> group_problem(const Job& job) {
  if (!job.scenario.kv_type.starts_with("q")) return std::nullopt;
  std::vector<std::int64_t> groups;
  for (const std::int64_t group : {32, 64, 128})
    if (std::all_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(), [&](const LayerSpec& layer) {
          const FullAttention* a = grouped_attention(layer.mixer);
          return a == nullptr || (a->head_dim_k % group == 0 && a->head_dim_v % group == 0);
        }))
      groups.push_back(group);
  if (groups.empty())
    return notice::custom("unsupported", "params.kv_cache",
                          "MLX quantizes a cache in groups of 32, 64 or 128 values, of which this model's heads have no whole number: expected auto.",
                          "kv_cache", job.scenario.kv_type, "auto");
  const std::int64_t group = settle(job).cache_group;
  if (std::find(groups.begin(), groups.end(), group) != groups.end()) return std::nullopt;
  return notice::out_of_range("params.engine.options.kv_group_size", "kv_group_size", grouped(group), one_of(groups));
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  const Scenario& s = job.scenario;
  const auto is_other = [](const DeviceGroup& g) { return g.device.backend != "metal"; };
  if (s.hardware.empty() || std::any_of(s.hardware.begin(), s.hardware.end(), is_other))
    return notice::custom("unknown_backend", "params.hardware", "MLX is counted on Apple silicon only: expected an Apple device.", "backend",
                          s.hardware.empty() ? "[]" : s.hardware.front().device.backend, "Metal");
  if (s.device_count() != 1)
    return notice::custom("layout_not_counted", "params.hardware", "MLX over several machines is not counted: expected one.", "hardware",
                          grouped(s.device_count()), "1");
  for (const LayerSpec& layer : job.model.layers.kinds())
    if (std::holds_alternative<CompressedAttention>(layer.mixer))
      return notice::custom("not_counted", "params.model", "We have not read how MLX caches compressed attention: expected another model.", "model",
                            job.model.architecture, "a model without compressed attention");
  if (find_class(job.model.architecture) == nullptr) return unknown_architecture("MLX", job.model.architecture);
  const std::string format(s.weights_format == "checkpoint" ? checkpoint_format(job.model) : std::string_view(s.weights_format));
  if (mlx_engine().loads(format)) {
    if (std::optional<Notice> rotating = rotating_cache_problem(job)) return rotating;
    return group_problem(job);
  }
  plan.nearest_weights_format = format.ends_with("8") || format.starts_with("fp8") ? "mlx-8bit" : "mlx-4bit";
  return notice::custom("unsupported", "params.weights.format",
                        "MLX does not run " + format + " weights: expected " + std::string(*plan.nearest_weights_format) + ".", "weights.format",
                        format, std::string(*plan.nearest_weights_format));
}

void add_warnings(const Job& job, const Settings& settings, Notices& warnings) {
  if (const SlidingLayers sliding = sliding_layers(job.model); sliding.n_layers > 0 && !settings.keeps_windows)
    warnings.push_back(sliding_counted_full(sliding.window));
  if (job.scenario.options.library.max_kv_size && settings.max_kv_size == 0)
    warnings.push_back(notice::custom("max_kv_size_unused", "params.engine.options.max_kv_size",
                                      "mlx-lm makes this model's caches as its class says: `--max-kv-size` changes nothing.", "max_kv_size",
                                      job.model.architecture, "no limit"));
}

}  // namespace

Kept kept_of(const LayerSpec& layer, const Settings& settings) {
  if (layer.shares_cache || std::holds_alternative<EncoderAttention>(layer.mixer)) return {};
  const bool is_attention = grouped_attention(layer.mixer) != nullptr || std::holds_alternative<LatentAttention>(layer.mixer);
  if (!is_attention) return {};
  Kept kept{cache_values_per_token(layer.mixer), settings.max_kv_size};
  if (const auto* sliding = std::get_if<SlidingAttention>(&layer.mixer); sliding != nullptr && settings.keeps_windows) kept.window = sliding->window;
  if (const auto* chunked = std::get_if<ChunkedAttention>(&layer.mixer)) kept.window = chunked->chunk;
  return kept;
}

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, mlx_engine());
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings settings = settle(job);
  if (job.explain) add_warnings(job, settings, plan.warnings);
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.capacity = device.limit = group.capacity();
  device.terms.push_back(weights_term(job));
  device.terms.push_back(cache_term(job, settings));
  const std::int64_t prompts = job.scenario.options.library.prompt_caches.value_or(0);
  if (prompts > 0) device.terms.push_back(prompt_caches_term(job, device.terms.back(), prompts));
  if (Term state = recurrent_term(job, settings); state.bytes > Bytes()) device.terms.push_back(std::move(state));
  device.terms.push_back(compute_term(job, settings, limits_of(group.device)));
  device.terms.push_back(overhead_term(job, device.terms.back().bytes));
  device.reserved = device.total();
  device.observed = device.total() + group.used;
  plan.devices.push_back(std::move(device));
  return plan;
}

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min<std::int64_t>(8192, model.max_context_tokens), 1}; }

}  // namespace weighbridge::mlx
