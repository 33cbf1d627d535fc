// SPDX-License-Identifier: Apache-2.0
// Weights, cache and graph buffers of every device and of the host, against contexts that the engine planned itself.
#include <algorithm>

#include "gguf/architecture.hpp"
#include "request.hpp"
#include "truth.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

/// The context of a record is the one that drafts, beside the model's own.
bool is_draft(const Json& record) { return record["options"].value("mtp_context", false); }

/// Rules of a record without a buffer are for the host. A context that drafts has types of its own.
Json options_of(const Json& record) {
  Json options = record["options"];
  options.erase("mtp_context");
  options["n_rs_seq"] = options.value("n_rs_seq", 0);  // the context's default; a server that drafts asks for more
  if (is_draft(record))
    for (const char* type : {"type_k", "type_v"})
      if (options.contains(type)) options[std::string(type) + "_draft"] = options[type];
  if (!options.contains("override_tensor")) return options;
  for (Json& rule : options["override_tensor"])
    if (rule.get<std::string>().find('=') == std::string::npos) rule = rule.get<std::string>() + "=CPU";
  return options;
}

Json context_request(const Json& record, const Configs& configs) {
  Json options = options_of(record);
  options.erase("n_cpu_moe");
  Json request = roomy_request(record, configs, std::move(options));
  request["offload"] = {{"cpu_moe_layers", record["options"].value("n_cpu_moe", 0)}};
  return request;
}

/// Adds the term of that id, if there is one.
void add(Figure& sum, const std::vector<Term>& terms, std::string_view id) {
  for (const Term& term : terms) {
    if (term.id != id) continue;
    sum.bytes += static_cast<double>(term.bytes.count());
    sum.low += static_cast<double>(term.low.count());
    sum.high += static_cast<double>(term.high.count());
  }
}

/// Adds a part of the context that drafts; what is not its cache has the term's band.
void add_draft(Figure& sum, const std::vector<Term>& terms, std::string_view label) {
  for (const Term& term : terms)
    for (const FormulaRow& row : term.formula.rows) {
      if (term.id != "speculation" || row.label != label) continue;
      const auto bytes = static_cast<double>(row.bytes.count());
      const bool is_graph = label == "graph";
      sum.bytes += bytes;
      sum.low += bytes - (is_graph ? static_cast<double>((term.bytes - term.low).count()) : 0);
      sum.high += bytes + (is_graph ? static_cast<double>((term.high - term.bytes).count()) : 0);
    }
}

/// What the engine calls weights, cache (with the states of recurrent layers) and graph buffers, as in a record.
std::array<Figure, 3> figures_of(const std::vector<Term>& terms, bool drafts) {
  std::array<Figure, 3> figures;
  add(figures[0], terms, "weights");
  if (drafts) {
    add_draft(figures[1], terms, "cache");
    add_draft(figures[2], terms, "graph");
    return figures;
  }
  add(figures[1], terms, "kv_cache");
  add(figures[1], terms, "recurrent_state");
  add(figures[2], terms, "compute");
  return figures;
}

/// One processor or device: each figure and their sum.
void compare_figures(Scoreboard& board, const Scored& what, const std::array<Figure, 3>& figures, const Json& recorded) {
  Figure total;
  double recorded_total = 0;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const auto bytes = recorded[i].get<double>();
    board.add({what.engine, what.place, std::array{"weights", "cache", "compute"}[i], what.architecture}, figures[i], bytes);
    total.bytes += figures[i].bytes;
    total.low += figures[i].low;
    total.high += figures[i].high;
    recorded_total += bytes;
  }
  board.add({what.engine, what.place, "total", what.architecture}, total, recorded_total);
}

/// Layers, experts, tensors, caches or operations on the host beside a device.
bool is_partial(const Json& options) {
  for (const char* key : {"n_gpu_layers", "n_cpu_moe", "override_tensor"})
    if (options.contains(key)) return true;
  return !options.value("offload_kqv", true);
}

std::string place_of(const Json& record) {
  if (record["gpus"] == 0) return "processor";
  if (is_partial(record["options"])) return record["gpus"] == 1 ? "GPU and host" : "GPUs and host";
  return record["gpus"] == 1 ? "one GPU" : "several GPUs";
}

void compare_places(const Estimate& estimate, const Json& record, Scored what, Scoreboard& board) {
  what.place = place_of(record);
  const bool drafts = is_draft(record);
  if (estimate.devices.empty()) return compare_figures(board, what, figures_of(estimate.host->terms, drafts), record["host"]);
  for (std::size_t i = 0; i < estimate.devices.size(); ++i)
    compare_figures(board, what, figures_of(estimate.devices[i].terms, drafts), record["devices"][i]);
  what.place = "host beside " + what.place;
  compare_figures(board, what, figures_of(estimate.host->terms, drafts), record["host"]);
}

struct Verdicts {
  std::size_t records = 0;
  std::size_t refused = 0;
  std::size_t wrong = 0;
};

std::string short_text(const Json& record) { return record.dump().substr(0, 200); }

/// The first option that the core does not know; empty if it knows all.
std::string unknown_option(const Notices& warnings) {
  for (const Notice& warning : warnings)
    if (warning.code == "unknown_key") return warning.where.substr(warning.where.rfind('.') + 1);
  return {};
}

/// Compares one record; refusals must agree.
void check(const Json& record, const Configs& configs, Scoreboard& board, Verdicts& verdicts) {
  Notices warnings;
  const Catalogue catalogue(read_config);
  Result<Request> request = read_request(context_request(record, configs), catalogue, warnings);
  if (const std::string option = unknown_option(warnings); !option.empty()) return board.leave_out(option);
  const bool refused = record.contains("refused");
  ++verdicts.records;
  if (refused) ++verdicts.refused;
  if (!request) {
    if (refused) return;
    std::printf("  %s: %s\n", short_text(record).c_str(), request.error().message.c_str());
    ++verdicts.wrong;
    return;
  }
  Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
  const Result<Estimate> estimate = evaluate(prepared, request->scenario);
  const bool impossible = !estimate || estimate->verdict.kind == VerdictClass::impossible;
  if (impossible != refused) {
    std::printf("  %s: expected %s\n", short_text(record).c_str(), refused ? record["refused"].get<std::string>().c_str() : "figures");
    ++verdicts.wrong;
  } else if (!refused) {
    const std::string_view known = gguf::architecture_of(request->model());
    compare_places(*estimate, record, {kLlamaCpp, "", "", std::string(known.empty() ? request->model().architecture : known)}, board);
  }
}

/// What no scoreboard may loosen: weights and caches are counted, and a whole model on one device is what most people run.
bool holds(const Scoreboard& board) {
  bool counted = true;
  for (const char* place : {"processor", "one GPU", "several GPUs"})
    for (const char* term : {"weights", "cache"}) counted = counted && board.of(kLlamaCpp, place, term).error(0.95) <= 0.0002;
  const Score total = board.of(kLlamaCpp, "one GPU", "total");
  return counted && total.error(0.5) <= 0.001 && total.error(0.95) <= 0.01;
}

}  // namespace

bool check_contexts(const std::string& folder, const std::string& catalogue, Scoreboard& board) {
  const Configs configs = read_configs(folder, catalogue);
  Verdicts verdicts;
  for (const char* file : {"/llama_cpp_contexts.jsonl", "/llama_cpp_overrides.jsonl", "/llama_cpp_plans.jsonl"})
    for (const Json& record : read_lines(folder + file))
      if (configs.contains(record["model"].get<std::string>())) check(record, configs, board, verdicts);
  std::printf("llama.cpp contexts       %5zu plans, %zu of them refused, %zu verdicts differ\n", verdicts.records, verdicts.refused, verdicts.wrong);
  return verdicts.wrong == 0 && holds(board);
}

}  // namespace weighbridge::truth
