// SPDX-License-Identifier: Apache-2.0
// Tokens a second that people measured, against our range: speed.jsonl.
#include "weighbridge/speed.hpp"

#include <cmath>
#include <set>

#include "embedded.hpp"
#include "engine/engine.hpp"
#include "request.hpp"
#include "truth.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

/// What the bands of speed_bands.cpp say that they rest on.
struct Counted {
  int records = 0;
  int prompts = 0;
  std::set<std::string> groups;
};

class SpeedRecords {
 public:
  SpeedRecords(const Catalogue& catalogue, Scoreboard& board) : catalogue_(catalogue), board_(board) {}

  void check(const Json& record) {
    const std::string engine = record["engine"];
    const std::optional<Speed> speed = ask(record);
    if (!speed) return;
    const bool generates = record["measured"].contains("decode_tokens_per_s");
    const std::optional<Between>& ours = generates ? speed->decode : speed->prefill;
    if (!ours) return leave_out(engine, "no range");
    Counted& counted = counted_[engine];
    ++(generates ? counted.records : counted.prompts);
    counted.groups.insert(record["group"].get<std::string>());
    const double theirs = record["measured"].begin()->get<double>();
    const std::string term = generates ? "decode speed" : "prefill speed";
    board_.add({engine, "speed", term, ""}, {std::sqrt(ours->low * ours->high), ours->low, ours->high}, theirs);
    if (theirs >= ours->low && theirs <= ours->high) return;
    const std::string reason = record.value("miss", Json::object()).value(term, "");
    std::printf("  %s %s: ours %.4g to %.4g tokens a second, record %.4g%s%s\n", record["id"].get<std::string>().c_str(), term.c_str(), ours->low,
                ours->high, theirs, reason.empty() ? "" : ": ", reason.c_str());
  }

  /// Whether each band says how many records it rests on.
  [[nodiscard]] bool bands_agree() const {
    bool agree = true;
    for (const auto& [engine, counted] : counted_) {
      const SpeedBand& band = speed_band(engine);
      const int groups = static_cast<int>(counted.groups.size());
      if (band.records == counted.records && band.prompts == counted.prompts && band.groups == groups) continue;
      agree = false;
      std::printf("the band of %s says %d records, %d prompts, %d groups: expected %d, %d, %d\n", engine.c_str(), band.records, band.prompts,
                  band.groups, counted.records, counted.prompts, groups);
    }
    return agree;
  }

 private:
  void leave_out(const std::string& engine, const std::string& why) { board_.leave_out("speed of " + engine + ": " + why); }

  std::optional<Speed> ask(const Json& record) {
    const std::string engine = record["engine"];
    const std::string cache = record.value("kv_type", "auto");
    Json json{{"model", {{"id", record["model"]}}}, {"weights", {{"format", record["format"]}}},
              {"kv_cache", {{"k", cache}}},         {"engine", {{"name", engine}, {"options", record.value("options", Json::object())}}},
              {"workload", record["workload"]},     {"hardware", record["hardware"]}};
    for (const char* part : {"parallel", "offload"})
      if (record.contains(part)) json[part] = record[part];
    Notices warnings;
    const Result<Request> request = read_request(json, catalogue_, warnings);
    if (!request) return leave_out(engine, request.error().code), std::nullopt;
    Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
    const auto host = record.find("host_bandwidth_gb_s");
    Result<Speed> speed = estimate_speed(prepared, request->scenario, host != record.end() ? std::optional<double>(*host) : std::nullopt);
    if (!speed) return leave_out(engine, speed.error().code), std::nullopt;
    return std::move(*speed);
  }

  const Catalogue& catalogue_;
  Scoreboard& board_;
  std::map<std::string, Counted> counted_;
};

}  // namespace

bool check_speed(const std::string& folder, Scoreboard& board) {
  Catalogue catalogue(read_config);
  if (const Result<void> loaded = catalogue.load(Json::parse(embedded("models.json")), Json::parse(embedded("gpus.json"))); !loaded) {
    std::printf("%s\n", loaded.error().message.c_str());
    return false;
  }
  SpeedRecords records(catalogue, board);
  std::printf("speed\n");
  for (const Json& record : read_lines(folder + "/speed.jsonl")) records.check(record);
  return records.bands_agree();
}

}  // namespace weighbridge::truth
