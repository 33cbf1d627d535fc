// SPDX-License-Identifier: Apache-2.0
// What GPUs and machines are found by.
import type { CatalogueDevice } from '../core/wire';
import { memory } from '../format';
import { t, tCode } from '../i18n';
import { machineName, type MachineRow } from './machines';
import { CatalogueSearch, type Searched } from '../search/catalogue';
import type { Choice } from '../views/calculator/Combobox';

/** A row to be found by, and what it stands for. */
type Found<T> = Searched & { row: T };

const searchedDevice = (row: CatalogueDevice): Found<CatalogueDevice> => ({
  id: `${row.vendor}/${row.id}`,
  slug: row.slug,
  name: row.name,
  kind: row.kind,
  aliases: [...row.aliases, row.short_name, tCode('deviceKind', row.kind)],
  row,
});

/** Finds devices, whole cards before their parts. */
export function deviceSearch(devices: CatalogueDevice[]): (text: string) => CatalogueDevice[] {
  const search = new CatalogueSearch(devices.map(searchedDevice));
  return (text) => {
    const found = search.find(text).map(({ row }) => row);
    const isPart = ({ kind }: CatalogueDevice): boolean => kind === 'slice';
    return [...found.filter((device) => !isPart(device)), ...found.filter(isPart)];
  };
}

export const searchedMachine = (row: MachineRow, nameOf: (device: string) => string): Found<MachineRow> => ({
  id: `${row.provider}/${row.name}`,
  slug: row.id,
  name: machineName(row),
  kind: 'machine',
  aliases: row.gpus.flatMap(({ device, count }) => [`${count} ${nameOf(device)}`, `${count}x`]),
  row,
});

const kGiB = 2 ** 30;
const kMostMemoryGiB = 1 << 20; // 1 PiB: beyond it a number is a typing error
const kMostBareGiB = 999;

/** No id of a device begins like this. */
export const kMemoryPrefix = 'memory:';

/** "48 GiB", "24gb", "80": a card that the catalogue lacks, by its memory. A bare 4090 is a name. */
export function memoryChoice(text: string): Choice | undefined {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)\s*(gib|gb|g)?$/i.exec(text.trim());
  const size = Number(match?.[1] ?? 0);
  if (!match || size <= 0 || size > (match[2] ? kMostMemoryGiB : kMostBareGiB)) return undefined;
  const bytes = Math.floor(size * (match[2]?.toLowerCase() === 'gb' ? 1e9 : kGiB));
  return { id: kMemoryPrefix + bytes, label: t('device.byMemory', { memory: memory(bytes, 'gib') }), keywords: text };
}
