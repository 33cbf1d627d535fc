// SPDX-License-Identifier: Apache-2.0
#include "advise/advise_trials.hpp"

#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "request.hpp"
#include "setting_names.hpp"

namespace weighbridge {

Json together(Json first, const Json& second) {
  for (const auto& [key, value] : second.items()) {
    Json& place = first[key];
    place = place.is_object() && value.is_object() ? together(std::move(place), value) : value;
  }
  return first;
}

Json context_patch(const Trials& trials, std::int64_t tokens) {
  Json workload{{"context_tokens", tokens}};
  const Json given = trials.params().value("workload", Json::object());
  for (const std::string_view name : {"average_tokens", "prompt_tokens", "shared_prefix_tokens"})
    if (const auto found = given.find(name); found != given.end() && found->is_number() && found->get<double>() > static_cast<double>(tokens))
      workload[std::string(name)] = nullptr;
  return leave_out(trials, Json{{"workload", std::move(workload)}}, kContextOptions);
}

Trials::Trials(const Json& params, const Model& model, const std::vector<Model>& relatives, const Catalogue& catalogue)
    : params_(Json::object()), model_(model), relatives_(relatives), catalogue_(catalogue) {
  // A model that came with the request may have thousands of tensors, and the params are copied for each trial.
  for (const auto& [key, value] : params.items())
    if (key != "model" && key != "relatives") params_[key] = value;
}

const Model* Trials::find_relative(const std::string& id) const {
  for (const Model& model : relatives_)
    if (model.id == id) return &model;
  const CatalogueModel* entry = catalogue_.find_model(id);
  return entry != nullptr && entry->model ? &*entry->model : nullptr;
}

Json Trials::option(std::string_view name) const {
  const auto engine = params_.find("engine");
  if (engine == params_.end() || !engine->is_object()) return {};
  const auto options = engine->find("options");
  if (options == engine->end() || !options->is_object()) return {};
  const auto found = options->find(name);
  return found == options->end() ? Json() : *found;
}

bool Trials::asks_for_offload() const {
  const auto given = params_.find("offload");
  if (given != params_.end() && !given->empty()) return true;
  return !option("n_gpu_layers").is_null() || !option("num_gpu").is_null() || !option("override_tensor").is_null();
}

Result<Setup> Trials::read(const Json& patch) {
  const Model* model = &model_;
  if (const auto choice = patch.find("model"); choice != patch.end()) model = find_relative((*choice)["id"].get<std::string>());
  if (model == nullptr) return fail(notice::missing_key("params.model", "model", "a relative with its layers"));
  Json changed = params_;
  changed.merge_patch(patch);
  // Other models are counted once on the devices that are there.
  const bool is_same_place = !patch.contains("hardware") && !patch.contains("host") && !patch.contains("running");
  if (is_same_place && place_) changed.erase("running");
  Notices ignored;
  Result<Scenario> scenario = read_scenario(changed, *model, catalogue_, ignored);
  if (!scenario) return fail(scenario.error());
  if (is_same_place && place_) {
    scenario->hardware = place_->hardware;
    scenario->host = place_->host;
    scenario->running = place_->running;
  } else if (is_same_place && !scenario->running.empty()) {
    place_ = *scenario;
  }
  const std::string format(loaded_format(*model, *scenario));
  std::unique_ptr<Prepared>& prepared = prepared_[{model, format}];
  if (!prepared) prepared = std::make_unique<Prepared>(*model, format);
  return Setup{std::move(*scenario), prepared.get()};
}

Result<Estimate> Trials::evaluate(const Setup& setup) {
  Result<Estimate> outcome = weighbridge::evaluate(*setup.prepared, setup.scenario);
  if (outcome && outcome->verdict.kind != VerdictClass::no) refuse_overlong(*setup.prepared, setup.scenario, *outcome);
  return outcome;
}

Result<Estimate> Trials::evaluate_exactly(const Setup& setup) {
  bool& is_shown = setup.prepared->memo().is_shown;
  is_shown = true;
  Result<Estimate> outcome = evaluate(setup);
  is_shown = false;
  return outcome;
}

bool may_fit(const Estimate& answer) { return answer.verdict.kind == VerdictClass::tight && answer.verdict.need <= answer.verdict.limit; }

std::optional<Estimate> Situation::with(const Json& more) const {
  const Result<Setup> changed = trials.read(together(patch, more));
  if (!changed) return std::nullopt;
  Result<Estimate> outcome = trials.evaluate(*changed);
  if (!outcome || outcome->verdict.kind == VerdictClass::impossible) return std::nullopt;
  return std::move(*outcome);
}

bool Situation::fits_with(const Json& more) const {
  const std::optional<Estimate> outcome = with(more);
  return outcome && outcome->verdict.kind == VerdictClass::fits;
}

}  // namespace weighbridge
