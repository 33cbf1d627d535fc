// SPDX-License-Identifier: Apache-2.0
// Reading headers: time, and how much memory it takes beyond the pieces that are pushed.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <new>

#include "file_writer.hpp"
#include "read/gguf_header.hpp"
#include "read/safetensors_header.hpp"
#include "read/shard_index.hpp"

namespace {

std::size_t held = 0;
std::size_t most_held = 0;
constexpr std::size_t kNote = alignof(std::max_align_t);  // in front of each block: its size

}  // namespace

// Every allocation of this program, counted.
void* operator new(std::size_t size) {
  auto* block = static_cast<char*>(std::malloc(size + kNote));
  if (block == nullptr) std::abort();
  *reinterpret_cast<std::size_t*>(block) = size;
  held += size;
  most_held = held > most_held ? held : most_held;
  return block + kNote;
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  char* block = static_cast<char*>(memory) - kNote;
  held -= *reinterpret_cast<std::size_t*>(block);
  std::free(block);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace weighbridge {
namespace {

/// Serves `file` in pieces of 1 MiB, each copied as a page's are, and reports the peak of memory besides.
template <class Reader>
void read_header(benchmark::State& state, const std::string& file) {
  std::string piece;
  std::size_t peak = 0;
  for (auto _ : state) {
    const std::size_t before = held;
    most_held = held;
    Reader reader("x", file.size() + (std::uint64_t{1} << 40));
    while (!reader.done() && !reader.error() && reader.next() < file.size()) {
      piece.assign(file, static_cast<std::size_t>(reader.next()), 1 << 20);
      reader.push(piece);
    }
    reader.end();
    if (!reader.done()) state.SkipWithError(reader.error() ? reader.error()->message.c_str() : "not done");
    peak = most_held - before;
  }
  state.counters["header_MiB"] = static_cast<double>(file.size()) / (1 << 20);
  state.counters["peak_MiB"] = static_cast<double>(peak) / (1 << 20);
}

const std::string& gguf() {
  static const std::string file = testing::large_gguf(150'000, 1000).header();
  return file;
}
/// As large as a shard of DeepSeek-R1: its checkpoint has 91,991 tensors in 163 files.
std::string shard() {
  SafetensorsHeader header;
  for (std::uint64_t i = 0; i < 565; ++i)
    header.tensors.push_back(
        {"model.layers.60.mlp.experts." + std::to_string(i) + ".down_proj.weight", {7168, 2048}, dtype::fp8, i * 7168 * 2048, Bytes(7168 * 2048)});
  return testing::write_safetensors(header);
}
/// As many tensors as the index of DeepSeek-R1 names, and as long names.
std::string index() {
  std::string text = R"({"metadata":{"total_size":688586727753},"weight_map":{)";
  for (int i = 0; i < 91'991; ++i)
    text += (i > 0 ? R"(,"model.layers.60.mlp.experts.)" : R"("model.layers.60.mlp.experts.)") + std::to_string(i) +
            R"(.down_proj.weight_scale_inv":"model-)" + std::to_string(100'001 + i / 565).substr(1) + R"(-of-00163.safetensors")";
  return text + "}}";
}

void gguf_150000_tokens_1000_tensors(benchmark::State& state) { read_header<GgufReader>(state, gguf()); }
BENCHMARK(gguf_150000_tokens_1000_tensors)->Unit(benchmark::kMillisecond);
void safetensors_565_tensors(benchmark::State& state) { read_header<SafetensorsReader>(state, shard()); }
BENCHMARK(safetensors_565_tensors)->Unit(benchmark::kMillisecond);

/// Its size is known, so that it ends where it does.
void index_91991_tensors(benchmark::State& state) {
  const std::string file = index();
  for (auto _ : state) {
    ShardIndexReader reader("x", file.size());
    testing::serve(reader, file, 1 << 20);
    if (!reader.done()) state.SkipWithError("not done");
  }
}
BENCHMARK(index_91991_tensors)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weighbridge

BENCHMARK_MAIN();
