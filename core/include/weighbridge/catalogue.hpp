// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/hardware.hpp"
#include "weighbridge/model.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// A model of the catalogue: read once, counted many times.
struct CatalogueModel {
  Model model;
  std::vector<std::string> aliases;
  std::string kind;      ///< original, distillation, quantized, embedding, reranker, generic
  std::string relation;  ///< what it descends from, one English phrase, may be empty
  std::string released;  ///< YYYY-MM-DD or YYYY-MM, may be empty
  std::string license;   ///< as its owner names it, may be empty
};

struct CatalogueDevice {
  Device device;
  std::vector<std::string> aliases;
};

/// Models and devices by name. Names (ids, slugs, aliases) are matched without regard to case.
class Catalogue {
 public:
  /// Without a reader of configs, models must come as specs (model_spec.hpp).
  explicit Catalogue(ConfigReader reader = nullptr) : config_reader_(reader) {}

  [[nodiscard]] ConfigReader config_reader() const { return config_reader_; }
  /// Reads the two data files. On an error nothing changes.
  [[nodiscard]] Result<void> load(const nlohmann::ordered_json& models, const nlohmann::ordered_json& devices);

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
