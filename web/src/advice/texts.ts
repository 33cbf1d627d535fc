// SPDX-License-Identifier: Apache-2.0
// A row of advice in words: what changes, what that costs, what comes of it.
import type { AdviceChange, AdviceList, AdviceRow, Parallel } from '../core/wire';
import { count, memory, type Unit } from '../format';
import { sentences, t, tCode } from '../i18n';
import { engineName } from '../views/verdict-texts';
import { layoutText } from '../views/layout-text';
import { weightsName } from '../views/weights-name';

/** What the words of a change need to know of the request. */
export interface Names {
  engine: string;
  /** The GPU that there would be more of. */
  device: string;
}

/** Layouts are by GPUs, or by ranks that share the cache of one. */
function splitText(to: AdviceChange['to']): string {
  const layout = to as Parallel & { decode_context_parallel_size?: number };
  const shared = layout.decode_context_parallel_size;
  return shared === undefined
    ? t('advice.split', { layout: layoutText(layout) })
    : t('advice.sharedCache', { count: count(shared) });
}

export function changeText({ strategy, to }: AdviceChange, { engine, device }: Names): string {
  const number = typeof to === 'number' ? to : 0;
  switch (strategy) {
    case 'weights':
      return t('advice.weights', { format: weightsName(String(to)) });
    case 'cache':
      return t('advice.cache', { type: String(to).replace('_e4m3', '').toUpperCase() });
    case 'split':
      return splitText(to);
    case 'share':
      return t('advice.share', { engine, share: count(Math.round(100 * number)) });
    case 'engine':
      return t('advice.engine', { engine: engineName(String(to)) });
    case 'model':
      return String(to);
    default:
      return tCode('advice', strategy, { value: number, count: count(number), device });
  }
}

/** More GPUs may have to stand in a layout of their own. */
function withLayout(change: AdviceChange, { patch }: AdviceRow, names: Names): string {
  const text = changeText(change, names);
  const layout = patch['parallel'] as Parallel | null | undefined;
  return change.strategy === 'devices' && layout ? t('advice.inLayout', { text, layout: layoutText(layout) }) : text;
}

/** Both changes as one phrase, the costlier first. */
export const rowText = (row: AdviceRow, names: Names): string =>
  row.changes.map((change) => withLayout(change, row, names)).join(t('advice.and'));

/** The price in words; of two equal ones once. */
export const priceText = ({ changes, enough }: AdviceRow): string =>
  sentences(enough ? '' : t('advice.notEnough'), ...new Set(changes.map(({ price }) => tCode('advice.price', price))));

export const noteText = ({ code, value }: NonNullable<AdviceChange['note']>): string =>
  tCode('advice.note', code, { value });

export function outcomeText({ verdict, enough, host_bytes }: AdviceRow, goal: AdviceList['goal'], unit: Unit): string {
  const free = memory(verdict.free_bytes ?? 0, unit);
  const host = memory(host_bytes ?? 0, unit);
  if (!enough)
    return t((verdict.shortfall_bytes ?? 0) > 0 ? 'advice.short' : 'advice.unsure', {
      short: memory(verdict.shortfall_bytes, unit),
    });
  if (goal === 'room') return t('advice.free', { free });
  if (verdict.class === 'offload') return t('advice.inHost', { host });
  if (verdict.class === 'unknown') return t('advice.ifHost', { host });
  if (verdict.class === 'tight') return t('advice.tight');
  return t('advice.fits', { free });
}
