// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace weighbridge {

class Api;

/// Answers a request in which a model may be a file of this machine: `{"model":{"file":"config.json | x.gguf | x.safetensors | a folder"}}` in
/// `estimate` and `sweep`, `{"file":…}` in `read_config`. A part or an index brings the files beside it. The core does no I/O, so what was read takes
/// the place of the name here. Errors of its own: file_unreadable, unknown_layers.
[[nodiscard]] std::string call_with_files(Api& api, std::string_view request);

}  // namespace weighbridge
