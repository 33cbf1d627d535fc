// SPDX-License-Identifier: Apache-2.0
// The terms of an estimate as the page groups them: four colours, in one order everywhere.
import type { DeviceAnswer, Estimate, HostAnswer, Term } from '../core/wire';

export type Part = 'weights' | 'kv' | 'act' | 'over';
export const kParts: Part[] = ['weights', 'kv', 'act', 'over'];

const kPartOf: Record<string, Part> = {
  weights: 'weights',
  kv_cache: 'kv',
  recurrent_state: 'kv',
  compute: 'act',
  output: 'act',
};

/** Whatever is neither weights, cache nor activations keeps the engine running: graphs, workspaces, context, communication. */
export const partOf = (term: Term): Part => kPartOf[term.id] ?? 'over';

export const termsOf = (device: DeviceAnswer, part: Part): Term[] =>
  device.terms.filter((term) => partOf(term) === part && term.bytes > 0);
export const sum = (terms: Term[]): number => terms.reduce((bytes, term) => bytes + term.bytes, 0);

/** System memory as bars and tables show a device: one that has no limit but its size. */
export function hostAsDevice(host: HostAnswer): DeviceAnswer {
  const size = host.capacity_bytes ?? host.total_bytes;
  return {
    name: '',
    device: '',
    device_name: '',
    runtime_bytes: size,
    used_bytes: 0,
    capacity_bytes: size,
    limit_bytes: size,
    total_bytes: host.total_bytes,
    low_bytes: host.low_bytes ?? host.total_bytes,
    high_bytes: host.high_bytes ?? host.total_bytes,
    need_inside_bytes: host.total_bytes,
    free_bytes: size - host.total_bytes,
    reserved_bytes: host.total_bytes,
    observed_bytes: host.total_bytes,
    terms: host.terms.filter(({ bytes }) => bytes > 0),
  };
}

/** The device that decides; its group's first device carries the formulas. Without any, system memory does. */
export function fullestOf(answer: Estimate): DeviceAnswer | undefined {
  if (answer.devices.length === 0) return answer.host.total_bytes > 0 ? hostAsDevice(answer.host) : undefined;
  const index = answer.verdict.device ?? 0;
  const group = answer.groups.find(({ first, count: n }) => index >= first && index < first + n);
  return answer.devices[group?.device_index ?? index];
}
