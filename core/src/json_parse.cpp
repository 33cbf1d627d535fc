// SPDX-License-Identifier: Apache-2.0
#include "json_parse.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

constexpr std::size_t kMostText = std::size_t{4} << 20;
constexpr int kMostNesting = 200;

/// Listens to the parser only to learn where it stopped.
class ErrorPosition : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
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

Error syntax_error(std::string_view text, std::string_view where) {
  ErrorPosition listener;
  (void)Json::sax_parse(text, &listener);
  const std::size_t at = std::min(listener.position() == 0 ? 0 : listener.position() - 1, text.size());
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
    return fail(notice::custom("too_large", std::string(where), "This text is too large or nested too deep: expected at most 4 MiB and 200 levels.", "text",
                               grouped(static_cast<std::int64_t>(text.size())), "at most 4 MiB and 200 levels"));
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail(syntax_error(text, where));
  return json;
}

}  // namespace weighbridge
