// SPDX-License-Identifier: Apache-2.0
// The method `solve`: what the best answer to a request is when one of its settings is free.
#include "weighbridge/solve.hpp"

#include <algorithm>

#include "devices/machine_rows.hpp"
#include "engine/engine.hpp"
#include "json_parse.hpp"
#include "key_reader.hpp"
#include "method.hpp"
#include "request.hpp"
#include "response.hpp"
#include "solve/kept_searches.hpp"
#include "speed/speed_methods.hpp"
#include "weighbridge/best_weights.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

JsonOut describe_best_weights(const BestWeights& best, const Model& model) {
  const EngineReport& engine = best.answer.engine;
  Json options = Json::object();
  if (const std::optional<double> share = best.scenario.options.gpu_memory_utilization)
    options[std::string(find_engine(engine.name)->share_option)] = *share;
  const std::optional<std::int64_t>& layers = best.scenario.options.llama_cpp.n_gpu_layers;
  return {{"weights", {{"format", best.format}, {"loaded", best.loaded}, {"bytes", best.weights.count()}}},
          {"verdict", describe_verdict(best.answer, best.scenario.hardware)},
          {"safe_context_tokens", best.context_tokens},
          {"trained_context_tokens", model.max_context_tokens},
          {"options", options},
          {"gpu_layers", layers ? JsonOut(*layers) : JsonOut()},
          {"all_gpu_layers", engine.all_gpu_layers ? JsonOut(*engine.all_gpu_layers) : JsonOut()},
          {"host_bytes", describe_host_bytes(best.answer)}};
}

/// `best` and `next` are a value and what comes of it; null where there is none.
JsonOut describe_solution(std::string_view find, const std::optional<Solved>& best, const std::optional<Solved>& next, const MovedJob& asked) {
  const MovedJob& job = best ? best->job : asked;
  const auto verdict = [](const MovedJob& of) { return describe_verdict(of.answer, of.scenario.hardware); };
  return {{"find", find},
          {"value", best ? JsonOut(best->value) : JsonOut()},
          {"patch", best ? JsonOut(job.patch) : JsonOut()},
          {"verdict", verdict(job)},
          {"host_bytes", describe_host_bytes(job.answer)},
          {"next", next ? JsonOut{{"value", next->value}, {"verdict", verdict(next->job)}} : JsonOut()}};
}

Result<JsonOut> solve_for_machine(const Json& params, KeyReader& keys, const Json& asked, const Request& request, const Catalogue& catalogue) {
  const std::string currency = keys.text_if_given("currency").value_or("USD");
  const std::optional<std::string> provider = keys.text_if_given("provider");
  if (keys.error()) return fail(*keys.error());
  if (!params.contains("machines")) return fail(notice::missing_key("params.machines", "machines", "rows of the catalogue's machines"));
  Result<std::vector<Machine>> machines = read_machines(params);
  if (!machines) return fail(machines.error());
  if (provider)
    machines->erase(std::remove_if(machines->begin(), machines->end(), [&](const Machine& m) { return m.provider != *provider; }), machines->end());
  const Result<CheapestMachine> cheapest = solve_machine(asked, request.model(), catalogue, *machines, currency);
  if (!cheapest) return fail(cheapest.error());
  const auto solved = [](const std::optional<OnMachine>& row) { return row ? std::optional<Solved>({row->machine->id, row->job}) : std::nullopt; };
  JsonOut described = describe_solution("machine", solved(cheapest->best), solved(cheapest->cheaper), cheapest->asked);
  described.add("machine", cheapest->best ? describe_machine(*cheapest->best->machine) : JsonOut());
  return described;
}

/// Those of the session. Models of the catalogue stay where they are until another one is loaded.
KeptSearches* kept_searches(const Request& request, Context& context) {
  if (request.entry == nullptr) return nullptr;
  if (context.kept.solved == nullptr) context.kept.solved = std::make_shared<KeptSearches>();
  return static_cast<KeptSearches*>(context.kept.solved.get());
}

Result<JsonOut> solve_for_weights(KeyReader& keys, const Request& request, Context& context) {
  const std::string smallest = keys.text_if_given("smallest").value_or("");
  if (keys.error()) return fail(*keys.error());
  const std::optional<std::string_view> last = find_weights_format(smallest);
  if (!smallest.empty() && !last) return fail(notice::unknown("unknown_format", "params.smallest", "weights format", smallest, "a weights format"));
  const Result<BestWeights> best = solve_best_weights(request.model(), request.scenario, last.value_or(""), kept_searches(request, context));
  if (!best) return fail(best.error());
  return describe_best_weights(*best, request.model());
}

/// `{"find":"weights","request":{…},"smallest":"gguf:Q3_K_M"}`, `{"find":"machine","request":{…},"machines":[…],"currency":"USD"}`, or one of the other
/// settings by its name: the request is that of an estimate, and its own value of what is looked for does not count.
Result<JsonOut> call_solve(const Json& params, Context& context) {
  if (!params.is_object() || !params.contains("request")) return fail(notice::missing_key("params.request", "request", "the params of an estimate"));
  KeyReader keys(params, "params", context.warnings);
  keys.warn_of_other_keys({"request", "find", "smallest", "machines", "currency", "provider"});
  const std::string find = keys.text_if_given("find").value_or("");
  if (keys.error()) return fail(*keys.error());
  const std::optional<Unknown> setting = find_unknown(find);
  if (!setting && find != "weights" && find != "machine")
    return fail(notice::wrong_type("params.find", "find", excerpt(params.value("find", Json())),
                                   "\"weights\", \"context\", \"sequences\", \"cache_type\", \"devices\", \"machine\", \"gpu_layers\" or "
                                   "\"cpu_moe_layers\""));
  const Json& asked = *params.find("request");
  const Result<Request> request = read_request(asked, context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  if (find == "weights") return solve_for_weights(keys, *request, context);
  if (find == "machine") return solve_for_machine(params, keys, asked, *request, context.catalogue);
  const Result<Solution> solution = solve_setting(asked, request->model(), context.catalogue, *setting);
  if (!solution) return fail(solution.error());
  return describe_solution(find, solution->best, solution->next, solution->asked);
}

}  // namespace

void add_solving(std::vector<Method>& methods) {
  methods.push_back({"solve", call_solve});
  methods.push_back({"sweep", call_sweep});
  methods.push_back({"launch", call_launch});
  methods.push_back({"advise", call_advise});
  methods.push_back({"compare_devices", call_compare_devices});
  add_speed(methods);
}

}  // namespace weighbridge
