// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "weighbridge/model.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// A whole model as compact JSON, so that one module can read a file and another count it, and a catalogue needs no reader of configs:
/// `{"of":[…],"kinds":[…],"layers":[…],"tensors":[…],…}`. It is no format to keep: writer and reader belong to the same build.
/// The names of tensors are added to `names` and referred to by index.
[[nodiscard]] nlohmann::ordered_json write_spec(const Model& model, std::vector<std::string>& names);

/// A spec with its names, ready to come back as `{"model":{"spec":…}}`.
[[nodiscard]] nlohmann::ordered_json write_spec_alone(const Model& model);

/// The model of `spec`; `names` is what write_spec() filled, and is kept alive by the model. Errors: wrong_type, out_of_range, for whatever
/// write_spec() does not write. Identity (id, slug, name) is not part of a spec.
[[nodiscard]] Result<Model> read_spec(const nlohmann::ordered_json& spec, const std::string& where, const NameTable& names);

/// The same of what write_spec_alone() wrote.
[[nodiscard]] Result<Model> read_spec_alone(const nlohmann::ordered_json& spec, const std::string& where);

/// The `names` of a spec that stands alone, or of a catalogue.
[[nodiscard]] Result<NameTable> read_names(const nlohmann::ordered_json& names, const std::string& where);

}  // namespace weighbridge
