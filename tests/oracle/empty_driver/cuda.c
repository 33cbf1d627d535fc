// SPDX-License-Identifier: Apache-2.0
// The CUDA driver's part of memory pools: see cudart.c. A plan takes nothing from a pool.
#include <stddef.h>

typedef int Status;

Status cuDeviceGet(int* device, int ordinal) { return *device = ordinal, 0; }
Status cuDeviceGetAttribute(int* value, int attribute, int device) { return (void)attribute, (void)device, *value = 1, 0; }
Status cuGetErrorString(Status status, const char** text) { return (void)status, *text = "none", 0; }
Status cuMemGetAllocationGranularity(size_t* bytes) { return *bytes = 2097152, 0; }
Status cuMemAddressReserve() { return 2; }
Status cuMemAddressFree() { return 0; }
Status cuMemCreate() { return 2; }
Status cuMemRelease() { return 0; }
Status cuMemMap() { return 0; }
Status cuMemUnmap() { return 0; }
Status cuMemSetAccess() { return 0; }
