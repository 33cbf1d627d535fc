// SPDX-License-Identifier: Apache-2.0
// How Ollama dealt layers out to GPUs before it left that to llama-server: ollama/ollama v0.12.10 llm/memory.go and v0.24.0 llm/server.go.
#include <algorithm>
#include <numeric>

#include "engine/ollama/ollama.hpp"

namespace weighbridge::ollama {

namespace {

/// The GPUs that still take layers, and what each has taken.
struct Dealing {
  const std::vector<Bytes>& free;
  std::vector<std::size_t> with_space;
  std::vector<Bytes> taken;
  Bytes graph;

  [[nodiscard]] bool holds(std::size_t gpu, Bytes more) const { return free[gpu] > taken[gpu] + graph + more; }
};

Dealing open_gpus(const Books& books, const std::vector<Bytes>& free, Bytes graph) {
  Dealing dealing{free, {}, std::vector<Bytes>(free.size()), graph};
  for (std::size_t gpu = 0; gpu < free.size(); ++gpu) {
    const Bytes images = dealing.with_space.empty() ? books.images : Bytes();
    if (free[gpu] < images + graph + books.minimum + 2 * books.aside) continue;
    dealing.with_space.push_back(gpu);
    dealing.taken[gpu] = books.minimum + books.aside + images;
  }
  return dealing;
}

/// A share of a GPU's memory, in the engine's own single precision.
Bytes portion_of(Bytes free, float capacity) {
  const float share = static_cast<float>(free.count()) * capacity;
  constexpr float most = 1.8e19F;
  return share >= most ? free : Bytes(static_cast<std::uint64_t>(share));
}

/// llm/server.go, greedyFit: the last layers on the last GPU, and so on.
Layout fit_greedily(const std::vector<Bytes>& layers, std::size_t n_layers, const std::vector<Bytes>& free, std::size_t n_gpus, float capacity,
                    std::int64_t requested) {
  Layout layout{std::vector<std::int64_t>(free.size()), n_gpus - 1, n_gpus, false};
  Bytes space = portion_of(free[layout.first], capacity);
  for (std::size_t i = n_layers; i-- > 0;) {
    if (requested >= 0 && static_cast<std::int64_t>(n_layers - 1 - i) >= requested) return layout;
    while (layers[i] > space) {
      if (layout.first == 0) return layout;
      space = portion_of(free[--layout.first], capacity);
    }
    ++layout.layers[layout.first];
    space -= layers[i];
  }
  return layout;
}

/// llm/server.go, findBestFit: the smallest share of every GPU's memory that still holds as many layers as all of it, so that they are balanced.
Layout fit_balanced(const std::vector<Bytes>& layers, std::size_t n_layers, const std::vector<Bytes>& free, std::size_t n_gpus,
                    std::int64_t requested, bool forced) {
  constexpr float almost_infinite = 1000;
  constexpr float precision = 1e-6F;
  float high = requested >= 0 && forced ? almost_infinite : 1;
  float low = 0;
  Layout best = fit_greedily(layers, n_layers, free, n_gpus, high, requested);
  const std::int64_t most = best.sum();
  // Neighbouring floats of a large share are further apart than that: what lies between them is one of the two.
  for (float middle = (low + high) / 2; high - low > precision && middle > low && middle < high; middle = (low + high) / 2) {
    Layout trial = fit_greedily(layers, n_layers, free, n_gpus, middle, requested);
    (trial.sum() == most ? high : low) = middle;
    if (high == middle) best = std::move(trial);
  }
  return best;
}

}  // namespace

std::int64_t Layout::sum() const { return std::accumulate(layers.begin(), layers.end(), std::int64_t{0}); }

Layout estimate_layers(const Rules& rules, const Books& books, const std::vector<Bytes>& free) {
  Layout layout{std::vector<std::int64_t>(free.size()), 0, free.size(), false};
  const Bytes graph = free.size() > 1 ? books.partial : books.graph();
  Dealing dealing = open_gpus(books, free, graph);
  const std::size_t n_layers = books.layers.size();
  std::int64_t dealt = 0;
  for (std::size_t step = 0; step < n_layers; ++step) {
    if (books.requested >= 0 && dealt >= books.requested) break;
    const std::size_t i = rules.last_layer_first ? n_layers - 1 - step : step;
    for (std::size_t left = dealing.with_space.size(); left > 0; --left) {
      const std::size_t gpu = dealing.with_space[i % left];
      if (dealing.holds(gpu, books.layers[i])) {
        dealing.taken[gpu] += books.layers[i];
        ++layout.layers[gpu];
        ++dealt;
        break;
      }
      dealing.with_space.erase(dealing.with_space.begin() + static_cast<std::ptrdiff_t>(i % left));
    }
  }
  if (books.requested >= 0 && dealt >= books.requested) return layout;
  for (std::size_t left = dealing.with_space.size(); left > 0; --left) {
    const std::size_t gpu = dealing.with_space[static_cast<std::size_t>(dealt) % left];
    if (!dealing.holds(gpu, books.output)) continue;
    ++layout.layers[gpu];
    break;
  }
  return layout;
}

Layout lay_out(const Books& books, const std::vector<Bytes>& free, const std::vector<Bytes>& graph, bool spread) {
  std::vector<Bytes> layers = books.layers;
  layers.push_back(books.output);
  std::vector<Bytes> room;
  std::size_t last_used = 0;
  for (std::size_t gpu = 0; gpu < free.size(); ++gpu) {
    room.push_back(free[gpu] - (books.minimum + graph[gpu]));
    if (graph[gpu] > Bytes()) last_used = gpu;
  }
  Layout layout;
  // assignLayers: if not all fit, layers other than the output come first.
  for (std::size_t n_layers = layers.size(); n_layers + 2 > layers.size(); --n_layers) {
    const std::int64_t requested = std::min(static_cast<std::int64_t>(n_layers), books.requested);
    for (std::size_t n_gpus = spread ? free.size() : last_used + 1; n_gpus <= free.size(); ++n_gpus) {
      layout = fit_balanced(layers, n_layers, room, n_gpus, requested, n_gpus == free.size());
      if (layout.sum() == static_cast<std::int64_t>(n_layers) || layout.sum() == requested) break;
    }
    layout.without_output = n_layers < layers.size();
    if (layout.sum() == static_cast<std::int64_t>(n_layers) || n_layers == 0) break;
  }
  return layout;
}

Layout lay_out_estimated(const Books& books, std::vector<Bytes> free, bool spread) {
  for (Bytes& gpu : free) gpu -= books.aside;
  if (!free.empty()) free.front() -= books.images;
  std::vector<Bytes> graph(free.size());
  for (std::size_t before = 0;;) {
    const Layout layout = lay_out(books, free, graph, spread);
    if (layout.end - layout.first <= before) return layout;
    before = layout.end - layout.first;
    for (std::size_t gpu = layout.first; gpu < layout.end; ++gpu) graph[gpu] = books.graph();
  }
}

}  // namespace weighbridge::ollama
