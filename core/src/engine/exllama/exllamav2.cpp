// SPDX-License-Identifier: Apache-2.0
// ExLlamaV2, as its own scripts and TabbyAPI load it: model.load_autosplit with a cache for the dynamic generator, or model.load_tp, which splits every
// matrix. Each GPU has a scratch buffer in which the largest matrix of the model is unpacked. The embeddings stay in the host's memory.
#include <algorithm>
#include <array>

#include "engine/exllama/exllama.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/local_rules.hpp"
#include "engine/one_pool.hpp"
#include "engine/weight_sum.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::exllamav2 {

namespace {

constexpr int kLeastCapability = 80;                             // generator/dynamic.py asks for pages, which flash-attn has for Ampere and newer
constexpr Bytes kLoadingReserve = 256 * kMiB;                    // model.py load_autosplit_gen minimum_reserve_vram
constexpr Bytes kReserveOfFirst = 192 * kMiB;                    // its reserve_vram
constexpr Bytes kReserveOfOthers = 64 * kMiB;                    // likewise
constexpr std::int64_t kMostUnpacked = std::int64_t{512} << 20;  // config.py max_dq_size, in values
constexpr std::int64_t kSmallestMlpPart = 128;                   // tensor_p.py define_split: what is dealt out of the feed-forward size,
constexpr std::int64_t kSmallestRowPart = 32;                    // and of hidden size and vocabulary

constexpr Source kWeightSource{"turboderp-org/exllamav2 exllamav2/{linear,embedding,tensor_p}.py, ext.py make_q_matrix",
                               "https://github.com/turboderp-org/exllamav2/blob/da07facd10b5c7f35b03664c41a3090c9f093de5/exllamav2/linear.py"};
constexpr Source kCacheSource{"turboderp-org/exllamav2 exllamav2/cache.py",
                              "https://github.com/turboderp-org/exllamav2/blob/da07facd10b5c7f35b03664c41a3090c9f093de5/exllamav2/cache.py"};
constexpr Source kStepSource{"turboderp-org/exllamav2 exllamav2/{attn,mlp,moe_mlp,linear}.py, scratch_space_fixed and forward",
                             "https://github.com/turboderp-org/exllamav2/blob/da07facd10b5c7f35b03664c41a3090c9f093de5/exllamav2/attn.py"};
constexpr Source kOverheadSource{"turboderp-org/exllamav2 exllamav2/device.py; free memory at start-up in public logs of PyTorch programs",
                                 "https://github.com/turboderp-org/exllamav2/blob/da07facd10b5c7f35b03664c41a3090c9f093de5/exllamav2/device.py"};

struct Architecture {
  std::string_view name;
  bool splits = false;  ///< supports_tp
};

/// architecture.py of v0.3.2, by model_type. Of models with experts the one that claims to split does not say how (moe_mlp.py).
const Architecture* find_architecture(std::string_view model_type) {
  static constexpr auto kAll = std::to_array<Architecture>({
      {"Yi"},      {"cohere"},      {"cohere2"},     {"dbrx"},       {"gemma"},       {"gemma2"},      {"gemma3"},        {"glm4", true},
      {"gpt2"},    {"gpt_bigcode"}, {"granite"},     {"internlm2"},  {"llama", true}, {"minicpm"},     {"mistral", true}, {"mistral3"},
      {"mixtral"}, {"phi3"},        {"qwen2", true}, {"qwen2_5_vl"}, {"qwen2_vl"},    {"qwen3", true}, {"qwen3_moe"},     {"starcoder2"},
  });
  const auto* found = std::find_if(kAll.begin(), kAll.end(), [&](const Architecture& known) { return known.name == model_type; });
  return found == kAll.end() ? nullptr : found;
}

/// The settings in force, and the sizes of the model that they go with.
struct Settings {
  std::int64_t needed_tokens = 0;  ///< of all sequences, in whole pages
  std::int64_t cache_tokens = 0;   ///< that the cache has: as many, or `cache_size`
  std::int64_t chunk = 0;          ///< max_input_len: tokens of a prompt in one step
  std::int64_t k_bits = 16;        ///< of a cached key; 16: not quantized
  std::int64_t v_bits = 16;
  std::int64_t logit_rows = 0;  ///< of the head's step while loading
  std::int64_t ranks = 1;       ///< that share each matrix; 1: layers are dealt out
  bool is_packed = false;       ///< weights are unpacked to be multiplied
  std::optional<std::int64_t> reserve_bytes;

  [[nodiscard]] bool has_unpacked_cache() const { return k_bits < 16; }
  /// The largest part of `size` that one rank has, in whole units.
  [[nodiscard]] std::int64_t part(std::int64_t size, std::int64_t unit) const { return std::min(size, ceil_div(ceil_div(size, unit), ranks) * unit); }
};

Settings settle(const Job& job) {
  const Scenario& scenario = job.scenario;
  const LibraryOptions& o = scenario.options.library;
  Settings s;
  s.needed_tokens = pooled_tokens(scenario, scenario.sequences, exllama::kPage);
  s.cache_tokens = o.cache_tokens.value_or(s.needed_tokens);
  s.chunk = std::min(o.prefill_tokens.value_or(2048), job.model.max_context_tokens);  // config.py max_input_len
  // cache.py weights_per_byte: Q6 has keys of 8 bits and values of 4.
  if (scenario.kv_type == "q8") s.k_bits = s.v_bits = 8;
  if (scenario.kv_type == "q6") s.k_bits = 8, s.v_bits = 4;
  if (scenario.kv_type == "q4") s.k_bits = s.v_bits = 4;
  s.logit_rows = o.last_logits_only.value_or(false) ? 1 : s.chunk;
  s.ranks = o.tensor_parallel.value_or(false) ? scenario.device_count() : 1;
  const std::string_view format = stored_format(job);
  s.is_packed = format.starts_with("exl2") || format.starts_with("gptq");
  s.reserve_bytes = o.reserve_bytes;
  return s;
}

/// What loading keeps free of GPU `number`.
Bytes reserve_of(const Settings& s, std::int64_t number) {
  if (s.ranks > 1) return {};
  if (s.reserve_bytes) return kLoadingReserve + Bytes(static_cast<std::uint64_t>(*s.reserve_bytes));
  return kLoadingReserve + (number == 0 ? kReserveOfFirst : kReserveOfOthers);
}

/// Heads of keys that one rank has, and as many for each of queries.
std::int64_t heads_here(const Settings& s, const FullAttention& a) { return s.part(a.n_kv_heads, 1); }

/// What a device holds of a tensor that all of them share (attn.py, mlp.py, model.py tp_split): outputs are split, and inputs are whole.
Tensor share_of_rank(const Job& job, const Settings& s, Tensor tensor) {
  if (tensor.rows <= 1 || tensor.cols <= 1) return tensor;
  switch (tensor.role) {
    case TensorRole::attention_q:
    case TensorRole::attention_k:
    case TensorRole::attention_v:
    case TensorRole::attention_output: {
      const FullAttention* a = first_grouped_attention(job.model.layers);
      tensor.rows = ceil_div(tensor.rows * heads_here(s, *a), a->n_kv_heads);
      break;
    }
    case TensorRole::ffn_gate_up:
      tensor.rows = 2 * s.part(ceil_div(tensor.rows, 2), kSmallestMlpPart);
      break;
    case TensorRole::ffn_down:
    case TensorRole::output_head:
      tensor.rows = s.part(tensor.rows, kSmallestRowPart);
      break;
    default:
      break;
  }
  return tensor;
}

Term weights_term(const Job& job, const Settings& s, const Stage& stage) {
  if (s.ranks == 1) return exllama::weights_term(job, stage, kWeightSource, 0);
  return exllama::weights_term(job, stage, kWeightSource, 0, [&](const Tensor& tensor) { return share_of_rank(job, s, tensor); });
}

/// Values of keys in one layer of one device, and as many of values.
std::int64_t values_of(const Settings& s, const LayerSpec& layer) {
  const FullAttention* a = grouped_attention(layer.mixer);
  return a == nullptr ? 0 : heads_here(s, *a) * a->head_dim_k;
}

/// Cached keys and values of one layer are unpacked into buffers as long as the cache, which all layers of a device share (touch_device).
FormulaRow unpacked_row(const Job& job, const Settings& s, std::int64_t values) {
  return make_row(job.explain, "unpacked_cache", {{"pool_tokens", s.cache_tokens}, {"values_per_token", 2 * values}, {"bytes_per_value", 2}});
}

Bytes unpacked_cache(const Job& job, const Settings& s) {
  if (!s.has_unpacked_cache() || job.model.layers.empty()) return {};
  return unpacked_row(job, s, values_of(s, job.model.layers.front())).bytes;
}

Bytes layer_cache(const Settings& s, const LayerSpec& layer) {
  Bytes bytes;
  for (const FormulaRow& row : exllama::cache_rows(false, s.cache_tokens, values_of(s, layer), s.k_bits, values_of(s, layer), s.v_bits, 1))
    bytes += row.bytes;
  return bytes;
}

/// Every layer keeps all tokens, behind a window too.
Term cache_term(const Job& job, const Settings& s, const Stage& stage) {
  Term term;
  term.id = "kv_cache";
  term.source = kCacheSource;
  const auto add = [&](FormulaRow row) {
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  if (const std::int64_t layers = stage.end - stage.first; layers > 0) {
    const std::int64_t values = values_of(s, job.model.layers.front());
    for (FormulaRow& row : exllama::cache_rows(job.explain, s.cache_tokens, values, s.k_bits, values, s.v_bits, layers)) add(std::move(row));
    if (s.has_unpacked_cache()) add(unpacked_row(job, s, values));
  }
  term.low = term.bytes;
  term.high = term.bytes + term.bytes / 50;
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  return term;
}

/// Part of a scratch buffer: one unpacked matrix of `rows` x `cols` values, and states of `state_bytes` a token.
FormulaRow scratch_row(const Job& job, const Settings& s, std::int64_t rows, std::int64_t cols, std::int64_t state_bytes) {
  constexpr Bytes most(static_cast<std::uint64_t>(2 * kMostUnpacked));
  const Bytes matrix = std::min(most, value_of({{"", rows}, {"", cols}, {"", 2}}));
  return make_row(job.explain, "exllama_buffer",
                  {{"batch_tokens", s.chunk},
                   {"bytes_of_hidden_states", state_bytes},
                   {"bytes_of_unpacked_matrix", static_cast<std::int64_t>(matrix.count()), Op::plus}});
}

std::int64_t padded_vocab(const Model& model) { return ceil_div(model.vocab_size, kSmallestRowPart) * kSmallestRowPart; }

/// The most that any module asks for (scratch_space_fixed, scratch_space_tp); every device has as much. Buffers of experts are as wide as the
/// config's intermediate_size: where that is not the experts' own, the head asks for more anyway.
FormulaRow scratch(const Job& job, const Settings& s) {
  const Model& model = job.model;
  const std::int64_t hidden = model.hidden_size;
  std::vector<FormulaRow> rows;
  const bool is_shared = s.ranks > 1;
  if (const FullAttention* a = first_grouped_attention(model.layers)) {
    const std::int64_t all = a->n_heads * a->head_dim_k;
    const std::int64_t keys = heads_here(s, *a) * a->head_dim_k;
    const std::int64_t queries = keys * (a->n_heads / std::max<std::int64_t>(1, a->n_kv_heads));
    rows.push_back(scratch_row(job, s, queries, is_shared ? std::max(hidden, all) : hidden,
                               2 * (is_shared ? 3 * all + 2 * queries + 2 * keys : std::max(all, hidden))));
  }
  if (const std::int64_t ffn = largest_dense_ffn(model); ffn > 0) {
    const std::int64_t part = s.part(ffn, kSmallestMlpPart);
    const std::int64_t rest = s.part(hidden, kSmallestRowPart);
    const std::int64_t states = is_shared ? 2 * hidden + ffn + 2 * part + rest : hidden + 2 * std::max(hidden, ffn);
    rows.push_back(scratch_row(job, s, hidden, part, 2 * states));
    rows.push_back(scratch_row(job, s, ffn, rest, 2 * states));
  }
  if (const MoeFfn* moe = first_moe(model))
    rows.push_back(scratch_row(job, s, hidden, moe->moe_ffn_size, 2 * (2 * hidden + 2 * moe->moe_ffn_size + moe->n_experts)));
  rows.push_back(scratch_row(job, s, hidden, s.part(padded_vocab(model), kSmallestRowPart), 0));
  return choose_largest(rows);
}

/// The widest moment of a step beside the scratch buffer. Loading runs a prompt of equal tokens, which all go to the same experts.
FormulaRow step(const Job& job, const Settings& s, bool has_head) {
  const Model& model = job.model;
  const std::int64_t hidden = model.hidden_size;
  std::vector<FormulaRow> rows;
  if (const FullAttention* a = first_grouped_attention(model.layers); a != nullptr && s.ranks == 1)
    rows.push_back(make_row(job.explain, "attention_step",
                            {{"values_of_heads", 2 * (a->n_heads + a->n_kv_heads) * a->head_dim_k},
                             {"bytes_per_value", 2},
                             {"bytes_of_hidden_states", 4 * hidden + 4 * a->n_heads, Op::plus},
                             {"batch_tokens", s.chunk}}));
  if (const std::int64_t ffn = largest_dense_ffn(model); ffn > 0 && !s.is_packed)
    rows.push_back(make_row(
        job.explain, "feed_forward",
        {{"ffn_size", ffn}, {"bytes_of_gate_up_and_product", 6}, {"bytes_of_hidden_states", 6 * hidden, Op::plus}, {"batch_tokens", s.chunk}}));
  if (const MoeFfn* moe = first_moe(model))
    rows.push_back(make_row(job.explain, "routed_experts",
                            {{"moe_ffn_size", moe->moe_ffn_size},
                             {"bytes_of_gate_up_and_product", 6},
                             {"bytes_of_hidden_states", 10 * hidden, Op::plus},
                             {"bytes_of_choices", 8 * moe->n_experts_used * moe->n_experts, Op::plus},
                             {"batch_tokens", s.chunk}}));
  if (s.ranks > 1) rows.push_back(make_row(job.explain, "hidden_states", {{"batch_tokens", s.chunk}, {"bytes_of_hidden_states", 4 * hidden}}));
  if (has_head && s.ranks == 1)
    rows.push_back(make_row(job.explain, "logits", {{"vocab_size", padded_vocab(model)}, {"logits_at_once", s.logit_rows}, {"bytes_per_logit", 2}}));
  return choose_largest(rows);
}

Term compute_term(const Job& job, const Settings& s, bool has_head) {
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.source = kStepSource;
  FormulaRow moving = step(job, s, has_head);
  FormulaRow buffer;
  if (s.is_packed) buffer = scratch(job, s);
  term.bytes = moving.bytes + buffer.bytes;
  term.low = moving.bytes / 2 + buffer.bytes;
  term.high = 2 * moving.bytes + buffer.bytes + 128 * kMiB;
  if (!job.explain) return term;
  term.formula.rows.push_back(std::move(moving));
  if (s.is_packed) term.formula.rows.push_back(std::move(buffer));
  return term;
}

/// Beside the usual, tables of sines and cosines.
Term overhead_term(const Job& job, const Device& device, Bytes moving) {
  Term term = exllama::overhead_term(job, device, moving, kOverheadSource);
  FormulaRow table = rotary_table_row(job.model, 2, 2);
  term.bytes += table.bytes;
  term.low += table.bytes;
  term.high += table.bytes;
  if (job.explain && table.bytes > Bytes()) term.formula.rows.push_back(std::move(table));
  return term;
}

DevicePlan plan_device(const Job& job, const Settings& s, const Stage& stage, std::size_t group, std::int64_t number) {
  const DeviceGroup& kind = job.scenario.hardware[group];
  DevicePlan device;
  device.group = group;
  device.capacity = kind.capacity();
  device.limit = device.capacity - reserve_of(s, number);
  Bytes moving;
  if (stage.first < stage.end || stage.is_last) {
    device.terms.push_back(weights_term(job, s, stage));
    device.terms.push_back(cache_term(job, s, stage));
    device.terms.push_back(compute_term(job, s, stage.is_last));
    moving = device.terms.back().bytes;
  }
  device.terms.push_back(overhead_term(job, kind.device, moving));
  device.reserved = device.total();
  device.observed = device.total() + kind.used;
  return device;
}

/// One after the other, as many layers as each GPU takes.
void plan_in_turn(const Job& job, const Settings& s, Plan& plan) {
  const Bytes shared = compute_term(job, s, false).bytes + unpacked_cache(job, s);
  const std::vector<Stage> stages = exllama::deal_out(
      job, [&](const LayerSpec& layer) { return layer_cache(s, layer); },
      [&](const Device& device, std::int64_t number) { return overhead_term(job, device, {}).bytes + shared + reserve_of(s, number); });
  std::int64_t number = 0;
  for (std::size_t group = 0; group < job.scenario.hardware.size(); ++group)
    for (std::int64_t i = 0; i < job.scenario.hardware[group].count; ++i, ++number)
      plan.devices.push_back(plan_device(job, s, stages[static_cast<std::size_t>(number)], group, number));
  exllama::pass_on_excess(plan.devices);
}

/// Logits or widest states of a step go through the host's memory twice (tensor_p.py finalize).
Term pinned_term(const Job& job, const Settings& s) {
  Term term;
  term.id = "compute";
  term.source = kWeightSource;
  const std::int64_t widest = std::max(job.model.vocab_size, largest_dense_ffn(job.model));
  FormulaRow row = make_row(job.explain, "hidden_states", {{"batch_tokens", s.chunk}, {"bytes_of_hidden_states", 4 * widest}});
  term.bytes = term.low = term.high = row.bytes;
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

/// load_tp splits EXL2 matrices, of models that say so, in parts of 128 of the feed-forward size.
std::optional<Notice> split_problem(const Job& job) {
  if (!job.scenario.options.library.tensor_parallel.value_or(false)) return std::nullopt;
  const auto refused = [](std::string message, std::string value) {
    return notice::custom("unsupported", "params.engine.options.tensor_parallel", std::move(message), "tensor_parallel", std::move(value), "false");
  };
  if (std::optional<Notice> unequal = unequal_gpus(job.scenario, "ExLlamaV2", "ExLlamaV2 needs at least one NVIDIA GPU.")) return unequal;
  if (!find_architecture(job.model.architecture)->splits)
    return refused("ExLlamaV2 does not split models of the architecture " + job.model.architecture + ": expected tensor_parallel false.",
                   job.model.architecture);
  if (!stored_format(job).starts_with("exl2"))
    return refused("ExLlamaV2 splits EXL2 weights only: expected tensor_parallel false.", std::string(stored_format(job)));
  if (const std::int64_t ffn = largest_dense_ffn(job.model); ffn % kSmallestMlpPart != 0)
    return notice::not_divisible("params.engine.options.tensor_parallel", "intermediate_size", grouped(ffn), "a multiple of 128, tensor_parallel");
  return std::nullopt;
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  if (std::optional<Notice> problem = exllama::device_problem(job.scenario, "ExLlamaV2", kLeastCapability)) return problem;
  if (find_architecture(job.model.architecture) == nullptr) return unknown_architecture("ExLlamaV2", job.model.architecture);
  const std::string_view format = stored_format(job);
  if (!exllamav2_engine().loads(format)) {
    plan.nearest_weights_format = "exl2-4bpw";
    return unloadable_format("ExLlamaV2", format, *plan.nearest_weights_format);
  }
  return split_problem(job);
}

}  // namespace

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, exllamav2_engine());
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings s = settle(job);
  plan.impossible = exllama::cache_size_problem(job.scenario, s.needed_tokens);
  if (plan.impossible) return plan;
  HostPlan host;
  host.terms.push_back(exllama::host_embeddings(job, kWeightSource));
  if (s.ranks == 1) {
    plan_in_turn(job, s, plan);
  } else {
    plan.devices.push_back(plan_device(job, s, {0, job.model.n_layers(), true, true}, 0, 0));
    plan.devices.front().count = s.ranks;
    host.terms.push_back(pinned_term(job, s));
  }
  if (job.scenario.host) host.capacity = job.scenario.host->capacity();
  plan.host = std::move(host);
  plan.report.all_gpu_layers = job.model.n_layers() + 1;
  plan.report.kv_cache_tokens = s.cache_tokens;
  plan.report.max_concurrency = static_cast<double>(s.cache_tokens) / static_cast<double>(job.scenario.context_tokens);
  return plan;
}

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min<std::int64_t>(8192, model.max_context_tokens), 1}; }

}  // namespace weighbridge::exllamav2
