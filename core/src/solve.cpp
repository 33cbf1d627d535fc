// SPDX-License-Identifier: Apache-2.0
// The method `solve`: what the best answer to a request is when one of its settings is free.
#include "engine/engine.hpp"
#include "json_parse.hpp"
#include "key_reader.hpp"
#include "method.hpp"
#include "request.hpp"
#include "response.hpp"
#include "speed_methods.hpp"
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
          {"host_bytes", best.answer.host ? JsonOut(best.answer.host->total().count()) : JsonOut()}};
}

/// `{"find":"weights","request":{…},"smallest":"gguf:Q3_K_M"}`: the request is that of an estimate, and its weights format does not count.
Result<JsonOut> call_solve(const Json& params, Context& context) {
  if (!params.is_object() || !params.contains("request")) return fail(notice::missing_key("params.request", "request", "the params of an estimate"));
  KeyReader keys(params, "params", context.warnings);
  keys.warn_of_other_keys({"request", "find", "smallest"});
  const std::string find = keys.text_if_given("find").value_or("");
  const std::string smallest = keys.text_if_given("smallest").value_or("");
  if (keys.error()) return fail(*keys.error());
  if (find != "weights") return fail(notice::wrong_type("params.find", "find", excerpt(params.value("find", Json())), "\"weights\""));
  const std::optional<std::string_view> last = find_weights_format(smallest);
  if (!smallest.empty() && !last) return fail(notice::unknown("unknown_format", "params.smallest", "weights format", smallest, "a weights format"));
  const Result<Request> request = read_request(*params.find("request"), context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  const Result<BestWeights> best = solve_best_weights(request->model(), request->scenario, last.value_or(""));
  if (!best) return fail(best.error());
  return describe_best_weights(*best, request->model());
}

}  // namespace

void add_solving(std::vector<Method>& methods) {
  methods.push_back({"solve", call_solve});
  methods.push_back({"launch", call_launch});
  methods.push_back({"advise", call_advise});
  methods.push_back({"compare_devices", call_compare_devices});
  add_speed(methods);
}

}  // namespace weighbridge
