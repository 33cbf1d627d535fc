// SPDX-License-Identifier: Apache-2.0
// The page brings what the reader asks for. The reader here is a small one of the test: it wants given parts, then is done.
import { describe, expect, it } from 'vitest';
import { readModel, type Progress } from '../../web/src/reader/session';
import { droppedFiles, modelFiles, pickedFiles, type Source } from '../../web/src/reader/source';
import { ReadProblem, type Need, type Reader, type ReadStep } from '../../web/src/reader/wire';

type Log = string[];
const need = (file: string, offset: number, bytes: number): Need => ({ file, offset, bytes });
const ok = <T>(result: T): { ok: true; result: T; warnings: [] } => ({ ok: true, result, warnings: [] });

/** Asks for all of `rounds[0]`, then of `rounds[1]`, and so on. */
function readerOf(rounds: Need[][], log: Log): Reader {
  const waiting = rounds.map((round) => [...round]);
  const step = (): ReadStep => {
    while (waiting[0]?.length === 0) waiting.shift();
    const [needs] = waiting;
    if (!needs) return { done: true, model: { id: 'm' } as never, spec: { layers: 2 }, config: null };
    return { needs: [...needs], progress: { files: 2, done: 0 } };
  };
  const got = (file: string, offset?: number): ReadStep => {
    const [round = []] = waiting;
    const index = round.findIndex((one) => one.file === file && (offset === undefined || one.offset === offset));
    round.splice(index, 1);
    return step();
  };
  return {
    async call(method, params) {
      log.push(`${method} ${JSON.stringify(params)}`);
      return (method === 'read.open' ? ok({ handle: 7, ...step() }) : ok({})) as never;
    },
    async push(handle, file, size, offset, bytes) {
      if (size === -2) {
        log.push(`absent ${handle} ${file}`);
        return ok(got(file));
      }
      log.push(`push ${handle} ${file} ${offset}+${bytes.length} of ${size}`);
      return ok(got(file, offset));
    },
  };
}

const sourceOf = (name: string, size: number, read?: Source['read']): Source => ({
  name,
  sizeBytes: size,
  read: read ?? (async (offset, bytes) => ({ bytes: new Uint8Array(Math.min(bytes, size - offset)), sizeBytes: size })),
});
const options = (more: object = {}) => ({
  remote: false,
  signal: new AbortController().signal,
  onProgress: () => {},
  ...more,
});

describe('a session', () => {
  it('brings part after part, and closes', async () => {
    const log: Log = [];
    const reader = readerOf([[need('a', 0, 10), need('b', 0, 4)], [need('a', 1e11, 5)]], log);
    const outcome = await readModel(reader, [sourceOf('a', 4e11), sourceOf('b', 3)], options());
    expect(outcome).toMatchObject({ read: { spec: { layers: 2 } }, warnings: [] });
    expect(log).toEqual([
      'read.open {"files":[{"name":"a","size_bytes":400000000000},{"name":"b","size_bytes":3}],"remote":false}',
      'push 7 a 0+10 of 400000000000',
      'push 7 b 0+3 of 3',
      'push 7 a 100000000000+5 of 400000000000',
      'read.close {"handle":7}',
    ]);
  });

  it('says which files do not exist, and gives sizes only where they are known', async () => {
    const log: Log = [];
    const none: Source = { name: 'b', sizeBytes: undefined, read: async () => undefined };
    await readModel(readerOf([[need('b', 0, 10)]], log), [none], options({ remote: true }));
    expect(log).toEqual(['read.open {"files":[{"name":"b"}],"remote":true}', 'absent 7 b', 'read.close {"handle":7}']);
  });

  it('brings files that only another file names', async () => {
    const log: Log = [];
    const reader = readerOf([[need('index', 0, 2)], [need('shard-1', 0, 3), need('shard-2', 0, 3)]], log);
    const unknown = async () => ({ bytes: new Uint8Array(3), sizeBytes: undefined });
    const more = (name: string): Source => sourceOf(name, 9, unknown);
    expect(await readModel(reader, [sourceOf('index', 2)], options({ more }))).toHaveProperty('read');
    expect(log.slice(1, -1)).toEqual(['push 7 index 0+2 of 2', 'push 7 shard-1 0+3 of -1', 'push 7 shard-2 0+3 of -1']);
  });

  it('brings no file that nobody gave', async () =>
    await expect(
      readModel(readerOf([[need('/etc/passwd', 0, 2)]], []), [sourceOf('a', 1)], options()),
    ).rejects.toMatchObject({
      notice: { code: 'reader_stuck' },
    }));

  it('asks for at most eight parts at once, and for each one once', async () => {
    let now = 0;
    let most = 0;
    let all = 0;
    const read: Source['read'] = async (_offset, bytes) => {
      most = Math.max(most, ++now);
      all += 1;
      await new Promise((later) => setTimeout(later, 1));
      now -= 1;
      return { bytes: new Uint8Array(bytes), sizeBytes: 1e6 };
    };
    const needs = Array.from({ length: 20 }, (_, index) => need('a', index * 10, 10));
    const outcome = await readModel(readerOf([needs], []), [sourceOf('a', 1e6, read)], options());
    expect(outcome).toHaveProperty('read');
    expect([most, all]).toEqual([8, 20]);
  });

  it('tells how far it is', async () => {
    const seen: Progress[] = [];
    const reader = readerOf([[need('a', 0, 10)], [need('a', 10, 90)]], []);
    await readModel(
      reader,
      [sourceOf('a', 1000)],
      options({ onProgress: (progress: Progress) => seen.push(progress) }),
    );
    expect(seen.map(({ readBytes, neededBytes, wholeBytes }) => [readBytes, neededBytes, wholeBytes])).toEqual([
      [0, 10, 1000],
      [10, 100, 1000],
    ]);
  });

  it('hands on what the reader refuses', async () => {
    const error = { code: 'x', where: 'file', message: 'm', values: { key: '', value: '', expected: '' } };
    const reader = {
      ...readerOf([[need('a', 0, 1)]], []),
      push: async () => ({ ok: false as const, error, warnings: [] }),
    };
    expect(await readModel(reader, [sourceOf('a', 1)], options())).toEqual({ error });
  });

  it('does not wait for ever for a reader that asks for the same again', async () => {
    const reader = readerOf([[need('a', 0, 1)]], []);
    const again = async () => ok<ReadStep>({ needs: [need('a', 0, 1)], progress: { files: 1, done: 0 } });
    await expect(readModel({ ...reader, push: again }, [sourceOf('a', 1)], options())).rejects.toMatchObject({
      notice: { code: 'reader_stuck' },
    });
  });

  it('is cancelled together with what is under way, and closes', async () => {
    const log: Log = [];
    const abort = new AbortController();
    let isStopped = false;
    const read: Source['read'] = (_offset, _bytes, signal) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          isStopped = true;
          reject(signal.reason);
        }),
      );
    const reading = readModel(
      readerOf([[need('a', 0, 1)]], log),
      [sourceOf('a', 1, read)],
      options({ signal: abort.signal }),
    );
    setTimeout(() => abort.abort(new Error('enough')), 5);
    await expect(reading).rejects.toThrow('enough');
    expect(isStopped).toBe(true);
    expect(log.at(-1)).toBe('read.close {"handle":7}');
  });

  it('stops the other parts when one fails', async () => {
    let isStopped = false;
    const hangs: Source['read'] = (_offset, _bytes, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject((isStopped = true))));
    const fails: Source['read'] = async () => {
      throw new ReadProblem('remote_slow', 'host');
    };
    const sources = [sourceOf('a', 1, hangs), sourceOf('b', 1, fails)];
    const reading = readModel(readerOf([[need('a', 0, 1), need('b', 0, 1)]], []), sources, options());
    await expect(reading).rejects.toMatchObject({ notice: { code: 'remote_slow' } });
    expect(isStopped).toBe(true);
  });
});

describe('of what was dropped', () => {
  const file = (name: string): object => ({
    name,
    isFile: true,
    isDirectory: false,
    file: (done: (file: File) => void) => done(new File([], name)),
  });
  /** A folder as a browser has it: it gives its entries in portions of two. */
  const folder = (name: string, ...entries: object[]): FileSystemDirectoryEntry =>
    ({
      name,
      isFile: false,
      isDirectory: true,
      createReader() {
        const rest = [...entries];
        return { readEntries: (done: (portion: object[]) => void) => done(rest.splice(0, 2)) };
      },
    }) as never;
  const names = async (...dropped: Parameters<typeof droppedFiles>[0]): Promise<string[]> =>
    (await droppedFiles(dropped)).map(({ name }) => name);
  it('a folder gives all its files, however many portions they come in', async () =>
    expect(
      await names(folder('m', file('config.json'), file('a.safetensors'), file('b.safetensors'), file('x.md'))),
    ).toEqual(['config.json', 'a.safetensors', 'b.safetensors', 'x.md']));
  it('copies further down are left aside', async () =>
    expect(await names(folder('m', folder('onnx', file('config.json')), file('config.json')))).toEqual([
      'config.json',
    ]));
  it('a model further down is found', async () =>
    expect(await names(folder('hub', file('x.md'), folder('snapshots', folder('abc', file('config.json')))))).toEqual([
      'config.json',
    ]));
  it('a folder without one gives what it has, to be named', async () =>
    expect(await names(folder('m', file('x.md')))).toEqual(['x.md']));
  it('files and folders may come together', async () =>
    expect(await names(new File([], 'config.json'), folder('m', file('a.safetensors')))).toEqual([
      'config.json',
      'a.safetensors',
    ]));
  it('what cannot be opened is named', async () => {
    const closed = {
      ...folder('m'),
      createReader: () => ({ readEntries: (_: unknown, fail: (cause: Error) => void) => fail(new Error('no')) }),
    };
    await expect(names(closed as never)).rejects.toMatchObject({
      notice: { code: 'file_unreadable', values: { key: 'm' } },
    });
  });
});

describe('of a folder that was picked', () => {
  const picked = (...paths: string[]): string[] =>
    pickedFiles(
      paths.map((path) =>
        Object.defineProperty(new File([], path.split('/').at(-1) ?? ''), 'webkitRelativePath', { value: path }),
      ),
    ).map(({ webkitRelativePath }) => webkitRelativePath);
  it('copies further down are left aside', () =>
    expect(picked('m/onnx/config.json', 'm/config.json', 'm/x.md', 'm/original/a.safetensors')).toEqual([
      'm/config.json',
      'm/x.md',
    ]));
  it('a model further down is found', () =>
    expect(picked('m/x.md', 'm/snapshots/abc/config.json')).toEqual(['m/snapshots/abc/config.json']));
  it('a folder without one gives what it has, to be named', () => expect(picked('m/x.md', 'm/a/y.md')).toHaveLength(2));
});

describe('of what was given', () => {
  const files = (...names: string[]): File[] => names.map((name) => new File([], name));
  const chosen = (...names: string[]): string[] => modelFiles(files(...names)).map(({ name }) => name);
  it('the files of a model are read, and nothing else', () =>
    expect(
      chosen(
        'README.md',
        'config.json',
        'tokenizer.json',
        'generation_config.json',
        'model.safetensors.index.json',
        'a.GGUF',
        'b.safetensors',
      ),
    ).toEqual(['config.json', 'model.safetensors.index.json', 'a.GGUF', 'b.safetensors']));
  it('a config.json may have another name if it is alone', () =>
    expect(chosen('my-model.json')).toEqual(['my-model.json']));
  it.each([
    [['notes.pdf'], 'not_a_model_file'],
    [['notes.pdf', 'tokenizer.json'], 'no_model_file'],
    [[], 'not_a_model_file'],
  ])('%s: %s', (names, code) => {
    expect(() => modelFiles(files(...names))).toThrow(ReadProblem);
    try {
      modelFiles(files(...names));
    } catch (cause) {
      expect((cause as ReadProblem).notice.code).toBe(code);
    }
  });
});
