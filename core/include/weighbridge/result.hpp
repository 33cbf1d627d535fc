// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace weighbridge {

/// Something a person should know: why a request has no answer (an error), or what was assumed on the way to one (a warning).
/// `where` is a path such as `params.model.config.num_hidden_layers`; `message` is a whole English sentence. `key`, `value` and `expected`
/// repeat its parts, so that a page can say the same in another language.
struct Notice {
  std::string code;
  std::string where;
  std::string message;
  std::string key;
  std::string value;
  std::string expected;
};

using Error = Notice;
using Notices = std::vector<Notice>;

template <class T>
using Result = tl::expected<T, Error>;

/// All sentences about bad input are made here, so that each says key, value and what was expected in the same words.
namespace notice {

[[nodiscard]] Notice missing_key(std::string where, std::string key, std::string expected);
[[nodiscard]] Notice wrong_type(std::string where, std::string key, std::string value, std::string expected);
[[nodiscard]] Notice out_of_range(std::string where, std::string key, std::string value, std::string expected);
[[nodiscard]] Notice not_divisible(std::string where, std::string key, std::string value, std::string expected);
/// A name that is not in one of our lists; `code` is unknown_model, unknown_device, unknown_engine, unknown_format and so on.
[[nodiscard]] Notice unknown(std::string code, std::string where, std::string key, std::string value, std::string expected);
/// A key that nobody reads: a warning, since the rest still counts.
[[nodiscard]] Notice unknown_key(std::string where, std::string key);
/// A value that the input left out and that we filled in.
[[nodiscard]] Notice assumed_default(std::string where, std::string key, std::string value, std::string reason);
/// Everything whose sentence is particular to one place.
[[nodiscard]] Notice custom(std::string code, std::string where, std::string message, std::string key = {}, std::string value = {},
                            std::string expected = {});

}  // namespace notice

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace weighbridge
