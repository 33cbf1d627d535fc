// SPDX-License-Identifier: Apache-2.0
// Machines of the catalogue: instances that can be hired, and systems that can be bought. They come when someone looks for a GPU.
import type { HardwareRow } from '../core/wire';
import { count } from '../format';
import { currentLocale, t } from '../i18n';

/** build/catalogue/machines.json: a row of core/data/machines. */
export interface MachineRow {
  id: string;
  /** Empty for a system. */
  provider: string;
  name: string;
  gpus: { device: string; count: number }[];
  host_memory_gib?: number;
  interconnect?: string;
  price?: { per_hour: number; currency: string; date: string; region: string; basis: string };
}

const kGiB = 2 ** 30;

export const machineName = ({ provider, name }: Pick<MachineRow, 'provider' | 'name'>): string =>
  `${provider} ${name}`.trim();

export const hardwareOf = ({ gpus }: MachineRow): HardwareRow[] => gpus.map((gpu) => ({ ...gpu, used_bytes: 0 }));

/** Unified memory is the GPU's, so a machine with it states none. */
export const hostBytes = ({ host_memory_gib: gib }: MachineRow): number | undefined =>
  gib === undefined ? undefined : gib * kGiB;

/** Never without where and when it was asked. */
function priceOf({ price }: MachineRow): string {
  if (!price) return t('machine.noPrice');
  const { per_hour: hourly, currency, date, region, basis } = price;
  const amount = new Intl.NumberFormat(currentLocale(), { style: 'currency', currency, maximumFractionDigits: 2 });
  const place = region === 'not given' ? t('machine.anyRegion') : region;
  const values = { price: amount.format(hourly), region: place, date };
  return t(basis === 'contested' ? 'machine.doubtfulPrice' : 'machine.price', values);
}

/** Its GPUs, its memory, how they are joined, and what an hour costs. */
export function machineFacts(machine: MachineRow, nameOf: (device: string) => string): string {
  const gpus = machine.gpus.map(({ device, count: many }) => `${count(many)} × ${nameOf(device)}`).join(' + ');
  const gib = machine.host_memory_gib;
  return [
    gpus,
    gib === undefined ? '' : t('machine.host', { memory: `${count(gib)}\u00a0GiB` }),
    machine.interconnect ?? '',
    priceOf(machine),
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Whether the settings are still those that the machine gave. */
export const isMachine = (machine: MachineRow, hardware: HardwareRow[]): boolean =>
  hardware.length === machine.gpus.length &&
  machine.gpus.every(({ device, count: many }, index) => {
    const row = hardware[index];
    return row?.device === device && row.count === many;
  });
