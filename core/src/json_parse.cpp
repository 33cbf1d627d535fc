// SPDX-License-Identifier: Apache-2.0
#include "json_parse.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

constexpr std::size_t kMostText = std::size_t{4} << 20;
constexpr int kMostNesting = 200;

/// Builds the tree as Json::parse() does, and keeps where the text stopped being JSON. One pass and one parser: `Json::parse` brings a second
/// with callbacks, which nobody here needs, and 4 kB of WebAssembly.
class TreeBuilder : public nlohmann::detail::json_sax_dom_parser<Json> {
 public:
  explicit TreeBuilder(Json& tree) : json_sax_dom_parser(tree, false) {}

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    position_ = position;
    return false;
  }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  std::size_t position_ = 0;
};

bool nests_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMostNesting) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// `position` counts the characters read, the offending one included.
Error syntax_error(std::string_view text, std::size_t position, std::string_view where) {
  const std::size_t at = std::min(position == 0 ? 0 : position - 1, text.size());
  const std::size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const std::size_t line_start = before == std::string_view::npos ? 0 : before + 1;
  const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(line_start), '\n') + 1;
  std::string_view rest = text.substr(line_start, text.find('\n', line_start) - line_start);
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
  const std::string shown = excerpt(Json(std::string(rest)));
  const std::string place = "line " + std::to_string(line) + ", column " + std::to_string(at - line_start + 1);
  return notice::custom("invalid_json", std::string(where), "This is not valid JSON at " + place + ": " + shown + ".", place, shown,
                        "JSON with double quotes and no trailing commas");
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where) {
  if (text.size() > kMostText || nests_too_deep(text))
    return fail(notice::custom("too_large", std::string(where), "This text is too large or nested too deep: expected at most 4 MiB and 200 levels.",
                               "text", grouped(static_cast<std::int64_t>(text.size())), "at most 4 MiB and 200 levels"));
  Json json;
  TreeBuilder builder(json);
  if (!Json::sax_parse(text, &builder)) return fail(syntax_error(text, builder.position(), where));
  return json;
}

}  // namespace weighbridge
