// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/api.hpp"

#include <algorithm>
#include <array>

#include "engine/engine.hpp"
#include "json_parse.hpp"
#include "method.hpp"
#include "request.hpp"
#include "response.hpp"
#include "weighbridge/share.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

Result<JsonOut> call_estimate(const Json& params, Context& context) {
  Result<Request> request = read_request(params, context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  Result<Estimate> answer = estimate(request->model(), request->scenario);
  if (!answer) return fail(answer.error());
  context.warnings.insert(context.warnings.end(), answer->warnings.begin(), answer->warnings.end());
  return describe_estimate(*request, *answer, context.kept.formats);
}

JsonOut describe_catalogue_model(const CatalogueModel& entry) {
  const ModelSummary& summary = entry.summary;
  return {{"id", entry.id},
          {"slug", entry.slug},
          {"name", entry.name},
          {"summary", {{"parameters", summary.parameters}, {"n_experts", summary.n_experts}, {"attention", summary.attention}}},
          {"kind", entry.kind},
          {"relation", entry.relation},
          {"released", entry.released.empty() ? JsonOut() : JsonOut(entry.released)},
          {"license", entry.license.empty() ? JsonOut() : JsonOut(entry.license)},
          {"aliases", entry.aliases},
          {"max_context_tokens", summary.max_context_tokens},
          {"checkpoint_format", summary.checkpoint_format}};
}

JsonOut describe_catalogue_device(const CatalogueDevice& entry) {
  const Device& d = entry.device;
  return {{"id", d.id},
          {"slug", d.slug},
          {"name", d.name},
          {"short_name", d.short_name},
          {"vendor", d.vendor},
          {"kind", d.kind},
          {"aliases", entry.aliases},
          {"marketed_gb", d.marketed_gb},
          {"driver_bytes", d.driver_bytes.count()},
          {"runtime_bytes", d.runtime_bytes.count()},
          {"backend", d.backend},
          {"unified_memory", d.unified_memory},
          {"default_limit_bytes", d.default_limit_bytes.count()},
          {"raised_limit_bytes", d.raised_limit_bytes.count()},
          {"raise_command", d.raise_command},
          {"capacity_basis", d.runtime_measured ? "measured" : "estimated"},
          {"fp8_units", d.runs("fp8")},
          {"bf16", d.runs("bf16")}};
}

JsonOut describe_engine(const Engine& engine) {
  constexpr std::array kTypes{"number", "integer", "text", "flag"};
  JsonOut options = JsonOut::array();
  for (const OptionInfo& option : engine.options)
    options.push_back({{"name", option.name}, {"type", kTypes[static_cast<std::size_t>(option.type)]}, {"default", option.default_text}});
  return {{"name", engine.name},
          {"versions", engine.versions},
          {"default_version", engine.versions.back()},
          {"usual_format", engine.usual.format},
          {"usual_sequences", engine.usual.sequences},
          {"weights_formats", engine.weights_formats},
          {"kv_types", engine.kv_types},
          {"options", std::move(options)}};
}

Result<JsonOut> call_catalogue(const Json&, Context& context) {
  JsonOut models = JsonOut::array();
  for (const CatalogueModel& entry : context.catalogue.models()) models.push_back(describe_catalogue_model(entry));
  JsonOut devices = JsonOut::array();
  for (const CatalogueDevice& entry : context.catalogue.devices()) devices.push_back(describe_catalogue_device(entry));
  JsonOut known = JsonOut::array();
  for (const Engine& engine : engines()) known.push_back(describe_engine(engine));
  JsonOut architectures = JsonOut::array();
  if (context.reading != nullptr)
    for (const std::string_view name : context.reading->architectures) architectures.push_back(name);
  return JsonOut{
      {"data_version", context.catalogue.version()}, {"models", models}, {"devices", devices}, {"engines", known}, {"architectures", architectures}};
}

Result<JsonOut> call_catalogue_load(const Json& params, Context& context) {
  if (!params.is_object()) return fail(notice::wrong_type("params", "params", excerpt(params), "an object with models and devices"));
  if (auto loaded = context.catalogue.load(params.value("models", Json()), params.value("devices", Json())); !loaded) return fail(loaded.error());
  context.kept = Kept();
  return JsonOut{{"models", context.catalogue.models().size()}, {"devices", context.catalogue.devices().size()}};
}

Result<JsonOut> call_catalogue_spec(const Json& params, Context& context) {
  if (!params.is_object() || !params.contains("id") || !params["id"].is_string())
    return fail(notice::missing_key("params.id", "id", "the id of a model of the catalogue"));
  context.kept = Kept();
  if (auto taken = context.catalogue.take_spec(params["id"].get_ref<const std::string&>(), params.value("spec", Json())); !taken)
    return fail(taken.error());
  return JsonOut{{"id", params["id"]}};
}

Result<JsonOut> written(const Result<Json>& tree) {
  if (!tree) return fail(tree.error());
  return JsonOut(*tree);
}

Result<JsonOut> call_share_encode(const Json& params, Context& context) { return written(encode_link(params, context.catalogue)); }
Result<JsonOut> call_share_decode(const Json& params, Context& context) { return written(decode_link(params, context.catalogue)); }

constexpr std::array kMethods{
    Method{"estimate", call_estimate},
    Method{"catalogue", call_catalogue},
    Method{"catalogue.load", call_catalogue_load},
    Method{"catalogue.spec", call_catalogue_spec},
    Method{"share.encode", call_share_encode},
    Method{"share.decode", call_share_decode},
};

Result<JsonOut> dispatch(std::string_view text, Context& context, const Reading* reading) {
  Result<Json> request = parse_json(text, "request");
  if (!request) return fail(request.error());
  if (!request->is_object()) return fail(notice::wrong_type("request", "request", excerpt(*request), "an object with method and params"));
  const auto method = request->find("method");
  if (method == request->end() || !method->is_string()) return fail(notice::missing_key("method", "method", "the name of a method"));
  const auto found = request->find("params");
  const Json none = Json::object();
  const Json& params = found == request->end() ? none : *found;
  std::vector<Method> methods(kMethods.begin(), kMethods.end());
  add_solving(methods);
  if (reading != nullptr) methods.insert(methods.end(), reading->methods.begin(), reading->methods.end());
  const std::string& name = method->get_ref<const std::string&>();
  for (const Method& known : methods)
    if (name == known.name) return known.run(params, context);
  std::string names;
  for (const Method& known : methods) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return fail(notice::unknown("unknown_method", "method", "method", name, names));
}

std::string respond(const Result<JsonOut>& result, const Notices& warnings) {
  const Json error = result ? Json() : to_json(result.error());
  const JsonField answer = result ? JsonField{"result", *result} : JsonField{"error", error};
  const JsonOut response{{"ok", result.has_value()}, answer, {"warnings", to_json(warnings)}};
  return std::string(response.text());
}

}  // namespace

Api::Api() : kept_(std::make_unique<Kept>()) {}
Api::Api(const Reading& reading)
    : reading_(&reading), catalogue_(reading.read_config), kept_(std::make_unique<Kept>()), files_(reading.file_methods()) {}
Api::Api(Api&&) noexcept = default;
Api& Api::operator=(Api&&) noexcept = default;
Api::~Api() = default;

std::string Api::call(std::string_view request) {
  Notices warnings;
  Context context{catalogue_, warnings, *kept_, files_.get(), reading_};
  const Result<JsonOut> result = dispatch(request, context, reading_);
  return respond(result, warnings);
}

std::string Api::push(std::int64_t handle, std::string_view file, std::int64_t size, std::int64_t offset, std::string_view bytes) {
  Notices warnings;
  const Result<JsonOut> result = files_->push(handle, {file, size, offset, bytes}, warnings);
  return respond(result, warnings);
}

}  // namespace weighbridge
