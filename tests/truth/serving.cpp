// SPDX-License-Identifier: Apache-2.0
// Figures that serving engines logged or people published, against ours: serving.jsonl.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "embedded.hpp"
#include "engine/engine.hpp"
#include "request.hpp"
#include "truth.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

/// A measured figure by its name in a record: the unit is the end of the name.
std::optional<double> measured(const Json& record, const std::string& figure) {
  constexpr std::pair<const char*, double> units[] = {{"_gib", kGib}, {"_mib", 1024.0 * 1024.0}, {"_gb", 1e9}, {"_mb", 1e6}, {"_bytes", 1}, {"", 1}};
  for (const auto& [unit, bytes] : units)
    if (const auto found = record["measured"].find(figure + unit); found != record["measured"].end()) return found->get<double>() * bytes;
  return std::nullopt;
}

/// The device that holds most weights stands for the ranks: engines log the first or the fullest.
const DevicePlan& fullest(const Estimate& estimate) {
  const auto by_total = [](const DevicePlan& a, const DevicePlan& b) { return a.total() < b.total(); };
  return *std::max_element(estimate.devices.begin(), estimate.devices.end(), by_total);
}

Figure term_of(const Estimate& estimate, std::string_view id) {
  Figure sum;
  for (const Term& term : fullest(estimate).terms) {
    if (term.id != id) continue;
    sum.bytes += static_cast<double>(term.bytes.count());
    sum.low += static_cast<double>(term.low.count());
    sum.high += static_cast<double>(term.high.count());
  }
  return sum;
}

/// What the engine's own limit leaves for the cache, wherever the other terms lie within their bands.
std::optional<Figure> pool_of(const Estimate& estimate) {
  if (!estimate.engine.kv_cache_pool) return std::nullopt;
  Figure figure;
  figure.bytes = static_cast<double>(fullest(estimate).limit.count());  // a limit that is too small leaves less than nothing
  for (const Term& term : fullest(estimate).terms) {
    if (!term.inside_limit || term.id == "kv_cache" || term.id == "recurrent_state") continue;
    figure.bytes -= static_cast<double>(term.bytes.count());
    figure.low -= static_cast<double>(term.high.count()) - static_cast<double>(term.bytes.count());
    figure.high += static_cast<double>(term.bytes.count()) - static_cast<double>(term.low.count());
  }
  const auto pool = static_cast<double>(estimate.engine.kv_cache_pool->count());
  if (pool > 0) figure.bytes = pool;
  figure.low += figure.bytes;
  figure.high += figure.bytes;
  return figure;
}

/// All that one device holds.
Figure total_of(const Estimate& estimate) {
  const DevicePlan& device = fullest(estimate);
  return {static_cast<double>(device.total().count()), static_cast<double>(device.low().count()), static_cast<double>(device.high().count())};
}

/// What the engine's allocator counts over all devices: all but what the driver takes and the allocator keeps unused.
Figure allocated_of(const Estimate& estimate) {
  Figure sum;
  for (const DevicePlan& device : estimate.devices)
    for (const Term& term : device.terms) {
      if (term.id == "overhead") continue;
      const auto count = static_cast<double>(device.count);
      sum.bytes += count * static_cast<double>(term.bytes.count());
      sum.low += count * static_cast<double>(term.low.count());
      sum.high += count * static_cast<double>(term.high.count());
    }
  return sum;
}

/// What the driver shows of one device: a pool is full from the start, so only what lies outside the limit is unsure.
Figure used_of(const Estimate& estimate) {
  const DevicePlan& device = fullest(estimate);
  const auto used = static_cast<double>(device.observed.count());
  Figure figure{used, used, used};
  for (const Term& term : device.terms) {
    if (term.inside_limit) continue;
    figure.low -= static_cast<double>(term.bytes.count()) - static_cast<double>(term.low.count());
    figure.high += static_cast<double>(term.high.count()) - static_cast<double>(term.bytes.count());
  }
  return figure;
}

/// One figure of a record: what it is called there, the term it is scored as, and whether it depends on settings that a record may leave out.
struct ScoredFigure {
  const char* figure;
  const char* term;
  bool by_settings;
  std::optional<Figure> (*ours)(const Estimate&);
};

template <const char* Id>
std::optional<Figure> term_named(const Estimate& estimate) {
  return term_of(estimate, Id);
}
constexpr char kWeights[] = "weights", kCompute[] = "compute", kGraphs[] = "cuda_graphs";

/// What torch does not count: a term of its own, or all that an engine has beside its other terms.
std::optional<Figure> outside_of(const Estimate& estimate) {
  const Figure own = term_of(estimate, "non_torch");
  return own.high > 0 ? own : term_of(estimate, "overhead");
}

/// An engine with a pool measures its peak before that is there.
std::optional<Figure> peak_of(const Estimate& estimate) {
  Figure peak = total_of(estimate);
  if (!estimate.engine.kv_cache_pool) return peak;
  for (const char* pool : {"kv_cache", "recurrent_state"}) {
    const Figure held = term_of(estimate, pool);
    peak.bytes -= held.bytes;
    peak.low -= held.low;
    peak.high -= held.high;
  }
  return peak;
}

constexpr ScoredFigure kFigures[] = {
    {"weights", "weights", false, term_named<kWeights>},
    {"kv_pool", "KV pool", true, pool_of},
    {"activation", "activation", true, term_named<kCompute>},
    {"graphs", "graphs", true, term_named<kGraphs>},
    {"non_torch", "outside torch", true, outside_of},
    {"peak", "peak", true, peak_of},
    {"allocated", "allocated peak", true, [](const Estimate& e) { return std::optional<Figure>(allocated_of(e)); }},
    {"used", "used", true, [](const Estimate& e) { return std::optional<Figure>(used_of(e)); }},
};

bool has_option(const Engine& engine, std::string_view name) {
  return std::any_of(engine.options.begin(), engine.options.end(), [&](const OptionInfo& option) { return option.name == name; });
}

Json serving_request(const Json& record) {
  Json request{{"model", {{"id", record["model"]}}},
               {"weights", {{"format", record.value("format", "checkpoint")}}},
               {"kv_cache", {{"k", record.value("kv_type", "auto")}}},
               {"engine",
                {{"name", record["engine"]}, {"version", record.value("version", "")}, {"options", record.value("options", Json::object())}}},
               {"hardware", record["hardware"]}};
  for (const char* part : {"parallel", "workload"})
    if (record.contains(part)) request[part] = record[part];
  // The prompt is a part of the context; libraries are told the rest, which they generate.
  if (Json& workload = request["workload"]; workload.contains("prompt_tokens")) {
    const std::int64_t generated = workload["context_tokens"].get<std::int64_t>() - workload["prompt_tokens"].get<std::int64_t>();
    if (const Engine* engine = find_engine(record["engine"].get<std::string>()))
      for (const char* option : {"max_new_tokens", "max_tokens"})
        if (has_option(*engine, option)) request["engine"]["options"][option] = generated;
    workload.erase("prompt_tokens");
  }
  return request;
}

bool is_stated(const Json& record) { return !record.contains("assumed"); }

class Records {
 public:
  Records(const Catalogue& catalogue, Scoreboard& board) : catalogue_(catalogue), board_(board) {}

  void check(const Json& record) {
    engine_ = record["engine"].get<std::string>();
    const Engine* engine = find_engine(engine_);
    if (engine == nullptr) return leave_out("engine not counted yet");
    if (record.contains("left_out")) return leave_out(record["left_out"].get<std::string>());
    const std::optional<Estimate> answer = ask(serving_request(record));
    if (!answer) return;
    groups_[engine_].insert(record["group"].get<std::string>());
    for (const ScoredFigure& scored : kFigures) score(record, *answer, scored);
    score_tokens(record, *engine, *answer);
  }

  void print() const {
    for (const auto& [engine, groups] : groups_) std::printf("%-24s %zu groups of machines\n", engine.c_str(), groups.size());
  }
  [[nodiscard]] bool explained() const { return unexplained_ == 0; }

 private:
  void leave_out(const std::string& why) { board_.leave_out(engine_ + ": " + why); }

  /// Nothing if we cannot answer, which is counted under its reason.
  std::optional<Estimate> ask(const Json& json) {
    Notices warnings;
    const Result<Request> request = read_request(json, catalogue_, warnings);
    if (!request) return leave_out(request.error().code), std::nullopt;
    for (const Notice& warning : warnings)
      if (warning.code == "unknown_key") return leave_out("option " + warning.where.substr(warning.where.rfind('.') + 1)), std::nullopt;
    Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
    Result<Estimate> answer = estimate(request->model(), request->scenario);
    if (!answer) return leave_out(answer.error().code), std::nullopt;
    if (answer->devices.empty()) return leave_out(answer->verdict.reason ? answer->verdict.reason->code : "no device"), std::nullopt;
    return std::move(*answer);
  }

  void score(const Json& record, const Estimate& answer, const ScoredFigure& scored) {
    const std::optional<double> theirs = measured(record, scored.figure);
    if (!theirs || is_unscored(record, scored.figure)) return;
    const std::optional<Figure> ours = scored.ours(answer);
    if (!ours) return;
    // A pool is what a budget leaves: its error is a share of that budget.
    const bool is_pool = std::string_view(scored.figure) == "kv_pool";
    const double whole = is_pool ? static_cast<double>(fullest(answer).limit.count()) : *theirs;
    const bool stated = !scored.by_settings || is_stated(record);
    enter(record, scored.term, stated, *ours, *theirs, whole);
  }

  /// Tokens that the logged pool holds: the arithmetic of pages alone. Where the pool is no setting of the engine, bytes a token.
  void score_tokens(const Json& record, const Engine& engine, const Estimate& answer) {
    const std::optional<double> pool = measured(record, "kv_pool");
    const std::optional<double> tokens = measured(record, "kv_tokens");
    if (!pool || !tokens || *pool <= 0 || is_unscored(record, "kv_tokens")) return;
    const bool is_setting = has_option(engine, "kv_cache_memory_bytes");
    const EngineReport& report = answer.engine;
    if (!is_setting && (!report.kv_cache_tokens || !report.kv_cache_pool || *report.kv_cache_tokens == 0)) return;
    const auto tokens_of = [&](double bytes) -> std::optional<double> {
      if (!is_setting) return bytes / (static_cast<double>(report.kv_cache_pool->count()) / static_cast<double>(*report.kv_cache_tokens));
      Json request = serving_request(record);
      request["engine"]["options"]["kv_cache_memory_bytes"] = static_cast<std::int64_t>(bytes);
      const std::optional<Estimate> given = ask(request);
      if (!given || !given->engine.kv_cache_tokens || *given->engine.kv_cache_tokens == 0) return std::nullopt;
      return static_cast<double>(*given->engine.kv_cache_tokens);
    };
    // The pool is printed to hundredths, by SGLang keys and values each, and dealt out in whole blocks.
    const double printed = (engine_ == "sglang" ? 0.01 : 0.005) * kGib;
    const std::optional<double> ours = tokens_of(*pool);
    const std::optional<double> low = tokens_of(*pool - printed);
    const std::optional<double> high = tokens_of(*pool + printed);
    if (ours && low && high) enter(record, "KV tokens of the pool", true, {*ours, *low, *high}, *tokens, *tokens);
  }

  void enter(const Json& record, const std::string& term, bool stated, const Figure& ours, double theirs, double whole) {
    board_.add({engine_, stated ? "settings stated" : "defaults filled in", term, ""}, ours, theirs, whole);
    const double error = (ours.bytes - theirs) / whole;
    const bool counted = term == "weights" || term == "KV tokens of the pool";
    const bool inside = theirs >= ours.low && theirs <= ours.high;
    if (std::fabs(error) <= (counted ? 0.01 : 0.03) && (counted || inside)) return;
    const Json reasons = record.value("miss", Json::object());
    const std::string reason = reasons.value(term, "");
    if (!reason.empty()) board_.add_miss({engine_, record["id"].get<std::string>(), term, error, reason});
    const double unit = term.find("tokens") == std::string::npos ? kGib : 1;
    std::printf("  %s %s %s: ours %.6g [%.6g, %.6g], record %.6g (%+.2f %%)%s%s\n", engine_.c_str(), record["id"].get<std::string>().c_str(),
                term.c_str(), ours.bytes / unit, ours.low / unit, ours.high / unit, theirs / unit, 100 * error, reason.empty() ? "" : ": ",
                reason.c_str());
    if (counted && reason.empty() && engine_ == "vllm") ++unexplained_;
  }

  static bool is_unscored(const Json& record, const std::string& figure) {
    const Json unscored = record.value("unscored", Json::object());
    return unscored.contains(figure);
  }

  const Catalogue& catalogue_;
  Scoreboard& board_;
  std::string engine_;
  std::map<std::string, std::set<std::string>> groups_;
  std::size_t unexplained_ = 0;
};

}  // namespace

bool check_serving(const std::string& folder, Scoreboard& board) {
  Catalogue catalogue(read_config);
  const Result<void> loaded = catalogue.load(Json::parse(embedded("models.json")), Json::parse(embedded("gpus.json")));
  if (!loaded) {
    std::printf("%s\n", loaded.error().message.c_str());
    return false;
  }
  Records records(catalogue, board);
  std::printf("serving engines\n");
  for (const Json& record : read_lines(folder + "/serving.jsonl")) records.check(record);
  records.print();
  return records.explained();
}

}  // namespace weighbridge::truth
