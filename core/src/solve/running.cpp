// SPDX-License-Identifier: Apache-2.0
#include "solve/running.hpp"

#include <algorithm>

#include "engine/engine.hpp"
#include "json_parse.hpp"
#include "key_reader.hpp"
#include "request.hpp"
#include "verdict.hpp"

namespace weighbridge {

namespace {

constexpr std::size_t kMostRunning = 8;

/// Of what a running model has in common with the request.
bool is_of_machine(const Notice& notice) { return notice.where.starts_with("params.hardware") || notice.where.starts_with("params.host"); }

/// `notice` of a request that stands at `where` and not at `params`. It has no hardware of its own.
Notice placed_at(Notice notice, const std::string& where) {
  constexpr std::string_view root = "params";
  notice.where = is_of_machine(notice) ? where : where + notice.where.substr(root.size());
  return notice;
}

/// The item as a request of its own for the devices that are there.
Json request_of(const Json& item, const Json& params) {
  Json own = Json::object();
  for (const auto& [key, value] : item.items())
    if (key != "model" && key != "name" && key != "running") own[key] = value;
  own["hardware"] = params["hardware"];
  if (const auto host = params.find("host"); host != params.end()) own["host"] = *host;
  return own;
}

Result<Estimate> count(const Model& model, const Scenario& scenario) {
  Prepared prepared(model, loaded_format(model, scenario));
  Result<Estimate> answer = evaluate(prepared, scenario);
  // Only an answer with rows says why.
  if (answer && answer->verdict.kind == VerdictClass::impossible) answer = evaluate_with_rows(prepared, scenario);
  return answer;
}

/// Why it cannot be running, as of a request.
std::optional<Notice> problem(const Estimate& answer, const std::string& name) {
  const Verdict& verdict = answer.verdict;
  if (verdict.kind == VerdictClass::impossible) return verdict.reason;
  if (verdict.kind != VerdictClass::no) return std::nullopt;
  const std::string need = gib_text(verdict.need);
  const std::string limit = gib_text(verdict.limit);
  return notice::custom(std::string(kRunningDoesNotFit), "params",
                        name + " cannot be running here: it needs " + need + " GiB where " + limit + " GiB can be taken.", name, need, limit);
}

/// Takes what the model needs off the devices and the host of `scenario`.
RunningModel take(const Estimate& answer, Scenario& scenario) {
  RunningModel running;
  running.taken.resize(scenario.hardware.size());
  for (const DevicePlan& device : answer.devices) {
    Bytes& most = running.taken[device.group];
    most = std::max(most, std::min(taken_of_card(device), scenario.hardware[device.group].capacity()));
  }
  for (std::size_t group = 0; group < running.taken.size(); ++group) {
    scenario.hardware[group].used += running.taken[group];
    scenario.hardware[group].by_running += running.taken[group];
  }
  if (answer.host) running.host = sure_need(*answer.host);
  if (scenario.host) {
    scenario.host->used += running.host;
    scenario.host->by_running += running.host;
  }
  return running;
}

Result<void> place(const Json& item, const Json& params, const std::string& where, const Catalogue& catalogue, Scenario& scenario,
                   Notices& warnings) {
  if (!item.is_object()) return fail(notice::wrong_type(where, "running", excerpt(item), "an object with model, weights, engine and workload"));
  KeyReader keys(item, where, warnings);
  keys.warn_of_other_keys({"model", "weights", "kv_cache", "engine", "workload", "parallel", "offload", "draft", "name"});
  const std::optional<std::string> name = keys.text_if_given("name");
  if (keys.error()) return fail(*keys.error());
  if (!item.contains("model")) return fail(notice::missing_key(where + ".model", "model", "an object with id or config"));
  const Result<Request> choice = read_model_choice(item["model"], where + ".model", catalogue, warnings);
  if (!choice) return fail(choice.error());
  const Model& model = choice->model();
  Notices own;
  Result<Scenario> other = read_scenario(request_of(item, params), model, catalogue, own);
  if (!other) return fail(placed_at(other.error(), where));
  for (Notice& warning : own)
    if (!is_of_machine(warning)) warnings.push_back(placed_at(std::move(warning), where));  // the request itself has warned of the others
  other->hardware = scenario.hardware;
  other->host = scenario.host;
  const Result<Estimate> answer = count(model, *other);
  if (!answer) return fail(placed_at(answer.error(), where));
  if (const std::optional<Notice> why = problem(*answer, name.value_or(model.name))) return fail(placed_at(*why, where));
  RunningModel running = take(*answer, scenario);
  running.id = model.id;
  running.name = name.value_or(model.name);
  running.engine = other->engine;
  running.weights_format = other->weights_format;
  scenario.running.push_back(std::move(running));
  return {};
}

}  // namespace

Result<void> place_running(const Json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings) {
  const Json& items = params["running"];
  if (!items.is_array() || items.size() > kMostRunning)
    return fail(notice::wrong_type("params.running", "running", excerpt(items), "a list of at most 8 models"));
  for (std::size_t i = 0; i < items.size(); ++i)
    if (auto placed = place(items[i], params, "params.running[" + std::to_string(i) + "]", catalogue, scenario, warnings); !placed) return placed;
  return {};
}

Json running_as_given(const Json& params) {
  Json given;
  const auto items = params.find("running");
  if (items == params.end()) return given;
  for (Json item : *items) {
    item["model"] = {{"id", item["model"].value("id", "")}};
    given.push_back(std::move(item));
  }
  return given;
}

void describe_running_on_device(const Scenario& scenario, std::size_t group, JsonOut& device) {
  if (scenario.running.empty()) return;
  JsonOut list = JsonOut::array();
  for (const RunningModel& model : scenario.running)
    list.push_back(
        {{"id", model.id}, {"name", model.name}, {"engine", model.engine}, {"weights", model.weights_format}, {"bytes", model.taken[group].count()}});
  device.add("running", list);
}

void describe_running_on_host(const Scenario& scenario, JsonOut& host) {
  Bytes sum;
  for (const RunningModel& model : scenario.running) sum += model.host;
  if (sum > Bytes()) host.add("running_bytes", sum.count());
}

}  // namespace weighbridge
