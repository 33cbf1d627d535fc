// SPDX-License-Identifier: Apache-2.0
// The method `advise`: what would make a request fit, or give it more room.
#include "json_parse.hpp"
#include "method.hpp"
#include "request.hpp"
#include "response.hpp"
#include "weighbridge/advise.hpp"

namespace weighbridge {

namespace {

constexpr std::size_t kMostRelatives = 64;

JsonOut describe_change(const Change& change) {
  JsonOut json{{"strategy", name_of(change.strategy)}, {"from", change.from}, {"to", change.to}, {"price", name_of(change.price)}};
  if (const QualityNote* note = change.note)
    json.add("note", {{"code", note->code}, {"value", note->value}, {"text", note->text}, {"url", note->url}});
  else
    json.add("note", nullptr);
  return json;
}

JsonOut describe_advice(const Advice& row) {
  JsonOut changes = JsonOut::array();
  for (const Change& change : row.changes) changes.push_back(describe_change(change));
  return {{"changes", std::move(changes)},
          {"patch", row.patch},
          {"gained_bytes", row.gained ? JsonOut(*row.gained) : JsonOut()},
          {"enough", row.is_enough},
          {"verdict", describe_verdict(row.answer, row.scenario.hardware)},
          {"host_bytes", describe_host_bytes(row.answer)}};
}

/// Models that the catalogue only lists, with the specs that the request brings for them.
Result<std::vector<Model>> read_relatives(const Json& params, Context& context) {
  std::vector<Model> relatives;
  const auto given = params.find("relatives");
  if (given == params.end()) return relatives;
  if (!given->is_array() || given->size() > kMostRelatives)
    return fail(notice::wrong_type("params.relatives", "relatives", excerpt(*given), "a list of at most 64 models"));
  for (std::size_t i = 0; i < given->size(); ++i) {
    Result<Request> relative = read_model_choice((*given)[i], "params.relatives[" + std::to_string(i) + "]", context.catalogue, context.warnings);
    if (!relative) return fail(relative.error());
    if (relative->own) relatives.push_back(std::move(*relative->own));
  }
  return relatives;
}

}  // namespace

/// Params are those of `estimate`, and `relatives`, which the catalogue only lists: models with their specs.
Result<JsonOut> call_advise(const Json& params, Context& context) {
  if (!params.is_object()) return fail(notice::wrong_type("params", "params", excerpt(params), "the params of an estimate"));
  const Result<std::vector<Model>> relatives = read_relatives(params, context);
  if (!relatives) return fail(relatives.error());
  Json asked = params;
  asked.erase("relatives");
  const Result<Request> request = read_request(asked, context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  const Result<AdviceList> list = advise(asked, request->model(), *relatives, context.catalogue);
  if (!list) return fail(list.error());
  JsonOut rows = JsonOut::array();
  for (const Advice& row : list->rows) rows.push_back(describe_advice(row));
  return JsonOut{{"goal", list->goal == AdviceGoal::fit ? "fit" : "room"}, {"rows", std::move(rows)}, {"unread_relatives", list->unread_relatives}};
}

}  // namespace weighbridge
