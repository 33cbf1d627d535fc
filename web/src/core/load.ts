// SPDX-License-Identifier: Apache-2.0
import devicesUrl from '../../../build/catalogue/devices.json?url';
import firstDevicesUrl from '../../../build/catalogue/gpus.json?url';
import modelsUrl from '../../../build/catalogue/models.json?url';
import specsUrl from '../../../build/catalogue/specs.json?url';
import wasmUrl from '../../../build/wasm/weighbridge.wasm?url';
import createModule from '../../../build/wasm/weighbridge.mjs';
import { coreOf, loadCatalogue, type Core } from './core';
import type { SpecFile } from './specs';
import type { Json } from './wire';

async function fetchJson<T = Json>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json() as Promise<T>;
}

/** The core, compiled and with its catalogue. Rejects where WebAssembly is blocked or a file does not arrive. */
export async function loadCore(): Promise<Core> {
  const [module, models, firstDevices] = await Promise.all([
    createModule({ locateFile: () => wasmUrl }),
    fetchJson(modelsUrl),
    fetchJson(firstDevicesUrl),
  ]);
  let devices = firstDevices;
  loadCatalogue(module, models, devices);
  return coreOf(module, {
    fetchSpecs: () => fetchJson<SpecFile>(specsUrl),
    async fetchDevices() {
      devices = await fetchJson(devicesUrl);
      return (current) => loadCatalogue(current, models, devices);
    },
    async loadFull() {
      const full = await (await import('./full')).loadFullModule();
      loadCatalogue(full, models, devices);
      return full;
    },
  });
}
