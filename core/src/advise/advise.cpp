// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/advise.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "advise/advise_trials.hpp"
#include "advise/moved_job.hpp"
#include "engine/engine.hpp"
#include "fit_trial.hpp"

namespace weighbridge {

namespace {

constexpr std::size_t kMostAlike = 2;   // rows that a strategy is part of
constexpr std::int64_t kLeastGain = 4;  // a change that is not enough alone gains at least a fourth of what is missing

/// Prices that nobody pays for room beyond what is needed.
bool is_only_for_need(Price price) {
  return price == Price::experts_on_host || price == Price::layers_on_host || price == Price::weights_3bit || price == Price::weights_2bit ||
         price == Price::more_devices;
}

bool is_offload(const Change& change) { return change.strategy == Strategy::experts || change.strategy == Strategy::layers; }

/// Changes that others are solved on top of: narrower formats by what people have published files for.
bool is_ground(const Change& change) {
  return change.price == Price::as_published || change.price == Price::cache_8bit || change.price == Price::weights_8bit ||
         change.price == Price::weights_4bit;
}

bool costs_no_more(const Change& a, const Change& b) {
  return a.strategy == b.strategy && std::tie(a.price, a.extent) <= std::tie(b.price, b.extent);
}

bool asks_less(const Change& change) { return change.price >= Price::no_images && change.price <= Price::fewer_requests; }

/// Of two pairs that have a change in common: the other one of `b` asks less of the model, and that of `a` costs less than that.
bool asks_more(const Advice& a, const Advice& b) {
  if (a.changes.size() != 2 || b.changes.size() != 2) return false;
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      if (costs_no_more(a.changes[i], b.changes[j]) && a.changes[1 - i].price < Price::no_images && asks_less(b.changes[1 - j])) return true;
  return false;
}

/// Nothing in `a` costs more than what `b` has of the same, or asks less of the model than what `b` has in its place.
bool costs_no_more(const Advice& a, const Advice& b) {
  const bool is_part = std::all_of(a.changes.begin(), a.changes.end(), [&](const Change& change) {
    return std::any_of(b.changes.begin(), b.changes.end(), [&](const Change& other) { return costs_no_more(change, other); });
  });
  return is_part || asks_more(a, b);
}

/// The room that the verdict counts; nothing where nothing was counted.
std::optional<std::int64_t> free_of(const Estimate& answer) {
  if (answer.devices.empty() && !answer.host) return std::nullopt;
  return difference(answer.verdict.limit, answer.verdict.need);
}

bool loses_less(const Advice& a, const Advice& b) {
  const auto key = [](const Advice& row) {
    const Change& last = row.changes.back();
    const bool is_pair = row.changes.size() > 1;
    return std::make_tuple(row.changes.front().price, is_pair, is_pair ? last.price : Price::as_published, row.changes.front().extent);
  };
  return key(a) < key(b);
}

class Search {
 public:
  Search(const Json& params, const Model& model, const std::vector<Model>& relatives, const Catalogue& catalogue)
      : trials_(params, model, relatives, catalogue) {}

  Result<AdviceList> run() {
    const Result<Setup> setup = trials_.read(Json::object());
    if (!setup) return fail(setup.error());
    Result<Estimate> base = trials_.evaluate_exactly(*setup);
    if (!base) return fail(base.error());
    const VerdictClass kind = base->verdict.kind;
    base_free_ = free_of(*base);
    base_room_ = margin(*base, Figure::high);
    const bool is_shared = kind == VerdictClass::offload || kind == VerdictClass::unknown;
    const bool is_held = kind == VerdictClass::fits || (is_shared && trials_.asks_for_offload() && holds(base_room_));
    list_.goal = is_held ? AdviceGoal::room : AdviceGoal::fit;
    // What an engine left on the host to make room is not room that a change has to win.
    if (is_shared && !is_held) base_free_ = base_room_ = std::nullopt;
    base_.emplace(Situation{trials_, Json::object(), *setup, std::move(*base), list_.goal});
    try_singles();
    try_pairs();
    try_other_engine();
    choose();
    return std::move(list_);
  }

 private:
  /// What an outcome is worth: 0 surely works, 1 may just, 2 does not.
  [[nodiscard]] int rank(const Advice& row) const {
    const VerdictClass kind = row.answer.verdict.kind;
    if (kind == VerdictClass::fits) return 0;
    if (list_.goal == AdviceGoal::room) return kind == base_->answer.verdict.kind ? 0 : 2;
    if (kind == VerdictClass::offload || kind == VerdictClass::unknown)
      return std::any_of(row.changes.begin(), row.changes.end(), is_offload) ? 0 : 2;
    return may_fit(row.answer) && base_->answer.verdict.kind != VerdictClass::tight ? 1 : 2;
  }

  [[nodiscard]] bool works(const Advice& row) const { return rank(row) < 2; }

  [[nodiscard]] bool is_dominated_by(const Advice& row, const Advice& other) const {
    if (!costs_no_more(other, row)) return false;
    return list_.goal == AdviceGoal::room ? other.gained >= row.gained : rank(other) <= rank(row);
  }

  /// Counts what `changes` come to, and keeps it if that is more room than before, room where nothing was counted, or if it surely fits now.
  void weigh(std::vector<Change> changes) {
    Advice row;
    row.patch = Json::object();
    for (const Change& change : changes) row.patch = together(std::move(row.patch), change.patch);
    Result<Setup> setup = trials_.read(row.patch);
    if (!setup) return;
    Result<Estimate> outcome = trials_.evaluate(*setup);
    if (!outcome || outcome->verdict.kind == VerdictClass::impossible) return;
    if (const std::optional<std::int64_t> free = free_of(*outcome); free && base_free_) row.gained = *free - *base_free_;
    std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.price > b.price; });
    row.changes = std::move(changes);
    row.scenario = std::move(setup->scenario);
    row.answer = std::move(*outcome);
    // A smaller share of a memory that the system needs too is less room, and surely enough.
    const bool makes_sure = list_.goal == AdviceGoal::fit && row.answer.verdict.kind == VerdictClass::fits;
    if (row.gained && *row.gained <= 0 && !makes_sure) return;
    if (list_.goal == AdviceGoal::room && (!row.gained || !works(row))) return;
    rows_.push_back(std::move(row));
  }

  void try_singles() {
    for (const auto& proposed : {setting_changes(*base_), solved_changes(*base_, true), model_changes(*base_, list_.unread_relatives)})
      for (const Change& change : proposed)
        if (list_.goal == AdviceGoal::fit || !is_only_for_need(change.price)) weigh({change});
    singles_ = rows_.size();
  }

  /// Of two changes that do not fit alone. Where counting takes time, two which are too little together, surely and at best, are not counted: there
  /// each gains no more beside the other than by itself.
  [[nodiscard]] bool may_be_enough(const Advice& a, const Advice& b) const {
    const auto by = [&](Figure figure) {
      const std::optional<std::int64_t> room = margin(base_->answer, figure);
      const std::optional<std::int64_t> room_a = margin(a.answer, figure);
      const std::optional<std::int64_t> room_b = margin(b.answer, figure);
      return !room || !room_a || !room_b || *room_a + *room_b >= *room;
    };
    return !is_replayed(base_->scenario()) || !base_room_ || by(Figure::high) ||
           (base_->answer.verdict.kind != VerdictClass::tight && by(Figure::best));
  }

  [[nodiscard]] bool may_be_paired(const Advice& single) const {
    const Change& change = single.changes.front();
    if (list_.goal == AdviceGoal::room) return change.price <= Price::weights_4bit;
    return rank(single) > 0 && change.strategy != Strategy::devices && change.strategy != Strategy::model && !is_offload(change);
  }

  void try_pairs() {
    for (std::size_t i = 0; i < singles_; ++i)
      for (std::size_t j = i + 1; j < singles_; ++j) {
        const Change first = rows_[i].changes.front();
        const Change second = rows_[j].changes.front();
        if (first.strategy == second.strategy || !may_be_paired(rows_[i]) || !may_be_paired(rows_[j])) continue;
        if (list_.goal == AdviceGoal::fit && !may_be_enough(rows_[i], rows_[j])) continue;
        weigh_if_worth({first, second});
      }
    if (list_.goal == AdviceGoal::room) return;
    for (std::size_t i = 0; i < singles_; ++i)
      if (const Change ground = rows_[i].changes.front(); is_ground(ground) && rank(rows_[i]) > 0)
        solve_on(ground, {rows_[i].scenario, trials_.read(ground.patch)->prepared}, rows_[i].answer);
    solve_on_safe_share();
  }

  /// No other change makes room outside of the share.
  void solve_on_safe_share() {
    const std::optional<Change> share = safe_share(*base_);
    if (!share) return;
    const Result<Setup> setup = trials_.read(share->patch);
    if (!setup) return;
    if (const Result<Estimate> answer = trials_.evaluate(*setup)) {
      const Situation on = solve_on(*share, *setup, *answer);
      std::vector<std::string> named_already;
      for (const Change& change : model_changes(on, named_already)) weigh_if_worth({*share, change});
    }
  }

  Situation solve_on(const Change& ground, Setup setup, Estimate answer) {
    const Situation on{trials_, ground.patch, std::move(setup), std::move(answer), list_.goal};
    // Once system memory is enough, a second change that keeps a layer more on the GPUs is none worth naming.
    const bool host_is_enough = std::any_of(rows_.begin(), rows_.end(),
                                            [&](const Advice& row) { return works(row) && is_offload(row.changes.front()); });
    for (const Change& change : solved_changes(on, !host_is_enough))
      if (change.strategy != ground.strategy) weigh_if_worth({ground, change});
    return on;
  }

  /// Only where nothing that costs less is sure to be enough.
  void try_other_engine() {
    const auto is_sure_for_less = [&](const Advice& row) { return rank(row) == 0 && row.changes.front().price < Price::other_engine; };
    if (list_.goal == AdviceGoal::room || std::any_of(rows_.begin(), rows_.end(), is_sure_for_less)) return;
    if (std::vector<Change> changes = engine_changes(*base_); !changes.empty()) weigh(std::move(changes));
  }

  void weigh_if_worth(std::vector<Change> changes) {
    Advice asked;
    asked.changes = changes;
    if (list_.goal == AdviceGoal::fit &&
        std::any_of(rows_.begin(), rows_.end(), [&](const Advice& row) { return rank(row) == 0 && costs_no_more(row, asked); }))
      return;
    weigh(std::move(changes));
  }

  /// Indices of the rows that work and that no other is better than; of equal ones the first.
  [[nodiscard]] std::vector<std::size_t> undominated() const {
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      bool is_kept = works(rows_[i]);
      for (std::size_t j = 0; j < rows_.size() && is_kept; ++j)
        if (j != i && works(rows_[j]) && is_dominated_by(rows_[i], rows_[j])) is_kept = j > i && is_dominated_by(rows_[j], rows_[i]);
      if (is_kept) kept.push_back(i);
    }
    return kept;
  }

  [[nodiscard]] bool comes_first(std::size_t a, std::size_t b) const {
    return list_.goal == AdviceGoal::room ? rows_[a].gained > rows_[b].gained : loses_less(rows_[a], rows_[b]);
  }

  /// Of the rows in `order` the first that surely works with the model as it is.
  [[nodiscard]] std::optional<std::size_t> sure_row(const std::vector<std::size_t>& order) const {
    const auto is_sure = [&](std::size_t index) {
      const std::vector<Change>& changes = rows_[index].changes;
      return rank(rows_[index]) == 0 &&
             std::none_of(changes.begin(), changes.end(), [](const Change& change) { return change.strategy == Strategy::model; });
    };
    const auto found = std::find_if(order.begin(), order.end(), is_sure);
    return found == order.end() ? std::nullopt : std::optional(*found);
  }

  void choose() {
    std::vector<std::size_t> order = undominated();
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      // Where it fits already, two changes are only for the places that single ones leave.
      if (list_.goal == AdviceGoal::room && (a < singles_) != (b < singles_)) return a < singles_;
      return comes_first(a, b);
    });
    const std::optional<std::size_t> hopeless = list_.goal == AdviceGoal::fit ? not_enough_alone(order) : std::nullopt;
    std::vector<std::size_t> chosen;
    const std::optional<std::size_t> sure = sure_row(order);
    if (sure) chosen.push_back(*sure);
    // Two changes that both stand there already wait for the places that are left, and so does what may just fit for more than what surely does.
    const auto waits = [&](std::size_t index) { return sure && rank(rows_[index]) > 0 && comes_first(*sure, index); };
    for (const bool is_patient : {false, true})
      for (const std::size_t index : order) {
        if (chosen.size() == kMostAdvice - (hopeless ? 1 : 0)) break;
        const std::vector<Change>& changes = rows_[index].changes;
        const auto has_room = [&](const Change& change) { return uses(chosen, change.strategy) < kMostAlike; };
        const auto is_new = [&](const Change& change) { return uses(chosen, change.strategy) == 0; };
        if (std::find(chosen.begin(), chosen.end(), index) != chosen.end() || !std::all_of(changes.begin(), changes.end(), has_room)) continue;
        const bool is_another = changes.size() == 1 || std::any_of(changes.begin(), changes.end(), is_new);
        if (is_patient || (is_another && !waits(index))) chosen.push_back(index);
      }
    std::stable_sort(chosen.begin(), chosen.end(), [&](std::size_t a, std::size_t b) { return comes_first(a, b); });
    if (hopeless) chosen.push_back(*hopeless);
    for (const std::size_t index : chosen) {
      list_.rows.push_back(std::move(rows_[index]));
      Advice& row = list_.rows.back();
      row.is_enough = works(row);
      if (row.answer.verdict.kind != VerdictClass::fits) tell_all(row);
    }
  }

  /// The outcome of a row that does not plainly fit, as estimate() has it.
  void tell_all(Advice& row) {
    Result<MovedJob> outcome = told(trials_, row.patch);
    if (!outcome) return;
    row.answer = std::move(outcome->answer);
    if (const std::optional<std::int64_t> free = free_of(row.answer); free && base_free_) row.gained = *free - *base_free_;
  }

  [[nodiscard]] std::size_t uses(const std::vector<std::size_t>& chosen, Strategy strategy) const {
    std::size_t count = 0;
    for (const std::size_t index : chosen)
      for (const Change& change : rows_[index].changes) count += change.strategy == strategy ? 1 : 0;
    return count;
  }

  /// The single change that gains most and does not fit, of a strategy that no single one of `order` has. Of what gains little nobody expects
  /// that it is enough.
  [[nodiscard]] std::optional<std::size_t> not_enough_alone(const std::vector<std::size_t>& order) const {
    if (!base_room_ || *base_room_ >= 0) return std::nullopt;  // there is room: what keeps it from fitting is the share that the engine takes
    const std::int64_t little = -*base_room_ / kLeastGain;
    std::optional<std::size_t> most;
    for (std::size_t i = 0; i < singles_; ++i) {
      const Strategy strategy = rows_[i].changes.front().strategy;
      const bool is_shown = std::any_of(order.begin(), order.end(),
                                        [&](std::size_t j) { return rows_[j].changes.size() == 1 && rows_[j].changes.front().strategy == strategy; });
      if (works(rows_[i]) || is_shown || !rows_[i].gained || *rows_[i].gained < little) continue;
      if (!most || rows_[i].gained > rows_[*most].gained) most = i;
    }
    return most;
  }

  Trials trials_;
  std::optional<Situation> base_;
  std::optional<std::int64_t> base_free_;
  std::optional<std::int64_t> base_room_;  ///< by the high bounds
  std::vector<Advice> rows_;               ///< the single changes first
  std::size_t singles_ = 0;
  AdviceList list_;
};

}  // namespace

std::string_view name_of(Strategy strategy) {
  constexpr std::array<std::string_view, 16> names{"share",   "raised_limit", "drafting",  "step",   "split",   "graphs", "images", "cache",
                                                   "weights", "context",      "sequences", "engine", "experts", "layers", "model",  "devices"};
  return names[static_cast<std::size_t>(strategy)];
}

std::string_view name_of(Price price) {
  constexpr std::array<std::string_view, 24> names{"as_published",   "less_for_others", "less_cache",     "no_drafts",       "slower_prompts",
                                                   "more_traffic",   "slower_tokens",   "cache_8bit",     "weights_8bit",    "weights_6bit",
                                                   "weights_5bit",   "weights_4bit",    "cache_4bit",     "no_images",       "shorter_context",
                                                   "fewer_requests", "other_engine",    "engine_on_host", "experts_on_host", "layers_on_host",
                                                   "weights_3bit",   "weights_2bit",    "smaller_model",  "more_devices"};
  return names[static_cast<std::size_t>(price)];
}

Result<AdviceList> advise(const Json& params, const Model& model, const std::vector<Model>& relatives, const Catalogue& catalogue) {
  return Search(params, model, relatives, catalogue).run();
}

}  // namespace weighbridge
