// SPDX-License-Identifier: Apache-2.0
// What only the full core answers: how fast and at what cost, rules of thumb, advice, and the same job elsewhere. Memory is in bytes, as in wire.ts.
import type { Json, Parallel, Verdict } from './wire';

/** A figure between two bounds. */
export interface Range {
  low: number;
  high: number;
}

/** Why `speed` has no figure. */
export type SpeedGap =
  | 'does_not_run'
  | 'does_not_fit'
  | 'unknown_bandwidth'
  | 'unknown_operations'
  | 'drafts'
  | 'part_on_host'
  | 'no_layers'
  | 'reads_only';

export type SpeedCause = 'weights' | 'cache' | 'host' | 'operations' | 'layers' | 'link';

/** What a run costs on a machine that can be hired, as a whole. */
export interface Cost {
  machine: string;
  provider: string;
  name: string;
  count: number;
  per_hour: number;
  currency: string;
  date: string;
  region: string;
  basis: string;
  /** Generated ones, while all sequences generate. */
  per_million_tokens: Range;
}

/** Result of `speed`: a range each, or the reason why there is none. */
export interface Speed {
  decode: {
    tokens_per_second: Range | null;
    tokens_per_second_each: Range | null;
    gap: SpeedGap | null;
    context_tokens: number;
    sequences: number;
    /** What takes most of a step. */
    bound: SpeedCause | null;
    /** Low is the fastest reading. */
    parts: { cause: SpeedCause; seconds: Range }[];
    weights_read_bytes: number;
    cache_read_bytes: number;
    host_read_bytes: number;
    operations: number;
  };
  prefill: {
    tokens_per_second: Range | null;
    first_token_seconds: Range | null;
    gap: SpeedGap | null;
    prompt_tokens: number;
  };
  /** Shares of what the devices can do, and what each layer takes beside; from `records` measured runs and `prompts`, of `groups` hands. */
  band: {
    /** Whose runs they are: one engine may run another. Empty: of all. */
    engine: string;
    bandwidth: Range;
    operations: Range;
    layer_microseconds: Range;
    records: number;
    prompts: number;
    groups: number;
  };
  assumed: { key: 'host_bandwidth_gb_s' | 'link_gb_s' | 'operations_per_byte' | 'guests'; value: Range }[];
  costs: Cost[];
}

/** Result of `receipts`: what rules of thumb say of the same case; `factor` is their share of the counted total. */
export interface Receipts {
  total_bytes: number;
  receipts: {
    rule: 'two_bytes' | 'format_bits' | 'format_bits_and_20' | 'active_bits' | 'article';
    bytes: number;
    factor: number;
  }[];
}

/** One setting moved, by the codes of core/include/weighbridge/advise.hpp. */
export interface AdviceChange {
  strategy: string;
  from: Json;
  to: Json;
  price: string;
  /** What was published about the quality of a format. */
  note: { code: string; value: string; text: string; url: string } | null;
}

export interface AdviceRow {
  changes: AdviceChange[];
  /** A JSON merge patch of the request. */
  patch: { [key: string]: Json };
  /** Of room, where the verdict is decided. */
  gained_bytes: number | null;
  /** Not so: named only because people try it. */
  enough: boolean;
  verdict: Verdict;
  host_bytes: number | null;
}

/** Result of `advise`. */
export interface AdviceList {
  goal: 'fit' | 'room';
  rows: AdviceRow[];
  /** Smaller relatives of the model that the core knows by name only. */
  unread_relatives: string[];
}

/** A machine of the catalogue; without a price where none is known. */
export interface PricedMachine {
  machine: string;
  provider: string;
  name: string;
  count: number;
  per_hour: number | null;
  currency: string | null;
  date: string | null;
  region: string | null;
  basis: string | null;
}

/** A row of `compare_devices`: the same job on another device, or on a machine of the catalogue. */
export interface ElsewhereRow {
  device?: string;
  /** As many as were asked for; `verdict` and `patch` are with so many. */
  count?: number;
  machine?: PricedMachine;
  gpus?: { device: string; count: number }[];
  verdict: Verdict;
  host_bytes: number | null;
  /** A JSON merge patch of the request. */
  patch: { [key: string]: Json };
  /** The fewest that surely hold it, up to 16; of devices only. */
  fewest?: {
    count: number;
    parallel: Parallel;
    verdict: Verdict;
    patch: { [key: string]: Json };
    /** The cheapest of each currency. */
    machines: PricedMachine[];
  } | null;
  /** Rows of several slices are sorted by it, the smaller numbers first. */
  rank: number[];
}
