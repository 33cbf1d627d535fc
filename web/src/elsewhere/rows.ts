// SPDX-License-Identifier: Apache-2.0
// The same job on every device or machine of the catalogue, as the core answers it: asked in slices, so that the page stays responsive.
import type { Core } from '../core/core';
import type { ElsewhereRow, Json, Request } from '../core/wire';

const kSlice = 6; // rows; one with sixteen counts of its device to try takes a few milliseconds

export type By = 'devices' | 'machines';

/** The smaller numbers first. */
function byRank(a: ElsewhereRow, b: ElsewhereRow): number {
  for (const [index, rank] of a.rank.entries()) {
    const difference = rank - (b.rank[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export interface Progress {
  rows: ElsewhereRow[];
  done: number;
  all: number;
}

/** Lets the page draw and answer its reader between two slices. */
const aside = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Tells of each slice until all are there or `isOver` says so. Rejects where a part of the core does not arrive. */
export async function lookElsewhere(
  core: Core,
  request: Request,
  by: By,
  machines: Json,
  tell: (progress: Progress) => void,
  isOver: () => boolean,
): Promise<void> {
  await core.bringEngines();
  await core.bringDevices();
  let rows: ElsewhereRow[] = [];
  for (let offset = 0; !isOver(); offset += kSlice) {
    const reply = core.call('compare_devices', { request, by, machines, offset, limit: kSlice });
    if (!reply.ok) throw new Error(reply.error.message);
    rows = [...rows, ...reply.result.rows];
    const all = reply.result.total;
    const done = Math.min(offset + kSlice, all);
    if (done === all || done % (8 * kSlice) === 0) tell({ rows: (rows = rows.toSorted(byRank)), done, all });
    if (done === all) return;
    await aside();
  }
}

/** The best that a row has: with the fewest that fit, or, where none do, with as many as were asked for. */
export const bestOf = (row: ElsewhereRow): Pick<ElsewhereRow, 'verdict' | 'patch'> & { count: number } => ({
  count: row.fewest?.count ?? row.count ?? 1,
  verdict: row.fewest?.verdict ?? row.verdict,
  patch: row.fewest?.patch ?? row.patch,
});

export const holds = (row: ElsewhereRow): boolean => bestOf(row).verdict.class === 'fits';
