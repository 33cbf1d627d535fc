// SPDX-License-Identifier: Apache-2.0
// Which WebAssembly module reads models. It is brought when the first model is read, not before.
import wasmUrl from '../../../build/wasm/weighbridge.wasm?url';
import createModule from '../../../build/wasm/weighbridge.mjs';
import { configOnly } from './config-only';
import type { Errand, ReaderModule } from './wire';

export const loadReaderModule = async (): Promise<ReaderModule> =>
  configOnly(await createModule({ locateFile: () => wasmUrl }));

export function run(module: ReaderModule, errand: Errand): string {
  switch (errand[0]) {
    case 'call':
      return module.call(errand[1]);
    case 'push':
      return module.push(errand[1], errand[2], errand[3], errand[4], errand[5]);
    case 'absent':
      return module.absent(errand[1], errand[2]);
  }
}
