// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weighbridge {

/// The page's start: what a link without keys means. It never changes within one schema version. Format and requests follow the engine
/// (Engine::usual).
namespace link_default {
inline constexpr std::int64_t version = 1;
inline constexpr std::string_view model = "deepseek-ai/DeepSeek-R1";
inline constexpr std::string_view device = "h200-sxm";
inline constexpr std::int64_t device_count = 8;
inline constexpr std::string_view engine = "vllm";
inline constexpr std::int64_t context_tokens = 32768;
}  // namespace link_default

/// Links write memory in GiB.
inline constexpr double kGiBytes = 1073741824.0;
inline constexpr double kMostGiBytes = 1048576;  ///< 1 PiB: beyond it a number is a typing error

/// The longest link that is read, in characters; a custom model is the only long part and has its own, lower bound in the page.
inline constexpr std::size_t kMostLinkText = 16384;
inline constexpr std::size_t kMostCustomText = 4000;
inline constexpr std::size_t kMostOptionText = 4000;
/// Stands for a custom model that a link cannot carry, so that whoever opens it is told.
inline constexpr std::string_view kNotCarried = "-";
/// Of `owner/name/blob/revision/file`: the hub's names end at 96 characters, paths of files are short.
inline constexpr std::size_t kMostHubText = 512;

/// Percent-encodes what would break a `key=value&…` list; slugs, numbers and format names stay as they are.
[[nodiscard]] std::string escape_link_value(std::string_view value);
[[nodiscard]] std::string unescape_link_value(std::string_view value);

/// "32k" for multiples of 1024, else the number.
[[nodiscard]] std::string tokens_text(std::int64_t tokens);
/// "32k", "128K", "131072"; nothing for anything else.
[[nodiscard]] std::optional<std::int64_t> tokens_of(std::string_view text);

/// A whole number written with digits only, up to 15 of them.
[[nodiscard]] std::optional<std::int64_t> digits_of(std::string_view text);
/// A plain decimal number such as 0.95 or 2.
[[nodiscard]] std::optional<double> decimal_of(std::string_view text);
/// The shortest plain decimal, at most three digits after the point.
[[nodiscard]] std::string decimal_text(double value);

}  // namespace weighbridge
