// SPDX-License-Identifier: Apache-2.0
// A link with several setups: the first as on every page, the others with `b.` and `c.` before each key, and with all their settings, since what
// a link leaves out means the first setup's page, not another setup.
import type { Core } from '../core/core';
import { follow, hashOf, readLink } from '../link';
import type { Address } from '../start';
import type { Store } from '../store';
import { answerTo, kFewestSides, kLetters, sideOf, type Side, type Sides } from './sides';

const prefixOf = (index: number): string => `${(kLetters[index] ?? '').toLowerCase()}.`;
const kOthers = kLetters.slice(1).map((_, index) => prefixOf(index + 1));
const isVersion = (part: string): boolean => part.startsWith('v=');

/** The texts of the setups that a link holds, each as a link of its own. The version stands once, for all. */
export function splitSides(hash: string): string[] {
  const parts = hash.replace(/^#/, '').split('&').filter(Boolean);
  const others = kOthers
    .map((prefix) => parts.filter((part) => part.startsWith(prefix)).map((part) => part.slice(prefix.length)))
    .filter((own) => own.length > 0);
  const first = parts.filter((part) => !kOthers.some((prefix) => part.startsWith(prefix)));
  return [first, ...others.map((own) => [...first.filter(isVersion), ...own.filter((part) => !isVersion(part))])].map(
    (own) => own.join('&'),
  );
}

/** One link of the links of several setups. */
export function joinSides(hashes: string[]): string {
  const parts = hashes.flatMap((hash, index) => {
    const own = hash.split('&').filter((part) => part && !isVersion(part));
    return index === 0 ? own : own.map((part) => prefixOf(index) + part);
  });
  const version = hashes.flatMap((hash) => hash.split('&')).find(isVersion);
  return [...(version ? [version] : []), ...parts].join('&');
}

async function read(store: Store, core: Core, sides: Sides, hash: string, isNewest: () => boolean): Promise<void> {
  const found: Side[] = [];
  let view = store.view.value;
  for (const text of splitSides(hash)) {
    await readLink(store, core, text, isNewest);
    if (!isNewest()) return;
    if (found.length === 0) view = store.view.value;
    found.push({ ...sideOf(store), ...(await answerTo(core, store.request.value)) });
  }
  if (!isNewest()) return;
  const [first] = found;
  if (first && found.length < kFewestSides) found.push(first);
  store.view.value = view;
  sides.open(found);
}

async function hashOfSides(store: Store, core: Core, sides: Sides): Promise<string> {
  const view = store.view.value;
  return joinSides(
    await Promise.all(
      sides.sides.value.map(({ request, kept }, index) =>
        index === 0
          ? hashOf(core, { request, view, kept })
          : hashOf(core, { request, view: {}, kept }, { complete: true }),
      ),
    ),
  );
}

/** The address of a page that holds `sides` against each other. */
export const addressOf = (sides: Sides): Address => ({
  follow: (store, core) =>
    follow({
      state: () => [store.view.value, ...sides.sides.value.flatMap(({ request, kept }) => [request, kept])],
      hash: () => hashOfSides(store, core, sides),
      read: (hash, isNewest) => read(store, core, sides, hash, isNewest),
    }),
});
