// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// A weights format that a person can choose, by its wire name.
struct WeightsFormat {
  std::string_view name;
  WeightsLayout layout;
};

/// All formats except `checkpoint`, which is whatever the model was published in.
[[nodiscard]] const std::vector<WeightsFormat>& weights_formats();

/// The layout of `format` for `model`; nothing if the format is unknown.
[[nodiscard]] std::optional<WeightsLayout> layout_of(const Model& model, std::string_view format);

/// The wire name that describes the checkpoint as published: fp8, bf16 and so on.
[[nodiscard]] std::string_view checkpoint_format(const Model& model);

/// The inventory in `format`. `checkpoint` is the published one, as it was read. Requires a format that layout_of() knows.
[[nodiscard]] std::vector<Tensor> tensors_in(const Model& model, std::string_view format);

}  // namespace weighbridge
