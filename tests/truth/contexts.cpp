// SPDX-License-Identifier: Apache-2.0
// Weights, cache and graph buffers of every device and of the host, against contexts that the engine planned itself.
#include <algorithm>
#include <cmath>

#include "request.hpp"
#include "truth.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

/// Errors of one figure over many records: relative, and whether the band held the record.
class Score {
 public:
  void add(double ours, double low, double high, double recorded) {
    if (recorded == 0 && ours == 0) return;
    errors_.push_back(std::fabs(ours - recorded) / std::max(recorded, 1.0));
    if (recorded < low || recorded > high) ++missed_;
    if (recorded > high) ++above_;
  }
  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  [[nodiscard]] std::size_t missed() const { return missed_; }
  [[nodiscard]] std::size_t above() const { return above_; }
  [[nodiscard]] double quantile(double share) {
    if (errors_.empty()) return 0;
    std::sort(errors_.begin(), errors_.end());
    return errors_[static_cast<std::size_t>(share * static_cast<double>(errors_.size() - 1))];
  }
  void print(const char* name) {
    std::printf("  %-34s %5zu  median %8.4f %%  p95 %8.4f %%  worst %8.4f %%  outside the band %zu, above it %zu\n", name, count(),
                100 * quantile(0.5), 100 * quantile(0.95), 100 * quantile(1), missed_, above_);
  }

 private:
  std::vector<double> errors_;
  std::size_t missed_ = 0;
  std::size_t above_ = 0;
};

/// The figures of one way of running.
struct Table {
  Score weights, cache, compute, total, host_compute, host_weights;
};

/// Devices so large that nothing is short: the records were planned that way.
Json request_of(const Json& record, const std::map<std::string, Json>& configs) {
  constexpr std::int64_t memory = std::int64_t{1} << 46;
  Json request{{"model", {{"config", configs.at(record["model"].get<std::string>())}}},
               {"weights", {{"format", record["format"]}}},
               {"engine", {{"name", "llama.cpp"}, {"options", record["options"]}}},
               {"hardware", Json::array()}};
  if (const auto gpus = record["gpus"].get<std::int64_t>(); gpus > 0) request["hardware"].push_back({{"memory_bytes", memory}, {"count", gpus}});
  return request;
}

const Term* find_term(const std::vector<Term>& terms, std::string_view id) {
  for (const Term& term : terms)
    if (term.id == id) return &term;
  return nullptr;
}

/// What several terms take together.
struct Sum {
  double bytes = 0, low = 0, high = 0;

  void add(const std::vector<Term>& terms, std::string_view id) {
    const Term* term = find_term(terms, id);
    if (term == nullptr) return;
    bytes += static_cast<double>(term->bytes.count());
    low += static_cast<double>(term->low.count());
    high += static_cast<double>(term->high.count());
  }
};

/// The engine's cache holds the states of recurrent layers too.
Sum sum_of(const std::vector<Term>& terms, std::string_view id) {
  Sum sum;
  sum.add(terms, id);
  if (id == "kv_cache") sum.add(terms, "recurrent_state");
  return sum;
}

void add(Score& score, const std::vector<Term>& terms, std::string_view id, const Json& recorded) {
  const Sum sum = sum_of(terms, id);
  score.add(sum.bytes, sum.low, sum.high, recorded.get<double>());
}

void compare(const Estimate& estimate, const Json& record, Table& table) {
  for (std::size_t i = 0; i < estimate.devices.size(); ++i) {
    const std::vector<Term>& terms = estimate.devices[i].terms;
    const Json& recorded = record["devices"][i];
    Sum sum;
    double recorded_sum = 0;
    for (const std::string_view id : {"weights", "kv_cache", "recurrent_state", "compute"}) sum.add(terms, id);
    for (const Json& bytes : recorded) recorded_sum += bytes.get<double>();
    add(table.weights, terms, "weights", recorded[0]);
    add(table.cache, terms, "kv_cache", recorded[1]);
    add(table.compute, terms, "compute", recorded[2]);
    table.total.add(sum.bytes, sum.low, sum.high, recorded_sum);
  }
  add(table.host_weights, estimate.host->terms, "weights", record["host"][0]);
  add(table.host_compute, estimate.host->terms, "compute", record["host"][2]);
}

constexpr const char* kRecurrent = ", recurrent layers";

/// Models with recurrent layers stand apart: what their graphs keep alive is a bound, not a count.
std::string kind_of(const Estimate& estimate) {
  bool is_recurrent = find_term(estimate.host->terms, "recurrent_state") != nullptr;
  for (const DevicePlan& device : estimate.devices) is_recurrent = is_recurrent || find_term(device.terms, "recurrent_state") != nullptr;
  return is_recurrent ? kRecurrent : "";
}

std::string way_of(const Json& record) {
  if (record["gpus"] == 0) return "no device";
  if (record["options"].contains("override_tensor")) return "tensors placed by rule";
  const bool partial = record["options"].contains("n_gpu_layers") || !record["options"].value("offload_kqv", true);
  if (partial) return "one device, part of the layers";
  return record["gpus"] == 1 ? "one device, all layers" : "two devices, all layers";
}

struct Verdicts {
  std::size_t refused = 0;
  std::size_t wrong = 0;
};

/// Compares one record; refusals must agree.
void check(const Json& record, const std::map<std::string, Json>& configs, std::map<std::string, Table>& tables, Verdicts& verdicts) {
  Notices warnings;
  const Catalogue catalogue(read_config);
  Result<Request> request = read_request(request_of(record, configs), catalogue, warnings);
  const bool refused = record.contains("refused");
  if (refused) ++verdicts.refused;
  if (!request) {
    std::printf("  %s: %s\n", record.dump().substr(0, 160).c_str(), request.error().message.c_str());
    ++verdicts.wrong;
    return;
  }
  Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
  const Result<Estimate> estimate = evaluate(prepared, request->scenario);
  const bool impossible = !estimate || estimate->verdict.kind == VerdictClass::impossible;
  if (impossible != refused) {
    std::printf("  %s: expected %s\n", record.dump().substr(0, 160).c_str(), refused ? "a refusal" : "figures");
    ++verdicts.wrong;
  } else if (!refused) {
    compare(*estimate, record, tables[way_of(record) + kind_of(*estimate)]);
  }
}

bool is_counted(Table& table) { return table.weights.quantile(1) <= 0.0002 && table.cache.quantile(1) <= 0.0003; }

/// One device and all layers is what most people run: its bounds are the tight ones. No graph there takes more than the band's upper end.
bool holds(Table& full, Table& recurrent) {
  return is_counted(full) && full.total.quantile(0.5) <= 0.001 && full.total.quantile(0.95) <= 0.01 && full.compute.missed() == 0 &&
         is_counted(recurrent) && recurrent.total.above() == 0;
}

}  // namespace

bool check_contexts(const std::string& folder) {
  std::map<std::string, Json> configs;
  for (const Json& row : read_lines(folder + "/models.jsonl")) configs[row["name"].get<std::string>()] = row["config"];
  std::map<std::string, Table> tables;
  Verdicts verdicts;
  std::size_t records = 0;
  for (const char* file : {"/llama_cpp_contexts.jsonl", "/llama_cpp_overrides.jsonl"})
    for (const Json& record : read_lines(folder + file)) {
      if (!configs.contains(record["model"].get<std::string>())) continue;
      ++records;
      check(record, configs, tables, verdicts);
    }
  std::printf("llama.cpp contexts       %5zu plans, %zu of them refused, %zu verdicts differ\n", records, verdicts.refused, verdicts.wrong);
  for (auto& [way, table] : tables) {
    std::printf(" %s\n", way.c_str());
    table.weights.print("weights");
    table.cache.print("cache");
    table.compute.print("compute");
    table.total.print("device total");
    table.host_weights.print("host weights");
    table.host_compute.print("host compute");
  }
  return verdicts.wrong == 0 && is_counted(tables["tensors placed by rule"]) &&
         holds(tables["one device, all layers"], tables[std::string("one device, all layers") + kRecurrent]);
}

}  // namespace weighbridge::truth
