// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/hardware.hpp"
#include "weighbridge/model.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// What a list of models shows of each.
struct ModelSummary {
  std::int64_t parameters = 0;  ///< of the language model
  std::int64_t n_experts = 0;
  std::int64_t max_context_tokens = 0;
  std::string attention;          ///< attention_kind()
  std::string checkpoint_format;  ///< checkpoint_format()
};

/// A model of the catalogue: read once, counted many times.
struct CatalogueModel {
  std::string id;
  std::string slug;
  std::string name;
  std::vector<std::string> aliases;
  std::string kind;      ///< original, distillation, quantized, embedding, reranker, generic
  std::string relation;  ///< what it descends from, one English phrase, may be empty
  std::string released;  ///< YYYY-MM-DD or YYYY-MM, may be empty
  std::string license;   ///< as its owner names it, may be empty
  ModelSummary summary;
  std::optional<Model> model;  ///< none where the catalogue only lists it: a request then brings its spec
};

[[nodiscard]] ModelSummary summary_of(const Model& model);
/// Gives `model` the names of its row.
void name_model(const CatalogueModel& entry, Model& model);

struct CatalogueDevice {
  Device device;
  std::vector<std::string> aliases;
};

/// Models and devices by name. Names (ids, slugs, aliases) are matched without regard to case.
class Catalogue {
 public:
  /// Without a reader of configs, models come as specs (model_spec.hpp), or as rows with a summary that are only listed.
  explicit Catalogue(ConfigReader reader = nullptr) : config_reader_(reader) {}

  [[nodiscard]] ConfigReader config_reader() const { return config_reader_; }
  /// Reads the two data files. On an error nothing changes.
  [[nodiscard]] Result<void> load(const nlohmann::ordered_json& models, const nlohmann::ordered_json& devices);

  /// Takes the spec of a model that is only listed, by its id. On an error nothing changes.
  [[nodiscard]] Result<void> take_spec(std::string_view id, const nlohmann::ordered_json& spec);

  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const std::vector<CatalogueModel>& models() const { return models_; }
  [[nodiscard]] const std::vector<CatalogueDevice>& devices() const { return devices_; }
  /// Null if there is none by that name.
  [[nodiscard]] const CatalogueModel* find_model(std::string_view name) const;
  [[nodiscard]] const CatalogueDevice* find_device(std::string_view name) const;

 private:
  ConfigReader config_reader_;
  std::string version_;
  std::vector<CatalogueModel> models_;
  std::vector<CatalogueDevice> devices_;
};

}  // namespace weighbridge
