// SPDX-License-Identifier: Apache-2.0
// The methods that turn files into models.
#include "json_parse.hpp"
#include "method.hpp"
#include "response.hpp"
#include "weighbridge/api.hpp"
#include "weighbridge/model_spec.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {

namespace {

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
  return JsonOut{{"model", describe_model(*model)}, {"config", minimal_config(config)}, {"spec", write_spec_alone(*model)}};
}

/// The catalogue with specs in place of configs, for a build that cannot read those, and without what only a person who looks for it reads.
Result<JsonOut> call_catalogue_pack(const Json& params, Context& context) {
  Json models = params.is_object() ? params.value("models", Json()) : Json();
  if (!models.is_object() || !models.contains("models") || !models["models"].is_array())
    return fail(notice::missing_key("params.models", "models", "a catalogue file with an array of models"));
  std::vector<std::string> names;
  std::size_t index = 0;
  for (Json& row : models["models"]) {
    const std::string where = "params.models[" + std::to_string(index++) + "].config";
    Result<Model> model = read_config(row.value("config", Json()), where, context.warnings);
    if (!model) return fail(model.error());
    row["spec"] = write_spec(*model, names);
    for (const char* key : {"config", "sources", "notes", "published", "counted", "miss"}) row.erase(key);
    for (const char* key : {"aliases", "relation"})
      if (row.contains(key) && row[key].empty()) row.erase(key);
  }
  models["names"] = std::move(names);
  context.warnings.clear();  // defaults that a published config leaves to its class are part of it
  return JsonOut(models);
}

Result<JsonOut> call_read_open(const Json& params, Context& context) { return context.files->open(params, context.warnings); }
Result<JsonOut> call_read_close(const Json& params, Context& context) { return context.files->close(params); }

}  // namespace

const Reading& reading() {
  static const Reading all{
      read_config,
      {{"read_config", call_read_config}, {"catalogue.pack", call_catalogue_pack}, {"read.open", call_read_open}, {"read.close", call_read_close}},
      file_methods};
  return all;
}

}  // namespace weighbridge
