// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace weighbridge {

class Api;

/// Answers a request in which a model may be a file of this machine: `{"model":{"file":"config.json"}}` in `estimate` and `sweep`,
/// `{"file":"config.json"}` in `read_config`. The core does no I/O, so the file's content takes the place of its name here.
/// Errors of its own: file_unreadable, unsupported_file.
[[nodiscard]] std::string call_with_files(Api& api, std::string_view request);

}  // namespace weighbridge
