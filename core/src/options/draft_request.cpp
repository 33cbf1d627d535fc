// SPDX-License-Identifier: Apache-2.0
#include "engine/local_rules.hpp"
#include "json_text.hpp"
#include "request.hpp"
#include "weighbridge/catalogue.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

/// The model that `draft_model` names. The catalogue may only list it; then `params.draft` brings its spec, and what misses it is told as
/// for any model, so that whoever has specs brings them.
Result<void> read_draft(const Json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings) {
  const std::optional<std::string>& id = scenario.options.draft_model;
  if (!id || (scenario.engine != "llama.cpp" && scenario.engine != "vllm")) return {};
  const std::string where = "params.engine.options.draft_model";
  const CatalogueModel* known = catalogue.find_model(*id);
  if (known == nullptr) return fail(notice::unknown("unknown_model", where, "model", *id, "a model of the catalogue"));
  LlamaCppOptions& o = scenario.options.llama_cpp;
  if (o.draft_weights) {
    const std::string format = o.draft_weights->starts_with("gguf:") ? *o.draft_weights : "gguf:" + *o.draft_weights;
    const std::optional<std::string_view> found = find_weights_format(format);
    if (!found)
      return fail(notice::unknown("unknown_format", "params.engine.options.draft_weights", "weights format", *o.draft_weights,
                                  "a GGUF file type such as gguf:Q4_K_M"));
    o.draft_weights = *found;
  }
  const auto brought = params.find("draft");
  if (known->model) {
    scenario.draft = std::shared_ptr<const Model>(std::shared_ptr<const Model>(), &*known->model);
  } else if (brought != params.end() && brought->is_object() && brought->contains("spec")) {
    Result<Request> draft = read_model_choice(*brought, "params.draft", catalogue, warnings);
    if (!draft) return fail(draft.error());
    scenario.draft = std::make_shared<const Model>(std::move(*draft->own));
  } else {
    return fail(notice::missing_key("params.model.spec", "spec", "the spec of `" + *id + "`, which the catalogue only lists"));
  }
  return {};
}

}  // namespace weighbridge
