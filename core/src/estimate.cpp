// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/estimate.hpp"

#include <algorithm>
#include <cmath>

#include "engine/engine.hpp"
#include "json_text.hpp"
#include "weighbridge/fit.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

Bytes DevicePlan::total() const {
  Bytes sum;
  for (const Term& term : terms) sum += term.bytes;
  return sum;
}

Bytes DevicePlan::low() const {
  Bytes sum;
  for (const Term& term : terms) sum += term.low;
  return sum;
}

Bytes DevicePlan::high() const {
  Bytes sum;
  for (const Term& term : terms) sum += term.high;
  return sum;
}

Bytes DevicePlan::inside() const {
  Bytes sum;
  for (const Term& term : terms)
    if (term.inside_limit) sum += term.bytes;
  return sum;
}

namespace {

/// One of the two checks of a device: what counts against a bound, and the bound.
struct Check {
  std::size_t device = 0;
  bool is_card = false;
  Bytes need, low, high, bound;
};

/// The engine's own limit against what counts inside it. Bounds of terms add plainly: no two are known to be independent.
Check engine_check(const DevicePlan& device, std::size_t index) {
  Check check{index, false, {}, {}, {}, device.limit};
  for (const Term& term : device.terms) {
    if (!term.inside_limit) continue;
    check.need += term.bytes;
    check.low += term.low;
    check.high += term.high;
  }
  return check;
}

/// The card against all that the engine takes of it: the whole limit if it reserves a pool, plus what lies outside.
Check card_check(const DevicePlan& device, std::size_t index) {
  Check check{index, true, device.reserved, device.reserved, device.reserved, device.capacity};
  for (const Term& term : device.terms) {
    if (term.inside_limit) continue;
    check.low = check.low - term.bytes + term.low;
    check.high = check.high - term.bytes + term.high;
  }
  return check;
}

VerdictClass classify(const Check& check) {
  if (check.low > check.bound) return VerdictClass::no;
  if (check.need > check.bound || check.high > check.bound) return VerdictClass::tight;
  return VerdictClass::fits;
}

/// Worse verdicts first; among equals the engine's own limit, which is what a person can set; then the smaller margin.
bool is_worse(const Check& a, const Check& b) {
  const auto rank = [](const Check& c) { return static_cast<int>(classify(c)); };
  if (rank(a) != rank(b)) return rank(a) > rank(b);
  if (a.is_card != b.is_card) return b.is_card;
  return difference(a.bound, a.need) < difference(b.bound, b.need);
}

Verdict judge(const std::vector<DevicePlan>& devices, bool tight_at_best) {
  std::vector<Check> checks;
  for (std::size_t index = 0; index < devices.size(); ++index) {
    checks.push_back(engine_check(devices[index], index));
    checks.push_back(card_check(devices[index], index));
  }
  const Check& worst = *std::min_element(checks.begin(), checks.end(), is_worse);
  Verdict verdict;
  verdict.kind = classify(worst);
  if (tight_at_best && verdict.kind == VerdictClass::fits) verdict.kind = VerdictClass::tight;
  verdict.device = worst.device;
  verdict.card_binds = worst.is_card;
  verdict.need = worst.need;
  verdict.low = worst.low;
  verdict.high = worst.high;
  verdict.limit = worst.bound;
  return verdict;
}

/// The largest share, in hundredths, at which what lies outside the engine's limit still finds room.
std::optional<double> largest_utilization(const DevicePlan& device, const DeviceGroup& group) {
  Bytes outside;
  for (const Term& term : device.terms)
    if (!term.inside_limit) outside += term.bytes;
  const Bytes room = device.capacity - outside;
  if (group.device.runtime_bytes == Bytes()) return std::nullopt;
  const double share = static_cast<double>(room.count()) / static_cast<double>(group.device.runtime_bytes.count());
  const double hundredths = std::floor(share * 100.0) / 100.0;
  if (hundredths < 0.01) return std::nullopt;
  return std::min(hundredths, 1.0);
}

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string join(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

/// What the engine as such cannot run, whatever the hardware.
std::optional<Notice> unsupported(const Engine& engine, const Scenario& scenario) {
  const Parallel& p = scenario.parallel;
  if (!scenario.hardware.empty() && p.tensor * p.pipeline * p.data != scenario.device_count())
    return notice::custom("parallel_mismatch", "params.parallel",
                          "tensor " + grouped(p.tensor) + " x pipeline " + grouped(p.pipeline) + " x data " + grouped(p.data) + " makes " +
                              grouped(p.tensor * p.pipeline * p.data) + " devices: expected " + grouped(scenario.device_count()) + ", the devices given.",
                          "parallel", grouped(p.tensor * p.pipeline * p.data), grouped(scenario.device_count()));
  if (scenario.weights_format != "checkpoint" && !contains(engine.weights_formats, scenario.weights_format))
    return notice::custom("unsupported", "params.weights.format",
                          std::string(engine.name) + " does not run " + scenario.weights_format + " weights: expected checkpoint, " + join(engine.weights_formats) + ".",
                          "weights.format", scenario.weights_format, "checkpoint, " + join(engine.weights_formats));
  if (scenario.kv_type != "auto" && !engine.kv_types.empty() && !contains(engine.kv_types, scenario.kv_type))
    return notice::custom("unsupported", "params.kv_cache",
                          std::string(engine.name) + " has no " + scenario.kv_type + " cache: expected auto, " + join(engine.kv_types) + ".", "kv_cache",
                          scenario.kv_type, "auto, " + join(engine.kv_types));
  return std::nullopt;
}

Result<Estimate> run(Prepared& prepared, const Scenario& scenario, bool explain) {
  const Engine* engine = find_engine(scenario.engine);
  if (engine == nullptr) {
    std::vector<std::string_view> names;
    for (const Engine& known : engines()) names.push_back(known.name);
    return fail(notice::unknown("unknown_engine", "params.engine.name", "engine", scenario.engine, join(names)));
  }
  Estimate result;
  result.engine.name = engine->name;
  result.engine.version = engine->versions.back();
  std::optional<Notice> reason = unsupported(*engine, scenario);
  if (!reason) {
    Plan plan = engine->plan({prepared.model(), prepared.tensors(), scenario, explain, &prepared.memo()});
    result.engine = std::move(plan.report);
    result.warnings = std::move(plan.warnings);
    result.verdict.nearest_tensor_parallel = plan.nearest_tensor_parallel;
    reason = std::move(plan.impossible);
    if (!reason) {
      result.devices = std::move(plan.groups);
      result.verdict = judge(result.devices, plan.tight_at_best);
      const Verdict& v = result.verdict;
      if (v.card_binds && v.kind == VerdictClass::no) {
        const DevicePlan& device = result.devices[v.device];
        result.verdict.nearest_gpu_memory_utilization = largest_utilization(device, scenario.hardware[device.group]);
      }
      return result;
    }
  }
  result.verdict.kind = VerdictClass::impossible;
  result.verdict.reason = std::move(reason);
  return result;
}

}  // namespace

Prepared::Prepared(const Model& model, std::string_view weights_format) : model_(model), tensors_(&model.tensors), memo_(std::make_unique<Memo>()) {
  const std::optional<WeightsLayout> layout = layout_of(model, weights_format);
  if (!layout || *layout == model.checkpoint) return;
  derived_ = derive_tensors(model, *layout);
  tensors_ = &derived_;
}

Prepared::~Prepared() = default;

std::optional<std::int64_t> margin(const Estimate& estimate) {
  std::optional<std::int64_t> least;
  for (const DevicePlan& device : estimate.devices) {
    const std::int64_t room = std::min(difference(device.limit, device.inside()), difference(device.capacity, device.reserved));
    least = std::min(least.value_or(room), room);
  }
  return least;
}

Result<Estimate> evaluate(Prepared& prepared, const Scenario& scenario) { return run(prepared, scenario, false); }

Result<Estimate> estimate(const Model& model, const Scenario& scenario) {
  Prepared prepared(model, scenario.weights_format);
  Result<Estimate> result = run(prepared, scenario, true);
  if (!result) return result;
  if (result->verdict.kind != VerdictClass::impossible) {
    result->max_context_tokens = solve_max_context(prepared, scenario);
    result->max_sequences = solve_max_sequences(prepared, scenario);
    result->fewest_devices = solve_fewest_devices(prepared, scenario);
  }
  return result;
}

}  // namespace weighbridge
