// SPDX-License-Identifier: Apache-2.0
// ExLlamaV3, as its own scripts and TabbyAPI load it (model.load with autosplit): layer after layer goes to the first GPU that holds it together
// with its cache and one step of a prompt, and `reserve_per_device` stays free. The embeddings stay in the host's memory.
#include "engine/exllama/exllamav3.hpp"

#include <algorithm>
#include <array>

#include "engine/exllama/exllama.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/local_rules.hpp"
#include "engine/one_pool.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::exllamav3 {

namespace {

constexpr int kLeastCapability = 80;  // exllamav3_ext: its kernels are built of Ampere's asynchronous copies
constexpr Source kWeightSource{
    "turboderp-org/exllamav3 exllamav3/modules/{linear,embedding,mla_attn}.py, quant/exl3.py",
    "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/modules/linear.py"};
constexpr Source kOverheadSource{"turboderp-org/exllamav3 exllamav3/util/memory.py; free memory at start-up in public logs of PyTorch programs",
                                 "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/util/memory.py"};
constexpr Source kHostSource{
    "turboderp-org/exllamav3 exllamav3/modules/embedding.py prefer_cpu",
    "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/modules/embedding.py"};

Settings settle(const Job& job, const Architecture& architecture) {
  constexpr std::int64_t chunk = 2048;  // Generator max_chunk_size, load max_chunk_size
  const Scenario& scenario = job.scenario;
  const LibraryOptions& o = scenario.options.library;
  Settings s;
  s.sequences = scenario.sequences;
  s.needed_tokens = pooled_tokens(scenario, scenario.sequences, exllama::kPage);
  s.cache_tokens = o.cache_tokens.value_or(s.needed_tokens);
  s.chunk = o.prefill_tokens.value_or(chunk);
  if (scenario.kv_type.starts_with("q")) s.k_bits = s.v_bits = scenario.kv_type[1] - '0';
  s.k_bits = o.k_bits.value_or(s.k_bits);
  s.v_bits = o.v_bits.value_or(s.v_bits);
  s.ffn_bytes = architecture.ffn_bytes;
  s.ring_windows = architecture.has_ring_windows && !o.whole_window_cache.value_or(false);
  s.reserve = scaled(kGiB, o.reserve_gib.value_or(0.5));
  return s;
}

DevicePlan plan_device(const Job& job, const Settings& s, const Stage& stage, const Term& step, std::size_t group) {
  const DeviceGroup& kind = job.scenario.hardware[group];
  DevicePlan device;
  device.group = group;
  device.capacity = kind.capacity();
  device.limit = device.capacity - s.reserve;
  Bytes moving;
  if (stage.first < stage.end || stage.is_last) {
    device.terms.push_back(exllama::weights_term(job, stage, kWeightSource, kRecords));
    device.terms.push_back(cache_term(job, s, stage));
    if (Term states = state_term(job, s, stage); states.bytes > Bytes()) device.terms.push_back(std::move(states));
    device.terms.push_back(step);
    moving = step.bytes;
  }
  device.terms.push_back(exllama::overhead_term(job, kind.device, moving, kOverheadSource));
  device.reserved = device.total();
  device.observed = device.total() + kind.used;
  return device;
}

/// Checkpoints of rings and states, of which a generator keeps up to recurrent_cache_size for prompts that come again.
Term checkpoints_term(const Job& job) {
  Term term;
  term.id = "prompt_cache";
  term.basis = Basis::modelled;
  term.source = kHostSource;
  term.bytes = term.high = 4 * kGiB;
  if (job.explain) term.formula.rows.push_back({"earlier_prompts", {}, term.bytes, true});
  return term;
}

HostPlan plan_host(const Job& job, const Settings& s) {
  HostPlan host;
  host.terms.push_back(exllama::host_embeddings(job, kHostSource));
  const bool has_states = std::any_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(),
                                      [&](const LayerSpec& layer) { return state_bytes(layer, s) > Bytes(); });
  if (has_states) host.terms.push_back(checkpoints_term(job));
  if (job.scenario.host) host.capacity = job.scenario.host->capacity();
  return host;
}

/// cache/quant.py CacheLayer_quant: 2 to 8 bits, of keys and values both.
std::optional<Notice> bits_problem(const Settings& s) {
  constexpr std::array<std::int64_t, 7> packed{2, 3, 4, 5, 6, 7, 8};
  const auto is_packed = [&](std::int64_t bits) { return std::find(packed.begin(), packed.end(), bits) != packed.end(); };
  if ((s.k_bits == 16 && s.v_bits == 16) || (is_packed(s.k_bits) && is_packed(s.v_bits))) return std::nullopt;
  // Of two the one that is packed beside one that is not, or that has another number of bits.
  const bool is_key = is_packed(s.k_bits) ? s.v_bits == 16 : s.k_bits != 16;
  const std::int64_t bits = is_key ? s.k_bits : s.v_bits;
  const std::string option = is_key ? "k_bits" : "v_bits";
  return notice::out_of_range("params.engine.options." + option, option, grouped(bits), is_packed(bits) ? "16" : one_of(packed));
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  if (std::optional<Notice> problem = exllama::device_problem(job.scenario, "ExLlamaV3", kLeastCapability)) return problem;
  // README.md: of Gemma 4 the models with embeddings for every layer are not supported.
  const auto is_shared = [](const LayerSpec& layer) { return layer.shares_cache || std::holds_alternative<EncoderAttention>(layer.mixer); };
  if (find_architecture(job.model.architecture) == nullptr ||
      std::any_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(), is_shared))
    return unknown_architecture("ExLlamaV3", job.model.architecture);
  const std::string_view format = stored_format(job);
  if (exllamav3_engine().loads(format)) return std::nullopt;
  plan.nearest_weights_format = "exl3-4bpw";
  return unloadable_format("ExLlamaV3", format, *plan.nearest_weights_format);
}

}  // namespace

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, exllamav3_engine());
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings s = settle(job, *find_architecture(job.model.architecture));
  plan.impossible = exllama::cache_size_problem(job.scenario, s.needed_tokens);
  if (!plan.impossible) plan.impossible = bits_problem(s);
  if (plan.impossible) return plan;
  const Term step = compute_term(job, s);
  const std::vector<Stage> stages = exllama::deal_out(
      job, [&](const LayerSpec& layer) { return cache_bytes(token_of(layer, s), s) + state_bytes(layer, s); },
      [&](const Device& device, std::int64_t) { return exllama::overhead_term(job, device, {}, kOverheadSource).bytes + step.bytes + s.reserve; });
  std::size_t index = 0;
  for (std::size_t group = 0; group < job.scenario.hardware.size(); ++group)
    for (std::int64_t i = 0; i < job.scenario.hardware[group].count; ++i) plan.devices.push_back(plan_device(job, s, stages[index++], step, group));
  exllama::pass_on_excess(plan.devices);
  plan.host = plan_host(job, s);
  plan.report.all_gpu_layers = job.model.n_layers() + 1;
  plan.report.kv_cache_tokens = s.cache_tokens;
  plan.report.max_concurrency = static_cast<double>(s.cache_tokens) / static_cast<double>(job.scenario.context_tokens);
  return plan;
}

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min<std::int64_t>(8192, model.max_context_tokens), 1}; }

}  // namespace weighbridge::exllamav3
