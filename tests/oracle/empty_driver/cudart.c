// SPDX-License-Identifier: Apache-2.0
// A CUDA runtime without a GPU: only what libggml-cuda.so asks for while it plans. Memory is address space that nobody touches; kernels do nothing.
// EMPTY_DRIVER_DEVICES: how many GPUs it pretends to have (1). EMPTY_DRIVER_CC: their compute capability x 100 (890).
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { kMostDevices = 16, kMostBlocks = 65536 };
typedef int Status;  // cudaError_t: 0 = success, 2 = out of memory

static int setting(const char* name, int usual) {
  const char* text = getenv(name);
  return text ? atoi(text) : usual;
}

// --- Devices

static __thread int current;
static size_t free_bytes[kMostDevices];  // 0: more than any model needs

void empty_driver_set_free(int device, size_t bytes) { free_bytes[device] = bytes; }
static size_t memory_of(int device) { return free_bytes[device] ? free_bytes[device] : (size_t)1 << 46; }

Status cudaGetDeviceCount(int* count) { return *count = setting("EMPTY_DRIVER_DEVICES", 1), 0; }
Status cudaGetDevice(int* device) { return *device = current, 0; }
Status cudaSetDevice(int device) { return current = device, 0; }
Status cudaSetDeviceFlags(unsigned flags) { return (void)flags, 0; }
Status cudaDeviceSynchronize(void) { return 0; }
Status cudaDeviceCanAccessPeer(int* can, int from, int to) { return (void)from, (void)to, *can = 1, 0; }
Status cudaDeviceEnablePeerAccess(int device, unsigned flags) { return (void)device, (void)flags, 0; }
Status cudaDeviceGetAttribute(int* value, int attribute, int device) { return (void)attribute, (void)device, *value = 1, 0; }
Status cudaDeviceGetPCIBusId(char* text, int size, int device) { return snprintf(text, (size_t)size, "0000:%02x:00.0", device + 1), 0; }
Status cudaMemGetInfo(size_t* free, size_t* total) { return *free = *total = memory_of(current), 0; }

// cudaDeviceProp of CUDA 13: offsets of the fields that the backend reads.
Status cudaGetDeviceProperties(char* properties, int device) {
  const int capability = setting("EMPTY_DRIVER_CC", 890);
  memset(properties, 0, 800);
  strcpy(properties, "no GPU");
  *(size_t*)(properties + 288) = memory_of(device);     // totalGlobalMem
  *(size_t*)(properties + 296) = 49152;                 // sharedMemPerBlock
  *(int*)(properties + 304) = 65536;                    // regsPerBlock
  *(int*)(properties + 308) = 32;                       // warpSize
  *(int*)(properties + 320) = 1024;                     // maxThreadsPerBlock
  *(int*)(properties + 360) = capability / 100;         // major
  *(int*)(properties + 364) = capability % 100 / 10;    // minor
  *(int*)(properties + 384) = 128;                      // multiProcessorCount
  *(size_t*)(properties + 672) = 101376;                // sharedMemPerBlockOptin
  return 0;
}

// --- Memory

static struct { void* address; size_t bytes; } blocks[kMostBlocks];

static Status reserve(void** address, size_t bytes) {
  const size_t length = bytes ? bytes : 4096;
  *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (*address == MAP_FAILED) return 2;
  for (int i = 0; i < kMostBlocks; ++i)
    if (!blocks[i].address) {
      blocks[i].address = *address;
      blocks[i].bytes = length;
      return 0;
    }
  return 2;
}

static Status release(void* address) {
  for (int i = 0; address && i < kMostBlocks; ++i)
    if (blocks[i].address == address) {
      munmap(address, blocks[i].bytes);
      blocks[i].address = NULL;
    }
  return 0;
}

Status cudaMalloc(void** address, size_t bytes) { return reserve(address, bytes); }
Status cudaMallocManaged(void** address, size_t bytes, unsigned flags) { return (void)flags, reserve(address, bytes); }
Status cudaMallocHost(void** address, size_t bytes) { return reserve(address, bytes + 64); }
Status cudaHostAlloc(void** address, size_t bytes, unsigned flags) { return (void)flags, reserve(address, bytes + 64); }
Status cudaFree(void* address) { return release(address); }
Status cudaFreeHost(void* address) { return release(address); }
Status cudaHostGetDevicePointer(void** device, void* host, unsigned flags) { return (void)flags, *device = host, 0; }
Status cudaHostRegister(void* address, size_t bytes, unsigned flags) { return (void)address, (void)bytes, (void)flags, 0; }
Status cudaHostUnregister(void* address) { return (void)address, 0; }
Status cudaMemset() { return 0; }
Status cudaMemsetAsync() { return 0; }
Status cudaMemcpyAsync() { return 0; }
Status cudaMemcpy2DAsync() { return 0; }
Status cudaMemcpyPeerAsync() { return 0; }

// --- Streams, events, graphs: handles that lead nowhere

static int nothing;
static Status handle(void** out) { return *out = &nothing, 0; }

Status cudaStreamCreateWithFlags(void** stream, unsigned flags) { return (void)flags, handle(stream); }
Status cudaStreamDestroy(void* stream) { return (void)stream, 0; }
Status cudaStreamSynchronize(void* stream) { return (void)stream, 0; }
Status cudaStreamWaitEvent() { return 0; }
Status cudaStreamBeginCapture() { return 0; }
Status cudaStreamEndCapture(void* stream, void** graph) { return (void)stream, handle(graph); }
Status cudaStreamIsCapturing(void* stream, int* is_capturing) { return (void)stream, *is_capturing = 0, 0; }
Status cudaEventCreateWithFlags(void** event, unsigned flags) { return (void)flags, handle(event); }
Status cudaEventDestroy(void* event) { return (void)event, 0; }
Status cudaEventRecord() { return 0; }
Status cudaEventSynchronize(void* event) { return (void)event, 0; }
Status cudaGraphDestroy(void* graph) { return (void)graph, 0; }
Status cudaGraphExecDestroy(void* graph) { return (void)graph, 0; }
Status cudaGraphExecUpdate() { return 0; }
Status cudaGraphInstantiate(void** graph) { return handle(graph); }
Status cudaGraphLaunch() { return 0; }

// --- Kernels

Status cudaFuncGetAttributes(char* attributes, const void* function) {
  (void)function;
  const int version = setting("EMPTY_DRIVER_CC", 890) / 10;
  memset(attributes, 0, 128);
  *(int*)(attributes + 24) = 1024;     // maxThreadsPerBlock
  *(int*)(attributes + 28) = 128;      // numRegs
  *(int*)(attributes + 32) = version;  // ptxVersion
  *(int*)(attributes + 36) = version;  // binaryVersion
  *(int*)(attributes + 44) = 101376;   // maxDynamicSharedSizeBytes
  return 0;
}
Status cudaFuncSetAttribute() { return 0; }
Status cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks_of_one) { return *blocks_of_one = 2, 0; }
Status cudaLaunchCooperativeKernel() { return 0; }
Status cudaLaunchKernelExC() { return 0; }
Status __cudaLaunchKernel() { return 0; }
Status __cudaGetKernel(void** kernel, const void* function) { return *kernel = (void*)function, 0; }
Status __cudaPushCallConfiguration() { return 0; }
Status __cudaPopCallConfiguration(unsigned* grid, unsigned* block, size_t* shared, void** stream) {
  for (int i = 0; i < 3; ++i) grid[i] = block[i] = 1;
  return *shared = 0, *stream = NULL, 0;
}
static void* binary;
void** __cudaRegisterFatBinary(void* image) { return (void)image, &binary; }
void __cudaRegisterFatBinaryEnd(void** image) { (void)image; }
void __cudaUnregisterFatBinary(void** image) { (void)image; }
void __cudaRegisterFunction() {}
void __cudaRegisterVar() {}

// --- Errors

Status cudaGetLastError(void) { return 0; }
Status cudaPeekAtLastError(void) { return 0; }
const char* cudaGetErrorString(Status status) { return (void)status, "none"; }
