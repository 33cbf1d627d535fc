// SPDX-License-Identifier: Apache-2.0
// The reader says which bytes it needs next; this brings them, several at a time, until the model is known.
import type { Notice, Reply } from '../core/wire';
import type { Part, Source } from './source';
import {
  kAbsent,
  kUnknownSize,
  ReadProblem,
  type FilesRead,
  type GivenLayers,
  type ModelRead,
  type Need,
  type Reader,
  type ReadStep,
} from './wire';

const kAtOnce = 8; // requests; a checkpoint may have more than a hundred files, and a host is not to be flooded

export interface Progress {
  /** Whole files done, of all. */
  done: number;
  files: number;
  readBytes: number;
  /** What was read and what is asked for now. */
  neededBytes: number;
  /** Of all files whose size is known; most of it is never read. */
  wholeBytes: number;
}

interface Arrival {
  need: Need;
  part: Part | undefined;
}

const keyOf = ({ file, offset, bytes }: Need): string => `${offset} ${bytes} ${file}`;

class Fetching {
  readonly #arriving = new Map<string, Promise<Arrival>>();
  readonly #seen = new Map<string, Need>();
  readonly #abort = new AbortController();
  readBytes = 0;

  constructor(
    private readonly sources: Source[],
    private readonly more: ((name: string) => Source) | undefined,
    signal: AbortSignal,
  ) {
    if (signal.aborted) this.#abort.abort(signal.reason);
    signal.addEventListener('abort', () => this.#abort.abort(signal.reason), { signal: this.#abort.signal });
  }

  get neededBytes(): number {
    const waiting = [...this.#arriving.keys()].reduce((sum, key) => sum + (this.#seen.get(key)?.bytes ?? 0), 0);
    return this.readBytes + waiting;
  }

  ask(needs: Need[]): void {
    for (const need of needs) {
      const key = keyOf(need);
      if (this.#arriving.size >= kAtOnce) return;
      if (this.#seen.has(key)) continue;
      this.#seen.set(key, need);
      const arrival = this.#sourceOf(need.file)
        .read(need.offset, need.bytes, this.#abort.signal)
        .then((part) => ({ need, part }));
      arrival.catch(() => undefined); // it is looked at when its turn comes, or no more
      this.#arriving.set(key, arrival);
    }
  }

  #sourceOf(name: string): Source {
    const known = this.sources.find((source) => source.name === name);
    if (known) return known;
    const source = this.more?.(name);
    if (!source) throw new ReadProblem('reader_stuck', name);
    this.sources.push(source);
    return source;
  }

  /** The next part to arrive. The reader that asks for nothing new and is not done would wait for ever. */
  async next(file: string): Promise<Arrival> {
    if (this.#arriving.size === 0) throw new ReadProblem('reader_stuck', file);
    const arrival = await Promise.race(this.#arriving.values());
    this.#arriving.delete(keyOf(arrival.need));
    this.readBytes += arrival.part?.bytes.length ?? 0;
    return arrival;
  }

  stop(): void {
    this.#abort.abort();
  }
}

export interface ReadOptions {
  remote: boolean;
  layers?: GivenLayers | undefined;
  /** A file that only another file names: the shards of an index. */
  more?: (name: string) => Source;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** Reads a model from its files. Throws a ReadProblem for what the page noticed, and the signal's reason when it was cancelled. */
export async function readModel(
  reader: Reader,
  sources: Source[],
  { remote, layers, more, signal, onProgress }: ReadOptions,
): Promise<{ read: ModelRead; warnings: Notice[] } | { error: Notice }> {
  const files = sources.map(({ name, sizeBytes }) => ({
    name,
    ...(sizeBytes === undefined ? {} : { size_bytes: sizeBytes }),
  }));
  const opened = await reader.call('read.open', { files, remote, ...(layers && { layers }) });
  if (!opened.ok) return { error: opened.error };
  const { handle } = opened.result;
  const fetching = new Fetching(sources, more, signal);
  const firstFile = files[0]?.name ?? '';
  try {
    let reply: Reply<ReadStep> = opened;
    while (reply.ok && !reply.result.done) {
      fetching.ask(reply.result.needs);
      onProgress({
        ...reply.result.progress,
        readBytes: fetching.readBytes,
        neededBytes: fetching.neededBytes,
        wholeBytes: sources.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0),
      });
      const { need, part } = await fetching.next(firstFile);
      signal.throwIfAborted();
      reply = part
        ? await reader.push(handle, need.file, part.sizeBytes ?? kUnknownSize, need.offset, part.bytes)
        : await reader.push(handle, need.file, kAbsent, 0, new Uint8Array());
    }
    if (!reply.ok) return { error: reply.error };
    const { model, ...rest } = reply.result as FilesRead;
    // What is known of a model without layers is the last thing that was said.
    const known = reply.warnings.at(-1);
    if (model === null) return known ? { error: known } : Promise.reject(new ReadProblem('reader_stuck', firstFile));
    return { read: { ...rest, model }, warnings: reply.warnings };
  } finally {
    fetching.stop();
    reader.call('read.close', { handle }).catch(() => undefined); // of a reader that failed there is nothing to close
  }
}
