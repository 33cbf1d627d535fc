// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "score.hpp"

namespace weighbridge::truth {

/// What a score is of. `place`: where memory lies, or what a record of a serving engine states. `architecture` is general.architecture of a
/// GGUF file, or "all".
struct Scored {
  std::string engine, place, term, architecture;

  friend bool operator<(const Scored& a, const Scored& b) {
    return std::tie(a.engine, a.place, a.term, a.architecture) < std::tie(b.engine, b.place, b.term, b.architecture);
  }
};

/// A figure that was stated of a model and that we do not come to.
struct MissedFigure {
  std::string model, slug, figure;
  std::int64_t ours = 0;
  std::int64_t stated = 0;
  std::string why;
};

/// A record that we do not come to, and the cause that is known.
struct MissedRecord {
  std::string engine, id, term;
  double error = 0;  ///< of our figure, as a share of the record, or of a budget
  std::string why;
};

/// Parameters and bytes of the models of the catalogue: exact ones are counted, the others named.
struct ModelScores {
  std::size_t records = 0;
  std::size_t exact = 0;
  std::vector<MissedFigure> missed;
};

/// All scores. What is kept of them stands in tests/truth/scoreboard.json; a run that is worse than the file fails.
class Scoreboard {
 public:
  /// Enters one record, under its architecture, if that has a name, and under "all". Its error is a share of `recorded`, or of `whole`.
  void add(const Scored& what, const Figure& ours, double recorded) { add(what, ours, recorded, recorded); }
  void add(const Scored& what, const Figure& ours, double recorded, double whole);
  /// Records of something that we do not count yet.
  void leave_out(const std::string& why) { ++left_out_[why]; }

  void add_miss(MissedRecord miss) { missed_.push_back(std::move(miss)); }
  void set_models(ModelScores scores) { models_ = std::move(scores); }

  /// The score of all architectures together.
  [[nodiscard]] Score of(const std::string& engine, const std::string& place, const std::string& term) const;

  void print() const;
  /// One row for each place and term, and for each architecture what a device takes as a whole and what its graphs take.
  [[nodiscard]] nlohmann::ordered_json to_json() const;
  /// Prints what is worse than `kept`, has no record any more, or has no row there. True if nothing is.
  [[nodiscard]] bool holds_against(const nlohmann::ordered_json& kept) const;

 private:
  [[nodiscard]] bool models_hold_against(const nlohmann::ordered_json& kept) const;

  ModelScores models_;
  std::vector<MissedRecord> missed_;
  std::map<Scored, Score> scores_;
  std::map<std::string, std::size_t> left_out_;
};

/// Writes `scoreboard` with one row a line.
[[nodiscard]] std::string text_of(const nlohmann::ordered_json& scoreboard);

}  // namespace weighbridge::truth
