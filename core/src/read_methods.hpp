// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
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

/// The methods `read.open` and `read.close`, and the pushes between them.
class ReadMethods {
 public:
  /// `{"files":[{"name":…,"size_bytes":…}],"remote":false}` -> `{"handle":…,"needs":[{"file","offset","bytes"}],"progress":{…}}`.
  [[nodiscard]] Result<JsonOut> open(const Json& params, Notices& warnings);
  /// `{"needs","progress"}`, or with the last piece `{"done":true,…}`.
  [[nodiscard]] Result<JsonOut> push(std::int64_t handle, const PushedPiece& piece, Notices& warnings);
  /// `{"handle":…}` -> `{}`.
  [[nodiscard]] Result<JsonOut> close(const Json& params);

  /// What was read under `handle`; null before it is done, and for other handles.
  [[nodiscard]] const FilesRead* find(std::int64_t handle) const;

 private:
  struct Slot {
    std::int64_t handle = 0;
    ReadSession session;
    std::optional<FilesRead> read;
  };
  [[nodiscard]] Result<JsonOut> answer(Slot& slot, Notices& warnings);

  std::vector<Slot> slots_;
  std::int64_t last_handle_ = 0;
};

}  // namespace weighbridge
