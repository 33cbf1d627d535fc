// SPDX-License-Identifier: Apache-2.0
// The rule of thumb of the article this calculator grew from: weights + one hidden state per token + a cache without layers.
// Kept as an engine so that its figures stand beside the exact ones. It is not how any real engine allocates.
#include <algorithm>
#include <optional>

#include "engine/engine.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

constexpr Source kArticle{"\"Measuring and optimising inference memory for the DeepSeek-R1 versions\", 2025-09-25", ""};

struct HeadShape {
  std::int64_t n_heads;
  std::int64_t head_size;
};

/// Nothing for a model without attention: the article's rule has no word for it.
std::optional<HeadShape> head_shape(const Model& model) {
  if (const FullAttention* heads = first_grouped_attention(model.layers)) return HeadShape{heads->n_heads, heads->head_dim_v};
  if (const LatentAttention* latent = first_latent_attention(model.layers)) return HeadShape{latent->n_heads, latent->head_dim_v};
  return std::nullopt;
}

/// The article knows FP16 (2 bytes) and INT8 (1 byte); 8-bit floats count as INT8, 16-bit brain floats as FP16. 0: it has no rule.
std::int64_t bytes_per_value(const Job& job) {
  std::string_view format = job.scenario.weights_format;
  if (format == "checkpoint") format = checkpoint_format(job.model);
  if (format == "fp16" || format == "bf16") return 2;
  if (format == "int8" || format == "fp8") return 1;
  return 0;
}

Term make_term(const Job& job, std::string_view id, FormulaRow row, std::int64_t device_count) {
  row.factors.push_back({"devices", device_count, Op::divide});
  Bytes product(1);
  for (const Factor& factor : row.factors)
    if (factor.op == Op::times) product *= static_cast<std::uint64_t>(factor.value);
  row.bytes = product / static_cast<std::uint64_t>(device_count);
  Term term;
  term.id = id;
  term.bytes = term.low = term.high = row.bytes;
  term.basis = Basis::modelled;
  term.source = kArticle;
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

Plan plan_article(const Job& job) {
  Plan plan;
  plan.report.name = "article";
  plan.report.version = "2025-09-25";
  const Scenario& scenario = job.scenario;
  const std::int64_t width = bytes_per_value(job);
  if (width == 0) {
    plan.impossible = notice::custom("unsupported", "params.weights.format",
                                     "The article has a rule for FP16 and for INT8 only: expected fp16, bf16, int8 or fp8, got " +
                                         scenario.weights_format + ".",
                                     "weights.format", scenario.weights_format, "fp16, bf16, int8 or fp8");
    return plan;
  }
  if (scenario.hardware.empty()) {
    plan.impossible = notice::custom("needs_device", "params.hardware", "The article's rule needs at least one device.", "hardware", "[]",
                                     "at least one device");
    return plan;
  }
  const std::optional<HeadShape> shape = head_shape(job.model);
  if (!shape) {
    plan.impossible = notice::custom("unsupported", "params.model", "The article has a rule for models with attention heads only.", "model",
                                     job.model.architecture, "a model with attention heads");
    return plan;
  }
  const std::int64_t devices = scenario.device_count();
  const ParameterCounts counts = count_parameters(job.model.tensors);
  const std::int64_t parameters = counts.text + counts.multimodal;

  Term weights = make_term(job, "weights", {"parameters", {{"parameters", parameters}, {"bytes_per_value", width}}, {}, true}, devices);
  // Its own rule of thumb beside the formula: real use is 1.2 to 1.5 times the weights.
  weights.high = weights.bytes + weights.bytes / 2;
  const std::vector<Factor> tokens{{"context_tokens", scenario.context_tokens}, {"sequences", scenario.sequences}};
  FormulaRow compute{"hidden_state", tokens, {}, true};
  compute.factors.push_back({"hidden_size", job.model.hidden_size});
  compute.factors.push_back({"bytes_per_value", width});
  FormulaRow cache{"kv_cache", {{"k_and_v", 2}}, {}, true};
  cache.factors.insert(cache.factors.end(), tokens.begin(), tokens.end());
  cache.factors.push_back({"n_heads", shape->n_heads});
  cache.factors.push_back({"head_size", shape->head_size});
  cache.factors.push_back({"bytes_per_value", width});

  DevicePlan device;
  device.terms.push_back(std::move(weights));
  device.terms.push_back(make_term(job, "kv_cache", std::move(cache), devices));
  device.terms.back().formula.note = "article_without_layers";
  device.terms.push_back(make_term(job, "compute", std::move(compute), devices));
  for (std::size_t group = 0; group < scenario.hardware.size(); ++group) {
    device.group = group;
    device.count = scenario.hardware[group].count;
    device.capacity = device.limit = scenario.hardware[group].capacity();
    device.reserved = device.total();
    device.observed = device.total() + scenario.hardware[group].used;
    plan.devices.push_back(device);
  }
  return plan;
}

}  // namespace

const Engine& article_engine() {
  static const Engine engine{"article", "The rule of thumb", {"2025-09-25"}, {}, {"fp16", "bf16", "int8", "fp8"}, {}, plan_article};
  return engine;
}

}  // namespace weighbridge
