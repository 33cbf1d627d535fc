// SPDX-License-Identifier: Apache-2.0
// The terms of an estimate as the page groups them: four colours, in one order everywhere.
import type { DeviceAnswer, Term } from '../core/wire';

export type Part = 'weights' | 'kv' | 'act' | 'over';
export const kParts: Part[] = ['weights', 'kv', 'act', 'over'];

const kPartOf: Record<string, Part> = { weights: 'weights', kv_cache: 'kv', recurrent_state: 'kv', compute: 'act', output: 'act' };

/** Whatever is neither weights, cache nor activations keeps the engine running: graphs, workspaces, context, communication. */
export const partOf = (term: Term): Part => kPartOf[term.id] ?? 'over';

export const termsOf = (device: DeviceAnswer, part: Part): Term[] => device.terms.filter((term) => partOf(term) === part && term.bytes > 0);
export const sum = (terms: Term[]): number => terms.reduce((bytes, term) => bytes + term.bytes, 0);
