// SPDX-License-Identifier: Apache-2.0
// What every page of the site does: take over its prerendered HTML, bring the core, follow the address.
import { hydrate, type ComponentType } from 'preact';
import { estimateWhole, type Core } from './core/core';
import { loadCore } from './core/load';
import { useLocale, type Locale, type MessageFiles } from './i18n';
import { followAddress } from './link';
import { noticeTexts } from './notices';
import { createStore, StoreProvider, type FirstAnswer, type Store } from './store';

/** Where the state of a page comes from when it opens, and what it is kept in step with afterwards. */
export interface Address {
  /** Shows what the address says, and from then on what else comes; resolves when the newest of it was read. */
  follow(store: Store, core: Core): Promise<void>;
  /** The page stands with its answer. */
  ready?(store: Store, core: Core): void;
}

async function bringCore(store: Store, loading: Promise<Core>, address: Address): Promise<void> {
  try {
    const core = await loading;
    store.readCatalogue(core);
    const hasLink = location.hash.length > 1;
    if (hasLink) await noticeTexts(); // a link may hold what cannot be read
    await address.follow(store, core);
    if (hasLink) await estimateWhole(core, store.request.value); // so that the page is ready with its answer
    store.coreState.value = { status: 'ready', core };
    address.ready?.(store, core);
    performance.mark('weighbridge:ready');
  } catch (cause) {
    console.warn('Weighbridge: the counting core did not load.', cause);
    const isBlocked = typeof WebAssembly === 'undefined' || cause instanceof WebAssembly.CompileError;
    store.coreState.value = { status: 'failed', reason: isBlocked ? 'blocked' : 'broken' };
  }
  delete document.documentElement.dataset['link'];
}

/** What the build wrote into the page beside its HTML. */
export function embedded<T>(id: string): T {
  const text = document.getElementById(id)?.textContent;
  if (!text) throw new Error(`the page lacks its data: ${id}`);
  return JSON.parse(text) as T;
}

export interface StartOptions {
  /** Texts that only this page has. */
  messages?: MessageFiles;
  address?: Address;
  /** Made by a page that needs it before it starts. */
  store?: Store;
}

/** The state that a page opens with: what stands in its HTML. */
export const firstStore = (): Store => createStore(embedded<FirstAnswer>('first'));

export async function start(
  Page: ComponentType,
  { messages, address = { follow: followAddress }, store = firstStore() }: StartOptions = {},
): Promise<void> {
  const root = document.getElementById('app');
  if (!root) throw new Error('the page has no place for itself');
  const loading = loadCore();
  loading.catch(() => undefined); // handled in bringCore, once there is a page to say it on
  await useLocale(document.documentElement.lang as Locale, messages);
  hydrate(
    <StoreProvider value={store}>
      <Page />
    </StoreProvider>,
    root,
  );
  // Only now: what is hydrated must be what stands in the HTML.
  await bringCore(store, loading, address);
}
