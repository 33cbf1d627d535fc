// SPDX-License-Identifier: Apache-2.0
#include "devices/machine_rows.hpp"

#include <string>

namespace weighbridge {

namespace {

std::string text_in(const Json& row, std::string_view key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Empty if the row does not say what there is.
std::vector<MachineDevices> read_devices(const Json& row) {
  const Json gpus = row.value("gpus", Json());
  std::vector<MachineDevices> devices;
  for (const Json& some : gpus.is_array() ? gpus : Json::array()) {
    const std::optional<std::int64_t> count = some.is_object() ? whole_number_of(some.value("count", Json())) : std::nullopt;
    if (!count || *count < 1) return {};
    devices.push_back({text_in(some, "device"), *count});
  }
  return devices;
}

/// Nothing for a price without a positive number.
std::optional<HourlyPrice> read_price(const Json& row) {
  const Json price = row.value("price", Json());
  const Json hourly = price.is_object() ? price.value("per_hour", Json()) : Json();
  if (!hourly.is_number() || hourly.get<double>() <= 0) return std::nullopt;
  return HourlyPrice{hourly.get<double>(), text_in(price, "currency"), text_in(price, "date"), text_in(price, "region"), text_in(price, "basis")};
}

Machine read_machine(const Json& row) {
  Machine machine{text_in(row, "id"), text_in(row, "provider"), text_in(row, "name"), read_devices(row), {}, read_price(row)};
  if (const Json gib = row.value("host_memory_gib", Json()); gib.is_number() && gib.get<double>() > 0)
    machine.host_memory = scaled(kGiB, gib.get<double>());
  return machine;
}

}  // namespace

Result<std::vector<Machine>> read_machines(const Json& params) {
  const Json rows = params.value("machines", Json::array());
  if (!rows.is_array()) return fail(notice::wrong_type("params.machines", "machines", excerpt(rows), "a list of machines"));
  std::vector<Machine> machines;
  for (const Json& row : rows) {
    if (!row.is_object()) continue;
    Machine machine = read_machine(row);
    if (!machine.devices.empty()) machines.push_back(std::move(machine));
  }
  return machines;
}

JsonOut describe_machine(const Machine& machine) {
  const std::optional<HourlyPrice>& price = machine.price;
  const auto text = [&](std::string HourlyPrice::*field) { return price ? JsonOut((*price).*field) : JsonOut(); };
  return {{"machine", machine.id},
          {"provider", machine.provider},
          {"name", machine.name},
          {"count", machine.device_count()},
          {"per_hour", price ? JsonOut(price->per_hour) : JsonOut()},
          {"currency", text(&HourlyPrice::currency)},
          {"date", text(&HourlyPrice::date)},
          {"region", text(&HourlyPrice::region)},
          {"basis", text(&HourlyPrice::basis)}};
}

}  // namespace weighbridge
