// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weighbridge/catalogue.hpp"

namespace weighbridge {

/// What turns files into models: the readers of config.json and of model files. A build without it is smaller and counts models by id and spec.
struct Reading;
[[nodiscard]] const Reading& reading();

/// The one boundary that the page, the command line, the tests and the npm package share: JSON text in, JSON text out.
/// Request `{"method": …, "params": …}`; response `{"ok":true,"result":…,"warnings":[…]}` or `{"ok":false,"error":{…},"warnings":[…]}`.
/// It never throws and never fails in another way than that. Its only state is the loaded catalogue, and the files that are open for reading; what it
/// keeps between calls beside them changes no answer.
class Api {
 public:
  /// Counts models of the catalogue, and models that were read elsewhere.
  Api();
  /// Reads files as well.
  explicit Api(const Reading& reading);
  Api(Api&&) noexcept;
  Api& operator=(Api&&) noexcept;
  ~Api();

  [[nodiscard]] std::string call(std::string_view request);

  /// Sizes of a file that push() knows besides a number of bytes.
  static constexpr std::int64_t kUnknownSize = -1;
  static constexpr std::int64_t kAbsent = -2;
  /// Bytes of `file` from `offset` on, for the session `handle` that `read.open` began; `size` is the whole file's. Answers as call() does, with
  /// `needs` and `progress`, or with what was read. Requires an Api that reads files.
  [[nodiscard]] std::string push(std::int64_t handle, std::string_view file, std::int64_t size, std::int64_t offset, std::string_view bytes);

 private:
  const Reading* reading_ = nullptr;
  Catalogue catalogue_;
  std::unique_ptr<struct Kept> kept_;
  std::unique_ptr<class FileMethods> files_;
};

}  // namespace weighbridge
