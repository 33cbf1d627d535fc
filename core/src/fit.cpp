// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/fit.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

bool holds_with(const Model& model, const Scenario& scenario) {
  const Result<Estimate> result = evaluate(model, scenario);
  return result && holds(*result);
}

/// The largest value in [0, most] for which `test` is true; requires that it is true up to some value and false from there on.
template <class Test>
std::int64_t largest_passing(std::int64_t most, Test test) {
  std::int64_t good = 0;
  std::int64_t step = 1;
  while (good < most && test(std::min(good + step, most))) {
    good = std::min(good + step, most);
    step *= 2;
  }
  if (good == most) return good;
  std::int64_t bad = std::min(good + step, most);
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (test(middle) ? good : bad) = middle;
  }
  return good;
}

}  // namespace

std::int64_t solve_max_context(const Model& model, const Scenario& scenario) {
  Scenario trial = scenario;
  trial.options.max_model_len.reset();  // the answer is what to set it to
  return largest_passing(model.max_context_tokens, [&](std::int64_t tokens) {
    trial.context_tokens = tokens;
    return holds_with(model, trial);
  });
}

std::int64_t solve_max_sequences(const Model& model, const Scenario& scenario) {
  Scenario trial = scenario;
  trial.options.max_num_seqs.reset();
  return largest_passing(kMaxSequences, [&](std::int64_t sequences) {
    trial.sequences = sequences;
    return holds_with(model, trial);
  });
}

std::optional<std::int64_t> solve_fewest_devices(const Model& model, const Scenario& scenario) {
  constexpr std::int64_t most = 64;
  if (scenario.hardware.empty()) return std::nullopt;
  Scenario trial = scenario;
  trial.hardware.resize(1);
  trial.parallel = {};
  for (std::int64_t count = 1; count <= most; ++count) {
    trial.hardware.front().count = count;
    trial.parallel.tensor = count;
    if (holds_with(model, trial)) return count;
  }
  return std::nullopt;
}

}  // namespace weighbridge
