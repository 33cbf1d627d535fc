// SPDX-License-Identifier: Apache-2.0
#include "read/file_methods.hpp"

#include <algorithm>
#include <array>

#include "json_parse.hpp"
#include "key_reader.hpp"
#include "read/decoder.hpp"
#include "read/files_model.hpp"
#include "response.hpp"
#include "weighbridge/api.hpp"
#include "weighbridge/model_spec.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {

namespace {

/// A page has one or two; more are forgotten ones.
constexpr std::size_t kMostSessions = 16;
constexpr std::int64_t kMostFileBytes = std::int64_t{1} << 53;  // whole numbers of JavaScript end here

Result<std::vector<NamedFile>> read_files(const Json& params) {
  const auto list = params.is_object() ? params.find("files") : params.end();
  if (!params.is_object() || list == params.end() || !list->is_array())
    return fail(notice::missing_key("params.files", "files", "a list of objects with name and size_bytes"));
  std::vector<NamedFile> files;
  for (const Json& item : *list) {
    const Json name = item.is_object() ? item.value("name", Json()) : Json();
    const Json size = item.is_object() ? item.value("size_bytes", Json()) : Json();
    if (!name.is_string()) return fail(notice::wrong_type("params.files", "name", excerpt(item), "an object with name and size_bytes"));
    const std::optional<std::int64_t> bytes = whole_number_of(size);
    if (!size.is_null() && (!bytes || *bytes < 0 || *bytes > kMostFileBytes))
      return fail(notice::out_of_range("params.files", "size_bytes", excerpt(size), "a whole number from 0 to 2^53, or nothing"));
    files.push_back({name.get<std::string>(), bytes ? std::optional<std::uint64_t>(*bytes) : std::nullopt});
  }
  return files;
}

Result<std::optional<GivenLayers>> read_given_layers(const Json& params, Notices& warnings) {
  const auto given = params.find("layers");
  if (given == params.end() || given->is_null()) return std::optional<GivenLayers>();
  if (!given->is_object())
    return fail(notice::wrong_type("params.layers", "layers", excerpt(*given), "an object with n_layers, n_kv_heads and head_dim"));
  KeyReader keys(*given, "params.layers", warnings);
  GivenLayers layers;
  layers.n_layers = keys.positive("n_layers", config_limit::layers);
  layers.n_kv_heads = keys.positive("n_kv_heads", config_limit::heads);
  layers.head_dim = keys.positive("head_dim", config_limit::head_dim);
  if (keys.error()) return fail(*keys.error());
  return std::optional<GivenLayers>(layers);
}

JsonOut progress_of(const ReadSession& session) {
  return {{"files", session.n_files()}, {"done", session.n_files_done()}, {"read_bytes", session.bytes_read()}};
}

JsonOut needs_of(const ReadSession& session) {
  JsonOut list = JsonOut::array();
  for (const FileNeed& need : session.needs()) list.push_back({{"file", need.file}, {"offset", need.offset}, {"bytes", need.bytes}});
  return list;
}

const char* kind_of(const FilesRead& read) {
  if (!read.gguf.empty()) return "gguf";
  if (read.weights_from == WeightsFrom::headers) return "safetensors";
  return read.index ? "index" : "config";
}

/// Tensors by stored type, in the order of their first appearance.
JsonOut types_of(const FilesRead& read) {
  struct Row {
    DType type;
    std::uint64_t tensors = 0;
    Bytes bytes;
  };
  std::vector<Row> rows;
  read.for_each_tensor([&](const StoredTensor& tensor) {
    auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& known) { return known.type == tensor.type; });
    if (row == rows.end()) row = rows.insert(rows.end(), Row{tensor.type, 0, {}});
    ++row->tensors;
    row->bytes += tensor.bytes;
  });
  JsonOut list = JsonOut::array();
  for (const Row& row : rows) list.push_back({{"type", row.type.name}, {"tensors", row.tensors}, {"bytes", row.bytes.count()}});
  return list;
}

JsonOut describe(const FilesRead& read) {
  std::uint64_t tensors = 0;
  Bytes elements;  // saturates, as sums of hostile headers must
  read.for_each_tensor([&](const StoredTensor& tensor) {
    ++tensors;
    elements += Bytes(static_cast<std::uint64_t>(tensor.elements()));
  });
  const std::optional<Bytes> bytes = read.weights_bytes();
  constexpr std::array kSources{"headers", "index", "nothing"};
  return {{"done", true},
          {"kind", kind_of(read)},
          {"has_config", !read.config.empty()},
          {"architecture", read.gguf.empty() ? JsonOut() : JsonOut(read.gguf.front().text("general.architecture"))},
          {"name", read.gguf.empty() ? JsonOut() : JsonOut(read.gguf.front().text("general.name"))},
          {"weights",
           {{"from", kSources[static_cast<std::size_t>(read.weights_from)]},
            {"bytes", bytes ? JsonOut(bytes->count()) : JsonOut()},
            {"tensors", read.weights_from == WeightsFrom::index ? read.index->tensors.size() : tensors},
            {"elements", elements.count()},
            {"types", types_of(read)}}}};
}

class Sessions final : public FileMethods {
 public:
  Result<JsonOut> open(const Json& params, Notices& warnings) override;
  Result<JsonOut> push(std::int64_t handle, const PushedPiece& piece, Notices& warnings) override;
  Result<JsonOut> close(const Json& params) override;

 private:
  struct Slot {
    std::int64_t handle = 0;
    ReadSession session;
    std::optional<GivenLayers> given;
    std::optional<FilesRead> read;
    std::optional<Model> model;
    std::optional<Error> failed;  ///< all was read, and it is no model
  };
  [[nodiscard]] static Result<JsonOut> answer(Slot& slot, Notices& warnings);

  std::vector<Slot> slots_;
  std::int64_t last_handle_ = 0;
};

Error unknown_handle(std::int64_t handle) {
  return notice::unknown("unknown_handle", "handle", "handle", std::to_string(handle), "one that `read.open` gave and `read.close` did not take");
}

Result<JsonOut> Sessions::open(const Json& params, Notices& warnings) {
  const Result<std::vector<NamedFile>> files = read_files(params);
  if (!files) return fail(files.error());
  const Json remote = params.value("remote", Json(false));
  if (!remote.is_boolean()) return fail(notice::wrong_type("params.remote", "remote", excerpt(remote), "true or false"));
  const Result<std::optional<GivenLayers>> given = read_given_layers(params, warnings);
  if (!given) return fail(given.error());
  if (slots_.size() == kMostSessions)
    return fail(notice::custom("too_many_sessions", "params", "16 readings are open: expected `read.close` for those that are over.", "handle"));
  Result<ReadSession> session = ReadSession::open(*files, remote.get<bool>());
  if (!session) return fail(session.error());
  slots_.push_back({++last_handle_, std::move(*session), *given, std::nullopt, std::nullopt, std::nullopt});
  Result<JsonOut> answered = answer(slots_.back(), warnings);
  if (!answered) {
    slots_.pop_back();
    return answered;
  }
  answered->add("handle", last_handle_);
  return answered;
}

Result<JsonOut> Sessions::push(std::int64_t handle, const PushedPiece& piece, Notices& warnings) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& open) { return open.handle == handle; });
  if (slot == slots_.end()) return fail(unknown_handle(handle));
  if (slot->read || slot->failed) return answer(*slot, warnings);
  if (piece.size < Api::kAbsent || piece.size > kMostFileBytes || piece.offset < 0)
    return fail(notice::out_of_range("push", "size", std::to_string(piece.size), "bytes of the file, -1 if unknown, -2 if there is no such file"));
  const std::optional<std::uint64_t> size = piece.size < 0 ? std::nullopt : std::optional<std::uint64_t>(piece.size);
  const Result<void> pushed = piece.size == Api::kAbsent
                                  ? slot->session.absent(piece.file)
                                  : slot->session.push(piece.file, size, static_cast<std::uint64_t>(piece.offset), piece.bytes);
  if (!pushed) return fail(pushed.error());
  return answer(*slot, warnings);
}

Result<JsonOut> Sessions::answer(Slot& slot, Notices& warnings) {
  if (slot.failed) return fail(*slot.failed);
  const JsonOut progress = progress_of(slot.session);
  if (!slot.read && !slot.session.done()) return JsonOut{{"needs", needs_of(slot.session)}, {"progress", progress}};
  if (!slot.read) {
    Result<FilesRead> read = slot.session.take();
    if (!read) return fail(read.error());
    Result<std::optional<Model>> model = model_of(*read, read->warnings, slot.given);
    if (!model) {
      slot.failed = model.error();
      return fail(*slot.failed);
    }
    slot.model = std::move(*model);
    slot.read = std::move(*read);
  }
  warnings.insert(warnings.end(), slot.read->warnings.begin(), slot.read->warnings.end());
  JsonOut answered = describe(*slot.read);
  // The same as `read_config` answers; null where the layers are not known.
  answered.add("model", slot.model ? describe_model(*slot.model) : JsonOut());
  if (slot.model && !slot.read->config.empty()) answered.add("config", minimal_config(*parse_json(slot.read->config, "config")));
  answered.add("spec", slot.model ? JsonOut(write_spec_alone(*slot.model)) : JsonOut());
  answered.add("progress", progress);
  return answered;
}

Result<JsonOut> Sessions::close(const Json& params) {
  const std::int64_t handle = (params.is_object() ? whole_number_of(params.value("handle", Json())) : std::nullopt).value_or(-1);
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& open) { return open.handle == handle; });
  if (slot == slots_.end()) return fail(unknown_handle(handle));
  slots_.erase(slot);
  return JsonOut(Json::object());
}

}  // namespace

std::unique_ptr<FileMethods> file_methods() { return std::make_unique<Sessions>(); }

}  // namespace weighbridge
