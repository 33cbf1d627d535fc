// SPDX-License-Identifier: Apache-2.0
// The methods that turn files into models.
#include <algorithm>
#include <cmath>

#include "json_parse.hpp"
#include "method.hpp"
#include "quantize.hpp"
#include "response.hpp"
#include "weighbridge/api.hpp"
#include "weighbridge/model_spec.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// Formats that no engine here makes: ExLlama 2 and 3 at any average of bits, and the less usual widths of MLX.
std::optional<WeightsLayout> foreign_layout(const std::string& format) {
  const std::string_view name = format;
  if (name.size() == 8 && name.starts_with("mlx-") && name.ends_with("bit") && std::string_view("2356").find(name[4]) != std::string_view::npos) {
    WeightsLayout layout = *layout_of("mlx-4bit");
    layout.bits = name[4] - '0';
    return layout;
  }
  if (!(name.starts_with("exl2-") || name.starts_with("exl3-")) || !name.ends_with("bpw") || name.size() < 9) return std::nullopt;
  const Json bits = Json::parse(name.substr(5, name.size() - 8), nullptr, false);
  if (!bits.is_number() || bits.get<double>() < 1 || bits.get<double>() > 8) return std::nullopt;
  WeightsLayout layout;
  layout.quantization = name[3] == '2' ? WeightQuantization::exl2 : WeightQuantization::exl3;
  layout.base = dtype::f16;
  layout.bits_x1000 = std::lround(1000 * bits.get<double>());
  return layout;
}

/// "This model in that format", whether or not an engine here loads it.
Result<JsonOut> in_format(const Model& model, const Json& weights) {
  const Json given = weights.is_object() ? weights.value("format", Json()) : Json();
  if (!given.is_string()) return fail(notice::wrong_type("params.weights", "weights", excerpt(weights), "an object with format"));
  const std::string format = lower_case(given.get<std::string>());
  const std::optional<std::string_view> known = find_weights_format(format);
  const std::optional<WeightsLayout> foreign = known ? std::nullopt : foreign_layout(format);
  if (known) return JsonOut{{"format", *known}, {"bytes", total_bytes(tensors_in(model, *known)).count()}};
  if (foreign) return JsonOut{{"format", format}, {"bytes", total_bytes(tensors_in_layout(model, *foreign)).count()}};
  std::string names = "checkpoint";
  for (const WeightsFormat& other : weights_formats()) names += ", " + std::string(other.name);
  names += ", mlx-6bit, exl2-4.5bpw, exl3-4bpw, or a GGUF file type such as gguf:Q4_K_M";
  return fail(notice::unknown("unknown_format", "params.weights.format", "weights format", given.get<std::string>(), names));
}

Result<JsonOut> call_read_config(const Json& params, Context& context) {
  if (!params.is_object()) return fail(notice::wrong_type("params", "params", excerpt(params), "an object with config or text"));
  Json config;
  if (const auto text = params.find("text"); text != params.end()) {
    if (!text->is_string()) return fail(notice::wrong_type("params.text", "text", excerpt(*text), "the text of a config.json"));
    Result<Json> parsed = parse_json(text->get_ref<const std::string&>(), "params.text");
    if (!parsed) return fail(parsed.error());
    config = std::move(*parsed);
  } else if (const auto given = params.find("config"); given != params.end()) {
    config = *given;
  } else {
    return fail(notice::missing_key("params.config", "config", "a config.json, as object or as text"));
  }
  Result<Model> model = read_config(config, "params.config", context.warnings);
  if (!model) return fail(model.error());
  JsonOut answer{{"model", describe_model(*model)}, {"config", minimal_config(config)}, {"spec", write_spec_alone(*model)}};
  if (const auto weights = params.find("weights"); weights != params.end()) {
    Result<JsonOut> counted = in_format(*model, *weights);
    if (!counted) return counted;
    answer.add("weights", std::move(*counted));
  }
  return answer;
}

/// What a list shows, in the order in which Catalogue reads it.
Json packed_summary(const Model& model) {
  const ModelSummary summary = summary_of(model);
  return {summary.parameters, summary.n_experts, summary.max_context_tokens, summary.attention, summary.checkpoint_format};
}

/// Models that are alike share a spec.
class SpecList {
 public:
  std::size_t index_of(const Model& model) {
    Json spec = write_spec(model, names_);
    const auto known = std::find(specs_.begin(), specs_.end(), spec);
    if (known != specs_.end()) return static_cast<std::size_t>(known - specs_.begin());
    specs_.push_back(std::move(spec));
    return specs_.size() - 1;
  }

  Json packed(Json of) && { return {{"names", std::move(names_)}, {"specs", std::move(specs_)}, {"of", std::move(of)}}; }

 private:
  std::vector<std::string> names_;
  std::vector<Json> specs_;
};

/// The catalogue for a build that cannot read configs: `models` to load at once, each with its summary, and `specs`, which a request for a model
/// brings with it: `of` is the number of each model's spec, in the order of the models.
Result<JsonOut> call_catalogue_pack(const Json& params, Context& context) {
  Json models = params.is_object() ? params.value("models", Json()) : Json();
  if (!models.is_object() || !models.contains("models") || !models["models"].is_array())
    return fail(notice::missing_key("params.models", "models", "a catalogue file with an array of models"));
  SpecList specs;
  Json of = Json::array();
  for (Json& row : models["models"]) {
    const std::string where = "params.models[" + std::to_string(of.size()) + "].config";
    Result<Model> model = read_config(row.value("config", Json()), where, context.warnings);
    if (!model) return fail(model.error());
    row["summary"] = packed_summary(*model);
    of.push_back(specs.index_of(*model));
    for (const char* key : {"config", "sources", "notes", "published", "counted", "miss"}) row.erase(key);
    for (const char* key : {"aliases", "relation"})
      if (row.contains(key) && row[key].empty()) row.erase(key);
  }
  context.warnings.clear();  // defaults that a published config leaves to its class are part of it
  return JsonOut(Json{{"models", std::move(models)}, {"specs", std::move(specs).packed(std::move(of))}});
}

Result<JsonOut> call_read_open(const Json& params, Context& context) { return context.files->open(params, context.warnings); }
Result<JsonOut> call_read_close(const Json& params, Context& context) { return context.files->close(params); }

}  // namespace

const Reading& reading() {
  static const Reading all{
      read_config,
      {{"read_config", call_read_config}, {"catalogue.pack", call_catalogue_pack}, {"read.open", call_read_open}, {"read.close", call_read_close}},
      known_architectures(),
      file_methods};
  return all;
}

}  // namespace weighbridge
