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

/** A figure that was published of a model of the catalogue, and that the calculator does not come to; `why` is English. */
export interface MissedFigure {
  model: string;
  slug: string;
  figure: string;
  ours: number;
  stated: number;
  why: string;
}

/** A record of a serving engine that the calculator does not come to, where the cause is known; `why` is English. */
export interface MissedRecord {
  engine: string;
  id: string;
  term: string;
  error: number;
  why: string;
}

export interface Scoreboard {
  missed: MissedRecord[];
  models: { records: number; exact: number; missed: MissedFigure[] };
  rows: ScoreRow[];
}

/** Where memory lies, in the order of how many people run it so. */
export const kPlaces = ['one GPU', 'processor', 'several GPUs', 'GPU and host', 'GPUs and host'] as const;
/** What lies beside the model, on a GPU or the processor. */
export const kBeside = ['draft model', 'image encoder'] as const;
export const kTerms = ['weights', 'cache', 'compute', 'total'] as const;

/** What the records of serving engines leave unsaid: nothing that is counted with, or settings that were left at the engine's defaults. */
export const kStated = ['settings stated', 'defaults filled in'] as const;
export const kServing = ['vllm', 'sglang', 'tensorrt-llm', 'transformers', 'mlx', 'exllamav3', 'mlc-llm'] as const;
export const kServingTerms = [
  'weights',
  'KV pool',
  'KV tokens of the pool',
  'activation',
  'graphs',
  'outside torch',
  'peak',
  'allocated peak',
  'used',
] as const;

/** Records of one serving engine, by what they state and by term. */
export const servingOf = ({ rows }: Scoreboard, engine: string): ScoreRow[] =>
  kStated.flatMap((place) =>
    kServingTerms.flatMap((term) =>
      rows.filter((row) => row.engine === engine && row.place === place && row.term === term),
    ),
  );

/** Tokens a second: what is scored is whether a record lies inside the range. */
export const kSpeed = 'speed';
export const kSpeedTerms = ['decode speed', 'prefill speed'] as const;

export const speedOf = ({ rows }: Scoreboard): ScoreRow[] =>
  kSpeedTerms.flatMap((term) => rows.filter((row) => row.place === kSpeed && row.term === term));

/** All architectures together, the terms of one place. */
export const rowsOf = ({ rows }: Scoreboard, place: string): ScoreRow[] =>
  kTerms.flatMap((term) =>
    rows.filter((row) => row.place === place && row.term === term && row.architecture === 'all'),
  );

/** What one GPU takes as a whole, by architecture. */
export const architecturesOf = ({ rows }: Scoreboard): ScoreRow[] =>
  rows.filter((row) => row.place === 'one GPU' && row.term === 'total' && row.architecture !== 'all');
