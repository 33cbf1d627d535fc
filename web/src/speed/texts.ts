// SPDX-License-Identifier: Apache-2.0
// Speed, cost and rules of thumb in words. Two digits are what such a figure is worth.
import type { Cost, Range, Receipts, Speed } from '../core/wire';
import { count, memory, numberFormat, type Unit } from '../format';
import { addMessages, currentLocale, t, type Values } from '../i18n';
import { engineName } from '../views/verdict-texts';

export const speedTexts = (): Promise<void> =>
  addMessages({
    en: () => import('../../messages/speed.en.json'),
    'zh-CN': () => import('../../messages/speed.zh-CN.json'),
  });

const digits = (value: number, options: Intl.NumberFormatOptions = {}): string =>
  numberFormat({ maximumSignificantDigits: 2, ...options }).format(value);

/** "23–46", or one figure where both are the same as shown. */
export function range({ low, high }: Range, shown: (value: number) => string = digits): string {
  const [from, to] = [shown(low), shown(high)];
  return from === to ? from : `${from}–${to}`;
}

/** In milliseconds below a tenth of a second, both ends in the unit of the larger. */
export const seconds = ({ low, high }: Range): string =>
  high < 0.1
    ? t('speed.milliseconds', { range: range({ low: 1000 * low, high: 1000 * high }) })
    : t('speed.seconds', { range: range({ low, high }) });

const money = (currency: string) => (value: number) => digits(value, { style: 'currency', currency });

/** What the range means, what it rests on, and what had to be assumed: a sentence each. */
export function speedSentences(
  { decode, band, assumed }: Speed,
  engine: string,
  devices: number,
  unit: Unit,
): string[] {
  const bytes: Values = {
    devices,
    weights: memory(decode.weights_read_bytes, unit),
    cache: memory(decode.cache_read_bytes, unit),
    host: memory(decode.host_read_bytes, unit),
  };
  const basis: Values = {
    engine: engineName(band.engine || engine),
    records: band.records,
    groups: band.groups,
    bandwidth: range({ low: 100 * band.bandwidth.low, high: 100 * band.bandwidth.high }),
    layer: range(band.layer_microseconds),
  };
  return [
    ...(decode.bound ? [t(`speed.bound.${decode.bound}`, bytes)] : []),
    t(band.records > 0 ? 'speed.basis' : 'speed.noRecords', basis),
    ...assumed.map(({ key, value }) => t(`speed.assumed.${key}`, { range: range(value) })),
  ];
}

/** "AWS p5en.48xlarge: $63 an hour, $24–47 a million generated tokens (us-east-1, 2026-07-20)". */
export function costSentence(cost: Cost, used: number): string {
  const { currency, region, basis } = cost;
  const values = {
    machine: `${cost.provider} ${cost.name}`.trim(),
    hourly: numberFormat({ style: 'currency', currency }).format(cost.per_hour),
    tokens: range(cost.per_million_tokens, money(currency)),
    place: region === 'not given' ? t('speed.anyRegion') : region === 'all regions' ? t('speed.allRegions') : region,
    date: cost.date.replaceAll('-', '-\u2060'), // in one piece
    all: count(cost.count),
  };
  const id = basis === 'contested' ? 'speed.doubtfulCost' : 'speed.cost';
  return t(id, values) + (cost.count > used ? t('speed.wholeMachine', values) : '');
}

/** Chinese prices first for those who read Chinese; otherwise as they came, the cheapest first. */
export function costsShown(costs: Cost[]): Cost[] {
  const own = currentLocale() === 'zh-CN' ? 'CNY' : 'USD';
  const isOwn = ({ currency }: Cost): boolean => currency === own;
  return [...costs.filter(isOwn), ...costs.filter((cost) => !isOwn(cost))].slice(0, 4);
}

/** "0.66": what a rule says, as a share of what is counted. */
export const factorText = (factor: number): string => {
  const shown = factor < 1 ? 2 : 3;
  return digits(factor, { minimumSignificantDigits: shown, maximumSignificantDigits: shown });
};

/** "316.3 GiB too little". */
export const missText = ({ bytes }: Receipts['receipts'][number], total: number, unit: Unit): string =>
  t(bytes < total ? 'receipts.tooLittle' : 'receipts.tooMuch', { off: memory(Math.abs(bytes - total), unit) });
