// SPDX-License-Identifier: Apache-2.0
// The method `sweep`: one axis, many points, one call.
#include "engine/engine.hpp"
#include "json_parse.hpp"
#include "json_text.hpp"
#include "method.hpp"
#include "request.hpp"
#include "response.hpp"
#include "solve/sweep.hpp"

namespace weighbridge {

namespace {

JsonOut describe_point(const SweepPoint& point) {
  JsonOut described{{"value", point.value},
                    {"class", name_of(point.kind)},
                    {"need_bytes", point.need ? JsonOut(point.need->count()) : JsonOut()},
                    {"limit_bytes", point.limit ? JsonOut(point.limit->count()) : JsonOut()}};
  if (point.is_modelled) described.add("basis", "modelled");
  return described;
}

}  // namespace

Result<JsonOut> call_sweep(const Json& params, Context& context) {
  constexpr std::size_t most_points = 1000;
  if (!params.is_object() || !params.contains("request")) return fail(notice::missing_key("params.request", "request", "the params of an estimate"));
  Result<Request> request = read_request(params.find("request").value(), context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  const Json axis = params.value("axis", Json());
  if (axis != "context_tokens" && axis != "sequences")
    return fail(notice::wrong_type("params.axis", "axis", excerpt(axis), "\"context_tokens\" or \"sequences\""));
  const Json values = params.value("values", Json());
  if (!values.is_array() || values.size() > most_points)
    return fail(notice::wrong_type("params.values", "values", excerpt(values), "a list of at most 1,000 whole numbers"));
  const std::int64_t most = axis == "sequences" ? kMaxSequences : request->model().max_context_tokens;
  std::vector<std::int64_t> numbers;
  for (const Json& value : values) {
    const std::optional<std::int64_t> number = whole_number_of(value);
    if (!number || *number < 1 || *number > most)
      return fail(notice::out_of_range("params.values", "values", excerpt(value), "whole numbers from 1 to " + grouped(most)));
    numbers.push_back(*number);
  }
  Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
  const Result<std::vector<SweepPoint>> points = sweep(prepared, request->scenario, axis == "sequences" ? Axis::sequences : Axis::context_tokens,
                                                       numbers);
  if (!points) return fail(points.error());
  JsonOut described = JsonOut::array();
  for (const SweepPoint& point : *points) described.push_back(describe_point(point));
  return JsonOut{{"points", described}};
}

}  // namespace weighbridge
