// SPDX-License-Identifier: Apache-2.0
// A file of a host, by HTTP Range: only the bytes that are asked for. The page asks, not the worker, so that the page's own policy says
// which hosts can be reached at all. No cookie and no referrer go along.
import type { Part, Source } from './source';
import { ReadProblem } from './wire';

const kMostSilence = 20_000; // ms without an answer, or without another byte of it
const kMostUnasked = 32 << 20; // bytes that a host without ranges may send before those that are needed

interface Place {
  host: string;
  url: string;
  name: string;
}

/** Aborts when the person cancels, or when nothing has come for a while; `isSlow` tells which. */
class Patience {
  readonly controller = new AbortController();
  isSlow = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly outer: AbortSignal,
    private readonly most: number,
  ) {
    outer.addEventListener('abort', this.#stop, { once: true });
    if (outer.aborted) this.#stop();
    this.renew();
  }
  readonly #stop = (): void => this.controller.abort(this.outer.reason);
  renew(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.isSlow = true;
      this.controller.abort();
    }, this.most);
  }
  end(): void {
    clearTimeout(this.#timer);
    this.outer.removeEventListener('abort', this.#stop);
  }
}

/** Why there is no answer. A browser does not tell a page whether a name, a network or the host's permission (CORS) was missing. */
function unreachable({ host }: Place, signal: AbortSignal, isSlow: boolean): unknown {
  if (signal.aborted) return signal.reason;
  if (isSlow) return new ReadProblem('remote_slow', host, String(kMostSilence / 1000));
  return new ReadProblem(navigator.onLine === false ? 'remote_offline' : 'remote_blocked', host);
}

/** Hugging Face answers 401 for what is gated and for what does not exist; X-Error-Code tells them apart. */
function refusal({ host, name }: Place, { status, headers }: Response): ReadProblem | undefined {
  const code = headers.get('X-Error-Code') ?? '';
  if (code === 'GatedRepo') return new ReadProblem('remote_gated', host);
  if (code === 'RepoNotFound') return new ReadProblem('remote_no_repository', host);
  if (code === 'RevisionNotFound') return new ReadProblem('remote_no_revision', host);
  if (status === 401) return new ReadProblem('remote_login', host);
  if (status === 403) return new ReadProblem('remote_gated', host);
  if (status === 404) return undefined;
  if (status === 429) return new ReadProblem('remote_busy', host);
  return new ReadProblem('remote_failed', host, String(status), name);
}

/** Of the body; a host may hide it from other sites, or not know it. */
function lengthOf({ headers }: Response): number | undefined {
  const length = headers.get('Content-Length');
  return length === null ? undefined : Number(length);
}

/** Where the part begins, and the size of the whole file: "bytes 0-99/1234". After 416 there is no part, only a star. */
function rangeIn(headers: Headers): { start?: number; size?: number } {
  const [, start, size] =
    /^bytes (?:(\d{1,15})-\d{1,15}|\*)\/(?:(\d{1,15})|\*)$/.exec(headers.get('Content-Range') ?? '') ?? [];
  return { ...(start && { start: Number(start) }), ...(size && { size: Number(size) }) };
}

/** Reads at most `most` bytes of a body and leaves the rest where it is. */
async function readBody(
  response: Response,
  most: number,
  patience: Patience,
): Promise<{ bytes: Uint8Array; isAll: boolean }> {
  const reader = response.body?.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  let isAll = reader === undefined;
  while (reader && !isAll && size < most) {
    const { done, value } = await reader.read();
    patience.renew();
    isAll = done;
    if (value) {
      parts.push(value);
      size += value.length;
    }
  }
  void reader?.cancel().catch(() => undefined);
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return { bytes: bytes.slice(0, most), isAll: isAll && size <= most };
}

/** The whole file, from a host that does not know ranges: read up to what is needed, if that is not far in. */
async function withoutRanges(
  place: Place,
  response: Response,
  offset: number,
  bytes: number,
  patience: Patience,
): Promise<Part> {
  const announced = lengthOf(response);
  if (offset + bytes > kMostUnasked && !(announced !== undefined && announced <= kMostUnasked)) {
    patience.controller.abort(); // it would send the whole file
    throw new ReadProblem('remote_no_ranges', place.host, '', place.name);
  }
  const { bytes: start, isAll } = await readBody(response, offset + bytes, patience);
  return { bytes: start.slice(offset), sizeBytes: isAll ? start.length : announced };
}

async function readPart(
  place: Place,
  response: Response,
  offset: number,
  bytes: number,
  patience: Patience,
): Promise<Part | undefined> {
  if (response.status === 200) return withoutRanges(place, response, offset, bytes, patience);
  if (response.status === 416) return { bytes: new Uint8Array(), sizeBytes: rangeIn(response.headers).size ?? 0 };
  if (response.status !== 206) {
    const problem = refusal(place, response);
    if (problem) throw problem;
    return undefined;
  }
  const { start = offset, size: sizeBytes } = rangeIn(response.headers);
  if (start !== offset) throw new ReadProblem('remote_no_ranges', place.host, '', place.name);
  const announced = sizeBytes === undefined ? lengthOf(response) : sizeBytes - offset;
  const expected = Math.max(0, Math.min(bytes, announced ?? 0));
  const { bytes: got } = await readBody(response, announced === undefined ? bytes : expected, patience);
  if (got.length < expected) throw new ReadProblem('remote_truncated', place.host, '', place.name);
  return { bytes: got, sizeBytes };
}

export interface RemoteSource extends Source {
  /** Whether the host has it; undefined until it has said. */
  found: boolean | undefined;
}

/** `path` is asked for at `url`; `mostSilence` is for tests. */
export function remoteSource(host: string, path: string, url: string, mostSilence = kMostSilence): RemoteSource {
  const place: Place = { host, url, name: path };
  return {
    name: path,
    sizeBytes: undefined,
    found: undefined,
    async read(offset, bytes, signal) {
      const patience = new Patience(signal, mostSilence);
      let hasBegun = false;
      try {
        const response = await fetch(url, {
          headers: { Range: `bytes=${offset}-${offset + bytes - 1}` },
          signal: patience.controller.signal,
          credentials: 'omit',
          referrerPolicy: 'no-referrer',
        });
        hasBegun = true;
        patience.renew();
        const part = await readPart(place, response, offset, bytes, patience);
        if (!part) void response.body?.cancel().catch(() => undefined);
        this.found = part !== undefined;
        this.sizeBytes = part?.sizeBytes;
        return part;
      } catch (cause) {
        if (cause instanceof ReadProblem) throw cause;
        if (hasBegun && !signal.aborted && !patience.isSlow) throw new ReadProblem('remote_truncated', host, '', path);
        throw unreachable(place, signal, patience.isSlow);
      } finally {
        patience.end();
      }
    },
  };
}
