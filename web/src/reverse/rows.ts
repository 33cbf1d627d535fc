// SPDX-License-Identifier: Apache-2.0
// Which models are listed, and in which order.
import type { CatalogueModel, HardwareRow, VerdictClass } from '../core/wire';
import type { SolvedModel } from './task';

export const kKinds = ['text', 'quantized', 'embedding', 'all'] as const;
export const kLicences = ['any', 'permissive', 'other', 'unstated'] as const;
/** Upper ends of the classes of size, in parameters. */
export const kSizes = ['any', '4', '15', '40', '130', 'more'] as const;
export const kShown = ['runs', 'all'] as const;

export interface Filters {
  kind: (typeof kKinds)[number];
  licence: (typeof kLicences)[number];
  size: (typeof kSizes)[number];
  shown: (typeof kShown)[number];
}
export const kNoFilters: Filters = { kind: 'text', licence: 'any', size: 'any', shown: 'runs' };

export interface Row extends SolvedModel {
  model: CatalogueModel;
  class: VerdictClass;
}

const kOfKind: Record<Filters['kind'], string[]> = {
  text: ['original', 'distillation'],
  quantized: ['quantized'],
  embedding: ['embedding', 'reranker'],
  all: ['original', 'distillation', 'quantized', 'embedding', 'reranker'],
};
const kPermissive = ['Apache-2.0', 'MIT'];

function hasLicence(licence: string | null | undefined, wanted: Filters['licence']): boolean {
  if (wanted === 'any') return true;
  if (!licence) return wanted === 'unstated';
  return kPermissive.includes(licence) === (wanted === 'permissive') && wanted !== 'unstated';
}

function hasSize(parameters: number, wanted: Filters['size']): boolean {
  if (wanted === 'any') return true;
  const billions = parameters / 1e9;
  const ends = kSizes.filter((size) => /\d/.test(size)).map(Number);
  const least = wanted === 'more' ? Math.max(...ends) : (ends[ends.indexOf(Number(wanted)) - 1] ?? 0);
  return billions > least && (wanted === 'more' || billions <= Number(wanted));
}

export const isWanted = (model: CatalogueModel, { kind, licence, size }: Omit<Filters, 'shown'>): boolean =>
  kOfKind[kind].includes(model.kind) && hasLicence(model.license, licence) && hasSize(model.summary.parameters, size);

const kRank: Record<VerdictClass, number> = { fits: 0, offload: 1, tight: 2, no: 3, unknown: 4, impossible: 5 };
export const runs = (verdict: VerdictClass): boolean => kRank[verdict] <= kRank.offload;

/** What fits comes first, then what needs system memory, the larger model before the smaller; of what does not, the one that lacks least. */
export function compareRows(a: Row, b: Row): number {
  const lacks = ({ best }: Row): number => best?.verdict.shortfall_bytes ?? 0;
  return (
    kRank[a.class] - kRank[b.class] ||
    (a.class === 'no' ? lacks(a) - lacks(b) : b.model.summary.parameters - a.model.summary.parameters) ||
    a.model.name.localeCompare(b.model.name)
  );
}

/** Bytes of a parameter in the smallest format that is wanted, else in four bits, with a little beside them: few models of the catalogue need less. */
const kLikelyBytes: Record<string, number> = { 'gguf:Q4_K_M': 0.615, 'gguf:Q3_K_M': 0.495, 'gguf:Q2_K': 0.385 };
const kFourBits = 0.55;
export const likelyBytes = (engine: string, smallest: string): number =>
  (engine === 'llama.cpp' && kLikelyBytes[smallest]) || kFourBits;

/** What the machine has, in bytes: its devices alone, and with system memory. */
export interface Memory {
  devices: number;
  all: number;
}

/**
 * Models in about the order of the list, so that its top is there first: the largest that the devices may hold down to the smallest, then those that
 * may need system memory, then the others, of which the smallest lacks least.
 */
export function likelyOrder(models: CatalogueModel[], memory: Memory, bytesPerParameter: number): CatalogueModel[] {
  const size = ({ summary }: CatalogueModel): number => summary.parameters;
  const needs = (model: CatalogueModel): number => size(model) * bytesPerParameter;
  const sorted = [...models].sort((a, b) => size(b) - size(a));
  return [
    ...sorted.filter((model) => needs(model) <= memory.devices),
    ...sorted.filter((model) => needs(model) > memory.devices && needs(model) <= memory.all),
    ...sorted.filter((model) => needs(model) > memory.all).reverse(),
  ];
}

/** As far as it is known. */
export function memoryOf(hardware: HardwareRow[], bytesOf: (device: string) => number, host = 0): Memory {
  const bytes = (row: HardwareRow): number => row.count * (row.memory_bytes ?? bytesOf(row.device ?? ''));
  const devices = hardware.reduce((sum, row) => sum + bytes(row), 0);
  return { devices, all: devices + host };
}
