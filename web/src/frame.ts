// SPDX-License-Identifier: Apache-2.0
// /embed/ stands in a frame on someone else's page: what its link says, and what it and that page tell each other. Messages are
// { type: "weighbridge:…", v: 1, id }; web/embed/README.md lists them. The theme, the height, and a module that does not start are the
// business of public/embed-boot.js, which runs without this one.
import { effect, signal, untracked } from '@preact/signals';
import type { Core } from './core/core';
import type { Notice } from './core/wire';
import { t, type MessageFiles } from './i18n';
import { currentHash, readLink, Readings } from './link';
import { noticeTexts, sayNotice } from './notices';
import type { Address } from './start';
import type { Store } from './store';

const kProtocol = 1;
const kViews = ['card', 'bar', 'full'] as const;
export type FrameView = (typeof kViews)[number];

/** The texts of the frame, which no other page loads. */
export const frameMessages: MessageFiles = {
  en: () => import('../messages/embed.en.json'),
  'zh-CN': () => import('../messages/embed.zh-CN.json'),
};

/** How much of the answer is shown; known once the core is ready, so that what is hydrated is what stands in the HTML. */
export const frameView = signal<FrameView>('card');
/** The state as the full page's link says it, without what is only for the frame. */
export const stateText = signal('');

export interface FrameLink {
  /** For the core and for the full page. */
  state: string;
  view: string;
}

/** Divides the text behind `#`: view, th (theme) and id are for the frame alone. */
export function splitLink(hash: string): FrameLink {
  const link = { state: [] as string[], view: 'card' };
  for (const part of hash.replace(/^#/, '').split('&')) {
    const [key] = part.split('=', 1);
    if (key === 'view') link.view = part.slice('view='.length);
    else if (key && key !== 'th' && key !== 'id') link.state.push(part);
  }
  return { ...link, state: link.state.join('&') };
}

const unknownView = (value: string): Notice => ({
  code: 'invalid_value',
  where: 'link.view',
  message: `\`view=${value}\` in this link: expected one of card, bar, full.`,
  values: { key: 'view', value, expected: 'one of card, bar, full' },
});

async function show(store: Store, core: Core, hash: string, isNewest: () => boolean): Promise<void> {
  const { state, view } = splitLink(hash);
  const known = kViews.find((name) => name === view);
  await readLink(store, core, state, isNewest);
  if (!isNewest()) return;
  if (!known) store.linkNotices.value = [...store.linkNotices.value, unknownView(view)];
  frameView.value = known ?? 'card';
  document.documentElement.dataset['view'] = frameView.value;
}

function post(type: 'ready' | 'change' | 'error', more: object): void {
  if (parent === window) return;
  parent.postMessage(
    { type: `weighbridge:${type}`, v: kProtocol, id: document.documentElement.dataset['id'] ?? '', ...more },
    '*',
  );
}

/** The answer in five figures, for the page around the frame; nothing while the settings have none. */
function resultOf({ answer, problem }: Store): object | null {
  if (problem.value) return null;
  const { verdict, devices, max_context_tokens, max_sequences } = answer.value;
  const device = devices[verdict.device ?? 0];
  return {
    verdict: verdict.class,
    total_bytes: device?.total_bytes ?? null,
    limit_bytes: device?.limit_bytes ?? null,
    max_context_tokens,
    max_sequences,
  };
}

async function tell(store: Store, core: Core): Promise<void> {
  const request = store.request.value;
  const [state, link] = await Promise.all([currentHash(store, core, { complete: true }), currentHash(store, core)]);
  if (request !== store.request.value) return; // another state came while this one was packed, and tells of itself
  stateText.value = link;
  post('change', { state, result: resultOf(store) });
}

/** States come by the address and by message. */
const readings = new Readings();
const showNext = (store: Store, core: Core, hash: string): void =>
  readings.begin((isNewest) => show(store, core, hash, isNewest));

function obey(store: Store, core: Core, message: { type: string; state?: unknown }): void {
  if (message.type === 'weighbridge:get') void tell(store, core);
  if (message.type !== 'weighbridge:set') return;
  if (typeof message.state === 'string') showNext(store, core, message.state);
  else post('error', { code: 'bad_message', text: t('embed.badMessage') });
}

/** The frame's address: read as a link, never written. The page around it changes the state by message, or by another `#`. */
export const kFrame: Address = {
  follow(store, core) {
    const showAddress = (): void => showNext(store, core, location.hash);
    addEventListener('hashchange', showAddress);
    if (location.hash.length > 1) showAddress();
    return readings.done();
  },
  ready(store, core) {
    reportTrouble('');
    post('ready', {});
    effect(() => {
      void [store.request.value, store.view.value, store.kept.value, store.problem.value];
      untracked(() => void tell(store, core));
    });
    effect(() => {
      const notices = store.problem.value ? [store.problem.value, ...store.linkNotices.value] : store.linkNotices.value;
      if (notices.length === 0) return;
      void noticeTexts().then(() => {
        for (const notice of notices) post('error', { code: notice.code, text: sayNotice(notice) });
      });
    });
    addEventListener('message', ({ source, data }: MessageEvent) => {
      if (source === parent && data?.v === kProtocol && typeof data.type === 'string') obey(store, core, data);
    });
  },
};

export type Trouble = 'unstarted' | 'sandboxed' | 'blocked' | 'broken';

/** The core is not to be had, or is after all (''): public/embed-boot.js says so, on the page and to the page around. */
export const reportTrouble = (trouble: Trouble | ''): boolean =>
  dispatchEvent(new CustomEvent('weighbridge:trouble', { detail: trouble }));
