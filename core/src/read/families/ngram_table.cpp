// SPDX-License-Identifier: Apache-2.0
#include "read/families/ngram_table.hpp"

namespace weighbridge {

namespace {

bool is_prime(std::int64_t value) {
  if (value < 4) return value > 1;
  if (value % 2 == 0) return false;
  for (std::int64_t divisor = 3; divisor * divisor <= value; divisor += 2)
    if (value % divisor == 0) return false;
  return true;
}

std::int64_t next_prime(std::int64_t after) {
  do ++after;
  while (!is_prime(after));
  return after;
}

}  // namespace

std::int64_t NgramTable::rows(std::int64_t index) const {
  std::int64_t prime = least_rows - 1;
  std::int64_t sum = 0;
  for (std::int64_t head = 0; head < (index + 1) * n_heads(); ++head) {
    prime = next_prime(prime);
    if (head >= index * n_heads()) sum += prime;
  }
  return (sum + divisor - 1) / divisor * divisor;
}

NgramTable read_ngram_table(KeyReader& config) {
  NgramTable table;
  table.ngram_size = config.whole_number_if_given("ngram_size", 2, 8).value_or(table.ngram_size);
  table.heads_per_ngram = config.positive_or("heads_per_ngram", 32, table.heads_per_ngram, "");
  table.least_rows = config.positive_or("ngram_vocab_size_base", std::int64_t{1} << 28, table.least_rows, "");
  table.divisor = config.positive_or("make_ngram_vocab_size_divisible_by", 1 << 20, table.divisor, "");
  return table;
}

}  // namespace weighbridge
