// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "file_writer.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge::testing {

/// The metadata of `model` under the architecture's prefix: what llama.cpp sizes its cache and graphs by. Numbers that change no size (epsilons,
/// rotary bases) stand at a usual value.
void write_keys(const Model& model, const std::string& architecture, GgufWriter& writer);

}  // namespace weighbridge::testing
