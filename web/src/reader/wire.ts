// SPDX-License-Identifier: Apache-2.0
// What crosses the boundary to the module that reads models: descriptions and files go in, what the counting core needs comes out.
import type { Json, ModelFacts, Notice, Reply } from '../core/wire';

export interface ReadFile {
  name: string;
  /** Unknown for files of a remote repository until the first part has arrived. */
  size_bytes?: number;
}

/** Bytes that the reader wants next; at the end of a file there may be fewer. */
export interface Need {
  file: string;
  offset: number;
  bytes: number;
}

export interface ReadProgress {
  files: number;
  done: number;
}

/** Layers that a person enters for a file whose own are not known. */
export interface GivenLayers {
  n_layers: number;
  n_kv_heads: number;
  head_dim: number;
}

/** A model as the counting core takes it: `spec` is opaque to the page, `config` is what a link carries. */
export interface ModelRead {
  model: ModelFacts;
  spec?: Json;
  config: { [key: string]: Json } | null;
}

/** `model` is null where the layers are not known: a warning says what is. */
export type FilesRead = Omit<ModelRead, 'model'> & { model: ModelFacts | null };
export type ReadStep = { needs: Need[]; progress: ReadProgress; done?: false } | (FilesRead & { done: true });

export interface ReaderMethods {
  read_config: { params: { text: string } | { config: Json }; result: ModelRead };
  'read.open': {
    params: { files: ReadFile[]; remote: boolean; layers?: GivenLayers };
    result: { handle: number; needs: Need[]; progress: ReadProgress };
  };
  'read.close': { params: { handle: number }; result: unknown };
}

/** The module itself: JSON text in and out, and bytes beside it. */
export interface ReaderModule {
  call(request: string): string;
  /** `sizeBytes` is the whole file's: kUnknownSize, or kAbsent where there is no such file. */
  push(handle: number, file: string, sizeBytes: number, offset: number, bytes: Uint8Array): string;
}

export const kUnknownSize = -1;
export const kAbsent = -2;

/** The module as the page sees it, in a worker or not. */
export interface Reader {
  call<M extends keyof ReaderMethods>(
    method: M,
    params: ReaderMethods[M]['params'],
  ): Promise<Reply<ReaderMethods[M]['result']>>;
  push(...what: Parameters<ReaderModule['push']>): Promise<Reply<ReadStep>>;
}

/** One function of the module with its arguments, as it goes to a worker; the answer is JSON text. */
export type Errand = { [F in keyof ReaderModule]: [F, ...Parameters<ReaderModule[F]>] }[keyof ReaderModule];

/** Something that the page itself noticed about a file or a host. `values` are those of the sentence. */
export class ReadProblem extends Error {
  readonly notice: Notice;
  constructor(code: string, key: string, value = '', expected = '') {
    super(`${code}: ${key} ${value}`);
    this.notice = { code, where: 'file', message: code, values: { key, value, expected } };
  }
}
