// SPDX-License-Identifier: Apache-2.0
// A context that no single request fits, found by asking the engine for one request alone.
#include <algorithm>

#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "json_text.hpp"
#include "options/serving_options.hpp"

namespace weighbridge {

namespace {

/// One full request, in an engine that is set up for as many as were asked for.
Scenario one_request(const Scenario& scenario, std::int64_t tokens) {
  Scenario alone = scenario;
  if (!alone.options.max_num_seqs && !alone.options.serving.mode) alone.options.max_num_seqs = scenario.sequences;  // MLC: a mode sets them
  alone.sequences = 1;
  alone.average_tokens.reset();
  alone.shared_prefix_tokens = 0;
  alone.context_tokens = tokens;
  return alone;
}

/// What the engine's own limit leaves on the fullest device; the card's other contents do not depend on one request.
Margin room_in_limit(const Result<Estimate>& answer, Bytes Term::*figure) {
  Margin least;
  if (!answer || answer->verdict.kind == VerdictClass::impossible) return least;
  for (const DevicePlan& device : answer->devices) {
    Bytes inside;
    for (const Term& term : device.terms)
      if (term.inside_limit) inside += term.*figure;
    const std::int64_t room = difference(device.limit, inside);
    least = std::min(least.value_or(room), room);
  }
  return least;
}

Notice overlong_notice(Overlong does, const std::string& option, std::int64_t asked, std::int64_t longest) {
  const std::string value = grouped(asked);
  const std::string most = "at most " + grouped(longest);
  const std::string wanted = ": expected " + most + " tokens, got " + value + ".";
  const char* const where = "params.workload.context_tokens";
  if (does == Overlong::refuses_start)
    return notice::custom("overlong_start", where,
                          "Not enough memory to handle `" + option + "=" + std::to_string(asked) + "`, so the engine does not start" + wanted, option,
                          value, most);
  if (does == Overlong::ends_request)
    return notice::custom("overlong_end", where, "The engine starts, and ends a request of this length as out of memory" + wanted, option, value,
                          most);
  return notice::custom("overlong_request", where, "The engine starts, holds requests to what its pool has, and refuses longer prompts" + wanted,
                        option, value, most);
}

}  // namespace

void refuse_overlong(Prepared& prepared, const Scenario& scenario, Estimate& answer) {
  Verdict& verdict = answer.verdict;
  const Overlong does = answer.engine.overlong;
  if (does == Overlong::unknown || verdict.kind == VerdictClass::impossible) return;
  const EngineOptions& o = scenario.options;
  const std::int64_t asked = does == Overlong::refuses_start ? o.max_model_len.value_or(scenario.context_tokens) : scenario.context_tokens;
  const std::int64_t most = std::min(asked, o.serving.max_total_tokens.value_or(asked));
  // The workload has one request of full length at least.
  if (verdict.kind != VerdictClass::no && most == asked && asked == scenario.context_tokens) return;
  const OnlyWorkloadMoves moves(prepared.memo());
  const auto room = [&](std::int64_t tokens, Bytes Term::*figure) {
    return room_in_limit(evaluate(prepared, one_request(scenario, tokens)), figure);
  };
  if (most == asked && holds(room(asked, &Term::low))) return;
  const std::int64_t longest = largest_holding(std::min(most, asked - 1), 1,
                                               [&](std::int64_t tokens) { return only_room(room(tokens, &Term::bytes)); });
  if (longest == 0) return;  // no room for a cache at all
  verdict.kind = VerdictClass::impossible;
  verdict.reason = overlong_notice(does, std::string(longest_sequence_option(scenario.engine)), asked, longest);
  verdict.nearest_context_tokens = longest;
  verdict.nearest_share.reset();
}

}  // namespace weighbridge
