// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weighbridge {

/// Lambdas as one visitor for std::visit: an alternative without a lambda does not compile.
template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace weighbridge
