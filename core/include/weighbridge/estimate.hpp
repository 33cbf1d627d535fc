// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/model.hpp"
#include "weighbridge/result.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

struct Memo;  // engine/engine.hpp

/// How a figure came about.
enum class Basis {
  exact,     ///< the engine allocates deterministically, and we count as it does
  modelled,  ///< read from the engine's source; kernels and allocators add what no source shows
  measured,  ///< a figure seen on real machines
};

enum class Op { times, divide, ceil_divide, plus, minus };

/// One number of a formula with the name of what it is (a code that the page translates).
struct Factor {
  std::string_view name;
  std::int64_t value = 0;
  Op op = Op::times;
};

/// One line of a formula: its factors, taken left to right in whole numbers, give `bytes`.
struct FormulaRow {
  std::string_view label;
  std::vector<Factor> factors;
  Bytes bytes;
  bool chosen = true;  ///< in a maximum: the row that decides
};

struct Formula {
  bool is_maximum = false;  ///< the largest row counts; otherwise rows add up
  std::vector<FormulaRow> rows;
  std::vector<std::string_view> config_keys;  ///< the model's keys behind the numbers
  std::string_view note;                      ///< a code for one explaining sentence, may be empty
};

struct Source {
  std::string_view text;
  std::string_view url;
};

/// One cause of memory use on one device.
struct Term {
  std::string_view id;  ///< weights, kv_cache, compute, cuda_graphs, overhead
  Bytes bytes;
  Bytes low;
  Bytes high;
  bool inside_limit = true;  ///< counts against the engine's own limit, not only against the card
  Basis basis = Basis::exact;
  int records = 0;  ///< independent measured records behind the band; 0 = read from source, not measured
  Formula formula;
  Source source;
};

/// What one device needs and may use, or several equal ones that need the same.
struct DevicePlan {
  std::size_t group = 0;   ///< index into Scenario::hardware
  std::int64_t count = 1;  ///< devices of the group that this describes, in the order of the hardware
  Bytes capacity;          ///< what the runtime sees of the card, less what is used there
  Bytes limit;             ///< what the engine lets itself use
  Bytes reserved;          ///< what the engine takes, needed or not (a pool)
  Bytes observed;          ///< what nvidia-smi would show
  std::vector<Term> terms;

  [[nodiscard]] Bytes total() const;
  [[nodiscard]] Bytes low() const;
  [[nodiscard]] Bytes high() const;
  [[nodiscard]] Bytes inside() const;  ///< sum of the terms that count against `limit`
};

/// What the host needs beside the devices, or alone.
struct HostPlan {
  std::optional<Bytes> capacity;  ///< memory less what is used; empty: not known
  Bytes load_peak;                ///< most that it holds while the weights are read; what the system may drop again is not in it
  bool holds_model = false;       ///< the model or a part of it lies there, so that it decides as a device does
  Bytes mapped;                   ///< of the weights' file in the system's page cache, which it may drop again
  std::vector<Term> terms;

  [[nodiscard]] Bytes total() const;
  [[nodiscard]] Bytes low() const;
  [[nodiscard]] Bytes high() const;
};

/// The settings that an engine's automatic fit comes to.
struct Fitted {
  bool is_changed = false;  ///< something had to change, and was not set by hand
  bool is_whole = false;    ///< everything lies on the devices
  bool is_partial = false;  ///< and what does not was left to the host by the fit, not by hand
  std::int64_t n_ctx = 0;   ///< tokens of all sequences together
  std::int64_t gpu_layers = -1;
  std::vector<std::int64_t> tensor_split;  ///< layers of each device; empty: as it is by default
  std::vector<TensorOverride> override_tensor;
  std::string flags;  ///< as the engine's command line takes them
};

/// What an engine does with a request that its pool has no room for, though nothing else is there.
enum class Overlong {
  unknown,          ///< it has no pool, or its plan says so itself
  refuses_start,    ///< it does not start with such a limit
  refuses_request,  ///< it starts, holds requests to what the pool has, and refuses longer prompts
  ends_request,     ///< it starts, and ends such a request as out of memory
};

/// What the engine itself would report at start.
struct EngineReport {
  std::string name;
  std::string version;  ///< the version whose rules were used
  std::optional<std::int64_t> kv_cache_tokens;
  std::optional<Bytes> kv_cache_pool;
  std::optional<double> max_concurrency;
  std::optional<std::int64_t> gpu_layers;              ///< layers on devices, the output layer counted as one
  std::optional<std::int64_t> all_gpu_layers;          ///< as many as there are
  bool tensors_on_host = false;                        ///< of layers on devices some tensors stay on the host
  std::int64_t host_expert_layers = 0;                 ///< of layers on devices, those whose routed experts do
  std::optional<std::int64_t> default_context_tokens;  ///< what the engine would take on this machine if none were asked for
  std::optional<Fitted> fitted;
  Overlong overlong = Overlong::unknown;
  std::string command;         ///< the engine with what was counted, or what is offered in its place, as a line for a shell; empty: none is made
  std::string fitted_command;  ///< the same with the settings that `fitted` says
};

/// What an option of the engine may be, by its own name: a word ("false" of a flag), or a number where there is none.
struct NearestOption {
  std::string name;
  std::int64_t number = 0;
  std::string word;
};

/// Of the hardware that was given, one group with so many devices.
struct NearestHardware {
  std::size_t group = 0;
  std::int64_t count = 0;
};

enum class VerdictClass { fits, tight, offload, no, impossible, unknown };

struct Verdict {
  VerdictClass kind = VerdictClass::unknown;
  std::size_t device = 0;                                  ///< index into Estimate::devices of the device that decides
  bool card_binds = false;                                 ///< the card, not the engine's own limit, is the nearer bound
  bool host_binds = false;                                 ///< the host's memory is what decides
  Bytes need, low, high, limit;                            ///< all against the binding bound
  std::optional<Notice> reason;                            ///< why it cannot run this way, or cannot be counted
  std::optional<std::int64_t> nearest_tensor_parallel;     ///< a split that works
  std::optional<double> nearest_share;                     ///< of memory, at which the engine starts (gpu_memory_utilization and the like)
  std::optional<Parallel> nearest_parallel;                ///< a layout over the same devices that works
  std::optional<std::int64_t> nearest_context_tokens;      ///< the longest request that the engine starts with
  std::optional<std::int64_t> nearest_gpu_layers;          ///< most layers that the devices hold
  std::optional<Bytes> offload_host_bytes;                 ///< what the host needs at nearest_gpu_layers
  std::optional<std::string_view> nearest_weights_format;  ///< a format that the engine runs
  std::optional<std::string_view> nearest_cache_type;      ///< a cache type that it has
  std::optional<NearestOption> nearest_option;             ///< what an option may be that is refused as it is
  std::optional<NearestHardware> nearest_hardware;         ///< devices that the engine takes
  std::optional<std::int64_t> nearest_sequences;           ///< as many as it runs at the same time
  std::optional<std::string_view> nearest_version;         ///< of the engine, that runs it
  std::optional<VerdictClass> with_raised_limit;           ///< the better verdict once the system lets the devices take more (raise_command)
};

struct Estimate {
  EngineReport engine;
  std::vector<DevicePlan> devices;  ///< in the order of the hardware
  std::optional<HostPlan> host;     ///< empty: the engine's host use is not counted
  Verdict verdict;
  std::optional<std::int64_t> max_context_tokens;   ///< per sequence, at the given number of sequences; 0: none; empty: none without the host
  std::optional<std::int64_t> safe_context_tokens;  ///< the same by the high bounds: what surely holds
  std::optional<std::int64_t> max_sequences;        ///< at the given context; the same
  std::optional<std::int64_t> safe_sequences;       ///< the same by the high bounds
  std::optional<std::int64_t> fewest_devices;       ///< of the first device's kind
  std::int64_t fewest_stages = 1;                   ///< of a pipeline over them, in which they hold it; within a stage, tensor parallel
  Notices warnings;
};

/// How much memory each device needs to run `model` as `scenario` says, whether it fits, and how far it could go.
/// Fails on an unknown engine, format or cache type, and on numbers out of range. A way of running that the engine
/// refuses is not a failure but a verdict of class `impossible` with its reason.
[[nodiscard]] Result<Estimate> estimate(const Model& model, const Scenario& scenario);

/// The weights format that the scenario's engine loads: the given one, or what it makes of the checkpoint (llama.cpp: `gguf:BF16`).
[[nodiscard]] std::string_view loaded_format(const Model& model, const Scenario& scenario);

/// What the host's memory holds of `host`; class `unknown` if its size is not known.
[[nodiscard]] VerdictClass judge_host(const HostPlan& host);

/// A model in one weights format, ready to be evaluated many times: its tensors are derived once, and what an engine finds to be independent
/// of context and sequences is kept. Borrows `model`. `weights_format` must be one that find_weights_format() knows.
class Prepared {
 public:
  /// `like`: the same model in another format; a GGUF file made of another one is quickly made.
  Prepared(const Model& model, std::string_view weights_format, const Prepared* like = nullptr);
  ~Prepared();
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const std::vector<Tensor>& tensors() const { return *tensors_; }
  [[nodiscard]] Memo& memo() { return *memo_; }

 private:
  const Model& model_;
  bool is_gguf_;  ///< converted, not read from a file
  std::vector<Tensor> derived_;
  const std::vector<Tensor>* tensors_;
  std::unique_ptr<Memo> memo_;
};

/// estimate() with a model that is ready; `prepared` must be in the loaded_format() of `scenario`.
[[nodiscard]] Result<Estimate> estimate(Prepared& prepared, const Scenario& scenario);

/// estimate() without the solved limits, formulas, texts and the engine's report: one evaluation, for sweeps and solvers.
/// `prepared` must be in the loaded_format() of `scenario`.
[[nodiscard]] Result<Estimate> evaluate(Prepared& prepared, const Scenario& scenario);

/// estimate() with formulas but without the solved limits: for what reads the rows of its terms.
/// `prepared` must be in the loaded_format() of `scenario`.
[[nodiscard]] Result<Estimate> evaluate_with_rows(Prepared& prepared, const Scenario& scenario);

/// Which figure of a need is held against a limit.
enum class Figure { best, high };

/// Room left against each bound, in bytes: negative if the figure does not hold; none at all if it cannot run this way.
using Rooms = std::vector<std::int64_t>;

/// Against both bounds of each device, the engine's and the card's. A host whose memory is known counts as one more device.
[[nodiscard]] Rooms rooms(const Estimate& estimate, Figure figure);

/// The same of both figures, in their order.
using RoomsByFigure = std::array<Rooms, 2>;
[[nodiscard]] RoomsByFigure rooms_by_figure(const Estimate& estimate);

/// The smallest of rooms().
[[nodiscard]] std::optional<std::int64_t> margin(const Estimate& estimate, Figure figure);

}  // namespace weighbridge
