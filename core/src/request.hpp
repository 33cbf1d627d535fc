// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "json_text.hpp"
#include "weighbridge/catalogue.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

/// The params of an `estimate` request, read and checked.
struct Request {
  std::optional<Model> own;               ///< a model that came with the request
  const CatalogueModel* entry = nullptr;  ///< or one of the catalogue, whose model is there
  Scenario scenario;
  Json running;  ///< other models on the same devices, as they were given; of each one's model only the id

  [[nodiscard]] const Model& model() const { return own ? *own : *entry->model; }
};

/// Reads params of the wire contract. Errors: everything a person can get wrong in one field. Assumptions and unknown keys land in `warnings`.
[[nodiscard]] Result<Request> read_request(const Json& params, const Catalogue& catalogue, Notices& warnings);

/// All but the model, which is `model`.
[[nodiscard]] Result<Scenario> read_scenario(const Json& params, const Model& model, const Catalogue& catalogue, Notices& warnings);

/// The model part alone, `{"id"}` or `{"config"}`; `where` is its path.
[[nodiscard]] Result<Request> read_model_choice(const Json& choice, const std::string& where, const Catalogue& catalogue, Notices& warnings);

}  // namespace weighbridge
