// SPDX-License-Identifier: Apache-2.0
// weighbridge: request JSON from stdin, response JSON to stdout. `--lines` takes one request a line and answers one a line. A model may be a
// file: files.hpp.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "embedded.hpp"
#include "files.hpp"
#include "weighbridge/api.hpp"

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (argc > 2 || (!mode.empty() && mode != "--lines")) {
    std::cerr << "usage: weighbridge [--lines] < request.json > response.json\n";
    return 2;
  }
  weighbridge::Api api(weighbridge::reading());
  const std::string load = R"({"method":"catalogue.load","params":{"models":)" + std::string(weighbridge::embedded("models.json")) +
                           R"(,"devices":)" + std::string(weighbridge::embedded("gpus.json")) + "}}";
  const std::string loaded = api.call(load);
  if (loaded.rfind(R"({"ok":true)", 0) != 0) {
    std::cerr << "the embedded catalogue cannot be read: " << loaded << '\n';
    return 1;
  }
  if (mode == "--lines") {
    for (std::string line; std::getline(std::cin, line);) std::cout << weighbridge::call_with_files(api, line) << '\n' << std::flush;
    return 0;
  }
  const std::string request{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  const std::string response = weighbridge::call_with_files(api, request);
  std::cout << response << '\n';
  return response.rfind(R"({"ok":true)", 0) == 0 ? 0 : 1;
}
