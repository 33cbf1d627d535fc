// SPDX-License-Identifier: Apache-2.0
// tests/truth/scoreboard.json, as ./dev truth --update writes it.

/** Errors and widths are shares of the record; `inside` is the share of records within the stated band. */
export interface ScoreRow {
  engine: string;
  place: string;
  term: string;
  architecture: string;
  records: number;
  median: number;
  p95: number;
  worst: number;
  inside: number;
  width: number;
}

export interface Scoreboard {
  rows: ScoreRow[];
}

/** Where memory lies, in the order of how many people run it so. */
export const kPlaces = ['one GPU', 'processor', 'several GPUs', 'GPU and host', 'GPUs and host'] as const;
export const kTerms = ['weights', 'cache', 'compute', 'total'] as const;

/** All architectures together, the terms of one place. */
export const rowsOf = ({ rows }: Scoreboard, place: string): ScoreRow[] =>
  kTerms.flatMap((term) =>
    rows.filter((row) => row.place === place && row.term === term && row.architecture === 'all'),
  );

/** What one GPU takes as a whole, by architecture. */
export const architecturesOf = ({ rows }: Scoreboard): ScoreRow[] =>
  rows.filter((row) => row.place === 'one GPU' && row.term === 'total' && row.architecture !== 'all');
