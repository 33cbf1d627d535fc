// SPDX-License-Identifier: Apache-2.0
// Reading parts of a file of a host that is not always what one hopes for. The host is a server in this process.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { remoteSource, type RemoteSource } from '../../web/src/reader/remote';
import { ReadProblem } from '../../web/src/reader/wire';
import { answerAsHub, kVirtualBytes, virtualBytes } from './support/hub';

const kConfig = '{"model_type":"llama"}';
const kPatience = 200; // ms
let server: Server;
let origin = '';
let sent = 0;

beforeEach(() => vi.stubGlobal('navigator', { onLine: true }));
beforeAll(async () => {
  server = createServer((request, response) => {
    const write = response.write.bind(response) as (chunk: Uint8Array) => boolean;
    response.write = ((chunk: Uint8Array) => {
      sent += chunk.length;
      return write(chunk);
    }) as typeof response.write;
    answerAsHub({ config: kConfig, cdn: origin })(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
afterEach(() => vi.unstubAllGlobals());

const source = (owner: string, file = 'model.safetensors', patience = kPatience): RemoteSource =>
  remoteSource('the host', file, `${origin}/${owner}/model/resolve/main/${file}`, patience);
const signal = new AbortController().signal;

async function problem(reading: Promise<unknown>): Promise<[string, string, string]> {
  const cause = await reading.then(
    () => expect.fail('it was read'),
    (thrown: unknown) => thrown,
  );
  if (!(cause instanceof ReadProblem)) throw cause;
  const { code, values } = cause.notice;
  expect(values.key).toBe('the host');
  return [code, values.value, values.expected];
}

describe('a host with ranges', () => {
  it('gives the bytes that were asked for, after a redirect, and the size of the whole', async () => {
    const weights = source('plain');
    expect(await weights.read(4_000_000_001, 9, signal)).toEqual({
      bytes: virtualBytes(4_000_000_001, 9),
      sizeBytes: kVirtualBytes,
    });
    expect([weights.sizeBytes, weights.found]).toEqual([kVirtualBytes, true]);
  });
  it('gives fewer at the end of the file', async () => {
    const part = await source('plain', 'config.json').read(0, 1 << 20, signal);
    expect(new TextDecoder().decode(part?.bytes)).toBe(kConfig);
    expect(part?.sizeBytes).toBe(kConfig.length);
  });
  it('need not say how large the whole is', async () => {
    const hidden = new Response(virtualBytes(0, 9).slice(), { status: 206, headers: { 'Content-Length': '9' } });
    vi.stubGlobal('fetch', async () => hidden);
    expect(await source('any').read(0, 100, signal)).toEqual({ bytes: virtualBytes(0, 9), sizeBytes: undefined });
  });
  it('is not believed when it sends another part', async () => {
    const other = new Response('x', { status: 206, headers: { 'Content-Range': 'bytes 0-0/99' } });
    vi.stubGlobal('fetch', async () => other);
    expect((await problem(source('any').read(10, 1, signal)))[0]).toBe('remote_no_ranges');
  });
  it('gives nothing behind the end', async () =>
    expect(await source('plain', 'config.json').read(1000, 10, signal)).toEqual({
      bytes: new Uint8Array(),
      sizeBytes: kConfig.length,
    }));
  it('says that there is no such file', async () => {
    const none = source('empty');
    expect(await none.read(0, 10, signal)).toBeUndefined();
    expect(none.found).toBe(false);
  });
});

describe('a host without ranges', () => {
  it('is read up to what is needed, and no further', async () => {
    sent = 0;
    const part = await source('whole').read(100, 1000, signal);
    expect(part).toEqual({ bytes: virtualBytes(100, 1000), sizeBytes: kVirtualBytes });
    await new Promise((later) => setTimeout(later, 50));
    expect(sent).toBeLessThan(kVirtualBytes / 100);
  });
  it('gives a small file whole', async () => {
    const part = await source('whole', 'config.json').read(0, 1 << 20, signal);
    expect(part?.sizeBytes).toBe(kConfig.length);
  });
  it('is left when that lies far in', async () =>
    expect(await problem(source('whole').read(4e9, 1000, signal))).toEqual([
      'remote_no_ranges',
      '',
      'model.safetensors',
    ]));
});

describe('each failure has its own sentence', () => {
  it.each([
    ['gated', 'remote_gated', ''],
    ['missing', 'remote_no_repository', ''],
    ['private', 'remote_login', ''],
    ['new', 'remote_no_revision', ''],
    ['busy', 'remote_busy', ''],
    ['broken', 'remote_failed', '500'],
    ['cut', 'remote_truncated', ''],
  ])('%s: %s', async (owner, code, value) => {
    const [found, about] = await problem(source(owner).read(0, 100_000, signal));
    expect([found, about]).toEqual([code, value]);
  });
  it.each(['slow', 'stalls'])('%s: remote_slow', async (owner) => {
    const begun = Date.now();
    expect((await problem(source(owner, 'model.safetensors').read(0, 100_000, signal)))[0]).toBe('remote_slow');
    expect(Date.now() - begun).toBeGreaterThan(kPatience * 0.9);
  });
  it('a refused connection: remote_blocked', async () => {
    const nowhere = remoteSource('the host', 'x', 'http://127.0.0.1:1/x', kPatience);
    expect((await problem(nowhere.read(0, 10, signal)))[0]).toBe('remote_blocked');
  });
  it('offline: remote_offline', async () => {
    vi.stubGlobal('navigator', { onLine: false });
    const nowhere = remoteSource('the host', 'x', 'http://127.0.0.1:1/x', kPatience);
    expect((await problem(nowhere.read(0, 10, signal)))[0]).toBe('remote_offline');
  });
  it('a cancelled reading is no failure of the host', async () => {
    const abort = new AbortController();
    const reading = source('slow', 'x.gguf', 10_000).read(0, 10, abort.signal);
    abort.abort('enough');
    await expect(reading).rejects.toBe('enough');
  });
});
