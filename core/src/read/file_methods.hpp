// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "json_out.hpp"
#include "weighbridge/read_session.hpp"

namespace weighbridge {

/// A piece of a file as it comes over the boundary: sizes below 0 are Api::kUnknownSize and Api::kAbsent.
struct PushedPiece {
  std::string_view file;
  std::int64_t size = 0;
  std::int64_t offset = 0;
  std::string_view bytes;
};

/// The methods `read.open` and `read.close`, and the pushes between them. Abstract, so that a build which only counts links none of it.
class FileMethods {
 public:
  virtual ~FileMethods() = default;

  /// `{"files":[{"name":…,"size_bytes":…}],"remote":false,"layers":{"n_layers":…,"n_kv_heads":…,"head_dim":…}}`, the last where a file's own are
  /// not known -> `{"handle":…,"needs":[{"file","offset","bytes"}],"progress":{…}}`.
  [[nodiscard]] virtual Result<JsonOut> open(const Json& params, Notices& warnings) = 0;
  /// `{"needs","progress"}`, or with the last piece `{"done":true,…}`.
  [[nodiscard]] virtual Result<JsonOut> push(std::int64_t handle, const PushedPiece& piece, Notices& warnings) = 0;
  /// `{"handle":…}` -> `{}`.
  [[nodiscard]] virtual Result<JsonOut> close(const Json& params) = 0;
};

[[nodiscard]] std::unique_ptr<FileMethods> file_methods();

}  // namespace weighbridge
