// SPDX-License-Identifier: Apache-2.0
// Buffers that llama.cpp logged on real machines, against ours: llama_cpp_logs.jsonl. Few are of the llama.cpp that is counted: they enter no score.
#include <algorithm>
#include <array>
#include <cmath>

#include "embedded.hpp"
#include "engine/engine.hpp"
#include "request.hpp"
#include "truth.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

constexpr double kMib = 1024.0 * 1024.0;
constexpr std::array kTerms{"weights", "cache", "compute"};
/// What a record may be off by without a reason: logs print hundredths of a MiB, some whole ones.
constexpr std::array kTolerances{0.001, 0.001, 0.02};
constexpr double kPrinted = kMib;

Json log_request(const Json& record) {
  Json request{{"model", {{"id", record["model"]}}},
               {"weights", {{"format", record["format"]}}},
               {"engine", {{"name", kLlamaCpp}, {"options", record.value("options", Json::object())}}},
               {"hardware", record["hardware"]}};
  request["offload"] = {{"cpu_moe_layers", record.value("cpu_moe_layers", 0)}};
  return request;
}

Figure sum_of(const std::vector<Term>& terms, std::size_t figure) {
  constexpr std::array<std::array<std::string_view, 2>, 3> ids{{{"weights", ""}, {"kv_cache", "recurrent_state"}, {"compute", ""}}};
  Figure sum;
  for (const Term& term : terms) {
    if (term.id != ids[figure][0] && term.id != ids[figure][1]) continue;
    sum.bytes += static_cast<double>(term.bytes.count());
    sum.low += static_cast<double>(term.low.count());
    sum.high += static_cast<double>(term.high.count());
  }
  return sum;
}

class Logs {
 public:
  explicit Logs(const Catalogue& catalogue) : catalogue_(catalogue) {}

  void check(const Json& record) {
    Notices warnings;
    const Result<Request> request = read_request(log_request(record), catalogue_, warnings);
    if (!request) return fail(record, request.error().message);
    Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
    Scenario scenario = request->scenario;
    if (record.value("predictions", false)) scenario.options.llama_cpp.has_predictions = true;
    const Result<Estimate> estimate = evaluate(prepared, scenario);
    if (!estimate) return fail(record, estimate.error().message);
    const Json devices = record.value("devices", Json::array());
    if (devices.size() > estimate->devices.size()) return fail(record, "more devices than asked for");
    for (std::size_t i = 0; i < devices.size(); ++i) compare(record, devices[i], estimate->devices[i].terms);
    if (record.contains("host")) compare(record, record["host"], estimate->host->terms);
    ++records_;
  }

  [[nodiscard]] bool explained() const { return unexplained_ == 0; }
  void print() const { std::printf("llama.cpp logs           %5zu records, %zu of %zu buffers differ\n", records_, missed_, buffers_); }

 private:
  void fail(const Json& record, const std::string& why) {
    std::printf("  %s: %s\n", record["id"].get<std::string>().c_str(), why.c_str());
    ++unexplained_;
  }

  /// `buffers` in MiB; null where the record does not say.
  void compare(const Json& record, const Json& buffers, const std::vector<Term>& terms) {
    for (std::size_t i = 0; i < kTerms.size(); ++i) {
      if (buffers[i].is_null()) continue;
      const double theirs = buffers[i].get<double>() * kMib;
      const Figure ours = sum_of(terms, i);
      ++buffers_;
      const double difference = ours.bytes - theirs;
      if (std::fabs(difference) <= std::max(kTolerances[i] * theirs, kPrinted)) continue;
      const Json reasons = record.value("miss", Json::object());
      const std::string reason = reasons.value(kTerms[i], "");
      const std::string id = record["id"].get<std::string>();
      const double error = theirs > 0 ? difference / theirs : 1;
      if (reason.empty()) ++unexplained_;
      ++missed_;
      std::printf("  %s %s: ours %.2f MiB, record %.2f (%+.2f %%)%s%s\n", id.c_str(), kTerms[i], ours.bytes / kMib, theirs / kMib, 100 * error,
                  reason.empty() ? "" : ": ", reason.c_str());
    }
  }

  const Catalogue& catalogue_;
  std::size_t records_ = 0;
  std::size_t buffers_ = 0;
  std::size_t missed_ = 0;
  std::size_t unexplained_ = 0;
};

}  // namespace

bool check_logs(const std::string& folder) {
  Catalogue catalogue(read_config);
  const Result<void> loaded = catalogue.load(Json::parse(embedded("models.json")), Json::parse(embedded("gpus.json")));
  if (!loaded) {
    std::printf("%s\n", loaded.error().message.c_str());
    return false;
  }
  Logs logs(catalogue);
  for (const Json& record : read_lines(folder + "/llama_cpp_logs.jsonl")) logs.check(record);
  logs.print();
  return logs.explained();
}

}  // namespace weighbridge::truth
