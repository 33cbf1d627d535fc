// SPDX-License-Identifier: Apache-2.0
#include "scoreboard.hpp"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

namespace weighbridge::truth {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kAll = "all";

/// Six decimals: a millionth of a term is less than any padding.
double rounded(double value) { return std::round(value * 1e6) / 1e6; }

Json row_of(const Scored& what, const Score& score) {
  return {{"engine", what.engine},
          {"place", what.place},
          {"term", what.term},
          {"architecture", what.architecture},
          {"records", score.count()},
          {"median", rounded(score.error(0.5))},
          {"p95", rounded(score.error(0.95))},
          {"worst", rounded(score.error(1))},
          {"inside", rounded(score.inside())},
          {"width", rounded(score.width())}};
}

Json to_json(const ModelScores& scores) {
  Json missed = Json::array();
  for (const MissedFigure& m : scores.missed)
    missed.push_back({{"model", m.model}, {"slug", m.slug}, {"figure", m.figure}, {"ours", m.ours}, {"stated", m.stated}, {"why", m.why}});
  return {{"records", scores.records}, {"exact", scores.exact}, {"missed", missed}};
}

/// Weights and caches of one architecture are worth a row only where they are off.
bool is_kept(const Scored& what, const Score& score) {
  if (what.architecture == kAll || what.term == "total" || what.term == "compute") return true;
  return rounded(score.error(1)) > 0;
}

void print_row(const Scored& what, const Score& score) {
  std::printf("  %-12s %-18s %-21s %-16s %5zu records  median %8.4f %%  p95 %8.4f %%  worst %8.4f %%  inside %6.2f %%  band %7.3f %%\n",
              what.engine.c_str(), what.place.c_str(), what.term.c_str(), what.architecture.c_str(), score.count(), 100 * score.error(0.5),
              100 * score.error(0.95), 100 * score.error(1), 100 * score.inside(), 100 * score.width());
}

/// Nothing, or in what `now` is worse than the row that was kept.
std::string regression(const Json& kept, const Json& now) {
  constexpr double slack = 1e-6;  // the last kept digit
  if (now["records"].get<std::size_t>() < kept["records"].get<std::size_t>()) return "fewer records";
  for (const char* error : {"median", "p95", "worst"})
    if (now[error].get<double>() > kept[error].get<double>() + slack) return error;
  return now["inside"].get<double>() < kept["inside"].get<double>() - slack ? "inside" : "";
}

}  // namespace

void Scoreboard::add(const Scored& what, const Figure& ours, double recorded, double whole) {
  if (!what.architecture.empty()) scores_[what].add(ours, recorded, whole);
  scores_[{what.engine, what.place, what.term, kAll}].add(ours, recorded, whole);
}

Score Scoreboard::of(const std::string& engine, const std::string& place, const std::string& term) const {
  const auto found = scores_.find({engine, place, term, kAll});
  return found == scores_.end() ? Score{} : found->second;
}

void Scoreboard::print() const {
  for (const bool together : {false, true}) {
    std::printf(together ? " all architectures\n" : " by architecture\n");
    for (const auto& [what, score] : scores_)
      if ((what.architecture == kAll) == together && score.count() > 0 && is_kept(what, score)) print_row(what, score);
  }
  for (const auto& [why, records] : left_out_) std::printf("  not counted yet: %zu records with %s\n", records, why.c_str());
}

Json Scoreboard::to_json() const {
  Json rows = Json::array();
  for (const auto& [what, score] : scores_)
    if (score.count() > 0 && is_kept(what, score)) rows.push_back(row_of(what, score));
  Json missed = Json::array();
  for (const MissedRecord& m : missed_)
    missed.push_back({{"engine", m.engine}, {"id", m.id}, {"term", m.term}, {"error", rounded(m.error)}, {"why", m.why}});
  return {{"left_out", left_out_}, {"models", truth::to_json(models_)}, {"missed", missed}, {"rows", rows}};
}

bool Scoreboard::models_hold_against(const Json& kept) const {
  std::set<std::string> known;
  for (const Json& missed : kept["missed"]) known.insert(missed["model"].get<std::string>() + " " + missed["figure"].get<std::string>());
  bool holds = models_.exact >= kept["exact"].get<std::size_t>() && models_.records >= kept["records"].get<std::size_t>();
  if (!holds) std::printf("models: %zu of %zu exact, fewer than the scoreboard says\n", models_.exact, models_.records);
  for (const MissedFigure& missed : models_.missed) {
    if (known.contains(missed.model + " " + missed.figure)) continue;
    holds = false;
    std::printf("not on the scoreboard: %s of %s\n", missed.figure.c_str(), missed.model.c_str());
  }
  return holds;
}

bool Scoreboard::holds_against(const Json& kept) const {
  bool holds = models_hold_against(kept["models"]);
  std::set<Scored> known;
  for (const Json& row : kept["rows"]) {
    const Scored what{row["engine"], row["place"], row["term"], row["architecture"]};
    known.insert(what);
    const auto found = scores_.find(what);
    const std::string worse = found == scores_.end() ? "no records" : regression(row, row_of(what, found->second));
    if (worse.empty()) continue;
    holds = false;
    std::printf("worse than the scoreboard (%s), which says:\n  %s\n", worse.c_str(), row.dump().c_str());
    if (found != scores_.end()) print_row(what, found->second);
  }
  for (const auto& [what, score] : scores_) {
    if (score.count() == 0 || !is_kept(what, score) || known.contains(what)) continue;
    holds = false;
    std::printf("not on the scoreboard: new, or exact until now\n");
    print_row(what, score);
  }
  for (const auto& [why, records] : left_out_)
    if (records > kept["left_out"].value(why, std::size_t{0})) {
      holds = false;
      std::printf("%zu records with %s are not counted, more than the scoreboard says\n", records, why.c_str());
    }
  if (!holds) std::printf("If that is meant: ./dev truth --update keeps the scores of this run.\n");
  return holds;
}

std::string text_of(const Json& scoreboard) {
  std::string text = "{\"left_out\": " + scoreboard["left_out"].dump() + ",\n\"models\": " + scoreboard["models"].dump() +
                     ",\n\"missed\": " + scoreboard["missed"].dump() + ",\n\"rows\": [\n";
  for (std::size_t i = 0; i < scoreboard["rows"].size(); ++i)
    text += scoreboard["rows"][i].dump() + (i + 1 < scoreboard["rows"].size() ? ",\n" : "\n");
  return text + "]}\n";
}

}  // namespace weighbridge::truth
