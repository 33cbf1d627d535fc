// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
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

/// All formats except `checkpoint`, which is whatever the model was published in, and the GGUF file types (gguf.hpp).
[[nodiscard]] std::span<const WeightsFormat> weights_formats();

/// The wire name of any format, `checkpoint` and `gguf:…` included, whatever its case; nothing if it is unknown.
[[nodiscard]] std::optional<std::string_view> find_weights_format(std::string_view format);

/// The layout of `format`; nothing for `checkpoint`, an unknown format, or a GGUF file type, which mixes types tensor by tensor.
[[nodiscard]] std::optional<WeightsLayout> layout_of(std::string_view format);

/// Whether `format` is what the model was published in.
[[nodiscard]] bool is_as_published(const Model& model, std::string_view format);

/// The wire name that describes the checkpoint as published: fp8, bf16 and so on.
[[nodiscard]] std::string_view checkpoint_format(const Model& model);
/// Whether a format is of 16- or 32-bit floating-point numbers, and whether the checkpoint's is.
[[nodiscard]] bool is_plain_format(std::string_view format);
[[nodiscard]] bool has_plain_weights(const Model& model);

/// The inventory in `format`. `checkpoint` is the published one, as it was read. Requires a format that find_weights_format() knows.
[[nodiscard]] std::vector<Tensor> tensors_in(const Model& model, std::string_view format);

/// What a language model's tensors weigh, each once.
[[nodiscard]] Bytes loaded_bytes(const std::vector<Tensor>& tensors);

}  // namespace weighbridge
