// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them. Memory counts in GiB (2^30) unless the page is switched to GB (10^9).
import { currentLocale } from './i18n';

export type Unit = 'gib' | 'gb';

const kNoBreakSpace = '\u00a0';
const kMinus = '\u2212';
const kLarge: Record<Unit, number> = { gib: 2 ** 30, gb: 1e9 };
const kSmall: Record<Unit, number> = { gib: 2 ** 20, gb: 1e6 };
const kLargeName: Record<Unit, string> = { gib: 'GiB', gb: 'GB' };
const kSmallName: Record<Unit, string> = { gib: 'MiB', gb: 'MB' };

const formats = new Map<string, Intl.NumberFormat>();

/** A format of the page's language. Making one takes longer than writing a hundred numbers with it. */
export function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = currentLocale() + JSON.stringify(options);
  const format = formats.get(key) ?? new Intl.NumberFormat(currentLocale(), options);
  formats.set(key, format);
  return format;
}

function fixed(value: number, digits: number): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const text = numberFormat(options).format(Math.abs(value));
  const isZero = !/[1-9]/.test(text);
  return value < 0 && !isZero ? kMinus + text : text;
}

export const unitName = (unit: Unit): string => kLargeName[unit];

/** One decimal from 10 up, two below. */
export function largeUnits(bytes: number, unit: Unit): string {
  const value = bytes / kLarge[unit];
  return fixed(value, Math.abs(value) >= 9.995 ? 1 : 2);
}

/** "115.9 GiB", or MiB for less than one. */
export function memory(bytes: number, unit: Unit): string {
  const isSmall = Math.abs(bytes) < kLarge[unit] && bytes !== 0;
  if (!isSmall) return largeUnits(bytes, unit) + kNoBreakSpace + kLargeName[unit];
  const value = bytes / kSmall[unit];
  return fixed(value, Math.abs(value) >= 9.995 ? 0 : 1) + kNoBreakSpace + kSmallName[unit];
}

/** Memory by the thousand, as the article writes it: 14.05 GB, 16.8 MB, 288 bytes are 0.3 kB. */
export function decimalMemory(bytes: number): string {
  const size = Math.abs(bytes);
  const [scale, name, digits] =
    size >= 1e9 || bytes === 0
      ? ([1e9, 'GB', 2] as const)
      : size >= 1e6
        ? ([1e6, 'MB', 1] as const)
        : ([1e3, 'kB', 1] as const);
  return fixed(bytes / scale, digits) + kNoBreakSpace + name;
}

/** "32", "4.2": how many times one figure is another. */
export const multiple = (ratio: number): string => fixed(ratio, ratio >= 9.95 || Number.isInteger(ratio) ? 0 : 1);
export const times = (ratio: number): string => `${multiple(ratio)}${kNoBreakSpace}×`;

/** Whole numbers with the locale's grouping: 32,768. */
export const count = (value: number): string => numberFormat({ maximumFractionDigits: 0 }).format(value);

/** Token counts short: 32k = 32,768. Others are written out. */
export function tokensShort(tokens: number): string {
  return tokens >= 1024 && tokens % 1024 === 0 ? `${tokens / 1024}k` : count(tokens);
}

/** 671026419200 -> "671B"; models are named with 10^9 and three digits. */
export function parameters(elements: number): string {
  const [scale, suffix] = elements >= 1e9 ? [1e9, 'B'] : [1e6, 'M'];
  return Number((elements / scale).toPrecision(3)).toString() + suffix;
}

/**
 * Rounds parts so that they add up, as shown, to the rounded total: the parts with the largest remainders are rounded up.
 * Returns the figures in units of `step` bytes.
 */
export function apportion(parts: number[], step: number): number[] {
  const total = Math.round(parts.reduce((sum, part) => sum + part, 0) / step);
  const floors = parts.map((part) => Math.floor(part / step));
  const missing = total - floors.reduce((sum, part) => sum + part, 0);
  const byRemainder = parts
    .map((part, index) => ({ index, rest: part / step - Math.floor(part / step) }))
    .sort((a, b) => b.rest - a.rest);
  for (const { index } of byRemainder.slice(0, missing)) floors[index] = (floors[index] ?? 0) + 1;
  return floors;
}

/** A column of figures in the large unit, and its total: one decimal from a total of 100 up, two below. They add up as shown. */
export function column(parts: number[], unit: Unit): { parts: string[]; total: string } {
  const sum = parts.reduce((bytes, part) => bytes + part, 0);
  const digits = sum / kLarge[unit] >= 99.95 ? 1 : 2;
  const steps = 10 ** digits;
  const shown = apportion(parts, kLarge[unit] / steps);
  return {
    parts: shown.map((part) => fixed(part / steps, digits)),
    total: fixed(shown.reduce((all, part) => all + part, 0) / steps, digits),
  };
}

/**
 * A count as people type it: 131072, 32,768, 128k, 128K, 128 x 1024, 1m. Nothing if it is none of these, or if a separator could mean
 * a decimal as well (1.5).
 */
export function parseCount(text: string): number | undefined {
  const plain = text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_'\u00a0\u202f]/g, '');
  const product = /^([1-9]\d{0,7})[x×*]([1-9]\d{0,7})$/.exec(plain);
  if (product) return Number(product[1]) * Number(product[2]);
  const match = /^(\d{1,15}|\d{1,3}(?:[,.]\d{3})+)(k|m)?$/.exec(plain);
  if (!match?.[1]) return undefined;
  const factor = match[2] === 'k' ? 1024 : match[2] === 'm' ? 1024 * 1024 : 1;
  return Number(match[1].replaceAll(/[,.]/g, '')) * factor;
}

/** A decimal as people type it: 0.9, 0,9, 90%. */
export function parseFraction(text: string): number | undefined {
  const plain = text.trim().replace(',', '.');
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(plain);
  if (!match?.[1]) return undefined;
  return match[2] ? Number(match[1]) / 100 : Number(match[1]);
}

/** An amount of memory in GiB as people type it: 64, 2.1, 64 GiB, 64gb. In bytes. */
export function parseGiB(text: string): number | undefined {
  const number = parseFraction(text.replace(/\s*(gib|gb|g)\s*$/i, ''));
  return number === undefined ? undefined : Math.floor(number * kLarge.gib);
}

export { kMinus, kNoBreakSpace };
