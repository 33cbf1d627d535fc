// SPDX-License-Identifier: Apache-2.0
#include "advise/relatives.hpp"

#include <algorithm>

#include "json_text.hpp"

namespace weighbridge {

namespace {

std::string_view owner_of(std::string_view id) { return id.substr(0, id.find('/')); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "72b", "0.5b", "270m", "8x7b", "e4b"; of what a model uses of them, "a3b", "a400m", "16e".
bool is_size(std::string_view part) {
  if (part.size() > 1 && (part.front() == 'e' || part.front() == 'a')) part.remove_prefix(1);
  if (part.size() < 2 || !is_digit(part.front())) return false;
  if (part.back() != 'b' && part.back() != 'm' && part.back() != 'e') return false;
  part.remove_suffix(1);
  return std::all_of(part.begin(), part.end(), [](char c) { return is_digit(c) || c == '.' || c == 'x'; });
}

bool is_whole(std::string_view text, std::size_t end) { return end == text.size() || text[end] == ' ' || text[end] == ','; }

/// Whether `relation` says that a model comes from the one called `name`.
bool descends(std::string_view relation, const std::string& name) {
  for (const std::string_view phrase : {"distilled from ", "the small one of "}) {
    const std::string wanted = std::string(phrase) + name;
    const std::size_t found = relation.find(wanted);
    if (found != std::string_view::npos && is_whole(relation, found + wanted.size())) return true;
  }
  return false;
}

}  // namespace

SizedName sized_name(std::string_view id) {
  const std::string name = lower_case(id.substr(id.find('/') + 1));
  SizedName parts;
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('-'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (is_size(part)) {
      parts.has_size = true;
      continue;
    }
    std::string& side = parts.has_size ? parts.after : parts.before;
    side += (side.empty() ? "" : "-") + std::string(part);
  }
  return parts;
}

std::vector<const CatalogueModel*> smaller_relatives(const Catalogue& catalogue, std::string_view id) {
  std::vector<const CatalogueModel*> found;
  const CatalogueModel* model = id.empty() ? nullptr : catalogue.find_model(id);
  if (model == nullptr) return found;
  const SizedName own = sized_name(model->id);
  for (const CatalogueModel& other : catalogue.models()) {
    if (other.kind != "original" && other.kind != "distillation") continue;
    if (other.summary.parameters >= model->summary.parameters) continue;
    const bool is_sibling = own.has_size && owner_of(other.id) == owner_of(model->id) && sized_name(other.id) == own;
    if (is_sibling || descends(other.relation, model->name)) found.push_back(&other);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const CatalogueModel* a, const CatalogueModel* b) { return a->summary.parameters > b->summary.parameters; });
  return found;
}

}  // namespace weighbridge
