// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/speed.hpp"

#include <algorithm>
#include <array>

#include "engine/engine.hpp"
#include "speed/speed_load.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;

/// Share of the bandwidth of system memory that the processor's part was seen to reach: tests/truth/speed.jsonl, llmfit-rtx-2080.
constexpr Between kHostShare{0.4, 0.8};
/// Of the bandwidth between devices; the lower one stands for cards that reach each other through the host's memory only.
constexpr Between kLinkShare{0.25, 1.0};

/// Both readings of a run at once.
Between operator+(Between a, Between b) { return {a.low + b.low, a.high + b.high}; }
Between scaled_by(Between time, double factor) { return {time.low * factor, time.high * factor}; }
/// `amount` at a rate between `rate.low` and `rate.high`: the fastest and the slowest time.
Between time_for(double amount, Between rate) {
  if (amount <= 0) return {};
  return {amount / rate.high, amount / rate.low};
}
Between share_of(Between share, double peak) { return {share.low * peak, share.high * peak}; }

bool drafts(const EngineOptions& o) {
  return o.vllm.num_speculative_tokens.value_or(0) > 0 || o.vllm.speculative_method || o.serving.speculative_algorithm ||
         o.serving.speculative_num_draft_tokens.value_or(0) > 0 || o.llama_cpp.mtp.value_or(false) || o.draft_model;
}

/// Operations a second of `device` on weights of `format`, the surely used units and the best: a format that its units multiply may still be widened.
Between peak(const Device& device, const Engine& engine, std::string_view format) {
  const Tflops& t = device.tflops;
  const double sixteen = t.fp16 > 0 ? t.fp16 : t.fp32;
  if (sixteen <= 0) return share_of(kUnknownOperations, device.bandwidth_gb_s * kGiga);
  if (engine.is_llama_cpp()) {
    // ggml-cuda.cu asks cuBLAS for sums in 16 bits (CUBLAS_COMPUTE_16F).
    const double best = std::max(sixteen, t.fp16_fp16acc);
    return {best * kTera, best * kTera};
  }
  const bool is_fp8 = format == "fp8" || format == "fp8-block" || format == "mxfp8";
  const bool is_fp4 = format == "nvfp4" || format == "mxfp4";
  const double narrow = is_fp8 ? t.fp8 : is_fp4 ? std::max(t.fp8, t.fp4) : format == "int8" ? t.int8 : 0;
  const double best = std::max(sixteen, narrow);
  return {(is_fp8 ? best : sixteen) * kTera, best * kTera};
}

/// How the devices share a step.
struct Layout {
  double concurrent = 1;      ///< devices that work on one layer at the same time
  bool is_chain = false;      ///< the others follow one after the other
  std::int64_t ranks = 1;     ///< that add up their parts of each layer
  std::int64_t replicas = 1;  ///< that each take a part of the sequences
};

Layout layout_of(const Scenario& scenario, const Engine& engine, const SpeedBand& band) {
  const Parallel& p = scenario.parallel;
  Layout layout{static_cast<double>(p.tensor * p.data), p.pipeline > 1, p.tensor, p.data};
  const SplitMode mode = scenario.options.llama_cpp.split_mode.value_or(SplitMode::layer);
  const bool splits_layers = engine.is_llama_cpp() && (mode == SplitMode::row || mode == SplitMode::tensor);
  if (band.in_turn && !splits_layers) layout = {1, true, 1, 1};
  return layout;
}

/// What holds for all steps of a run.
struct Run {
  const Prepared& prepared;
  const Scenario& scenario;
  const Engine& engine;
  const SpeedBand& band;
  const Estimate& estimate;
  const Estimate* apart;  ///< the same with a prefix of its own for each sequence, whose kernels may read a shared one again; null: none is shared
  Layout layout;
  std::string_view format;
  std::optional<double> host_gb_s;

  [[nodiscard]] const Device& device_of(const DevicePlan& plan) const { return scenario.hardware[plan.group].device; }
};

/// The times of a step's causes, in the order of SpeedCause.
using Times = std::array<Between, 6>;
Between& time_of(Times& times, SpeedCause cause) { return times[static_cast<std::size_t>(cause)]; }

/// What the devices of one plan take of a step: reading, and calculating.
struct DeviceTimes {
  Between weights, cache, operations;

  [[nodiscard]] Between sum() const { return weights + cache + operations; }
};

DeviceTimes times_on(const Run& run, const DevicePlan& plan, const Reads& reads, double operations) {
  const Device& device = run.device_of(plan);
  const Between rate = share_of(run.band.bandwidth, device.bandwidth_gb_s * kGiga);
  const Between units = peak(device, run.engine, run.format);
  const Between share = device.tflops.fp16 > 0 ? run.band.operations : run.band.plain_operations;
  return {time_for(reads.weights, rate), time_for(reads.cache, rate), time_for(operations, {units.low * share.low, units.high * share.high})};
}

/// The link between the devices that add up, in 10^9 bytes a second, where nobody says how fast it is.
std::optional<Between> unknown_link(const Scenario& scenario, std::int64_t ranks) {
  if (ranks < 2) return std::nullopt;
  if (ranks > scenario.device_count() / scenario.parallel.nodes) return kUnknownNetwork;
  const auto is_unknown = [](const DeviceGroup& group) { return group.device.link_gb_s <= 0; };
  return std::any_of(scenario.hardware.begin(), scenario.hardware.end(), is_unknown) ? std::optional(kUnknownLink) : std::nullopt;
}

/// Adds up parts of each layer: twice, by a ring over `ranks` devices (2 (ranks - 1) / ranks of the values), 16 bits each.
Between link_time(const Run& run, const Step& step) {
  const double ranks = static_cast<double>(run.layout.ranks);
  if (ranks < 2) return {};
  double slowest = run.scenario.hardware.front().device.link_gb_s;
  for (const DeviceGroup& group : run.scenario.hardware) slowest = std::min(slowest, group.device.link_gb_s);
  const Between link = unknown_link(run.scenario, run.layout.ranks).value_or(Between{slowest, slowest});
  const Model& model = run.prepared.model();
  const std::int64_t tokens = ceil_div(step.sequences, run.layout.replicas) * step.new_tokens;
  const double values = static_cast<double>(tokens) * static_cast<double>(model.hidden_size * model.n_layers());
  return time_for(2 * 2 * values * 2 * (ranks - 1) / ranks, {link.low * kLinkShare.low * kGiga, link.high * kLinkShare.high * kGiga});
}

Between host_rate(const Run& run) {
  if (run.host_gb_s) return share_of(kHostShare, *run.host_gb_s * kGiga);
  for (const DeviceGroup& group : run.scenario.hardware)
    if (group.device.unified_memory) return share_of(kHostShare, group.device.bandwidth_gb_s * kGiga);
  return {kHostShare.low * kHostBandwidth.low * kGiga, kHostShare.high * kHostBandwidth.high * kGiga};
}

/// `passes`: how often the weights are read for it; the operations and the cache are those of the whole.
Times times_of(const Run& run, const Step& step, const StepReads& reads, Between passes) {
  const Estimate& estimate = run.estimate;
  double weights = 0;
  double devices = 0;
  for (std::size_t i = 0; i < estimate.devices.size(); ++i) {
    weights += reads.devices[i].weights * static_cast<double>(estimate.devices[i].count);
    devices += static_cast<double>(estimate.devices[i].count);
  }
  // One sequence is with one replica, whatever the others do.
  const auto replicas = static_cast<double>(run.layout.replicas);
  const double idle = replicas / std::min(replicas, static_cast<double>(step.sequences));
  const double operations = operations_of(run.prepared.model(), step) * idle;
  Times times{};
  Between longest;
  for (std::size_t i = 0; i < estimate.devices.size(); ++i) {
    const DevicePlan& plan = estimate.devices[i];
    const double share = weights > 0 ? reads.devices[i].weights / weights : 1 / devices;
    DeviceTimes one = times_on(run, plan, reads.devices[i], operations * share);
    one.weights = {one.weights.low * passes.low, one.weights.high * passes.high};
    if (run.layout.is_chain) {
      const double in_turn = static_cast<double>(plan.count) / run.layout.concurrent;
      time_of(times, SpeedCause::weights) = time_of(times, SpeedCause::weights) + scaled_by(one.weights, in_turn);
      time_of(times, SpeedCause::cache) = time_of(times, SpeedCause::cache) + scaled_by(one.cache, in_turn);
      time_of(times, SpeedCause::operations) = time_of(times, SpeedCause::operations) + scaled_by(one.operations, in_turn);
    } else if (one.sum().high > longest.high) {
      longest = one.sum();
      time_of(times, SpeedCause::weights) = one.weights;
      time_of(times, SpeedCause::cache) = one.cache;
      time_of(times, SpeedCause::operations) = one.operations;
    }
  }
  time_of(times, SpeedCause::host) = time_for(reads.host.total(), host_rate(run));
  const double layers = static_cast<double>(run.prepared.model().n_layers());
  time_of(times, SpeedCause::layers) = {layers * run.band.layer_seconds.low * passes.low, layers * run.band.layer_seconds.high * passes.high};
  time_of(times, SpeedCause::link) = link_time(run, step);
  return times;
}

/// Fastest: a device calculates while it reads, and the links work beside it. Slowest: one thing after the other.
Between together(const Times& times) {
  const auto part = [&](SpeedCause cause) { return times[static_cast<std::size_t>(cause)]; };
  Between sum;
  for (const Between& time : times) sum.high += time.high;
  const double reading = part(SpeedCause::weights).low + part(SpeedCause::cache).low;
  sum.low = std::max({reading, part(SpeedCause::operations).low, part(SpeedCause::link).low}) + part(SpeedCause::host).low +
            part(SpeedCause::layers).low;
  return sum;
}

/// One sequence waits for the memory. With more the processor may calculate for longer than it reads; for each it takes no longer than for one alone,
/// since every row of a matrix is multiplied with every token (ggml/src/ggml-cpu/ggml-cpu.c, ggml_compute_forward_mul_mat_one_chunk).
double slowest_on_host(const Run& run, const Step& step, const StepReads& reads) {
  const StepReads alone = reads_of(run.prepared, run.estimate, {1, step.new_tokens, step.context_tokens});
  return time_for(alone.host.weights * static_cast<double>(step.sequences) + reads.host.cache, host_rate(run)).high;
}

Between rate_of(double tokens, Between seconds) { return {tokens / seconds.high, tokens / seconds.low}; }

void decode(const Run& run, Speed& speed) {
  const Step step{run.scenario.sequences, 1, speed.tokens};
  const StepReads reads = reads_of(run.prepared, run.estimate, step);
  double weights = 0;
  double cache = 0;
  for (std::size_t i = 0; i < reads.devices.size(); ++i) {
    weights += reads.devices[i].weights * static_cast<double>(run.estimate.devices[i].count);
    cache += reads.devices[i].cache * static_cast<double>(run.estimate.devices[i].count);
  }
  speed.weights_read = Bytes(static_cast<std::uint64_t>(weights));
  speed.cache_read = Bytes(static_cast<std::uint64_t>(cache));
  speed.host_read = Bytes(static_cast<std::uint64_t>(reads.host.total()));
  speed.operations = operations_of(run.prepared.model(), step);
  if (!generates(run.prepared.model())) {
    speed.no_decode = SpeedGap::reads_only;
    return;
  }
  if (drafts(run.scenario.options)) {
    speed.no_decode = SpeedGap::drafts;
    return;
  }
  Times times = times_of(run, step, reads, {1, 1});
  if (step.sequences > 1) time_of(times, SpeedCause::host).high = slowest_on_host(run, step, reads);
  if (run.apart != nullptr) {
    Times each = times_of(run, step, reads_of(run.prepared, *run.apart, step), {1, 1});
    time_of(times, SpeedCause::cache).high = time_of(each, SpeedCause::cache).high;
  }
  speed.decode = rate_of(static_cast<double>(step.sequences), together(times));
  for (std::size_t cause = 0; cause < times.size(); ++cause)
    if (times[cause].high > 0) speed.parts.push_back({static_cast<SpeedCause>(cause), times[cause]});
}

/// Reading what a token needs takes most of its time, so that little depends on what a device calculates; a prompt is nothing but that.
bool calculates_at_unknown_rate(const Scenario& scenario) {
  return std::any_of(scenario.hardware.begin(), scenario.hardware.end(),
                     [](const DeviceGroup& group) { return group.device.tflops.fp16 <= 0 && group.device.tflops.fp32 <= 0; });
}

void prefill(const Run& run, Speed& speed) {
  if (calculates_at_unknown_rate(run.scenario)) {
    speed.no_prefill = SpeedGap::unknown_operations;
    return;
  }
  const Step step{1, speed.prompt_tokens, speed.prompt_tokens};
  const StepReads reads = reads_of(run.prepared, run.estimate, step);
  if (reads.host.total() > 0) {
    speed.no_prefill = SpeedGap::part_on_host;
    return;
  }
  const auto steps = static_cast<double>(ceil_div(speed.prompt_tokens, run.band.step_tokens));
  Times times = times_of(run, step, reads, {1, steps});
  // Keys and values are written once and stay in the chip's caches while a block of queries goes over them.
  time_of(times, SpeedCause::cache) = {};
  Between seconds = together(times);
  // Steps of one prompt follow each other through the chain: as many devices work as there are steps.
  std::int64_t devices = 0;
  for (const DevicePlan& plan : run.estimate.devices) devices += plan.count;
  if (run.layout.is_chain) seconds.low /= std::min(steps, static_cast<double>(devices) / run.layout.concurrent);
  speed.prefill = rate_of(static_cast<double>(speed.prompt_tokens), seconds);
  speed.first_token = seconds;
}

/// Why nothing can be said of either.
std::optional<SpeedGap> gap_of(const Model& model, const Scenario& scenario, const Estimate& estimate) {
  const VerdictClass kind = estimate.verdict.kind;
  if (kind == VerdictClass::impossible || (estimate.devices.empty() && !estimate.host)) return SpeedGap::does_not_run;
  // Offload that was asked for runs; what would need it does not run as it is.
  if (kind == VerdictClass::no || (kind == VerdictClass::offload && estimate.verdict.nearest_gpu_layers)) return SpeedGap::does_not_fit;
  if (model.layers.empty() || scenario.engine == "article") return SpeedGap::no_layers;
  const auto is_unknown = [](const DeviceGroup& group) { return group.device.bandwidth_gb_s <= 0; };
  if (std::any_of(scenario.hardware.begin(), scenario.hardware.end(), is_unknown)) return SpeedGap::unknown_bandwidth;
  return std::nullopt;
}

}  // namespace

Result<Speed> estimate_speed(Prepared& prepared, const Scenario& scenario, std::optional<double> host_gb_s) {
  const Result<Estimate> estimate = evaluate_with_rows(prepared, scenario);
  if (!estimate) return fail(estimate.error());
  const Engine& engine = *find_engine(scenario.engine);
  Speed speed;
  speed.band = speed_band(engine.is_llama_cpp() ? std::string_view("llama.cpp") : engine.name);
  speed.tokens = std::min(scenario.average_tokens.value_or(scenario.context_tokens), scenario.context_tokens);
  speed.prompt_tokens = std::min(scenario.prompt_tokens.value_or(scenario.context_tokens), scenario.context_tokens);
  if (const std::optional<SpeedGap> gap = gap_of(prepared.model(), scenario, *estimate)) {
    speed.no_decode = speed.no_prefill = gap;
    return speed;
  }
  std::optional<Result<Estimate>> apart;
  if (scenario.shared_prefix_tokens > 0) {
    Scenario own = scenario;
    own.shared_prefix_tokens = 0;
    apart = evaluate_with_rows(prepared, own);
    if (!*apart) return fail(apart->error());
  }
  const std::string_view asked = scenario.weights_format;
  const Run run{prepared,
                scenario,
                engine,
                speed.band,
                *estimate,
                apart ? &**apart : nullptr,
                layout_of(scenario, engine, speed.band),
                asked == "checkpoint" ? checkpoint_format(prepared.model()) : asked,
                host_gb_s};
  decode(run, speed);
  prefill(run, speed);
  const bool has_unified = std::any_of(scenario.hardware.begin(), scenario.hardware.end(),
                                       [](const DeviceGroup& group) { return group.device.unified_memory; });
  speed.assumes_host = speed.host_read > Bytes() && !host_gb_s && !has_unified;
  speed.assumed_link = unknown_link(scenario, run.layout.ranks);
  speed.assumes_operations = calculates_at_unknown_rate(scenario);
  speed.assumes_idle_guests = std::any_of(scenario.hardware.begin(), scenario.hardware.end(),
                                          [](const DeviceGroup& group) { return group.device.kind == "slice" && !group.device.mig; });
  return speed;
}

}  // namespace weighbridge
