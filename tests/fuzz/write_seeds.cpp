// SPDX-License-Identifier: Apache-2.0
// fuzz_seeds READER FOLDER: writes the inputs to start from, a file each.
#include <fstream>

#include "oracles.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  int number = 0;
  for (const std::string& seed : weighbridge::fuzz::seeds(argv[1]))
    std::ofstream(std::string(argv[2]) + "/seed-" + std::to_string(number++), std::ios::binary) << seed;
  return 0;
}
