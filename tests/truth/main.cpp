// SPDX-License-Identifier: Apache-2.0
// weighbridge_truth FOLDER: scores the core against measured records, prints a table, and fails if an error bound is broken.
#include "truth.hpp"

int main(int argc, char** argv) {
  using namespace weighbridge::truth;
  if (argc != 2) {
    std::fprintf(stderr, "usage: weighbridge_truth FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1];
  const Models models = read_models(folder);
  const bool mix = check_mix(folder, models);
  const bool contexts = check_contexts(folder);
  return mix && contexts ? 0 : 1;
}
