// SPDX-License-Identifier: Apache-2.0
// What Emscripten makes of wasm/bindings.cpp.
declare module '*/build/wasm/weighbridge.mjs' {
  export default function createModule(options?: {
    locateFile?: (name: string) => string;
    wasmBinary?: ArrayBufferView;
  }): Promise<{ call(request: string): string }>;
}

// The same with the rules of every engine.
declare module '*/build/wasm/weighbridge-full.mjs' {
  export { default } from '*/build/wasm/weighbridge.mjs';
}

// What it makes of the module that also reads files.
declare module '*/build/wasm/weighbridge-read.mjs' {
  import type { ReaderModule } from '../reader/wire';
  export default function createModule(options?: {
    locateFile?: (name: string) => string;
    wasmBinary?: ArrayBufferView;
  }): Promise<ReaderModule>;
}
