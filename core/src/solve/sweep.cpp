// SPDX-License-Identifier: Apache-2.0
#include "solve/sweep.hpp"

#include <algorithm>
#include <functional>

#include "engine/engine.hpp"

namespace weighbridge {

namespace {

constexpr std::size_t kIntervals = 16;  ///< between points that are counted in full

std::int64_t& value_on(Axis axis, Scenario& scenario) { return axis == Axis::sequences ? scenario.sequences : scenario.context_tokens; }

SweepPoint point_of(std::int64_t value, const Estimate& answer, bool is_modelled) {
  SweepPoint point{value, answer.verdict.kind, {}, {}, is_modelled};
  if (answer.devices.empty()) return point;
  const DevicePlan& device = answer.devices[answer.verdict.device];
  point.need = device.total();
  point.limit = device.limit;
  return point;
}

/// The buffers of graphs in an answer; nothing if it cannot run this way.
std::optional<GraphTerms> graphs_of(const Estimate& answer) {
  const auto graph_in = [](const std::vector<Term>& terms) {
    const auto found = std::find_if(terms.begin(), terms.end(), [](const Term& term) { return term.id == "compute"; });
    return found != terms.end() ? *found : Term();
  };
  if (!answer.host) return std::nullopt;
  GraphTerms graphs;
  for (const DevicePlan& device : answer.devices) graphs.devices.push_back(graph_in(device.terms));
  graphs.host = graph_in(answer.host->terms);
  return graphs;
}

struct Knot {
  std::int64_t value = 0;
  std::optional<GraphTerms> graphs;
};

Term between(const Term& a, const Term& b, double share) {
  const auto mix = [&](Bytes x, Bytes y) {
    const double bytes = static_cast<double>(x.count()) + share * static_cast<double>(difference(y, x));
    return Bytes(static_cast<std::uint64_t>(bytes));
  };
  Term term = a;
  term.basis = Basis::modelled;
  term.bytes = mix(a.bytes, b.bytes);
  // Steps between the two are not seen: as little as the one, as much as the other.
  term.low = std::min(a.low, b.low);
  term.high = std::max(a.high, b.high);
  return term;
}

std::optional<GraphTerms> between(const Knot& a, const Knot& b, std::int64_t value) {
  if (!a.graphs || !b.graphs || a.graphs->devices.size() != b.graphs->devices.size()) return std::nullopt;
  const double share = static_cast<double>(value - a.value) / static_cast<double>(b.value - a.value);
  GraphTerms graphs;
  for (std::size_t device = 0; device < a.graphs->devices.size(); ++device)
    graphs.devices.push_back(between(a.graphs->devices[device], b.graphs->devices[device], share));
  graphs.host = between(a.graphs->host, b.graphs->host, share);
  return graphs;
}

/// Whether a graph has all the tokens that it may have. Below, it grows with the context in another way than beyond.
bool fills_graph(const Scenario& scenario, Axis axis, std::int64_t value) {
  const std::int64_t tokens = value * (axis == Axis::sequences ? scenario.context_tokens : scenario.sequences);
  return tokens + kContextPadding > scenario.options.llama_cpp.n_ubatch.value_or(kMicroBatch);
}

/// Which of `values` are counted in full.
std::vector<bool> knots_among(const std::vector<std::int64_t>& values, const Scenario& scenario, Axis axis, std::int64_t own) {
  const Engine* engine = find_engine(scenario.engine);
  const bool rises = std::adjacent_find(values.begin(), values.end(), std::greater_equal<>()) == values.end();
  const bool replays = engine != nullptr && engine->is_llama_cpp() && rises;
  const std::size_t stride = replays ? std::max<std::size_t>(1, (values.size() + kIntervals - 2) / kIntervals) : 1;
  std::vector<bool> knots(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) knots[i] = i % stride == 0 || i + 1 == values.size() || values[i] == own;
  const auto filled = std::find_if(values.begin(), values.end(), [&](std::int64_t value) { return fills_graph(scenario, axis, value); });
  if (const auto i = static_cast<std::size_t>(filled - values.begin()); replays && i > 0 && i < values.size()) knots[i - 1] = knots[i] = true;
  return knots;
}

}  // namespace

Result<std::vector<SweepPoint>> sweep(Prepared& prepared, const Scenario& scenario, Axis axis, const std::vector<std::int64_t>& values) {
  Scenario trial = scenario;
  const std::vector<bool> is_knot = knots_among(values, scenario, axis, value_on(axis, trial));
  std::vector<SweepPoint> points(values.size());
  std::vector<Knot> knots;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!is_knot[i]) continue;
    value_on(axis, trial) = values[i];
    const Result<Estimate> answer = evaluate(prepared, trial);
    if (!answer) return fail(answer.error());
    points[i] = point_of(values[i], *answer, false);
    knots.push_back({values[i], graphs_of(*answer)});
  }
  auto after = knots.begin();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_knot[i]) {
      ++after;
      continue;
    }
    value_on(axis, trial) = values[i];
    prepared.memo().graphs = between(*(after - 1), *after, values[i]);
    const bool is_modelled = prepared.memo().graphs.has_value();
    const Result<Estimate> answer = evaluate(prepared, trial);
    prepared.memo().graphs.reset();
    if (!answer) return fail(answer.error());
    points[i] = point_of(values[i], *answer, is_modelled);
  }
  return points;
}

}  // namespace weighbridge
