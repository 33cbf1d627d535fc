// SPDX-License-Identifier: Apache-2.0
#include "read/files_model.hpp"

#include "json_parse.hpp"
#include "read/header_reader.hpp"
#include "read/stored_rows.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {

namespace {

/// What the files hold is what counts; where config.json alone would make something else of it, that is said.
void put_stored_tensors(const FilesRead& read, Model& model, Notices& warnings) {
  const Bytes stored = *read.weights_bytes();
  const Bytes derived = total_bytes(model.tensors);
  if (stored == derived) return;
  const bool replaced = store_tensors(read.safetensors, model);
  warnings.push_back(
      notice::custom("tensors_differ", "files",
                     "The files hold " + size_text(stored.count()) + " of tensors, and config.json describes " + size_text(derived.count()) +
                         (replaced ? ". Those of the files are counted." : ". Their names are not those of a model: config.json is counted."),
                     "files"));
}

}  // namespace

Result<std::optional<Model>> model_of(const FilesRead& read, Notices& warnings, const std::optional<GivenLayers>& given) {
  if (!read.gguf.empty()) return model_of_gguf(read.gguf, warnings, given);
  if (read.config.empty()) return std::optional<Model>();
  const Result<Json> config = parse_json(read.config, "config");
  if (!config) return fail(config.error());
  Result<Model> model = read_config(*config, "config", warnings);
  if (!model && read.weights_from == WeightsFrom::nothing) return fail(model.error());
  if (!model) {
    // The weights are known whatever the config says.
    warnings.push_back(model.error());
    return std::optional<Model>();
  }
  if (read.weights_from == WeightsFrom::headers) put_stored_tensors(read, *model, warnings);
  return std::optional<Model>(std::move(*model));
}

}  // namespace weighbridge
