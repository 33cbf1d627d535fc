// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// A figure that lies between two bounds, `low` <= `high`.
struct Between {
  double low = 0;
  double high = 0;
};

/// How much of what a device could do an engine was seen to reach. Two bounds each, for nobody measures them apart: the upper ones together hold
/// the fastest records, the lower ones the slowest.
struct SpeedBand {
  std::string_view engine;   ///< whose records these are; empty: of all engines, for one that has none
  Between bandwidth;         ///< share of the memory's bandwidth
  Between operations;        ///< share of the dense peak of matrix units
  Between plain_operations;  ///< the same of a device without any: its 32-bit peak
  Between layer_seconds;     ///< that each layer of each step takes beside both: kernel starts, small operations, waiting for other devices
  bool in_turn = false;      ///< devices that hold different layers work one after the other on a step
  std::int64_t step_tokens;  ///< of a prompt that one step takes, at most
  int records = 0;           ///< of generating, behind the band, in tests/truth/speed.jsonl
  int prompts = 0;           ///< of reading prompts, likewise
  int groups = 0;            ///< of machines and hands that all of them come from
};

/// The band for an engine by its name; that of all engines where it has no record.
[[nodiscard]] const SpeedBand& speed_band(std::string_view engine);

/// What a step spends its time on.
enum class SpeedCause { weights, cache, host, operations, layers, link };

/// The time of one cause in the fastest and in the slowest reading, in seconds.
struct SpeedPart {
  SpeedCause cause = SpeedCause::weights;
  Between seconds;
};

/// Why there is no figure.
enum class SpeedGap { does_not_run, does_not_fit, unknown_bandwidth, unknown_operations, drafts, part_on_host, no_layers, reads_only };

/// How fast a model runs that way: from the bytes that a step reads and the operations it takes, against what the devices can do.
struct Speed {
  SpeedBand band;
  std::int64_t tokens = 0;            ///< that each sequence has in the cache
  std::optional<Between> decode;      ///< tokens a second, of all sequences together
  std::optional<SpeedGap> no_decode;  ///< why not
  std::vector<SpeedPart> parts;       ///< of a decode step
  Bytes weights_read;                 ///< by a decode step, on all devices together
  Bytes cache_read;
  Bytes host_read;        ///< of what lies in system memory
  double operations = 0;  ///< of a decode step
  std::int64_t prompt_tokens = 0;
  std::optional<Between> prefill;      ///< tokens a second of one prompt that is read alone
  std::optional<Between> first_token;  ///< seconds until its first token
  std::optional<SpeedGap> no_prefill;
  bool assumes_host = false;            ///< the bandwidth of system memory was not given: kHostBandwidth
  bool assumes_operations = false;      ///< what a device calculates is not known: kUnknownOperations
  bool assumes_idle_guests = false;     ///< a vGPU has its card's time for itself
  std::optional<Between> assumed_link;  ///< that between devices is not known, in 10^9 bytes a second: kUnknownLink or kUnknownNetwork
};

/// System memory of unknown speed, in 10^9 bytes a second: from two channels of DDR4-2666 to twelve of DDR5-4800 (channels x 8 bytes x rate).
inline constexpr Between kHostBandwidth{42.7, 460.8};
/// Devices of unknown connection, likewise: from eight lanes of PCIe 3.0 to sixteen of PCIe 5.0.
inline constexpr Between kUnknownLink{7.9, 63.0};
/// Machines of unknown connection: from Ethernet of 10 Gb/s to InfiniBand of 400 Gb/s for each device.
inline constexpr Between kUnknownNetwork{1.25, 50.0};

/// What a device of unknown rates calculates, in 16 bits, for each byte that its memory delivers: the least and the most in core/data/gpus.
inline constexpr Between kUnknownOperations{9.0, 950.0};

/// `host_gb_s`: bandwidth of system memory in 10^9 bytes a second, if it is known. `prepared` must be in the loaded_format() of `scenario`.
/// Fails as estimate() does; what cannot be told has a gap instead of a figure.
[[nodiscard]] Result<Speed> estimate_speed(Prepared& prepared, const Scenario& scenario, std::optional<double> host_gb_s = std::nullopt);

}  // namespace weighbridge
