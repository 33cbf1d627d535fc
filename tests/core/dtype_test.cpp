// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/dtype.hpp"

#include <gtest/gtest.h>

namespace weighbridge::dtype_test {
namespace {

TEST(DType, APartialBlockTakesAWholeOne) {
  EXPECT_EQ(size_of(dtype::int4, 8), Bytes(4));
  EXPECT_EQ(size_of(dtype::int4, 9), Bytes(8));
  EXPECT_EQ(size_of(dtype::bf16, 9), Bytes(18));
}

TEST(DType, TorchNamesAreReadWithAndWithoutTheirPrefix) {
  EXPECT_EQ(dtype_of_torch_name("bfloat16"), dtype::bf16);
  EXPECT_EQ(dtype_of_torch_name("torch.float16"), dtype::f16);
  EXPECT_FALSE(dtype_of_torch_name("complex64").has_value());
}

}  // namespace
}  // namespace weighbridge::dtype_test
