// SPDX-License-Identifier: Apache-2.0
// The module with the rules of every engine; it comes when someone asks for one that the first module lacks.
import wasmUrl from '../../../build/wasm/weighbridge-full.wasm?url';
import createModule from '../../../build/wasm/weighbridge-full.mjs';
import type { CoreModule } from './core';

export const loadFullModule = (): Promise<CoreModule> => createModule({ locateFile: () => wasmUrl });
