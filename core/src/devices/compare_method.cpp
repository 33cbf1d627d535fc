// SPDX-License-Identifier: Apache-2.0
// The method `compare_devices`: the same job on other devices, or on machines of the catalogue.
#include <algorithm>

#include "advise/moved_job.hpp"
#include "devices/machine_rows.hpp"
#include "json_parse.hpp"
#include "key_reader.hpp"
#include "method.hpp"
#include "request.hpp"
#include "response.hpp"
#include "weighbridge/compare.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostRows = 100'000;  // of a list; far more than any catalogue has

JsonOut describe_rank(const std::vector<double>& rank) {
  JsonOut numbers = JsonOut::array();
  for (const double number : rank) numbers.push_back(JsonOut(number));
  return numbers;
}

JsonOut describe_fewest(const OnDevice& row) {
  if (!row.fewest) return {};
  const Parallel& p = row.fewest->scenario.parallel;
  JsonOut machines = JsonOut::array();
  for (const Machine* machine : row.machines) machines.push_back(describe_machine(*machine));
  return {{"count", row.fewest->scenario.device_count()},
          {"parallel", {{"tensor", p.tensor}, {"pipeline", p.pipeline}, {"data", p.data}, {"expert", p.expert}}},
          {"verdict", describe_verdict(row.fewest->answer, row.fewest->scenario.hardware)},
          {"patch", row.fewest->patch},
          {"machines", std::move(machines)}};
}

JsonOut describe_row(const OnDevice& row) {
  return {{"device", row.device->id},
          {"count", row.count},
          {"verdict", describe_verdict(row.asked.answer, row.asked.scenario.hardware)},
          {"host_bytes", describe_host_bytes(row.asked.answer)},
          {"patch", row.asked.patch},
          {"fewest", describe_fewest(row)},
          {"rank", describe_rank(row.rank)}};
}

JsonOut describe_row(const OnMachine& row) {
  JsonOut devices = JsonOut::array();
  for (const MachineDevices& some : row.machine->devices) devices.push_back({{"device", some.device}, {"count", some.count}});
  return {{"machine", describe_machine(*row.machine)},
          {"gpus", std::move(devices)},
          {"verdict", describe_verdict(row.job.answer, row.job.scenario.hardware)},
          {"host_bytes", describe_host_bytes(row.job.answer)},
          {"patch", row.job.patch},
          {"rank", describe_rank(row.rank)}};
}

/// The devices that the params name, or all of the catalogue.
Result<std::vector<const Device*>> read_devices(const Json& params, const Catalogue& catalogue) {
  std::vector<const Device*> devices;
  const auto given = params.find("devices");
  if (given == params.end()) {
    for (const CatalogueDevice& known : catalogue.devices()) devices.push_back(&known.device);
    return devices;
  }
  if (!given->is_array()) return fail(notice::wrong_type("params.devices", "devices", excerpt(*given), "a list of device ids"));
  for (std::size_t i = 0; i < given->size(); ++i) {
    const Json& name = (*given)[i];
    const CatalogueDevice* known = name.is_string() ? catalogue.find_device(name.get_ref<const std::string&>()) : nullptr;
    if (known == nullptr)
      return fail(notice::unknown("unknown_device", "params.devices[" + std::to_string(i) + "]", "GPU", excerpt(name), "a device of `catalogue`"));
    devices.push_back(&known->device);
  }
  return devices;
}

/// A part of a list, counted from 0.
struct Slice {
  std::int64_t offset = 0;
  std::int64_t limit = kMostRows;

  template <class T>
  [[nodiscard]] std::vector<T> of(const std::vector<T>& all) const {
    const auto size = static_cast<std::int64_t>(all.size());
    const std::int64_t first = std::min(offset, size);
    const auto at = [&](std::int64_t index) { return all.begin() + static_cast<std::ptrdiff_t>(index); };
    return {at(first), at(first + std::min(limit, size - first))};
  }
};

template <class Row>
Result<JsonOut> answer(const Result<std::vector<Row>>& rows, std::size_t total, const Slice& slice) {
  if (!rows) return fail(rows.error());
  JsonOut described = JsonOut::array();
  for (const Row& row : *rows) described.push_back(describe_row(row));
  return JsonOut{{"total", total}, {"offset", slice.offset}, {"rows", std::move(described)}};
}

}  // namespace

/// `{"request":{…},"by":"devices","devices":["h100-sxm"],"machines":[…],"offset":0,"limit":50}`: all but the request may be left out.
Result<JsonOut> call_compare_devices(const Json& params, Context& context) {
  if (!params.is_object() || !params.contains("request")) return fail(notice::missing_key("params.request", "request", "the params of an estimate"));
  KeyReader keys(params, "params", context.warnings);
  keys.warn_of_other_keys({"request", "by", "devices", "machines", "offset", "limit"});
  const std::string by = keys.text_if_given("by").value_or("devices");
  const Slice slice{keys.count_or_zero("offset", kMostRows), keys.positive_or("limit", kMostRows, kMostRows, "")};
  if (keys.error()) return fail(*keys.error());
  if (by != "devices" && by != "machines") return fail(notice::wrong_type("params.by", "by", excerpt(by), "\"devices\" or \"machines\""));
  const Result<std::vector<Machine>> machines = read_machines(params);
  if (!machines) return fail(machines.error());
  const Result<std::vector<const Device*>> devices = read_devices(params, context.catalogue);
  if (!devices) return fail(devices.error());
  const Json& asked = *params.find("request");
  const Result<Request> request = read_request(asked, context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  if (by == "machines") return answer(compare_machines(asked, request->model(), context.catalogue, slice.of(*machines)), machines->size(), slice);
  return answer(compare_devices(asked, request->model(), context.catalogue, slice.of(*devices), *machines), devices->size(), slice);
}

}  // namespace weighbridge
