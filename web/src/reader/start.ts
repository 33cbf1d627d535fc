// SPDX-License-Identifier: Apache-2.0
// Brings the reader: in a worker, or in the page itself where a worker cannot be had (a frame without an origin, a stricter policy).
import { trusted } from './trusted';
import workerUrl from './worker?worker&url';
import type { Errand, Reader } from './wire';

type Send = (errand: Errand) => Promise<string>;

const kMostStartTime = 20_000; // ms; a worker that was blocked without a word is given up

async function inWorker(): Promise<Send> {
  const worker = new Worker(trusted(workerUrl), { type: 'module' });
  const waiting = new Map<number, { resolve: (text: string) => void; reject: (cause: Error) => void }>();
  let last = 0;
  let end: Error | undefined;
  const send: Send = (errand) =>
    new Promise((resolve, reject) => {
      if (end) return reject(end);
      waiting.set(++last, { resolve, reject });
      const bytes = errand[0] === 'push' ? [errand[5].buffer as ArrayBuffer] : [];
      worker.postMessage({ id: last, errand }, bytes);
    });
  return new Promise((resolve, reject) => {
    const giveUp = (cause: string): void => {
      worker.terminate();
      end = new Error(cause);
      reject(end);
      for (const { reject: fail } of waiting.values()) fail(end);
    };
    const timer = setTimeout(() => giveUp('the worker did not start'), kMostStartTime);
    worker.addEventListener('error', (event) => giveUp(event.message || 'the worker failed'));
    worker.addEventListener('message', ({ data }) => {
      if (data.started !== undefined) {
        clearTimeout(timer);
        if (data.started) resolve(send);
        else giveUp(data.cause);
        return;
      }
      if (data.cause !== undefined) return giveUp(data.cause); // a module that failed once cannot be trusted again
      waiting.get(data.id)?.resolve(data.text);
      waiting.delete(data.id);
    });
  });
}

async function inPage(): Promise<Send> {
  const { loadReaderModule, run } = await import('./module');
  const module = await loadReaderModule();
  return async (errand) => run(module, errand);
}

async function start(): Promise<Reader> {
  const send = await inWorker().catch((cause: unknown) => {
    console.info('Weighbridge: reading in the page itself.', cause);
    return inPage();
  });
  const answer = async (errand: Errand) => {
    try {
      return JSON.parse(await send(errand));
    } catch (cause) {
      reader = undefined; // the next model gets a new one
      throw cause;
    }
  };
  return {
    call: (method, params) => answer(['call', JSON.stringify({ method, params })]),
    push: (...what) => answer(['push', ...what]),
  };
}

let reader: Promise<Reader> | undefined;

/** The one reader of this page. Rejects where WebAssembly is blocked or a file does not arrive; the next call tries again. */
export function theReader(): Promise<Reader> {
  reader ??= start().catch((cause: unknown) => {
    reader = undefined;
    throw cause;
  });
  return reader;
}
