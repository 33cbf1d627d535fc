// SPDX-License-Identifier: Apache-2.0
// What the page asks its worker, and what comes back: one model after the other, in slices.
import type { BestWeights, HardwareRow, Notice, Request, RunningJob } from '../core/wire';

/** A machine, how it is used, and the models to try on it, in this order. */
export interface Task {
  run: number;
  /** Workers that share it, and which of them this one is. */
  workers: number;
  part: number;
  engine: string;
  hardware: HardwareRow[];
  host: Request['host'];
  /** Models that run there already. */
  running: RunningJob[] | undefined;
  /** Wanted at least; a model trained for less is asked for that. */
  tokens: number;
  /** The smallest weights format that will do. */
  smallest: string;
  models: { id: string; most: number }[];
}

export interface SolvedModel {
  id: string;
  best?: BestWeights;
  problem?: Notice;
  /** The text behind `#` that opens the calculator with it. */
  hash: string;
}

export type ToWorker = Task | 'warm up';
export type FromWorker =
  { run: number; solved: SolvedModel[]; done: boolean } | { failed: 'blocked' | 'broken'; cause: string };
