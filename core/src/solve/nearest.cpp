// SPDX-License-Identifier: Apache-2.0
// What an engine refuses, and names no other value for: the nearest that it runs, found by asking it.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <numeric>

#include "engine/engine.hpp"
#include "engine/layout.hpp"
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
  for (const std::string_view type : {"auto", "bf16"})  // `auto` may be what a checkpoint asks for
    if (type != asked && works(type)) return type;
  return std::nullopt;
}

constexpr std::string_view kOptions = "params.engine.options.";

/// The same with an option of the engine changed, by its own name; nothing where that is no value of it.
std::optional<Scenario> with_option(const Scenario& scenario, const std::string& name, const Json& value) {
  Json options = describe_options(scenario.options, scenario.engine);
  options[name] = value;
  Scenario trial = scenario;
  trial.options = {};
  Notices warnings;
  KeyReader reader(options, kOptions, warnings);
  read_options(reader, trial);
  return reader.error() ? std::nullopt : std::optional(std::move(trial));
}

/// The values that a refusal expects: "one of 0, 4, 8", "a multiple of 16" of `asked`, or one alone; none where it says something else.
std::vector<Json> expected_values(std::string_view expected, std::int64_t asked) {
  constexpr std::string_view list = "one of ";
  constexpr std::string_view multiple = "a multiple of ";
  const bool is_multiple = expected.starts_with(multiple);
  if (is_multiple) expected.remove_prefix(multiple.size());
  if (expected.starts_with(list)) expected.remove_prefix(list.size());
  std::vector<Json> values;
  while (!expected.empty()) {
    const std::size_t end = std::min(expected.find(", "), expected.size());
    std::string text(expected.substr(0, end));
    expected.remove_prefix(std::min(end + 2, expected.size()));
    if (text.find(' ') != std::string::npos) return {};
    std::string digits = text;
    digits.erase(std::remove(digits.begin(), digits.end(), ','), digits.end());
    std::int64_t number = 0;
    const auto [after, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && after == digits.data() + digits.size())
      values.emplace_back(is_multiple && number > 0 ? ceil_div(asked, number) * number : number);
    else
      values.emplace_back(std::move(text));
  }
  return values;
}

/// Letters that have to be put in or left out to make one word of the other.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t corner = row.front()++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const bool is_same = std::tolower(static_cast<unsigned char>(a[i])) == std::tolower(static_cast<unsigned char>(b[j]));
      const std::size_t kept = corner;
      corner = row[j + 1];
      row[j + 1] = is_same ? kept : std::min(corner, row[j]) + 1;
    }
  }
  return row.back();
}

/// How far a value is from the asked one: words by their spelling; numbers that are large enough come first.
std::int64_t distance(const Json& asked, const Json& value) {
  if (asked.is_string() && value.is_string()) return static_cast<std::int64_t>(edits(asked.get<std::string>(), value.get<std::string>()));
  if (!asked.is_number_integer() || !value.is_number_integer()) return kMostTokens;
  const std::int64_t more = value.get<std::int64_t>() - asked.get<std::int64_t>();
  return more >= 0 ? more : kMostBytes - more;
}

/// A number of ranks, or of layers that draft: the most below the asked one.
constexpr std::array<std::string_view, 5> kRankOptions{"num_nextn_predict_layers", "ep_size", "moe_expert_parallel_size", "dp_size",
                                                       "decode_context_parallel_size"};
/// A size that may be too small: the least that is large enough, in whole steps.
struct SizeOption {
  std::string_view name;
  std::int64_t most;
  std::int64_t step = 1;
};
constexpr std::array kSizeOptions{SizeOption{"max_num_batched_tokens", kMostBatchTokens}, SizeOption{"max_total_seq_length", kMostTokens},
                                  SizeOption{"cache_size", kMostTokens, 256}};

/// What the option may be that a refusal is about: of what it expects the nearest, else the nearest number that runs.
std::optional<NearestOption> nearest_option(Prepared& prepared, const Scenario& scenario, const Notice& reason) {
  if (!reason.where.starts_with(kOptions)) return std::nullopt;
  const std::string name = reason.where.substr(kOptions.size());
  const Json options = describe_options(scenario.options, scenario.engine);
  const auto found = options.find(name);
  const Json asked = found == options.end() ? Json() : *found;
  const auto works = [&](const Json& value) {
    const std::optional<Scenario> trial = with_option(scenario, name, value);
    return trial && runs(prepared, *trial);
  };
  const std::int64_t number = asked.is_number_integer() ? asked.get<std::int64_t>() : 0;
  if (std::find(kRankOptions.begin(), kRankOptions.end(), name) != kRankOptions.end()) {
    for (std::int64_t count = std::min(number - 1, scenario.device_count()); count >= 0; --count)
      if (works(count)) return NearestOption{name, count, {}};
    return std::nullopt;
  }
  const auto size = std::find_if(kSizeOptions.begin(), kSizeOptions.end(), [&](const SizeOption& option) { return option.name == name; });
  if (size != kSizeOptions.end()) {
    std::int64_t small = number / size->step;
    std::int64_t large = size->most / size->step;
    if (!works(large * size->step)) return std::nullopt;
    while (large - small > 1) {
      const std::int64_t middle = small + (large - small) / 2;
      (works(middle * size->step) ? large : small) = middle;
    }
    return NearestOption{name, large * size->step, {}};
  }
  if (reason.key != name) return std::nullopt;
  if (asked.is_boolean()) return works(false) ? std::optional(NearestOption{name, 0, "false"}) : std::nullopt;
  std::vector<Json> values = expected_values(reason.expected, number);
  std::stable_sort(values.begin(), values.end(), [&](const Json& a, const Json& b) { return distance(asked, a) < distance(asked, b); });
  const auto value = std::find_if(values.begin(), values.end(), works);
  if (value == values.end()) return std::nullopt;
  if (value->is_string()) return NearestOption{name, 0, value->get<std::string>()};
  return NearestOption{name, value->get<std::int64_t>(), {}};
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
    verdict.nearest_option = NearestOption{std::string(longest_sequence_option(scenario.engine)), *verdict.nearest_context_tokens, {}};
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
  if (const auto found = nearest_option(prepared, scenario, *verdict.reason)) verdict.nearest_option = found;
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
  if (const auto& o = v.nearest_option) {
    if (o->word == "false")
      json = {{o->name.c_str(), false}};
    else if (o->word.empty())
      json = {{o->name.c_str(), o->number}};
    else
      json = {{o->name.c_str(), o->word}};
  }
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
