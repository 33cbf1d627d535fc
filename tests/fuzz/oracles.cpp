// SPDX-License-Identifier: Apache-2.0
#include "oracles.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "file_writer.hpp"
#include "read/gguf_header.hpp"
#include "read/safetensors_header.hpp"
#include "read/shard_index.hpp"

namespace weighbridge::fuzz {

namespace {

template <class Value>
struct Outcome {
  std::optional<Value> value;
  std::string code;
  std::string message;
};

template <class Reader>
auto read(std::string_view input, std::size_t piece) {
  Reader reader("x", input.size());
  // The tensors of a header would lie behind it, so only texts have the size of the input.
  if constexpr (std::is_same_v<Reader, GgufReader> || std::is_same_v<Reader, SafetensorsReader>) reader.learn_size(std::uint64_t{1} << 62);
  testing::serve(reader, input, piece);
  using Value = decltype(reader.take());
  if (reader.done()) return Outcome<Value>{reader.take(), {}, {}};
  return Outcome<Value>{std::nullopt, reader.error() ? reader.error()->code : "", reader.error() ? reader.error()->message : ""};
}

/// Pieces whose borders fall everywhere, without trying each size.
constexpr std::size_t kPieces[] = {1, 3, 7, 64};

template <class Reader, class Rewrite>
std::string check(std::string_view input, Rewrite rewrite) {
  const auto whole = read<Reader>(input, input.size() + 1);
  for (const std::size_t piece : kPieces) {
    const auto cut = read<Reader>(input, piece);
    if (cut.value != whole.value || cut.code != whole.code)
      return "in pieces of " + std::to_string(piece) + ": " + cut.message + " | in one: " + whole.message;
  }
  if (!whole.value) {
    if (whole.code.empty() || whole.message.empty() || whole.message.back() != '.') return "refused without a sentence: " + whole.message;
    return {};
  }
  return rewrite(*whole.value);
}

std::string rewrite_gguf(const GgufHeader& header) {
  // What was skipped is written as zeros; a short file may claim much of it.
  std::uint64_t claimed = 0;
  for (const auto& [key, value] : header.metadata) claimed += value.length;
  if (claimed > 1 << 16) return {};
  auto again = read<GgufReader>(testing::write_gguf(header), 1 << 20);
  if (!again.value) return "written again it is refused: " + again.message;
  again.value->header_bytes = header.header_bytes;
  return *again.value == header ? "" : "written again it reads otherwise";
}

std::string rewrite_safetensors(const SafetensorsHeader& header) {
  auto again = read<SafetensorsReader>(testing::write_safetensors(header), 1 << 20);
  if (!again.value) return "written again it is refused: " + again.message;
  again.value->header_bytes = header.header_bytes;
  return *again.value == header ? "" : "written again it reads otherwise";
}

/// Whether nlohmann/json refuses a text; a number beyond double is none of our business.
struct Judge : nlohmann::detail::json_sax_acceptor<nlohmann::json> {
  int reason = 0;
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& problem) {
    reason = problem.id;
    return false;
  }
};
std::string not_json(std::string_view input) {
  constexpr int number_too_large = 406;
  Judge judge;
  const bool accepted = nlohmann::json::sax_parse(input, &judge);
  return accepted || judge.reason == number_too_large ? "" : "accepted what is not JSON";
}

std::string rewrite_index(const ShardIndex& index) {
  const auto again = read<ShardIndexReader>(testing::write_index(index), 1 << 20);
  return again.value == index ? "" : "written again it reads otherwise: " + again.message;
}

}  // namespace

std::string complaint(std::string_view reader, std::string_view input) {
  if (reader == "gguf") return check<GgufReader>(input, rewrite_gguf);
  if (reader == "safetensors") return check<SafetensorsReader>(input, rewrite_safetensors);
  if (reader == "config") return check<TextReader>(input, [&](const std::string&) { return not_json(input); });
  return check<ShardIndexReader>(input, [&](const ShardIndex& index) { return not_json(input) + rewrite_index(index); });
}

}  // namespace weighbridge::fuzz
