// SPDX-License-Identifier: Apache-2.0
#include "read/choose_files.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/header_reader.hpp"

namespace weighbridge {

namespace {

/// A folder with every file of a large repository has a few hundred.
constexpr std::size_t kMostFiles = 20'000;

std::string_view base_name(std::string_view name) { return name.substr(name.rfind('/') + 1); }
std::string folder_of(std::string_view name) { return std::string(name.substr(0, name.rfind('/') + 1)); }

Error refusal(std::string code, std::string message, std::string expected) {
  return notice::custom(std::move(code), "files", std::move(message), "files", "", std::move(expected));
}

Notice ignored(const std::string& name) {
  return notice::custom("file_ignored", "files." + name, in_quotes(name) + " was not counted: it is not part of the model that was read.", "file",
                        name);
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int number_of(std::string_view digits) {
  int number = 0;
  for (const char c : digits) number = number * 10 + (c - '0');
  return number;
}

/// "-00001-of-00009" at the end of a name without its extension: five digits each, as llama.cpp (llama_split_path) and transformers write them.
constexpr std::size_t kPartText = 15;

/// Keeps the files of one model among those with `kind`; the others are warned of.
Result<void> keep_one_model(std::vector<ChosenFile>& files, FileKind kind, Notices& warnings) {
  std::vector<std::string> stems;
  for (const ChosenFile& chosen : files)
    if (chosen.kind == kind)
      if (const std::string stem = part_name(chosen.file.name).stem; std::find(stems.begin(), stems.end(), stem) == stems.end())
        stems.push_back(stem);
  // An image encoder beside its model (llama.cpp's mmproj) is no model of its own.
  const auto is_projector = [](const std::string& stem) { return lower_case(base_name(stem)).starts_with("mmproj"); };
  if (stems.size() > 1) stems.erase(std::remove_if(stems.begin(), stems.end(), is_projector), stems.end());
  // `consolidated.safetensors` beside `model.safetensors` holds the same weights once more.
  const auto usual = std::find_if(stems.begin(), stems.end(), [](const std::string& stem) { return base_name(stem) == "model"; });
  if (usual != stems.end()) stems = {*usual};
  if (stems.size() > 1)
    return fail(refusal("several_models",
                        "These are " + std::to_string(stems.size()) + " models, " + in_quotes(base_name(stems[0])) + " and " +
                            in_quotes(base_name(stems[1])) + (stems.size() > 2 ? " among them" : "") + ": expected the files of one at a time.",
                        "the files of one model"));
  const auto is_foreign = [&](const ChosenFile& chosen) {
    return chosen.kind == kind && !stems.empty() && part_name(chosen.file.name).stem != stems[0];
  };
  for (const ChosenFile& chosen : files)
    if (is_foreign(chosen)) warnings.push_back(ignored(chosen.file.name));
  files.erase(std::remove_if(files.begin(), files.end(), is_foreign), files.end());
  return {};
}

/// Part numbers of `kind` that are not among the files.
std::vector<int> missing_parts(const std::vector<ChosenFile>& files, FileKind kind, int& n_parts) {
  std::vector<char> present(2);
  for (const ChosenFile& chosen : files) {
    if (chosen.kind != kind) continue;
    const PartName name = part_name(chosen.file.name);
    n_parts = std::max(n_parts, name.n_parts);
    present.resize(static_cast<std::size_t>(n_parts) + 1);
    if (name.n_parts == n_parts) present[static_cast<std::size_t>(name.part)] = 1;
  }
  std::vector<int> missing;
  for (int part = 1; part <= n_parts; ++part)
    if (present[static_cast<std::size_t>(part)] == 0) missing.push_back(part);
  return missing;
}

bool has(const std::vector<ChosenFile>& files, FileKind kind) {
  return std::any_of(files.begin(), files.end(), [&](const ChosenFile& chosen) { return chosen.kind == kind; });
}

void remove(std::vector<ChosenFile>& files, FileKind kind) {
  files.erase(std::remove_if(files.begin(), files.end(), [&](const ChosenFile& chosen) { return chosen.kind == kind; }), files.end());
}

/// The recognised files of the outermost folder that has any.
Result<ChosenFiles> of_one_folder(const std::vector<NamedFile>& files) {
  const auto depth = [](const NamedFile& file) { return std::count(file.name.begin(), file.name.end(), '/'); };
  std::ptrdiff_t least = PTRDIFF_MAX;
  for (const NamedFile& file : files)
    if (kind_of(file.name) != FileKind::other) least = std::min(least, depth(file));
  ChosenFiles chosen;
  for (const NamedFile& file : files) {
    const FileKind kind = kind_of(file.name);
    if (kind == FileKind::other || depth(file) != least) continue;
    if (chosen.files.empty()) chosen.folder = folder_of(file.name);
    if (folder_of(file.name) != chosen.folder)
      return fail(refusal("several_models",
                          "There are models in " + in_quotes(chosen.folder) + " and in " + in_quotes(folder_of(file.name)) + ": expected one folder.",
                          "the files of one model"));
    chosen.files.push_back({file, kind});
  }
  return chosen;
}

/// A config.json may have been renamed; it is then the only JSON among the files.
Result<ChosenFiles> lone_config(const std::vector<NamedFile>& files) {
  const auto is_json = [](const NamedFile& file) { return lower_case(file.name).ends_with(".json"); };
  const auto first = std::find_if(files.begin(), files.end(), is_json);
  if (first != files.end() && std::count_if(files.begin(), files.end(), is_json) == 1)
    return ChosenFiles{{{*first, FileKind::config}}, folder_of(first->name), {}};
  const std::string name = files.empty() ? "nothing" : files.front().name;
  return fail(refusal("wrong_type", "We read config.json, .gguf and .safetensors. " + in_quotes(base_name(name)) + " is none of these.",
                      "config.json, .gguf or .safetensors"));
}

Result<void> check_gguf(ChosenFiles& chosen, bool remote) {
  if (has(chosen.files, FileKind::safetensors) || has(chosen.files, FileKind::index))
    return fail(refusal("several_models", "There are a GGUF and safetensors files: expected the files of one model.", "the files of one model"));
  remove(chosen.files, FileKind::config);
  if (auto kept = keep_one_model(chosen.files, FileKind::gguf, chosen.warnings); !kept) return kept;
  int n_parts = 1;
  const std::vector<int> missing = missing_parts(chosen.files, FileKind::gguf, n_parts);
  const std::string first = chosen.files.front().file.name;
  if (remote) {
    for (const int part : missing) chosen.files.push_back({{name_of_part(first, part), std::nullopt}, FileKind::gguf});
  } else if (!missing.empty()) {
    return fail(refusal("parts_missing",
                        missing_parts_text(missing, n_parts) + ": expected " + in_quotes(base_name(name_of_part(first, missing.front()))) +
                            " beside the others.",
                        "all parts of the file"));
  }
  return {};
}

}  // namespace

FileKind kind_of(std::string_view name) {
  const std::string lower = lower_case(base_name(name));
  if (lower == "config.json") return FileKind::config;
  if (lower.ends_with(".safetensors.index.json")) return FileKind::index;
  if (lower.ends_with(".safetensors")) return FileKind::safetensors;
  if (lower.ends_with(".gguf")) return FileKind::gguf;
  return FileKind::other;
}

PartName part_name(std::string_view name) {
  const std::string_view whole = name.substr(0, name.rfind('.'));
  if (whole.size() > kPartText) {
    const std::string_view part = whole.substr(whole.size() - kPartText);
    const std::string_view number = part.substr(1, 5), count = part.substr(10);
    if (part[0] == '-' && is_digits(number) && part.substr(6, 4) == "-of-" && is_digits(count)) {
      PartName found{std::string(whole.substr(0, whole.size() - kPartText)), number_of(number), number_of(count)};
      if (found.part >= 1 && found.part <= found.n_parts) return found;
    }
  }
  return {std::string(whole), 1, 1};
}

std::string name_of_part(std::string_view name, int part) {
  const std::size_t dot = name.rfind('.');
  std::string other(name);
  std::string digits = std::to_string(part);
  digits.insert(0, 5 - digits.size(), '0');
  return other.replace(dot - kPartText + 1, 5, digits);
}

std::string missing_parts_text(const std::vector<int>& parts, int n_parts) {
  constexpr std::size_t most = 5;
  std::string numbers;
  for (std::size_t i = 0; i < parts.size() && i < most; ++i)
    numbers += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + std::to_string(parts[i]);
  if (parts.size() > most) numbers += " and " + std::to_string(parts.size() - most) + " more";
  return (parts.size() == 1 ? "Part " : "Parts ") + numbers + " of " + std::to_string(n_parts) + (parts.size() == 1 ? " is missing" : " are missing");
}

Result<ChosenFiles> choose_files(const std::vector<NamedFile>& files, bool remote) {
  if (files.size() > kMostFiles)
    return fail(refusal("too_many_files", "These are more than 20,000 files: expected those of one model.", "the files of one model"));
  Result<ChosenFiles> found = of_one_folder(files);
  if (!found) return found;
  if (found->files.empty()) return lone_config(files);
  std::vector<ChosenFile>& chosen = found->files;
  if (has(chosen, FileKind::gguf)) {
    if (auto checked = check_gguf(*found, remote); !checked) return fail(checked.error());
    return found;
  }
  if (auto kept = keep_one_model(chosen, FileKind::index, found->warnings); !kept) return fail(kept.error());
  // The index says which files are shards.
  if (has(chosen, FileKind::index)) return found;
  if (auto kept = keep_one_model(chosen, FileKind::safetensors, found->warnings); !kept) return fail(kept.error());
  int n_parts = 1;
  const std::vector<int> missing = missing_parts(chosen, FileKind::safetensors, n_parts);
  if (!has(chosen, FileKind::safetensors) || missing.empty()) return found;
  const std::string sentence = missing_parts_text(missing, n_parts);
  if (!has(chosen, FileKind::config))
    return fail(refusal("parts_missing", sentence + ": expected all parts, or the index or config.json of the model.", "all parts of the model"));
  found->warnings.push_back(notice::custom("parts_missing", "files", sentence + ". Weights are counted from config.json instead.", "files"));
  remove(chosen, FileKind::safetensors);
  return found;
}

}  // namespace weighbridge
