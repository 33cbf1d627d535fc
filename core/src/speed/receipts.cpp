// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/receipts.hpp"

#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

Bytes total_of(const Estimate& estimate) {
  Bytes total;
  for (const DevicePlan& device : estimate.devices) total += device.total() * static_cast<std::uint64_t>(device.count);
  if (estimate.host) total += estimate.host->total();
  return total;
}

Bytes bits_of(std::int64_t parameters, std::int64_t bits) {
  return Bytes(static_cast<std::uint64_t>(parameters)) * static_cast<std::uint64_t>(bits) / 8;
}

/// The same case by the article's rule; nothing where it has none, as for 4 bits.
Bytes by_article(const Model& model, const Scenario& scenario) {
  Scenario same = scenario;
  same.engine = "article";
  same.engine_version.clear();
  Prepared prepared(model, loaded_format(model, same));
  const Result<Estimate> answer = evaluate(prepared, same);
  return answer && answer->verdict.kind != VerdictClass::impossible ? total_of(*answer) : Bytes();
}

}  // namespace

std::int64_t bits_by_name(std::string_view format) {
  const std::size_t first = format.find_first_of("0123456789");
  std::int64_t bits = 0;
  for (std::size_t i = first; i < format.size() && format[i] >= '0' && format[i] <= '9' && bits < 100; ++i) bits = 10 * bits + (format[i] - '0');
  return bits;
}

Result<Receipts> compare_with_rules(Prepared& prepared, const Scenario& scenario) {
  const Result<Estimate> counted = evaluate(prepared, scenario);
  if (!counted) return fail(counted.error());
  Receipts receipts;
  receipts.total = total_of(*counted);
  if (receipts.total == Bytes()) return receipts;
  const auto add = [&](Thumb rule, Bytes bytes) {
    if (bytes > Bytes()) receipts.receipts.push_back({rule, bytes, static_cast<double>(bytes.count()) / static_cast<double>(receipts.total.count())});
  };
  const Model& model = prepared.model();
  const std::int64_t parameters = model.parameters_by_name > 0 ? model.parameters_by_name : count_parameters(model.tensors).text;
  const std::int64_t bits = bits_by_name(scenario.weights_format == "checkpoint" ? checkpoint_format(model) : scenario.weights_format);
  add(Thumb::two_bytes, bits_of(parameters, 16));
  if (bits != 16) add(Thumb::format_bits, bits_of(parameters, bits));
  add(Thumb::format_bits_and_20, bits_of(parameters, bits) * 6 / 5);
  if (first_moe(model) != nullptr) add(Thumb::active_bits, bits_of(count_active_parameters(model), bits));
  add(Thumb::article, by_article(model, scenario));
  return receipts;
}

}  // namespace weighbridge
