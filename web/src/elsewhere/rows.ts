// SPDX-License-Identifier: Apache-2.0
// The same job on every device or machine of the catalogue, as the core answers it: asked in slices, so that the page stays responsive.
import type { Core } from '../core/core';
import type { ElsewhereRow, Json, Request } from '../core/wire';

const kSlice = 30; // ms; a row takes from a few tenths to sixty, by how many counts of its device are tried and by the engine
const kMostRows = 24; // of a slice
const kTold = 250; // ms between two lists that are shown

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

/** Tells of the rows until all are there or `isOver` says so. `core` must have all devices. */
export async function lookElsewhere(
  core: Core,
  request: Request,
  by: By,
  machines: Json,
  tell: (progress: Progress) => void,
  isOver: () => boolean,
): Promise<void> {
  let rows: ElsewhereRow[] = [];
  let limit = 1;
  let told = performance.now();
  for (let done = 0; !isOver();) {
    const begun = performance.now();
    const reply = core.call('compare_devices', { request, by, machines, offset: done, limit });
    if (!reply.ok) throw new Error(reply.error.message);
    rows = [...rows, ...reply.result.rows];
    const all = reply.result.total;
    done = Math.min(done + limit, all);
    const now = performance.now();
    if (done === all || now - told > kTold) {
      rows.sort(byRank);
      tell({ rows: [...rows], done, all });
      told = now;
    }
    if (done === all) return;
    limit = Math.min(kMostRows, Math.max(1, Math.round((limit * kSlice) / Math.max(1, now - begun))));
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
