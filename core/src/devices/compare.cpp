// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/compare.hpp"

#include <algorithm>

#include "advise/moved_job.hpp"

namespace weighbridge {

namespace {

/// Behind what fits, by how much is wrong.
double rank_of(VerdictClass kind) {
  constexpr VerdictClass order[] = {VerdictClass::fits, VerdictClass::offload, VerdictClass::tight,
                                    VerdictClass::no,   VerdictClass::unknown, VerdictClass::impossible};
  return static_cast<double>(std::find(std::begin(order), std::end(order), kind) - std::begin(order));
}

/// As costs_less() has it.
void add_price(std::vector<double>& rank, const Machine* machine) {
  const std::optional<HourlyPrice> price = machine != nullptr ? machine->price : std::nullopt;
  rank.insert(rank.end(), {price ? 0.0 : 1.0, price && price->currency != "USD" ? 1.0 : 0.0, price ? price->per_hour : 0.0});
}

double in_doubles(Bytes bytes) { return static_cast<double>(bytes.count()); }

template <class Row>
void sort_by_rank(std::vector<Row>& rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.rank < b.rank; });
}

/// Of each currency the cheapest machine that has `count` of the device, and no others.
std::vector<const Machine*> cheapest_with(const std::vector<Machine>& machines, const std::string& device, std::int64_t count) {
  std::vector<const Machine*> found;
  for (const Machine& machine : machines) {
    if (!machine.price || machine.devices.size() != 1) continue;
    if (machine.devices.front().device == device && machine.devices.front().count >= count) found.push_back(&machine);
  }
  std::sort(found.begin(), found.end(), [](const Machine* a, const Machine* b) { return costs_less(*a, *b); });
  const auto is_same_money = [](const Machine* a, const Machine* b) { return a->price->currency == b->price->currency; };
  found.erase(std::unique(found.begin(), found.end(), is_same_money), found.end());
  return found;
}

std::int64_t count_of(const MovedJob& job) { return job.scenario.device_count(); }

Result<OnDevice> on_device(Trials& trials, const Device& device, std::int64_t asked, const std::vector<Machine>& machines) {
  OnDevice row;
  row.device = &device;
  const bool is_single = device.unified_memory || device.stands_alone();
  row.count = is_single ? 1 : asked;
  const auto patch_of = [&](std::int64_t count) {
    return alone(trials, moved_patch(trials, Json::array({{{"device", device.id}, {"count", count}}})));
  };
  Result<MovedJob> told = told_in_some_layout(trials, patch_of(row.count), row.count);
  if (!told) return fail(told.error());
  row.asked = std::move(*told);
  Result<std::optional<MovedJob>> fewest = fewest_of(trials, is_single ? 1 : kMostTried, patch_of);
  if (!fewest) return fail(fewest.error());
  row.fewest = std::move(*fewest);
  if (row.fewest) {
    row.machines = cheapest_with(machines, device.id, count_of(*row.fewest));
    row.rank = {0, static_cast<double>(count_of(*row.fewest))};
    add_price(row.rank, row.machines.empty() ? nullptr : row.machines.front());
  } else {
    row.rank = {1, rank_of(row.asked.answer.verdict.kind)};
  }
  row.rank.push_back(in_doubles(device.runtime_bytes));
  return row;
}

}  // namespace

Result<std::vector<OnDevice>> compare_devices(const Json& params, const Model& model, const Catalogue& catalogue,
                                              const std::vector<const Device*>& devices, const std::vector<Machine>& machines) {
  const std::vector<Model> none;
  Trials trials(params, model, none, catalogue);
  const Result<Setup> given = trials.read(Json::object());
  if (!given) return fail(given.error());
  const std::int64_t count = std::max<std::int64_t>(1, given->scenario.device_count());
  std::vector<OnDevice> rows;
  for (const Device* device : devices) {
    Result<OnDevice> row = on_device(trials, *device, count, machines);
    if (!row) return fail(row.error());
    rows.push_back(std::move(*row));
  }
  sort_by_rank(rows);
  return rows;
}

Result<std::vector<OnMachine>> compare_machines(const Json& params, const Model& model, const Catalogue& catalogue,
                                                const std::vector<Machine>& machines) {
  const std::vector<Model> none;
  Trials trials(params, model, none, catalogue);
  std::vector<OnMachine> rows;
  for (const Machine& machine : machines) {
    Result<MovedJob> job = told_on(trials, machine);
    if (!job) return fail(job.error());
    OnMachine row{&machine, std::move(*job), {}};
    row.rank = {rank_of(row.job.answer.verdict.kind)};
    add_price(row.rank, &machine);
    Bytes memory;
    for (const DeviceGroup& group : row.job.scenario.hardware) memory += group.device.runtime_bytes * static_cast<std::uint64_t>(group.count);
    row.rank.push_back(in_doubles(memory));
    rows.push_back(std::move(row));
  }
  sort_by_rank(rows);
  return rows;
}

}  // namespace weighbridge
