// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "weighbridge/catalogue.hpp"

namespace weighbridge {

/// A name with a size in it: "Qwen2.5-72B-Instruct" is "qwen2.5", 72B and "instruct". How many experts or parameters are used, as in "30B-A3B", is
/// part of the size.
struct SizedName {
  std::string before;
  std::string after;
  bool has_size = false;

  friend bool operator==(const SizedName&, const SizedName&) = default;
};

/// The parts of the last part of `id` ("owner/name").
[[nodiscard]] SizedName sized_name(std::string_view id);

/// Models of the catalogue that descend from the one called `id` or are its siblings, with fewer parameters, the largest first: its distillations, the
/// small one of its line, and those of its owner whose names differ in the size only. Quantized, embedding and reranking models are nobody's.
[[nodiscard]] std::vector<const CatalogueModel*> smaller_relatives(const Catalogue& catalogue, std::string_view id);

}  // namespace weighbridge
