// SPDX-License-Identifier: Apache-2.0
// Which WebAssembly module reads models. It is brought when the first model is read, not before.
import wasmUrl from '../../../build/wasm/weighbridge-read.wasm?url';
import createModule from '../../../build/wasm/weighbridge-read.mjs';
import type { Errand, ReaderModule } from './wire';

export const loadReaderModule = async (): Promise<ReaderModule> => createModule({ locateFile: () => wasmUrl });

export function run(module: ReaderModule, errand: Errand): string {
  if (errand[0] === 'call') return module.call(errand[1]);
  const [, ...what] = errand;
  return module.push(...what);
}
