// SPDX-License-Identifier: Apache-2.0
// How quantizers' lists match: huggingface/transformers src/transformers/quantizers/quantizers_utils.py (should_convert_module), vllm-project/vllm
// vllm/model_executor/layers/quantization/{modelopt.py,compressed_tensors/utils.py}, neuralmagic/compressed-tensors utils/match.py.
#include "read/module_patterns.hpp"

#include <algorithm>
#include <charconv>

#include "python_regex.hpp"
#include "tensor_names.hpp"

namespace weighbridge {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) { return !text.empty() && text.size() <= 4 && std::all_of(text.begin(), text.end(), is_digit); }

/// Whether `glob` matches `text` from its start and up to its end, or to a dot.
bool glob_matches(std::string_view glob, std::string_view text) {
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  std::size_t g = 0;
  std::size_t t = 0;
  while (true) {
    if (g == glob.size() && (t == text.size() || text[t] == '.')) return true;
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = t;
      continue;
    }
    if (g < glob.size() && t < text.size() && (glob[g] == text[t] || glob[g] == '?')) {
      ++g;
      ++t;
      continue;
    }
    if (star == std::string_view::npos || resume >= text.size()) return false;
    g = star + 1;
    t = ++resume;
  }
}

bool matches_from_any_part(std::string_view glob, std::string_view name) {
  if (glob_matches(glob, name)) return true;
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1))
    if (glob_matches(glob, name.substr(dot + 1))) return true;
  return false;
}

/// What stands before the layers differs between versions of one repository ("model.language_model.", "language_model.model.").
bool names_module(std::string_view glob, std::string_view name) {
  return matches_from_any_part(glob, name) || glob_matches(without_roots(glob), without_roots(name));
}

void replace(std::string& text, std::string_view what, const std::string& with) {
  const std::size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
}

/// The module of a tensor: its name without ".weight".
std::string_view module_of(std::string_view name) {
  if (name.ends_with(".weight")) name.remove_suffix(7);
  return name;
}

/// `text` with the first number between dots replaced by `{layer}`, and one that follows "experts" by `{expert}`. Answers the layer, or -1.
std::int64_t take_numbers(std::string& text) {
  std::int64_t layer = -1;
  std::string out;
  std::string_view before;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    if (begin > 0) out += '.';
    if (is_number(part) && before == "experts") {
      out += "{expert}";
    } else if (is_number(part) && layer < 0) {
      std::from_chars(part.data(), part.data() + part.size(), layer);
      out += "{layer}";
    } else {
      out += part;
    }
    before = part;
    begin = end + 1;
  }
  text = out;
  return layer;
}

}  // namespace

bool ModulePatterns::add_regex(std::string_view pattern) {
  if (!is_known_regex(pattern)) return false;
  const bool digits = std::any_of(pattern.begin(), pattern.end(), [](char c) { return is_digit(c) || c == '['; });
  patterns_.push_back({std::string(pattern), true, digits, {}});
  return true;
}

bool ModulePatterns::add(std::string_view pattern) {
  if (pattern.starts_with("re:")) return add_regex(pattern.substr(3));
  std::string text(module_of(pattern));
  const std::int64_t layer = take_numbers(text);
  if (layer < 0) {
    const bool digits = text.find('*') != std::string::npos && std::any_of(text.begin(), text.end(), is_digit);
    patterns_.push_back({std::move(text), false, digits, {}});
    return true;
  }
  auto known = std::find_if(patterns_.begin(), patterns_.end(), [&](const Pattern& p) { return !p.is_regex && !p.layers.empty() && p.text == text; });
  if (known == patterns_.end()) known = patterns_.insert(known, Pattern{std::move(text), false, false, {}});
  const auto index = static_cast<std::size_t>(layer);
  if (known->layers.size() <= index) known->layers.resize(index + 1, 0);
  known->layers[index] = 1;
  return true;
}

void ModulePatterns::mark(const Tensor& tensor, std::int64_t first_mtp, std::vector<char>& marks) const {
  const std::string_view module = module_of(tensor.name);
  // Blocks of multi-token prediction with a name of their own count from 0.
  const std::int64_t shift = tensor.part == ModelPart::mtp && module.starts_with("mtp.") && tensor.layers.first >= first_mtp ? first_mtp : 0;
  const auto number = [&](std::size_t i) { return tensor.layers.at(static_cast<std::int64_t>(i)) - shift; };
  const auto concrete = [&](std::int64_t layer) {
    std::string name(module);
    replace(name, "{layer}", std::to_string(layer));
    replace(name, "{expert}", "0");
    return name;
  };
  const std::string any_layer = concrete(0);
  for (const Pattern& pattern : patterns_) {
    const auto hits = [&](std::string_view name) { return pattern.is_regex ? regex_matches(pattern.text, name) : names_module(pattern.text, name); };
    if (!pattern.layers.empty()) {
      if (!names_module(pattern.text, module)) continue;
      for (std::size_t i = 0; i < marks.size(); ++i) {
        const std::int64_t layer = number(i);
        if (layer >= 0 && layer < static_cast<std::int64_t>(pattern.layers.size()) && pattern.layers[static_cast<std::size_t>(layer)]) marks[i] = 1;
      }
    } else if (!pattern.names_digits || tensor.layers.first < 0) {
      if (hits(any_layer)) std::fill(marks.begin(), marks.end(), 1);
    } else {
      for (std::size_t i = 0; i < marks.size(); ++i)
        if (!marks[i] && hits(concrete(number(i)))) marks[i] = 1;
    }
  }
}

}  // namespace weighbridge
