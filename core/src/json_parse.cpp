// SPDX-License-Identifier: Apache-2.0
#include "json_parse.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace weighbridge {

namespace {

constexpr std::size_t kMostText = std::size_t{4} << 20;
constexpr int kMostNesting = 200;

/// Members up to which one of the same name is looked for, which the later one replaces. Objects of more are lists (22,000 modules in the
/// `quantized_layers` of a config), and looking through all members for each would take seconds.
constexpr std::size_t kMostSearched = 512;

/// Builds the tree as Json::parse() does, and keeps where the text stopped being JSON. One pass and one parser: `Json::parse` brings a second
/// with callbacks, which nobody here needs, and 4 kB of WebAssembly.
class TreeBuilder {
 public:
  explicit TreeBuilder(Json& tree) : tree_(tree) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(std::int64_t value) { return put(value); }
  bool number_unsigned(std::uint64_t value) { return put(value); }
  bool number_float(double value, const std::string&) { return put(value); }
  bool string(std::string& text) { return put(std::move(text)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    member_ = members.size() < kMostSearched ? &members[name] : &members.emplace_back(std::move(name), nullptr).second;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    position_ = position;
    return false;
  }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  Json& place() {
    if (open_.empty()) return tree_;
    if (open_.back()->is_object()) return *member_;
    return open_.back()->get_ref<Json::array_t&>().emplace_back();
  }
  bool put(Json value) {
    place() = std::move(value);
    return true;
  }
  bool open(Json value) {
    Json& here = place();
    here = std::move(value);
    open_.push_back(&here);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json& tree_;
  std::vector<Json*> open_;  ///< the objects and arrays around what comes next
  Json* member_ = nullptr;   ///< where the value of the last key goes
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

/// Python's json module writes Infinity, -Infinity and NaN, which JSON does not have, and configs hold them (`time_step_limit` of Mamba-2 models):
/// none of them is a number that we ask for, so null stands in their places.
std::string without_python_numbers(std::string_view text) {
  constexpr std::array<std::string_view, 3> kNames{"-Infinity", "Infinity", "NaN"};
  std::string plain;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    const auto* name = std::find_if(kNames.begin(), kNames.end(), [&](std::string_view n) { return !in_string && rest.starts_with(n); });
    if (name != kNames.end()) {
      plain += "null";
      i += name->size();
      continue;
    }
    if (in_string && text[i] == '\\')
      plain += text[i++];
    else if (text[i] == '"')
      in_string = !in_string;
    if (i < text.size()) plain += text[i++];
  }
  return plain;
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where) {
  if (text.size() > kMostText || nests_too_deep(text))
    return fail(notice::custom("too_large", std::string(where), "This text is too large or nested too deep: expected at most 4 MiB and 200 levels.",
                               "text", grouped(static_cast<std::int64_t>(text.size())), "at most 4 MiB and 200 levels"));
  Json json;
  TreeBuilder builder(json);
  if (Json::sax_parse(text, &builder)) return json;
  TreeBuilder again(json);
  if (Json::sax_parse(without_python_numbers(text), &again)) return json;
  return fail(syntax_error(text, builder.position(), where));
}

}  // namespace weighbridge
