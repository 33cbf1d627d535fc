// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <limits>

namespace weighbridge {

/// An amount of memory in bytes. Arithmetic saturates at 2^64 - 1 and at 0: a sum of hostile counts never wraps into a small, friendly figure.
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::uint64_t count) : count_(count) {}

  [[nodiscard]] constexpr std::uint64_t count() const { return count_; }

  constexpr Bytes& operator+=(Bytes other) {
    if (__builtin_add_overflow(count_, other.count_, &count_)) count_ = kMax;
    return *this;
  }
  constexpr Bytes& operator-=(Bytes other) {
    count_ = count_ > other.count_ ? count_ - other.count_ : 0;
    return *this;
  }
  constexpr Bytes& operator*=(std::uint64_t factor) {
    if (std::countl_zero(count_) + std::countl_zero(factor) >= 64)
      count_ *= factor;  // fits for sure: WebAssembly has no product of 128 bits
    else if (__builtin_mul_overflow(count_, factor, &count_))
      count_ = kMax;
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return a += b; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return a -= b; }
  friend constexpr Bytes operator*(Bytes a, std::uint64_t factor) { return a *= factor; }
  friend constexpr Bytes operator*(std::uint64_t factor, Bytes a) { return a *= factor; }
  /// Whole division, rounding down. `divisor` must not be 0.
  friend constexpr Bytes operator/(Bytes a, std::uint64_t divisor) { return Bytes(a.count_ / divisor); }
  /// How often `b` fits into `a`. `b` must not be 0.
  friend constexpr std::uint64_t operator/(Bytes a, Bytes b) { return a.count_ / b.count_; }
  friend constexpr auto operator<=>(Bytes, Bytes) = default;

 private:
  static constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t count_ = 0;
};

inline constexpr Bytes kMiB{std::uint64_t{1} << 20};
inline constexpr Bytes kGiB{std::uint64_t{1} << 30};

/// a - b as a signed number of bytes, for "free" figures that may be negative; saturates at the ends of int64.
[[nodiscard]] constexpr std::int64_t difference(Bytes a, Bytes b) {
  constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::uint64_t size = a > b ? (a - b).count() : (b - a).count();
  const auto clamped = static_cast<std::int64_t>(size < limit ? size : limit);
  return a >= b ? clamped : -clamped;
}

/// `value` scaled by a fraction and rounded down, as engines do with `int(total * fraction)`. `fraction` must be finite and not negative.
[[nodiscard]] constexpr Bytes scaled(Bytes value, double fraction) {
  const double product = static_cast<double>(value.count()) * fraction;
  return product >= 18446744073709549568.0 ? Bytes(std::numeric_limits<std::uint64_t>::max()) : Bytes(static_cast<std::uint64_t>(product));
}

/// Ceiling division of two positive whole numbers.
[[nodiscard]] constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace weighbridge
