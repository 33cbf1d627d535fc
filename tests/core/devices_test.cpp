// SPDX-License-Identifier: Apache-2.0
// The check of the data on devices and machines: units, ranges, that figures agree with each other, and that each has its source.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "api_fixture.hpp"
#include "embedded.hpp"

namespace weighbridge::devices_test {
namespace {

using testing::Json;

/// Nobody repeats a name of a device or a machine, whatever its letters' case.
std::string lowered(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

const Json& devices() {
  static const Json rows = testing::parse(embedded("gpus.json"))["devices"];
  return rows;
}

const Json& machines() {
  static const Json rows = testing::parse(embedded("machines.json"))["machines"];
  return rows;
}

double number(const Json& row, const char* key) { return row.value(key, 0.0); }

/// How a figure came to be known: `exact` follows from what the thing is; `estimated` is a bound on the safe side.
bool is_basis(const std::string& basis) {
  static const std::set<std::string> known{"exact", "measured", "second-hand", "recalled", "estimated", "contested"};
  return known.count(basis) == 1;
}

/// `name`_basis and `name`_source, which a figure must not be without.
void expect_sourced(const Json& row, const std::string& name, const std::string& where) {
  EXPECT_TRUE(is_basis(row.value(name + "_basis", ""))) << where << " " << name;
  EXPECT_FALSE(row.value(name + "_source", "").empty()) << where << " " << name;
}

TEST(Devices, ThereAreAtLeastThreeHundredOfEveryKind) {
  std::map<std::string, int> kinds;
  std::set<std::string> vendors;
  for (const Json& device : devices()) {
    ++kinds[device["kind"].get<std::string>()];
    vendors.insert(device["vendor"].get<std::string>());
  }
  EXPECT_GE(devices().size(), 300U);
  const std::map<std::string, int> least{{"consumer", 80}, {"laptop", 25}, {"workstation", 35}, {"datacenter", 60}, {"edge", 15},
                                         {"apu", 8},       {"apple", 50},  {"tpu", 5},          {"npu", 15},        {"slice", 40}};
  EXPECT_EQ(kinds.size(), least.size());
  for (const auto& [kind, count] : least) EXPECT_GE(kinds[kind], count) << kind;
  for (const char* vendor : {"NVIDIA", "AMD", "Intel", "Apple", "Google", "Huawei", "AWS", "Moore Threads", "Cambricon", "Hygon", "Tenstorrent"})
    EXPECT_EQ(vendors.count(vendor), 1U) << vendor;
}

TEST(Devices, NoNameIsShared) {
  std::set<std::string> shown;
  for (const Json& device : devices()) {
    EXPECT_TRUE(shown.insert(lowered(device["name"])).second) << device["name"];
    if (device["short_name"] != device["name"]) {
      EXPECT_TRUE(shown.insert(lowered(device["short_name"])).second) << device["short_name"];
    }
  }
}

TEST(Devices, EveryFigureHasItsSourceAndItsBasis) {
  for (const Json& device : devices()) {
    const std::string id = device["id"];
    const Json& memory = device["memory"];
    expect_sourced(memory, "driver", id);
    expect_sourced(memory, "runtime", id);
    EXPECT_FALSE(memory.value("marketed_source", "").empty()) << id;
    EXPECT_FALSE(device.value("architecture_source", "").empty()) << id;
    EXPECT_FALSE(device.value("formats_source", "").empty()) << id;
    if (device.contains("bandwidth_gb_s")) {
      expect_sourced(device, "bandwidth", id);
    } else {
      EXPECT_EQ(device["bandwidth_basis"], "unknown") << id;
    }
    EXPECT_LE(device.contains("link_gb_s"), device.contains("interconnect")) << id;
    for (const char* part : {"tflops", "interconnect"})
      if (device.contains(part)) expect_sourced(device, part, id);
    if (memory.contains("windows_mib")) expect_sourced(memory, "windows", id);
    for (const char* part : {"rate", "older_driver", "ecc", "ecc_on", "newer_default_limit"})
      for (const std::string unit : {"", "_mib", "_gbps"})
        if (memory.contains(part + unit)) {
          EXPECT_FALSE(memory.value(std::string(part) + "_source", "").empty()) << id << " " << part;
        }
  }
}

TEST(Devices, MemoryIsInMiBAndShrinksFromTheBoxToTheRuntime) {
  for (const Json& device : devices()) {
    const Json& memory = device["memory"];
    const double marketed = number(memory, "marketed_gb") * 1024;
    const double driver = number(memory, "driver_mib");
    const double runtime = number(memory, "runtime_mib");
    EXPECT_GE(marketed, 2 * 1024) << device["id"];
    EXPECT_LE(marketed, 1024 * 1024) << device["id"];
    // The B200 is sold as 180 GB, and HGX pages differ: a driver may show a little more than the box says, never a decimal gigabyte's worth.
    EXPECT_LE(driver, marketed * 1.025) << device["id"];
    EXPECT_LE(runtime, driver) << device["id"];
    const bool is_shared = device["unified_memory"].get<bool>();
    EXPECT_GE(driver, marketed * 0.86) << device["id"];
    EXPECT_GE(runtime, marketed * (is_shared ? 0.48 : 0.78)) << device["id"];
    EXPECT_LE(number(memory, "windows_mib"), driver) << device["id"];
    EXPECT_LE(number(memory, "ecc_on_mib"), marketed * 0.94) << device["id"];
    EXPECT_LE(number(memory, "newer_default_limit_mib"), driver) << device["id"];
  }
}

// A figure that nobody saw is a bound from below, so that no model is promised room that is not there.
TEST(Devices, WhatTheDriverWasNotSeenToReportIsNeverMoreThanTheMarketedSize) {
  int bounds = 0;
  for (const Json& device : devices()) {
    const Json& memory = device["memory"];
    if (memory["driver_basis"] != "estimated") continue;
    ++bounds;
    EXPECT_LE(number(memory, "driver_mib"), std::max(number(memory, "marketed_gb"), device["id"] == "b100" ? 180.0 : 0.0) * 1024) << device["id"];
    EXPECT_NE(memory["runtime_basis"], "exact") << device["id"];
  }
  EXPECT_GE(bounds, 100);
}

// Names round the rate and the bandwidth: 3 % covers all of them, and is less than any step from one memory to the next.
TEST(Devices, BandwidthIsBusTimesRate) {
  int checked = 0;
  for (const Json& device : devices()) {
    const Json& memory = device["memory"];
    if (!memory.contains("rate_gbps") || !device.contains("bandwidth_gb_s")) continue;
    const double computed = number(memory, "rate_gbps") * number(memory, "bus_bits") / 8;
    EXPECT_NEAR(computed / device["bandwidth_gb_s"].get<double>(), 1.0, 0.03) << device["id"] << " " << computed;
    ++checked;
  }
  EXPECT_GE(checked, 230);
}

// The words count both directions of NVLink and one of PCIe, as vendors do; the number is that of one.
TEST(Devices, ALinkIsThatOfOneDirection) {
  const std::map<std::string, double> links{{"h100-sxm", 450}, {"a100-sxm4-80gb", 300}, {"rtx-4090", 31.504}, {"rtx-5090", 63.008}, {"mi300x", 448}};
  std::size_t found = 0;
  for (const Json& device : devices()) {
    if (!device.contains("link_gb_s")) continue;
    const double link = device["link_gb_s"].get<double>();
    EXPECT_GE(link, 7) << device["id"];
    EXPECT_LE(link, 1800) << device["id"];
    const auto known = links.find(device["id"].get<std::string>());
    if (known == links.end()) continue;
    ++found;
    EXPECT_DOUBLE_EQ(link, known->second) << device["id"];
  }
  EXPECT_EQ(found, links.size());
}

TEST(Devices, RatesAreDenseAndHalveWithTheBits) {
  for (const Json& device : devices()) {
    if (device.contains("bandwidth_gb_s")) {
      EXPECT_GE(device["bandwidth_gb_s"].get<double>(), 20) << device["id"];
      EXPECT_LE(device["bandwidth_gb_s"].get<double>(), 24'000) << device["id"];
    }
    if (!device.contains("tflops")) continue;
    const Json& rates = device["tflops"];
    for (const auto& [format, rate] : rates.items()) {
      EXPECT_GT(rate.get<double>(), 0) << device["id"] << " " << format;
      EXPECT_LE(rate.get<double>(), 50'000) << device["id"] << " " << format;
    }
    // Eight bits run at one to two times sixteen; a sparse figure among dense ones would double that.
    if (device["tflops_basis"] != "contested" && rates.contains("fp8") && rates.contains("fp16")) {
      const double ratio = rates["fp8"].get<double>() / rates["fp16"].get<double>();
      EXPECT_GE(ratio, 0.99) << device["id"];
      EXPECT_LE(ratio, 2.3) << device["id"];
    }
  }
}

TEST(Devices, FormatsFollowTheComputeCapability) {
  for (const Json& device : devices()) {
    const std::set<std::string> formats(device["formats"].begin(), device["formats"].end());
    for (const std::string& format : formats)
      EXPECT_TRUE(format == "fp16" || format == "bf16" || format == "int8" || format == "fp8" || format == "fp4");
    if (!device.contains("compute_capability")) continue;
    const double capability = std::stod(device["compute_capability"].get<std::string>());
    EXPECT_EQ(formats.count("bf16") == 1, capability >= 8.0) << device["id"];
    EXPECT_EQ(formats.count("fp8") == 1, capability >= 8.85) << device["id"];
    EXPECT_EQ(formats.count("fp4") == 1, capability >= 10.0) << device["id"];
    EXPECT_EQ(device["vendor"], "NVIDIA") << device["id"];
  }
}

TEST(Devices, ASliceIsSmallerThanItsCard) {
  std::map<std::string, const Json*> by_id;
  for (const Json& device : devices()) by_id[device["id"]] = &device;
  for (const Json& device : devices()) {
    EXPECT_EQ(device.contains("slice_of"), device["kind"] == "slice") << device["id"];
    EXPECT_EQ(device.value("mig", false), device["name"].get<std::string>().find(" MIG ") != std::string::npos) << device["id"];
    if (!device.contains("slice_of")) continue;
    const auto whole = by_id.find(device["slice_of"]);
    ASSERT_NE(whole, by_id.end()) << device["id"];
    // Not than what the whole card shows: a virtual A10 of 24 GB has no ECC, and shows more than an A10 with it.
    EXPECT_LE(number(device["memory"], "driver_mib"), number((*whole->second)["memory"], "marketed_gb") * 1024) << device["id"];
    EXPECT_LE(device["bandwidth_gb_s"].get<double>(), (*whole->second)["bandwidth_gb_s"].get<double>()) << device["id"];
    EXPECT_EQ(device["compute_capability"], (*whole->second)["compute_capability"]) << device["id"];
  }
}

TEST(Devices, AnAcceleratorWithoutRulesIsListedButNotCounted) {
  const Json catalogue = testing::call("catalogue", Json::object())["result"];
  for (const Json& engine : catalogue["engines"]) {
    const std::string name = engine["name"];
    if (name == "article") continue;  // its rule asks for nothing but memory
    const bool is_gguf = name == "llama.cpp" || name == "ollama" || name == "lm-studio";
    Json params = testing::usual_request();
    params["model"]["id"] = "Qwen/Qwen3-0.6B";
    params["engine"] = {{"name", name}};
    params["hardware"] = Json::array({{{"device", "ascend-910b3"}, {"count", 1}}});
    params["weights"] = {{"format", is_gguf ? "gguf:Q4_K_M" : name == "exllamav2" ? "exl2-4bpw" : name == "exllamav3" ? "exl3-4bpw" : "checkpoint"}};
    params["workload"] = {{"context_tokens", 1024}, {"sequences", 1}};
    params.erase("parallel");
    const Json verdict = testing::estimate(params)["verdict"];
    EXPECT_EQ(verdict["class"], "impossible") << name;
    EXPECT_EQ(verdict["reason"]["where"].get<std::string>().rfind("params.hardware", 0), 0U) << name;
  }
}

TEST(Machines, ThereAreAtLeastTwoHundredAndThirtyAndNoneTwice) {
  std::set<std::string> ids, names;
  for (const Json& machine : machines()) {
    EXPECT_TRUE(ids.insert(lowered(machine["id"])).second) << machine["id"];
    EXPECT_TRUE(names.insert(lowered(machine["provider"].get<std::string>() + " " + machine["name"].get<std::string>())).second) << machine["name"];
    EXPECT_TRUE(machine["kind"] == "instance" || machine["kind"] == "system") << machine["id"];
    EXPECT_EQ(machine["provider"] == "", machine["kind"] == "system") << machine["id"];
  }
  EXPECT_GE(machines().size(), 230U);
}

TEST(Machines, HoldDevicesOfTheCatalogueAndSourcedFigures) {
  std::set<std::string> known;
  for (const Json& device : devices()) known.insert(device["id"].get<std::string>());
  for (const Json& machine : machines()) {
    const std::string id = machine["id"];
    ASSERT_FALSE(machine["gpus"].empty()) << id;
    for (const Json& gpu : machine["gpus"]) {
      EXPECT_EQ(known.count(gpu["device"]), 1U) << id << " " << gpu["device"];
      EXPECT_GE(gpu["count"].get<int>(), 1) << id;
      EXPECT_LE(gpu["count"].get<int>(), 72) << id;
    }
    EXPECT_TRUE(is_basis(machine["basis"])) << id;
    EXPECT_FALSE(machine["source"].get<std::string>().empty()) << id;
    if (machine.contains("host_memory_gib")) {
      EXPECT_TRUE(is_basis(machine.value("host_memory_basis", ""))) << id;
      EXPECT_GE(machine["host_memory_gib"].get<double>(), 3) << id;
      EXPECT_LE(machine["host_memory_gib"].get<double>(), 32'768) << id;
    }
    if (machine.contains("interconnect")) {
      EXPECT_TRUE(is_basis(machine.value("interconnect_basis", ""))) << id;
    }
  }
}

TEST(Machines, APriceHasItsDateItsRegionAndItsCurrency) {
  int priced = 0;
  for (const Json& machine : machines()) {
    if (!machine.contains("price")) continue;
    ++priced;
    const Json& price = machine["price"];
    const std::string date = price["date"];
    EXPECT_EQ(date.substr(0, 2), "20") << machine["id"];
    EXPECT_TRUE(date.size() == 4 || date.size() == 7 || date.size() == 10) << machine["id"];
    EXPECT_FALSE(price["region"].get<std::string>().empty()) << machine["id"];
    EXPECT_TRUE(price["currency"] == "USD" || price["currency"] == "CNY") << machine["id"];
    EXPECT_TRUE(is_basis(price["basis"])) << machine["id"];
    EXPECT_GT(price["per_hour"].get<double>(), 0.05) << machine["id"];
    EXPECT_LT(price["per_hour"].get<double>(), 2'000) << machine["id"];
  }
  EXPECT_GE(priced, 150);
}

}  // namespace
}  // namespace weighbridge::devices_test
