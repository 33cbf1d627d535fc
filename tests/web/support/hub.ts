// SPDX-License-Identifier: Apache-2.0
// A stand-in for huggingface.co and the host that it sends browsers on to. How it behaves depends on the owner of the model:
//   plain   answers ranges, redirecting weights to `cdn`        whole   knows no ranges; its files never end
//   gated   wants a login and consent                           missing has no such model
//   private wants a login and does not say why                  empty   has the repository, but none of the files
//   slow    never answers                                       stalls  begins an answer and stops
//   cut     breaks off in the middle                            closed  answers, but not to other sites (no CORS)
//   busy    wants fewer requests                                broken  has an error
//   stray   sends browsers on to a host that is not its own     new     has the model, not the revision
//   large   has a checkpoint of 8 parts and a GGUF              held    has the same, but never sends parts 4 to 8
import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkpoint405B, gguf405B, type VirtualFile } from './models';

/** Files as large as they say without being anywhere: a safetensors header of one tensor, and then byte i is i modulo 251. */
export const kVirtualBytes = 5_000_000_000;
const kHeaderBytes = 256;
const kTensorBytes = kVirtualBytes - 8 - kHeaderBytes;
const kHeader = new TextEncoder().encode(
  `\0\x01\0\0\0\0\0\0${JSON.stringify({ weights: { dtype: 'U8', shape: [kTensorBytes], data_offsets: [0, kTensorBytes] } }).padEnd(kHeaderBytes)}`,
);
export const virtualBytes = (offset: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, index) => kHeader[offset + index] ?? (offset + index) % 251);

interface HubOptions {
  /** What every config.json holds. */
  config: string;
  /** Origin of the host that holds weights. */
  cdn?: string;
}

const kExposed = 'X-Repo-Commit,X-Error-Code,X-Error-Message,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size';
const kRefusals: Record<string, [number, string]> = {
  gated: [401, 'GatedRepo'],
  missing: [401, 'RepoNotFound'],
  private: [401, ''],
  new: [404, 'RevisionNotFound'],
  empty: [404, 'EntryNotFound'],
  busy: [429, ''],
  broken: [500, ''],
};

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, code ? { 'X-Error-Code': code } : {}).end('no');
}

export const kLargeParts = 8;
export const kLargeGguf = 'Llama-405B-Q8_0.gguf';
let large: Map<string, VirtualFile> | undefined;
function largeFile(path: string): VirtualFile | undefined {
  large ??= new Map([...checkpoint405B(kLargeParts), [kLargeGguf, gguf405B()]]);
  return large.get(path.split('/').at(-1) ?? '');
}

/** Bytes of a file; undefined if there is no such file. */
function contentOf(path: string, config: string): VirtualFile | undefined {
  if (/^(\/cdn)?\/(large|held)\//.test(path)) return largeFile(path);
  if (path.endsWith('.safetensors') || path.endsWith('.gguf')) return { size: kVirtualBytes, read: virtualBytes };
  if (!path.endsWith('/config.json')) return undefined;
  const text = new TextEncoder().encode(config);
  return { size: text.length, read: (offset, bytes) => text.slice(offset, offset + bytes) };
}

function sendRange(request: IncomingMessage, response: ServerResponse, path: string, config: string, sent = 1): void {
  const content = contentOf(path, config);
  if (!content) return refuse(response, 404, 'EntryNotFound');
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  if (first === undefined) return refuse(response, 500, ''); // the page must never ask for a whole file
  const offset = Number(first);
  const end = Math.min(Number(last) + 1, content.size);
  if (offset >= content.size) return void response.writeHead(416, { 'Content-Range': `bytes */${content.size}` }).end();
  const bytes = content.read(offset, end - offset);
  response.writeHead(206, {
    'Content-Range': `bytes ${offset}-${end - 1}/${content.size}`,
    'Content-Length': bytes.length,
  });
  if (sent === 1) response.end(bytes);
  else response.write(bytes.slice(0, Math.floor(bytes.length * sent)));
}

/** A body without an end, for as long as someone listens. Its config.json is a whole one. */
function sendWhole(response: ServerResponse, path: string, config: string): void {
  if (path.endsWith('/config.json'))
    return void response.writeHead(200, { 'Content-Length': Buffer.byteLength(config) }).end(config);
  response.writeHead(200, { 'Content-Length': kVirtualBytes });
  const portion = virtualBytes(0, 251 * 256);
  let rest = kVirtualBytes;
  const pour = (): void => {
    if (response.destroyed || rest <= 0) return;
    rest -= portion.length;
    if (response.write(portion)) setImmediate(pour);
    else response.once('drain', pour);
  };
  pour();
}

export function answerAsHub({ config, cdn }: HubOptions) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? '/';
    const owner = path.split('/')[1] ?? '';
    if (owner !== 'closed') {
      response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '*');
      response.setHeader('Access-Control-Expose-Headers', kExposed);
    }
    const refusal = kRefusals[owner];
    if (refusal) return refuse(response, ...refusal);
    if (owner === 'slow' || (owner === 'held' && /-0000[4-8]-of/.test(path))) return;
    if (owner === 'whole') return sendWhole(response, path, config);
    if (owner === 'stray') return void response.writeHead(302, { Location: `https://elsewhere.example${path}` }).end();
    if (owner === 'stalls') return sendRange(request, response, path, config, 0.5);
    if (owner === 'cut') {
      sendRange(request, response, path, config, 0.5);
      return void setTimeout(() => response.destroy(), 50);
    }
    const isWeights = !path.endsWith('.json') && !path.startsWith('/cdn/');
    if (isWeights && cdn) return void response.writeHead(302, { Location: `${cdn}/cdn${path}` }).end();
    sendRange(request, response, path, config);
  };
}
