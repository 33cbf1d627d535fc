// SPDX-License-Identifier: Apache-2.0
// What an engine refuses, and names no other value for: the nearest that it runs, found by asking it.
#include <algorithm>
#include <array>
#include <numeric>

#include "engine/engine.hpp"
#include "engine/layout.hpp"
#include "engine/vllm/vllm.hpp"
#include "fit_trial.hpp"
#include "options.hpp"
#include "options/serving_options.hpp"
#include "response.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// Whether the engine runs `trial`, however much memory it needs.
bool runs(Prepared& prepared, const Scenario& trial) {
  const Result<Estimate> answer = evaluate_least(prepared, trial);
  return answer && answer->verdict.kind != VerdictClass::impossible;
}

/// The same layout over fewer machines: as many as hold like numbers of devices; one where there are copies, which may not be dealt out so.
Parallel fewer_nodes(const Engine& engine, const Scenario& scenario) {
  Parallel p = scenario.parallel;
  const std::int64_t shared = engine.machines == Machines::one || p.data > 1 ? 1 : scenario.device_count();
  do --p.nodes;
  while (shared % p.nodes != 0);
  // One that followed from the machines does so again.
  if (const std::int64_t count = scenario.device_count(); p.tensor * p.pipeline * p.data != count) {
    p.data = 1;
    p.pipeline = engine.machines == Machines::staged ? p.nodes : 1;
    p.tensor = count / p.pipeline;
  }
  return p;
}

/// A layout over the same devices; where the asked one has other devices, the nearest to all of them in one group.
std::optional<Parallel> nearest_parallel(Prepared& prepared, Scenario trial) {
  Parallel asked = trial.parallel;
  if (asked.tensor * asked.pipeline * asked.data != trial.device_count()) asked = {trial.device_count(), 1, 1, asked.expert, asked.nodes};
  return nearest_layout(asked, [&](const Parallel& parallel) {
    trial.parallel = parallel;
    return runs(prepared, trial);
  });
}

/// Fewer devices, over which tensor parallel alone works.
std::optional<std::int64_t> fewer_devices(Prepared& prepared, Scenario trial) {
  if (trial.hardware.size() != 1) return std::nullopt;
  std::int64_t& count = trial.hardware.front().count;
  while (--count > 0) {
    trial.parallel = {count};
    if (runs(prepared, trial)) return count;
  }
  return std::nullopt;
}

/// The format whose weights are nearest in size.
std::optional<std::string_view> nearest_format(const Engine& engine, Prepared& prepared, Scenario trial) {
  const Bytes asked = loaded_bytes(prepared.tensors());
  std::vector<std::string_view> formats = engine.weights_formats;
  formats.emplace_back("checkpoint");
  std::optional<std::string_view> best;
  Bytes least;
  std::unique_ptr<Prepared> weights;
  for (const std::string_view format : formats) {
    if (format == trial.weights_format) continue;
    Scenario other = trial;
    other.weights_format = format;
    weights = std::make_unique<Prepared>(prepared.model(), loaded_format(prepared.model(), other), weights.get());
    const Bytes bytes = loaded_bytes(weights->tensors());
    const Bytes gap = std::max(asked, bytes) - std::min(asked, bytes);
    if ((best && gap >= least) || !runs(*weights, other)) continue;
    best = format;
    least = gap;
  }
  return best;
}

/// A type of the same kind under another name, or the engine's own choice.
std::optional<std::string_view> nearest_cache_type(const Engine& engine, Prepared& prepared, Scenario trial) {
  const std::string asked = trial.kv_type;
  const auto works = [&](std::string_view type) {
    trial.kv_type = trial.kv_value_type = type;
    return runs(prepared, trial);
  };
  for (const std::string_view type : engine.kv_types)
    if (type != asked && (type.starts_with(asked) || std::string_view(asked).starts_with(type)) && works(type)) return type;
  return works("auto") ? std::optional<std::string_view>("auto") : std::nullopt;
}

/// A number of ranks, or of layers that draft, that is an option of the engine: the most below the asked one.
std::optional<NearestOption> nearest_ranks(const std::string& where, Prepared& prepared, Scenario trial) {
  struct Ranks {
    std::string_view name;
    std::optional<std::int64_t>* value;
    std::int64_t least = 1;
  };
  EngineOptions& o = trial.options;
  const std::array all{Ranks{"num_nextn_predict_layers", &o.serving.speculative_num_draft_tokens, 0}, Ranks{"ep_size", &o.serving.ep_size},
                       Ranks{"moe_expert_parallel_size", &o.serving.ep_size}, Ranks{"dp_size", &o.serving.dp_size},
                       Ranks{"decode_context_parallel_size", &o.vllm.decode_context_parallel_size}};
  for (const Ranks& ranks : all) {
    if (!where.ends_with("options." + std::string(ranks.name)) || !*ranks.value) continue;
    for (std::int64_t count = std::min(**ranks.value - 1, trial.device_count()); count >= ranks.least; --count) {
      *ranks.value = count;
      if (runs(prepared, trial)) return NearestOption{ranks.name, count};
    }
  }
  return std::nullopt;
}

/// A size that an option sets too small: the least that is large enough.
std::optional<NearestOption> nearest_size(const std::string& where, Prepared& prepared, Scenario trial) {
  struct Size {
    std::string_view name;
    std::optional<std::int64_t>* value;
  };
  EngineOptions& o = trial.options;
  const std::array all{Size{"max_num_batched_tokens", &o.max_num_batched_tokens}, Size{"max_total_seq_length", &o.serving.max_total_tokens},
                       Size{"cache_size", &o.library.cache_tokens}};
  for (const Size& size : all) {
    if (!where.ends_with("options." + std::string(size.name)) || !*size.value) continue;
    const auto works = [&](std::int64_t tokens) {
      *size.value = tokens;
      return runs(prepared, trial);
    };
    std::int64_t small = **size.value;
    if (!works(kMostTokens)) return std::nullopt;
    std::int64_t large = kMostTokens;
    while (large - small > 1) {
      const std::int64_t middle = small + (large - small) / 2;
      (works(middle) ? large : small) = middle;
    }
    return NearestOption{size.name, large};
  }
  return std::nullopt;
}

/// The least rank that has room for adapters of the asked one, else the largest.
std::optional<NearestOption> nearest_lora_rank(const std::string& where, Prepared& prepared, Scenario trial) {
  std::optional<std::int64_t>& rank = trial.options.vllm.max_lora_rank;
  if (!where.ends_with("options.max_lora_rank") || !rank) return std::nullopt;
  const auto enough = std::lower_bound(vllm::kLoraRanks.begin(), vllm::kLoraRanks.end(), *rank);
  rank = enough == vllm::kLoraRanks.end() ? vllm::kLoraRanks.back() : *enough;
  return runs(prepared, trial) ? std::optional(NearestOption{"max_lora_rank", *rank}) : std::nullopt;
}

/// As many requests at the same time as the engine runs.
std::optional<std::int64_t> nearest_sequences(Prepared& prepared, Scenario trial) {
  std::int64_t good = 0;
  std::int64_t bad = trial.sequences;
  while (bad - good > 1) {
    trial.sequences = good + (bad - good) / 2;
    (runs(prepared, trial) ? good : bad) = trial.sequences;
  }
  return good > 0 ? std::optional(good) : std::nullopt;
}

/// The oldest release after the asked one that runs it.
std::optional<std::string_view> nearest_version(const Engine& engine, Prepared& prepared, Scenario trial) {
  const auto asked = std::find(engine.versions.begin(), engine.versions.end(), trial.engine_version);
  for (auto version = asked == engine.versions.end() ? engine.versions.begin() : asked + 1; version != engine.versions.end(); ++version) {
    trial.engine_version = *version;
    if (runs(prepared, trial)) return *version;
  }
  return std::nullopt;
}

/// Devices of one kind out of those that are given: of the kind with the most memory that runs it as many as do, split by tensor parallel.
std::optional<NearestHardware> nearest_hardware(Prepared& prepared, const Scenario& scenario) {
  std::vector<std::size_t> groups(scenario.hardware.size());
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  const auto memory = [&](std::size_t group) {
    const DeviceGroup& devices = scenario.hardware[group];
    return devices.device.runtime_bytes * static_cast<std::uint64_t>(devices.count);
  };
  std::stable_sort(groups.begin(), groups.end(), [&](std::size_t a, std::size_t b) { return memory(a) > memory(b); });
  Scenario trial = scenario;
  for (const std::size_t group : groups) {
    trial.hardware = {scenario.hardware[group]};
    for (std::int64_t& count = trial.hardware.front().count; count > 0; --count) {
      trial.parallel = {count};
      if (runs(prepared, trial)) return NearestHardware{group, count};
    }
  }
  return std::nullopt;
}

}  // namespace

void offer_nearest(Prepared& prepared, const Scenario& scenario, Verdict& verdict) {
  if (verdict.kind != VerdictClass::impossible || !verdict.reason) return;
  if (verdict.nearest_context_tokens && scenario.options.max_model_len) {
    // Requests follow a limit that is set, which would still be refused with shorter ones.
    verdict.nearest_option = NearestOption{longest_sequence_option(scenario.engine), *verdict.nearest_context_tokens};
    verdict.nearest_context_tokens.reset();
  }
  if (verdict.nearest_weights_format) {
    // What an engine names for a model may not run on this card.
    Scenario other = scenario;
    other.weights_format = *verdict.nearest_weights_format;
    Prepared weights(prepared.model(), loaded_format(prepared.model(), other));
    if (!runs(weights, other))
      if (const auto found = nearest_format(*find_engine(scenario.engine), prepared, scenario)) verdict.nearest_weights_format = found;
    return;
  }
  if (verdict.nearest_tensor_parallel) return;
  const Engine& engine = *find_engine(scenario.engine);
  const std::string& where = verdict.reason->where;
  Scenario trial = scenario;
  if (where == "params.parallel.nodes") verdict.nearest_parallel = fewer_nodes(engine, scenario);
  if (verdict.nearest_parallel) {
    // On fewer machines the layout may be one that the engine does not have.
    trial.parallel = *verdict.nearest_parallel;
    if (runs(prepared, trial)) return;
    verdict.nearest_parallel.reset();
  }
  if (where == "params.weights.format" && !prepared.model().from_gguf) verdict.nearest_weights_format = nearest_format(engine, prepared, scenario);
  if (where.starts_with("params.kv_cache")) verdict.nearest_cache_type = nearest_cache_type(engine, prepared, scenario);
  if (where.starts_with("params.engine.options.")) verdict.nearest_option = nearest_ranks(where, prepared, scenario);
  if (where.starts_with("params.engine.options.") && !verdict.nearest_option) verdict.nearest_option = nearest_size(where, prepared, scenario);
  if (!verdict.nearest_option) verdict.nearest_option = nearest_lora_rank(where, prepared, scenario);
  if (where == "params.engine.version") verdict.nearest_version = nearest_version(engine, prepared, scenario);
  if (where == "params.workload.sequences") verdict.nearest_sequences = nearest_sequences(prepared, scenario);
  if (where.starts_with("params.hardware")) verdict.nearest_hardware = nearest_hardware(prepared, scenario);
  const bool is_layout = where.starts_with("params.parallel") || where.ends_with("parallel_size") || where.ends_with("ep_size");
  if (!is_layout || verdict.nearest_option) return;
  verdict.nearest_parallel = nearest_parallel(prepared, trial);
  if (!verdict.nearest_parallel) verdict.nearest_tensor_parallel = fewer_devices(prepared, scenario);
}

void describe_nearest(const Verdict& v, const std::vector<DeviceGroup>& hardware, JsonOut& json) {
  if (v.nearest_tensor_parallel) json = {{"parallel", {{"tensor", *v.nearest_tensor_parallel}}}};
  if (v.nearest_parallel) json = {{"parallel", describe_parallel<JsonOut>(*v.nearest_parallel)}};
  if (v.nearest_context_tokens) json = {{"context_tokens", *v.nearest_context_tokens}};
  if (v.nearest_weights_format) json = {{"weights", {{"format", *v.nearest_weights_format}}}};
  if (v.nearest_cache_type) json = {{"kv_cache", {{"k", *v.nearest_cache_type}, {"v", *v.nearest_cache_type}}}};
  if (v.nearest_option) json = {{v.nearest_option->name, v.nearest_option->value}};
  if (v.nearest_hardware) {
    JsonOut groups = JsonOut::array();
    groups.push_back(describe_group(hardware[v.nearest_hardware->group], v.nearest_hardware->count));
    json = {{"hardware", groups}};
  }
  if (v.nearest_sequences) json = {{"sequences", *v.nearest_sequences}};
  if (v.nearest_version) json = {{"engine", {{"version", *v.nearest_version}}}};
  if (v.nearest_gpu_layers) json = {{"gpu_layers", *v.nearest_gpu_layers}, {"host_bytes", v.offload_host_bytes.value_or(Bytes()).count()}};
}

}  // namespace weighbridge
