// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scoreboard.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge::truth {

using Json = nlohmann::ordered_json;

/// The records of one file, one JSON object a line. Ends the program with a message if the file cannot be read.
[[nodiscard]] std::vector<Json> read_lines(const std::string& path);

/// The JSON of a whole file. Ends the program with a message if it cannot be read.
[[nodiscard]] Json read_json(const std::string& path);

using Models = std::map<std::string, Model>;
/// The models of models.jsonl by name, each with its config.json's keys as `config`.
[[nodiscard]] Models read_models(const std::string& folder);

/// config.json of each model that records of llama.cpp name: those of models.jsonl, and those of `catalogue`, the joined catalogue file.
using Configs = std::map<std::string, Json>;
[[nodiscard]] Configs read_configs(const std::string& folder, const std::string& catalogue);

constexpr const char* kLlamaCpp = "llama.cpp";

/// The params of an estimate for a record's model, format and number of GPUs under llama.cpp. Its devices are so large that nothing is short: that is
/// how the records were planned.
[[nodiscard]] Json roomy_request(const Json& record, const Configs& configs, Json options);

/// Each compares one kind of record with the core, prints its table and tells whether the errors stay within their bounds.
[[nodiscard]] bool check_mix(const std::string& folder, const Models& models);
/// `catalogue` is the joined catalogue file. A row that we cannot meet says why under `miss`; a miss without a reason fails, the others stand on
/// `board`.
[[nodiscard]] bool check_parameters(const std::string& catalogue, Scoreboard& board);
/// Enters every plan into `board`. True if verdicts agree and the errors stay within the bounds that README.md names.
[[nodiscard]] bool check_contexts(const std::string& folder, const std::string& catalogue, Scoreboard& board);
/// Models that draft, and image encoders. True if each has an answer, and weights and caches of the first are the engine's.
[[nodiscard]] bool check_extras(const std::string& folder, const std::string& catalogue, Scoreboard& board);
/// Buffers that llama.cpp logged. True if each that is off by more than was printed says why under `miss`.
[[nodiscard]] bool check_logs(const std::string& folder);
/// Figures of serving engines. A miss of weights or of a pool's tokens above 1 % says why under `miss`; one without a reason fails.
[[nodiscard]] bool check_serving(const std::string& folder, Scoreboard& board);
/// Tokens a second. A band that does not say how many records it rests on fails.
[[nodiscard]] bool check_speed(const std::string& folder, Scoreboard& board);
/// The engine's automatic fit.
[[nodiscard]] bool check_fits(const std::string& folder, const std::string& catalogue);

}  // namespace weighbridge::truth
