// SPDX-License-Identifier: Apache-2.0
// "My hardware", remembered on this device only.
import type { HardwareRow, Request } from '../core/wire';

const kKey = 'myHardware';

export interface Remembered {
  engine: string;
  hardware: HardwareRow[];
  host?: NonNullable<Request['host']>;
}

const isRow = (row: unknown): row is HardwareRow => {
  const { device, memory_bytes, count } = (row ?? {}) as Partial<HardwareRow>;
  return (typeof device === 'string' || typeof memory_bytes === 'number') && Number.isInteger(count);
};

/** What was remembered, or nothing; what others wrote under the same key is nothing. */
export function remembered(): Remembered | undefined {
  try {
    const { engine, hardware, host } = JSON.parse(localStorage.getItem(kKey) ?? '{}') as Partial<Remembered>;
    if (typeof engine !== 'string' || !Array.isArray(hardware) || !hardware.every(isRow)) return undefined;
    return typeof host?.memory_bytes === 'number' ? { engine, hardware, host } : { engine, hardware };
  } catch {
    return undefined;
  }
}

/** Remembers it, or with nothing forgets it. */
export function remember(mine: Remembered | undefined): void {
  try {
    if (mine) localStorage.setItem(kKey, JSON.stringify(mine));
    else localStorage.removeItem(kKey);
  } catch {
    // A sandboxed frame has no storage: the choice holds until it is closed.
  }
}
