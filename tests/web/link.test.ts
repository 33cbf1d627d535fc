// SPDX-License-Identifier: Apache-2.0
// The address while links arrive: what a link is on the way to is never written over it.
import { signal } from '@preact/signals';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { follow, type Followed } from '../../web/src/link';

const kSettled = 400; // ms; more than the address waits before it is written

/** A page whose state is a text, and whose links are read when the test says so. `isRead`: what its address says at first is not. */
function page(isRead = true) {
  const state = signal('n=1');
  const reads: { isNewest: () => boolean; end: () => void }[] = [];
  const hashes: ((hash: string) => void)[] = [];
  let isPacking = false;
  const followed: Followed = {
    state: () => [state.value],
    hash: () => (isPacking ? new Promise((resolve) => hashes.push(resolve)) : Promise.resolve(state.value)),
    read: (_, isNewest) => new Promise((end) => reads.push({ isNewest, end })),
  };
  const opened = follow(followed, isRead);
  return { state, reads, hashes, opened, pack: () => (isPacking = true) };
}

describe('the address', () => {
  let written: string[];
  let hear: () => void;
  const place = { hash: '#n=1', pathname: '/', search: '' };
  const arrive = (hash: string): void => {
    place.hash = hash;
    hear();
  };
  const settle = () => vi.advanceTimersByTimeAsync(kSettled);
  beforeEach(() => {
    vi.useFakeTimers();
    written = [];
    place.hash = '#n=1';
    vi.stubGlobal('location', place);
    vi.stubGlobal('history', { replaceState: (_data: unknown, _title: string, to: string) => written.push(to) });
    vi.stubGlobal('addEventListener', (_name: string, listener: () => void) => (hear = listener));
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('is written when a change has settled', async () => {
    const { state } = page();
    state.value = 'n=2';
    expect(written).toEqual([]);
    await settle();
    expect(written).toEqual(['#n=2']);
  });
  it('goes back with a change that is taken back', async () => {
    const { state } = page();
    state.value = 'n=2';
    await settle();
    state.value = 'n=1';
    await settle();
    expect(written).toEqual(['#n=2', '#n=1']);
  });
  it('stays the link that arrived, whatever is shown on the way to it', async () => {
    const { state, reads } = page();
    state.value = 'n=2'; // a change that has not settled gives way as well
    arrive('#n=3&n=4');
    state.value = 'n=half';
    await settle();
    state.value = 'n=4';
    reads[0]?.end();
    await settle();
    expect(written).toEqual([]);
    state.value = 'n=5';
    await settle();
    expect(written).toEqual(['#n=5']);
  });
  it('is left to the newest of two links, whichever is read first', async () => {
    const { state, reads } = page();
    arrive('#n=3');
    arrive('#n=4');
    expect(reads.map(({ isNewest }) => isNewest())).toEqual([false, true]);
    reads[0]?.end();
    await settle();
    state.value = 'n=half';
    await settle();
    state.value = 'n=4';
    reads[1]?.end();
    await settle();
    expect(written).toEqual([]);
  });
  it('hears a link that arrives while the first one is read, and is there when that one was read', async () => {
    const { state, reads, opened } = page(false);
    let isOpened = false;
    void opened.then(() => (isOpened = true));
    arrive('#n=3');
    expect(reads.map(({ isNewest }) => isNewest())).toEqual([false, true]);
    reads[0]?.end();
    await settle();
    expect(isOpened).toBe(false);
    state.value = 'n=3';
    reads[1]?.end();
    await settle();
    expect(isOpened).toBe(true);
    expect(written).toEqual([]);
  });
  it('is open at once where it says nothing, or what it says is not wanted', async () => {
    await page(true).opened;
    place.hash = '#answer';
    const { opened, reads } = page(false);
    await opened;
    expect(reads).toEqual([]);
  });
  it('does not take a text that was being packed when the link arrived', async () => {
    const { state, reads, hashes, pack } = page();
    pack();
    state.value = 'n=2';
    await settle();
    arrive('#n=3');
    hashes[0]?.('n=2');
    reads[0]?.end();
    await settle();
    expect(written).toEqual([]);
  });
});
