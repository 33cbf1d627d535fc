// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import {
  addressOf,
  filesToRead,
  hubReference,
  isReadable,
  nameOf,
  pathOf,
  referenceOf,
} from '../../web/src/reader/hub';
import { ReadProblem } from '../../web/src/reader/wire';

const at = (repository: string, more: object = {}): object => ({ repository, revision: 'main', ...more });
const kHub = { host: 'huggingface.co' };

describe('what is typed', () => {
  it.each([
    ['Qwen/Qwen3-8B', at('Qwen/Qwen3-8B')],
    ['  meta-llama/Llama-3.1-8B ', at('meta-llama/Llama-3.1-8B')],
    ['https://huggingface.co/Qwen/Qwen3-8B', at('Qwen/Qwen3-8B', kHub)],
    ['http://www.huggingface.co/Qwen/Qwen3-8B/', at('Qwen/Qwen3-8B', kHub)],
    ['huggingface.co/Qwen/Qwen3-8B?library=vllm#usage', at('Qwen/Qwen3-8B', kHub)],
    ['hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M', at('unsloth/Qwen3-8B-GGUF', kHub)],
    ['https://hf-mirror.com/Qwen/Qwen3-8B', at('Qwen/Qwen3-8B', { host: 'hf-mirror.com' })],
    ['https://huggingface.co/a/b/tree/v1.0', at('a/b', { ...kHub, revision: 'v1.0' })],
    ['https://huggingface.co/a/b/tree/main/original', at('a/b', kHub)],
    ['https://huggingface.co/a/b/tree/refs%2Fpr%2F3', at('a/b', { ...kHub, revision: 'refs/pr/3' })],
    ['https://huggingface.co/a/b/blob/refs/pr/3/x.gguf', at('a/b', { ...kHub, revision: 'refs/pr/3', file: 'x.gguf' })],
    ['https://huggingface.co/a/b/blob/main/x%20y.gguf', at('a/b', { ...kHub, file: 'x y.gguf' })],
    ['https://huggingface.co/a/b/resolve/main/q4/x.gguf?download=true', at('a/b', { ...kHub, file: 'q4/x.gguf' })],
    ['https://huggingface.co/a/b/discussions/5', at('a/b', kHub)],
  ])('%s is a model', (text, reference) => expect(hubReference(text)).toEqual(reference));

  it.each([
    'llama 8b',
    'gpt2',
    'a/b/c',
    '../etc/passwd',
    'a/..',
    'a--b/c',
    '-a/b',
    'a/b c',
    `a/${'b'.repeat(96)}`,
    'https://huggingface.co/',
    'https://huggingface.co/Qwen',
    'https://huggingface.co/datasets/a/b',
    'https://huggingface.co/spaces/a/b',
    'https://huggingface.co.evil.example/a/b',
    'https://evil.example/huggingface.co/a/b',
    'https://huggingface.co@evil.example/a/b',
    'javascript:alert(1)//huggingface.co/a/b',
    '<img/src>',
  ])('%s is none', (text) => expect(hubReference(text)).toBeUndefined());
});

describe('what is asked for', () => {
  const of = (text: string): string[] => filesToRead(hubReference(text) ?? expect.fail('no reference'));
  it('is the checkpoint of a repository', () =>
    expect(of('a/b')).toEqual(['config.json', 'model.safetensors.index.json', 'model.safetensors']));
  it('is the checkpoint around one of its files', () =>
    expect(of('https://huggingface.co/a/b/blob/main/text/model-00001-of-00163.safetensors')[0]).toBe(
      'text/config.json',
    ));
  it('is a GGUF alone', () => expect(of('https://huggingface.co/a/b/blob/main/q/x.gguf')).toEqual(['q/x.gguf']));
  it('is a GGUF with all its parts', () =>
    expect(of('https://huggingface.co/a/b/blob/main/x-00002-of-00003.gguf')).toEqual([
      'x-00001-of-00003.gguf',
      'x-00002-of-00003.gguf',
      'x-00003-of-00003.gguf',
    ]));
  it('has no way out of the repository', () => {
    expect(hubReference('https://huggingface.co/a/b/blob/main/%2e%2e/%2e%2e/x.gguf')).toBeUndefined();
    expect(hubReference('https://huggingface.co/a/b/tree/..')).toBeUndefined();
    const reference = { repository: 'a/b', revision: 'main' };
    for (const file of ['../../../c/d/resolve/main/x.safetensors', '/etc/passwd', 'a//b', '.', ''])
      expect(() => addressOf('huggingface.co', reference, file)).toThrow(ReadProblem);
    const address = new URL(addressOf('huggingface.co', reference, 'x?y#z@evil.example:1.gguf'));
    expect([address.origin, address.search, address.hash]).toEqual(['https://huggingface.co', '', '']);
  });
  it('writes the address as the hub wants it', () =>
    expect(addressOf('hf-mirror.com', { repository: 'a/b', revision: 'refs/pr/3' }, 'q/x y.gguf')).toBe(
      'https://hf-mirror.com/a/b/resolve/refs%2Fpr%2F3/q/x%20y.gguf',
    ));
  it('names files of other kinds', () => {
    expect(isReadable({ repository: 'a/b', revision: 'main', file: 'x.pdf' })).toBe(false);
    expect(isReadable({ repository: 'a/b', revision: 'main' })).toBe(true);
  });
  it('is called what people call it', () => {
    expect(nameOf({ repository: 'a/b', revision: 'main' })).toBe('a/b');
    expect(nameOf({ repository: 'a/b', revision: 'main', file: 'q/x.gguf' })).toBe('x.gguf');
  });
});

describe('what a link carries', () => {
  it.each([
    ['a/b', 'a/b'],
    ['https://huggingface.co/a/b/tree/v1.0', 'a/b/tree/v1.0'],
    ['https://huggingface.co/a/b/tree/refs%2Fpr%2F3', 'a/b/tree/refs%2Fpr%2F3'],
    ['https://hf-mirror.com/a/b/resolve/main/q4/x%20%23y.gguf', 'a/b/blob/main/q4/x%20%23y.gguf'],
    ['https://huggingface.co/a/b/blob/refs/pr/3/x.gguf', 'a/b/blob/refs%2Fpr%2F3/x.gguf'],
  ])('%s as %s, and back', (text, path) => {
    const { host: _anyWillDo, ...reference } = hubReference(text) ?? expect.fail('no reference');
    expect(pathOf(reference)).toBe(path);
    expect(referenceOf(path)).toEqual(reference);
  });
  it.each(['a', '', '../..', 'spaces/a', 'a/b/blob/main/%2e%2e/x.gguf'])('not %s', (path) =>
    expect(referenceOf(path)).toBeUndefined(),
  );
});
