// SPDX-License-Identifier: Apache-2.0
// Machines of the catalogue: instances that can be hired, and systems that can be bought. They come when someone looks for a GPU.
import type { HardwareRow } from '../core/wire';
import { count, numberFormat } from '../format';
import { t, type MessageId } from '../i18n';

export interface Price {
  per_hour: number;
  currency: string;
  date: string;
  region: string;
  basis: string;
}

/** build/catalogue/machines.json: a row of core/data/machines. */
export interface MachineRow {
  id: string;
  /** Empty for a system. */
  provider: string;
  name: string;
  gpus: { device: string; count: number }[];
  host_memory_gib?: number;
  interconnect?: string;
  price?: Price;
}

const kGiB = 2 ** 30;

export const machineName = ({ provider, name }: Pick<MachineRow, 'provider' | 'name'>): string =>
  `${provider} ${name}`.trim();

export const hardwareOf = ({ gpus }: MachineRow): HardwareRow[] => gpus.map((gpu) => ({ ...gpu, used_bytes: 0 }));

/** Unified memory is the GPU's, so a machine with it states none. */
export const hostBytes = ({ host_memory_gib: gib }: MachineRow): number | undefined =>
  gib === undefined ? undefined : gib * kGiB;

/** What the catalogue says in words where it has no region's name. */
const kPlaces: Record<string, MessageId> = {
  'not given': 'machine.anyRegion',
  'all regions': 'machine.allRegions',
};

/** Never without where and when it was asked; `of` is the machine, where the reader does not see it. */
export function priceText({ per_hour: hourly, currency, date, region, basis }: Price, of = ''): string {
  const amount = numberFormat({ style: 'currency', currency, maximumFractionDigits: 2 });
  const place = kPlaces[region] ? t(kPlaces[region]) : region;
  const values = { price: amount.format(hourly), place: of ? t('machine.place', { machine: of, place }) : place, date };
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
    machine.price ? priceText(machine.price) : t('machine.noPrice'),
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
