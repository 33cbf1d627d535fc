// SPDX-License-Identifier: Apache-2.0
// What GPUs and machines are found by.
import type { CatalogueDevice } from '../core/wire';
import { tCode } from '../i18n';
import { machineName, type MachineRow } from './machines';
import type { Searched } from '../search/catalogue';

/** A row to be found by, and what it stands for. */
type Found<T> = Searched & { row: T };

export const searchedDevice = (row: CatalogueDevice): Found<CatalogueDevice> => ({
  id: `${row.vendor}/${row.id}`,
  slug: row.slug,
  name: row.name,
  kind: row.kind === 'slice' ? row.kind : 'original', // a whole card comes before its parts
  aliases: [...row.aliases, row.short_name, tCode('deviceKind', row.kind)],
  row,
});

export const searchedMachine = (row: MachineRow, nameOf: (device: string) => string): Found<MachineRow> => ({
  id: `${row.provider}/${row.name}`,
  slug: row.id,
  name: machineName(row),
  kind: 'machine',
  aliases: row.gpus.flatMap(({ device, count }) => [`${count} ${nameOf(device)}`, `${count}x`]),
  row,
});
