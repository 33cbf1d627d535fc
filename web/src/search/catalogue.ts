// SPDX-License-Identifier: Apache-2.0
// Finds rows of the catalogue by any part of what they are called, with a typing error or two. Brought when a list is first opened.
import MiniSearch from 'minisearch';
import type { CatalogueModel } from '../core/wire';
import { kOtherNames } from './owners';

/** A row of the catalogue; its id is `owner/name`. */
export type Searched = Pick<CatalogueModel, 'id' | 'slug' | 'name' | 'kind' | 'aliases' | 'released'> &
  Partial<Pick<CatalogueModel, 'relation'>>;

/** Words that say how a copy is packed, not which model it is; they are let go of when nothing is found with them. */
const kPackings = /\b(gguf|awq|gptq|mlx|exl[23]|bnb|fp[48]|nvfp4|mxfp4|bf16|int[48]|[48]bit|i?q\d\w*)\b/gi;
const kShortestInside = 3; // letters; shorter parts of a word are in every other name

/**
 * "Qwen3-8B" -> qwen, 3, 8b: a number after a word stands for itself, so that "qwen 3" and "qwen3" are the same. After one letter it does
 * not: R1, V3 and A3B are names.
 */
export const words = (text: string): string[] =>
  text
    .toLowerCase()
    .normalize('NFKD')
    .replace(/(\p{L}{2})(?=\d)/gu, '$1 ')
    .match(/[\p{L}\d]+(?:\.\d+)*(?:[\p{L}\d]+)?/gu) ?? [];

/** What neighbours make when they are written as one: gptoss, deepseekv3. */
function joined(text: string): string[] {
  const parts = text.split(/[^\p{L}\d.]+/u).filter(Boolean);
  return parts.slice(1).flatMap((part, index) => words(`${parts[index]}${part}`));
}

/** Every ending of a word: a search for beginnings then finds what is inside of it. */
const endings = (word: string): string[] =>
  /\d/.test(word)
    ? []
    : Array.from({ length: Math.max(0, word.length - kShortestInside) }, (_, index) => word.slice(index + 1));

/** What is left when nobody agrees on hyphens and spaces. */
const squeezed = (text: string): string => text.toLowerCase().replace(/[^\p{L}\d.]+/gu, '');

const unique = (list: string[]): string => [...new Set(list)].join(' ');

function documentOf(row: Searched, index: number): Record<string, unknown> {
  const [owner = ''] = row.id.split('/');
  const others = kOtherNames[owner.toLowerCase()] ?? [];
  const name = words(row.name);
  const id = words(row.id);
  return {
    id: index,
    name: name.join(' '),
    other: unique([...row.aliases, row.slug].flatMap(words)),
    owner: unique([...id, ...others.flatMap(words), ...joined(row.name)]),
    inside: unique([...name, ...words(owner)].flatMap(endings)),
    // Among equals the original and the newer one come first, and what people talk to before what it was trained from.
    weight:
      (row.relation?.startsWith('base model') ? 0.8 : row.kind === 'original' ? 1.1 : 1) +
      (Number(row.released?.slice(0, 4) ?? 2020) - 2020) / 100,
  };
}

const kFields = ['name', 'other', 'owner', 'inside'];
const kBoost = { name: 4, other: 2, owner: 1, inside: 0.3 };

/** Wrong letters that a word may have: one, or two in a long one. Numbers are meant as they are typed. */
const errorsIn = (word: string): number | false =>
  /\d/.test(word) || word.length < 4 ? false : word.length < 8 ? 1 : 2;

export class CatalogueSearch<Row extends Searched> {
  readonly #index: MiniSearch;

  constructor(private readonly rows: Row[]) {
    this.#index = new MiniSearch({
      fields: kFields,
      storeFields: ['weight'],
      tokenize: (text) => text.split(' '),
      processTerm: (word) => word,
    });
    this.#index.addAll(rows.map(documentOf));
  }

  /** The rows that have every word of the text, the likeliest first. */
  find(text: string): Row[] {
    const found = this.#search(words(text));
    const named = found.length > 0 ? text : text.replace(kPackings, ' ');
    const all = named === text ? found : this.#search(words(named));
    const name = squeezed(named);
    const isCalled = (row: Row): boolean =>
      [row.name, row.id, row.slug, ...row.aliases].some((other) => squeezed(other) === name);
    // "27" means 27b before 270m.
    const sizes = words(named).filter((word) => /^[\d.]+$/.test(word));
    const isOfSize = (row: Row): boolean => {
      const own = words(row.name);
      return sizes.every((size) => own.includes(size) || own.includes(`${size}b`));
    };
    // What was typed goes before what is a typing error away.
    const holds = (row: Row): boolean => squeezed(row.id).includes(name);
    const rank = (row: Row): number => {
      if (isCalled(row)) return 0;
      if (!isOfSize(row)) return 3;
      return holds(row) ? 1 : 2;
    };
    return [0, 1, 2, 3].flatMap((wanted) => all.filter((row) => rank(row) === wanted));
  }

  #search(asked: string[]): Row[] {
    const results = this.#index.search(asked.join(' '), {
      combineWith: 'AND',
      prefix: true,
      fuzzy: errorsIn,
      boost: kBoost,
      boostDocument: (_id, _word, stored) => stored?.['weight'] as number,
    });
    return results.flatMap(({ id }) => this.rows[id as number] ?? []);
  }
}
