// SPDX-License-Identifier: Apache-2.0
// Parameters and bytes of every model of the catalogue, against what was published and against counts that others made of the same config.
#include <algorithm>
#include <cmath>

#include "truth.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

/// What one architecture's records said.
struct Tally {
  std::size_t records = 0;
  std::size_t exact = 0;
};

struct Comparison {
  const char* what;
  std::int64_t ours;
  std::int64_t theirs;
};

/// The figures that a row states, beside ours.
std::vector<Comparison> compare(const Json& row, const Model& model) {
  const ParameterCounts counts = count_parameters(model.tensors);
  std::vector<Comparison> all;
  const auto add = [&](const char* group, const char* key, const char* what, std::int64_t ours) {
    const Json& stated = row.value(group, Json::object());
    if (stated.contains(key)) all.push_back({what, ours, stated[key].get<std::int64_t>()});
  };
  add("published", "parameters", "stored elements", counts.stored);
  add("published", "checkpoint_bytes", "bytes", static_cast<std::int64_t>(total_bytes(model.tensors).count()));
  add("counted", "text", "text parameters", counts.text);
  add("counted", "mtp", "MTP parameters", counts.mtp);
  add("counted", "multimodal", "tower parameters", counts.multimodal);
  return all;
}

}  // namespace

bool check_parameters(const std::string& catalogue, Scoreboard& board) {
  const Json file = read_json(catalogue);
  std::map<std::string, Tally> scores;
  ModelScores models;
  std::size_t unexplained = 0;
  for (const Json& row : file["models"]) {
    const auto id = row["id"].get<std::string>();
    const std::string architecture = row["config"].value("model_type", "none");
    Notices warnings;
    const Result<Model> model = read_config(row["config"], "config", warnings);
    if (!model) {
      std::printf("  %s (%s): %s\n", id.c_str(), architecture.c_str(), model.error().message.c_str());
      ++unexplained;
      continue;
    }
    const std::vector<Comparison> comparisons = compare(row, *model);
    if (comparisons.empty()) continue;
    Tally& score = scores[architecture];
    ++score.records;
    bool exact = true;
    for (const Comparison& c : comparisons) {
      if (c.ours == c.theirs) continue;
      exact = false;
      const std::string reason = row.value("miss", "");
      std::printf("  %s (%s): %lld %s, stated %lld (%+lld)%s%s\n", id.c_str(), architecture.c_str(), static_cast<long long>(c.ours), c.what,
                  static_cast<long long>(c.theirs), static_cast<long long>(c.ours - c.theirs), reason.empty() ? "" : ": ", reason.c_str());
      if (reason.empty()) ++unexplained;
      models.missed.push_back({id, row["slug"].get<std::string>(), c.what, c.ours, c.theirs, reason});
    }
    if (exact) ++score.exact;
  }
  for (const auto& [architecture, score] : scores) {
    models.records += score.records;
    models.exact += score.exact;
    std::printf("  %-20s %4zu models, %4zu exact\n", architecture.c_str(), score.records, score.exact);
  }
  std::printf("parameters               %5zu models, %zu exact, %zu unexplained misses\n", models.records, models.exact, unexplained);
  const bool holds = models.records > 0 && unexplained == 0;
  board.set_models(std::move(models));
  return holds;
}

}  // namespace weighbridge::truth
