// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/read_session.hpp"

namespace weighbridge {

enum class FileKind { config, index, safetensors, gguf, other };

/// What a file is, by its name.
[[nodiscard]] FileKind kind_of(std::string_view name);

/// `model-00002-of-00163.safetensors`: part 2 of 163 of `model`. A file that is not split is part 1 of 1.
struct PartName {
  std::string stem;
  int part = 1;
  int n_parts = 1;
};
[[nodiscard]] PartName part_name(std::string_view name);
/// The name of another part of the same file.
[[nodiscard]] std::string name_of_part(std::string_view name, int part);

/// "Part 3 of 9 is missing", "Parts 3, 4 and 7 of 9 are missing"; long lists are cut.
[[nodiscard]] std::string missing_parts_text(const std::vector<int>& parts, int n_parts);

struct ChosenFile {
  NamedFile file;
  FileKind kind = FileKind::other;
};

struct ChosenFiles {
  std::vector<ChosenFile> files;  ///< of one model
  std::string folder;             ///< they are in, with the slash
  Notices warnings;
};

/// The files that make up one model. Errors: those of ReadSession::open().
[[nodiscard]] Result<ChosenFiles> choose_files(const std::vector<NamedFile>& files, bool remote);

}  // namespace weighbridge
