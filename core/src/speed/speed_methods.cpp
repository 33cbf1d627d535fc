// SPDX-License-Identifier: Apache-2.0
// The methods `speed`, how fast a request runs and what that costs, and `receipts`, what rules of thumb say of it.
#include "speed/speed_methods.hpp"

#include <algorithm>
#include <array>

#include "devices/machine_rows.hpp"
#include "json_parse.hpp"
#include "key_reader.hpp"
#include "options.hpp"
#include "request.hpp"
#include "weighbridge/cost.hpp"
#include "weighbridge/receipts.hpp"
#include "weighbridge/speed.hpp"

namespace weighbridge {

namespace {

constexpr std::array<std::string_view, 6> kCauses{"weights", "cache", "host", "operations", "layers", "link"};
constexpr std::array<std::string_view, 8> kGaps{"does_not_run", "does_not_fit", "unknown_bandwidth", "unknown_operations",
                                                "drafts",       "part_on_host", "no_layers",         "reads_only"};
constexpr std::array<std::string_view, 5> kThumbs{"two_bytes", "format_bits", "format_bits_and_20", "active_bits", "article"};

JsonOut describe(const Between& range) { return {{"low", range.low}, {"high", range.high}}; }
JsonOut describe(const std::optional<Between>& range) { return range ? describe(*range) : JsonOut(); }
JsonOut describe(const std::optional<SpeedGap>& gap) { return gap ? JsonOut(kGaps[static_cast<std::size_t>(*gap)]) : JsonOut(); }

/// The cause that takes most of a step, between both readings.
JsonOut describe_bound(const std::vector<SpeedPart>& parts) {
  if (parts.empty()) return {};
  const auto middle = [](const SpeedPart& part) { return part.seconds.low + part.seconds.high; };
  const auto largest = std::max_element(parts.begin(), parts.end(), [&](const SpeedPart& a, const SpeedPart& b) { return middle(a) < middle(b); });
  return JsonOut(kCauses[static_cast<std::size_t>(largest->cause)]);
}

JsonOut describe_band(const SpeedBand& band) {
  const Between layer{1e6 * band.layer_seconds.low, 1e6 * band.layer_seconds.high};
  return {{"engine", band.engine},
          {"bandwidth", describe(band.bandwidth)},
          {"operations", describe(band.operations)},
          {"layer_microseconds", describe(layer)},
          {"records", band.records},
          {"prompts", band.prompts},
          {"groups", band.groups}};
}

JsonOut describe_costs(const std::vector<Cost>& costs) {
  JsonOut rows = JsonOut::array();
  for (const auto& [machine, per_million] : costs) {
    JsonOut row = describe_machine(machine);
    row.add("per_million_tokens", describe(per_million));
    rows.push_back(row);
  }
  return rows;
}

JsonOut describe_speed(const Speed& speed, std::int64_t sequences, const std::vector<Cost>& costs) {
  const double each = 1.0 / static_cast<double>(sequences);
  const std::optional<Between> one = speed.decode ? std::optional<Between>({speed.decode->low * each, speed.decode->high * each}) : std::nullopt;
  JsonOut parts = JsonOut::array();
  for (const SpeedPart& part : speed.parts)
    parts.push_back({{"cause", kCauses[static_cast<std::size_t>(part.cause)]}, {"seconds", describe(part.seconds)}});
  JsonOut assumed = JsonOut::array();
  if (speed.assumes_host) assumed.push_back({{"key", "host_bandwidth_gb_s"}, {"value", describe(kHostBandwidth)}});
  if (speed.assumes_operations) assumed.push_back({{"key", "operations_per_byte"}, {"value", describe(kUnknownOperations)}});
  if (speed.assumes_idle_guests) assumed.push_back({{"key", "guests"}, {"value", describe(Between{0, 0})}});
  if (speed.assumed_link) assumed.push_back({{"key", "link_gb_s"}, {"value", describe(*speed.assumed_link)}});
  return {{"decode",
           {{"tokens_per_second", describe(speed.decode)},
            {"tokens_per_second_each", describe(one)},
            {"gap", describe(speed.no_decode)},
            {"context_tokens", speed.tokens},
            {"sequences", sequences},
            {"bound", describe_bound(speed.parts)},
            {"parts", std::move(parts)},
            {"weights_read_bytes", speed.weights_read.count()},
            {"cache_read_bytes", speed.cache_read.count()},
            {"host_read_bytes", speed.host_read.count()},
            {"operations", speed.operations}}},
          {"prefill",
           {{"tokens_per_second", describe(speed.prefill)},
            {"first_token_seconds", describe(speed.first_token)},
            {"gap", describe(speed.no_prefill)},
            {"prompt_tokens", speed.prompt_tokens}}},
          {"band", describe_band(speed.band)},
          {"assumed", std::move(assumed)},
          {"costs", describe_costs(costs)}};
}

/// `{"request":{…},"host_bandwidth_gb_s":80,"machines":[…]}`: the request is that of an estimate, the others may be left out. The bandwidth wins over
/// that of the request's host.
Result<JsonOut> call_speed(const Json& params, Context& context) {
  if (!params.is_object() || !params.contains("request")) return fail(notice::missing_key("params.request", "request", "the params of an estimate"));
  KeyReader keys(params, "params", context.warnings);
  keys.warn_of_other_keys({"request", "host_bandwidth_gb_s", "machines"});
  const std::optional<double> host = keys.fraction("host_bandwidth_gb_s", kMostBandwidth);
  if (keys.error()) return fail(*keys.error());
  const Result<std::vector<Machine>> machines = read_machines(params);
  if (!machines) return fail(machines.error());
  const Result<Request> request = read_request(*params.find("request"), context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  const Scenario& scenario = request->scenario;
  Prepared prepared(request->model(), loaded_format(request->model(), scenario));
  const Result<Speed> speed = estimate_speed(prepared, scenario, host ? host : scenario.host_gb_s);
  if (!speed) return fail(speed.error());
  const std::vector<Cost> costs = speed->decode ? costs_of(*machines, scenario.hardware, *speed->decode) : std::vector<Cost>();
  return describe_speed(*speed, scenario.sequences, costs);
}

/// Params are those of an estimate.
Result<JsonOut> call_receipts(const Json& params, Context& context) {
  const Result<Request> request = read_request(params, context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
  const Result<Receipts> receipts = compare_with_rules(prepared, request->scenario);
  if (!receipts) return fail(receipts.error());
  JsonOut rows = JsonOut::array();
  for (const Receipt& receipt : receipts->receipts)
    rows.push_back({{"rule", kThumbs[static_cast<std::size_t>(receipt.rule)]}, {"bytes", receipt.bytes.count()}, {"factor", receipt.factor}});
  return JsonOut{{"total_bytes", receipts->total.count()}, {"receipts", std::move(rows)}};
}

}  // namespace

void add_speed(std::vector<Method>& methods) {
  methods.push_back({"speed", call_speed});
  methods.push_back({"receipts", call_receipts});
}

}  // namespace weighbridge
