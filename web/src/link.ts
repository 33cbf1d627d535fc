// SPDX-License-Identifier: Apache-2.0
// The state of the page in the address, behind the `#`, which no server ever sees. The grammar itself lives in the core
// (share.encode, share.decode); here are the address bar, and the packing of a model that is not in the catalogue.
import { effect, untracked } from '@preact/signals';
import type { Core } from './core/core';
import type { DecodedLink, Json, LinkView, ModelChoice, Notice, Request } from './core/wire';
import type { Store } from './store';

const kWriteDelay = 300; // ms; typing and dragging settle before the address changes
const kMostPacked = 4000; // characters; a longer link is cut by chat programs and mail
const kMostUnpacked = 1 << 20; // bytes; a config is a few kB, so more is no config
const kPackPrefix = 'z';
const kNotCarried = '-'; // there was a model, and a link has no room for it

const base64url = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const fromBase64url = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));

async function transformed(
  bytes: Uint8Array<ArrayBuffer>,
  stream: ReadableWritablePair<Uint8Array, BufferSource>,
): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    size += part.value.length;
    if (size > kMostUnpacked) throw new RangeError('unpacks to more than a config');
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** A config as a link carries it, or nothing if it is too long for one. File names and paths are never part of it. */
export async function packConfig(config: { [key: string]: Json }): Promise<string | undefined> {
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  const packed = kPackPrefix + base64url(await transformed(bytes, new CompressionStream('deflate-raw')));
  return packed.length <= kMostPacked ? packed : undefined;
}

/** The config of a link; rejects if the text was damaged on its way. */
export async function unpackConfig(packed: string): Promise<{ [key: string]: Json }> {
  if (!packed.startsWith(kPackPrefix)) throw new TypeError('unknown packing');
  const bytes = await transformed(
    fromBase64url(packed.slice(kPackPrefix.length)),
    new DecompressionStream('deflate-raw'),
  );
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as { [key: string]: Json };
}

/** Settings are `key=value`; anything else behind a `#` is a part of the page. */
export const isState = (hash: string): boolean => hash.includes('=');

/** What a link says beside the settings themselves. */
interface LinkExtra {
  complete?: boolean;
  shared?: { data: string; total_gib: number };
}

/** What a link says of a model that the catalogue lacks: its config, or that there is no room for it. */
const customOf = async ({ config, spec, hub }: ModelChoice): Promise<string | undefined> =>
  (config && (await packConfig(config))) ?? ((config ?? spec) && !hub ? kNotCarried : undefined);

/** Whether a link can hold a model, or at least name it. */
export const isCarried = async (model: ModelChoice): Promise<boolean> => (await customOf(model)) !== kNotCarried;

/** The text behind `#` for a state. */
export async function hashOf(
  core: Core,
  { request, view, kept }: { request: Request; view: LinkView; kept: [string, string][] },
  extra: LinkExtra = {},
): Promise<string> {
  const custom = await customOf(request.model);
  const reply = core.call('share.encode', {
    request,
    view,
    kept,
    ...(custom ? { custom } : {}),
    ...extra,
  });
  return reply.ok ? reply.result.hash : '';
}

/** The text behind `#` for the present state. */
export const currentHash = (store: Store, core: Core, extra?: LinkExtra): Promise<string> =>
  hashOf(core, { request: store.request.value, view: store.view.value, kept: store.kept.value }, extra);

const brokenModel = (key: string, value: string): Notice => ({
  code: 'broken_model',
  where: `link.${key}`,
  message: 'The model of this link is damaged and could not be read; the default model was counted.',
  values: { key, value: value.slice(0, 16), expected: '' },
});

/**
 * Shows what the text behind a `#` says. Whatever it holds that cannot be read becomes a notice; the rest counts. Nothing is shown if
 * another link came (`isNewest`) while parts of this one were on their way.
 */
export async function readLink(store: Store, core: Core, hash: string, isNewest: () => boolean): Promise<void> {
  if (/(^|[#&])g=/.test(hash)) await store.bringDevices(core);
  const reply = core.call('share.decode', { hash });
  if (!reply.ok) return;
  const link: DecodedLink = reply.result;
  const notices = [...link.notices];
  let { request } = link;
  const { hub } = request.model;
  const reference = hub ? (await import('./reader/hub')).referenceOf(hub) : undefined;
  if (hub && !reference) notices.push(brokenModel('hf', hub));
  if (link.custom) {
    try {
      const config = await unpackConfig(link.custom);
      const { modelOfConfig } = await import('./reader/choice');
      request = { ...request, model: await modelOfConfig(config, reference) };
    } catch {
      notices.push(brokenModel('c', link.custom));
    }
  }
  if (!isNewest()) return;
  store.view.value = link.view;
  store.kept.value = link.kept;
  store.linkNotices.value = notices;
  store.open(request);
  if (reference) store.outside.value = { state: 'offer', reference, isLinked: true };
}

/** Readings that may overlap, of which the newest counts: links come while parts of an earlier one are on their way. */
export class Readings {
  begun = 0;
  private newest = Promise.resolve();

  begin(read: (isNewest: () => boolean) => Promise<void>): void {
    this.begun += 1;
    const own = this.begun;
    this.newest = read(() => own === this.begun);
  }

  /** Resolves when the newest is done; another may begin until then. */
  async done(): Promise<void> {
    for (let awaited; awaited !== this.newest; await awaited) awaited = this.newest;
  }
}

/** A state that an address is kept in step with. */
export interface Followed {
  /** All that the address depends on; read in an effect. */
  state(): unknown[];
  hash(): Promise<string>;
  /** Shows what a link says, but for what comes after a newer link (`isNewest`). */
  read(hash: string, isNewest: () => boolean): Promise<void>;
}

/**
 * Shows what the address says, and keeps it and a state the same from then on, in both directions. Resolves when the newest link was read:
 * another may come while the first is. `isRead`: what the address says at first is not wanted.
 */
export async function follow({ state, hash: hashOfState, read }: Followed, isRead = false): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let written = location.hash.replace(/^#/, '');
  // A link stays as it came, with what could not be read in it, until the person changes something.
  let opened = untracked(state);
  let isReading = false; // the newest link; until then nothing is written over it
  const readings = new Readings();
  effect(() => {
    const now = state();
    clearTimeout(timer);
    if (isReading) return;
    if (now.length === opened.length && now.every((part, index) => part === opened[index])) return;
    opened = []; // from now on the way back is a change as well
    timer = setTimeout(() => void write(), kWriteDelay);
  });
  async function write(): Promise<void> {
    const before = readings.begun;
    const hash = await hashOfState();
    if (hash === written || readings.begun !== before) return;
    written = hash;
    history.replaceState(null, '', hash ? `#${hash}` : location.pathname + location.search);
  }
  function arrive(): void {
    clearTimeout(timer);
    isReading = true;
    readings.begin((isNewest) =>
      read(location.hash, isNewest).finally(() => {
        if (!isNewest()) return;
        isReading = false;
        opened = untracked(state);
      }),
    );
  }
  addEventListener('hashchange', () => {
    const arrived = location.hash.replace(/^#/, '');
    if (arrived === written || (arrived && !isState(arrived))) return;
    written = arrived;
    arrive();
  });
  if (!isRead && isState(written)) arrive();
  await readings.done();
}

/** The settings of the page as what an address says. `core` must be ready. */
export const settingsOf = (store: Store, core: Core): Followed => ({
  state: () => [store.request.value, store.view.value, store.kept.value],
  hash: () => currentHash(store, core),
  read: (hash, isNewest) => readLink(store, core, hash, isNewest),
});

/** Keeps the address and the settings the same. */
export const followAddress = (store: Store, core: Core): Promise<void> => follow(settingsOf(store, core));
