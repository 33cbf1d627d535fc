// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weighbridge {

/// Whether `text` from its start matches a Python regular expression, as re.match does, in time linear in the text. Known are literals, `.`,
/// `\d \w \s \.`, classes, groups, alternatives, anchors and `* + ?` with their lazy forms. An expression that is not known matches nothing.
[[nodiscard]] bool regex_matches(std::string_view pattern, std::string_view text);

/// Which of `texts` match, by index, in order.
[[nodiscard]] std::vector<std::size_t> regex_matching(std::string_view pattern, const std::vector<std::string>& texts);

[[nodiscard]] bool is_known_regex(std::string_view pattern);

}  // namespace weighbridge
