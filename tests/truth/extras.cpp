// SPDX-License-Identifier: Apache-2.0
// What llama-server has beside a model: a second one that drafts, and an image encoder, against the engine's own plans of both.
#include "request.hpp"
#include "truth.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

Result<Request> read(const Json& params) {
  Notices warnings;
  const Catalogue catalogue(read_config);
  return read_request(params, catalogue, warnings);
}

Result<Estimate> estimate_of(const Request& request) {
  Prepared prepared(request.model(), loaded_format(request.model(), request.scenario));
  return evaluate_with_rows(prepared, request.scenario);
}

/// What the model that drafts has of its own, by the names of the first one's options.
void add_draft_options(const Json& second, Json& options) {
  for (const char* type : {"type_k", "type_v"})
    if (second.contains(type)) options[std::string(type) + "_draft"] = second[type];
  if (second.contains("n_gpu_layers")) options["n_gpu_layers_draft"] = second["n_gpu_layers"];
}

Figure figure_of(const std::vector<Term>& terms, std::string_view id) {
  Figure sum;
  for (const Term& term : terms) {
    if (term.id != id) continue;
    sum.bytes += static_cast<double>(term.bytes.count());
    sum.low += static_cast<double>(term.low.count());
    sum.high += static_cast<double>(term.high.count());
  }
  return sum;
}

/// A part of the second model's term.
Figure draft_part(const std::vector<Term>& terms, std::string_view label) {
  double bytes = 0;
  for (const Term& term : terms)
    for (const FormulaRow& row : term.formula.rows)
      if (term.id == "draft_model" && row.label == label) bytes += static_cast<double>(row.bytes.count());
  return {bytes, bytes, bytes};
}

void compare_draft(Scoreboard& board, const std::string& place, const std::vector<Term>& terms, const Json& recorded) {
  constexpr std::array labels{"draft_weights", "cache", "graph"};
  constexpr std::array names{"weights", "cache", "compute"};
  for (std::size_t i = 0; i < labels.size(); ++i)
    board.add({kLlamaCpp, place, names[i], ""}, draft_part(terms, labels[i]), recorded[i].get<double>());
}

bool check_draft(const Json& record, const Configs& configs, Scoreboard& board) {
  Json options = record["options"];
  add_draft_options(record["draft"]["options"], options);
  Result<Request> request = read(roomy_request(record, configs, std::move(options)));
  if (!request) return false;
  Notices warnings;
  Result<Model> draft = read_config(configs.at(record["draft"]["model"].get<std::string>()), "config", warnings);
  if (!draft) return false;
  request->scenario.draft = std::make_shared<const Model>(std::move(*draft));
  const Result<Estimate> estimate = estimate_of(*request);
  if (!estimate || estimate->verdict.kind == VerdictClass::impossible) return false;
  for (std::size_t i = 0; i < estimate->devices.size(); ++i)
    compare_draft(board, "draft model", estimate->devices[i].terms, record["drafts"]["devices"][i]);
  compare_draft(board, "host beside the draft model", estimate->host->terms, record["drafts"]["host"]);
  return true;
}

bool check_projector(const Json& record, const Configs& configs, Scoreboard& board) {
  const bool on_device = record["gpus"] == 1;
  const Result<Request> request = read(roomy_request(record, configs, {{"mmproj", true}, {"mmproj_offload", on_device}, {"n_ctx", 4096}}));
  if (!request) return false;
  const Result<Estimate> estimate = estimate_of(*request);
  if (!estimate || estimate->verdict.kind == VerdictClass::impossible) return false;
  const std::vector<Term>& terms = on_device ? estimate->devices.front().terms : estimate->host->terms;
  const Json& recorded = record[on_device ? "device" : "host"];
  board.add({kLlamaCpp, "image encoder", "weights", ""}, figure_of(terms, "projector"), recorded[0].get<double>());
  board.add({kLlamaCpp, "image encoder", "compute", ""}, figure_of(terms, "projector_compute"), recorded[1].get<double>());
  if (on_device)
    board.add({kLlamaCpp, "host beside the image encoder", "compute", ""}, figure_of(estimate->host->terms, "projector_compute"),
              record["host"][1].get<double>());
  return true;
}

}  // namespace

bool check_extras(const std::string& folder, const std::string& catalogue, Scoreboard& board) {
  const Configs configs = read_configs(folder, catalogue);
  std::size_t wrong = 0;
  const std::vector<Json> drafts = read_lines(folder + "/llama_cpp_drafts.jsonl");
  for (const Json& record : drafts) wrong += check_draft(record, configs, board) ? 0 : 1;
  const std::vector<Json> encoders = read_lines(folder + "/llama_cpp_projectors.jsonl");
  for (const Json& record : encoders) wrong += check_projector(record, configs, board) ? 0 : 1;
  std::printf("llama.cpp extras         %5zu models that draft, %zu image encoders, %zu without an answer\n", drafts.size(), encoders.size(), wrong);
  return wrong == 0 && board.of(kLlamaCpp, "draft model", "weights").error(1) <= 0.0002 &&
         board.of(kLlamaCpp, "draft model", "cache").error(1) <= 0.0002;
}

}  // namespace weighbridge::truth
