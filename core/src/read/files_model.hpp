// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "read/gguf_model.hpp"
#include "weighbridge/model.hpp"
#include "weighbridge/read_session.hpp"

namespace weighbridge {

/// The model that was read: of a GGUF, or of config.json with the tensors of its files. Nothing if the layers are not known, which a warning
/// says; `given` stands in for those of a GGUF. Fails only where config.json was all there was, with the errors of read_config().
[[nodiscard]] Result<std::optional<Model>> model_of(const FilesRead& read, Notices& warnings, const std::optional<GivenLayers>& given = std::nullopt);

}  // namespace weighbridge
