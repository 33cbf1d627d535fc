// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weighbridge/read_session.hpp"

namespace weighbridge {

/// Whether what was read belongs together; orders the parts, fills in `weights_from` and warns of what is missing. `missing` are the shards of
/// the index that were not there.
[[nodiscard]] Result<void> check_files(FilesRead& read, const std::vector<std::string>& missing);

}  // namespace weighbridge
