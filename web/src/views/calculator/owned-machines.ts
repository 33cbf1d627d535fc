// SPDX-License-Identifier: Apache-2.0
// "I have …": machines that people own, each with the engine and a model that suits it. One tap sets all of it.
import type { Request } from '../../core/wire';

export interface Machine {
  /** A name that needs no translation, or the rest of a message id. */
  name: string;
  request: Pick<Request, 'model' | 'weights' | 'engine' | 'workload' | 'hardware' | 'host'>;
}

const kGiB = 2 ** 30;

const home = (
  name: string,
  device: string,
  count: number,
  model: string,
  hostGiB: number | undefined,
  tokens: number,
  format = 'gguf:Q4_K_M',
): Machine => ({
  name,
  request: {
    model: { id: model },
    weights: { format },
    engine: { name: 'llama.cpp', options: {} },
    workload: { context_tokens: tokens, sequences: 1 },
    hardware: [{ device, count, used_bytes: 0 }],
    ...(hostGiB === undefined ? {} : { host: { memory_bytes: hostGiB * kGiB } }),
  },
});

export const kMachines: Machine[] = [
  home('2 × RTX 3090', 'rtx-3090', 2, 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B', 64, 8192),
  home('RTX 4090', 'rtx-4090', 1, 'Qwen/Qwen3-32B', 64, 8192),
  home('RTX 5090', 'rtx-5090', 1, 'Qwen/Qwen3-32B', 64, 32768),
  home('Mac 64 GB', 'apple-m4-max-64gb', 1, 'meta-llama/Llama-3.3-70B-Instruct', undefined, 16384),
  home('Strix Halo 128 GB', 'ryzen-ai-max-395-128gb', 1, 'openai/gpt-oss-120b', undefined, 32768, 'gguf:MXFP4_MOE'),
  {
    name: '8 × H100',
    request: {
      model: { id: 'meta-llama/Llama-3.3-70B-Instruct' },
      weights: { format: 'checkpoint' },
      engine: { name: 'vllm', options: {} },
      workload: { context_tokens: 32768, sequences: 32 },
      hardware: [{ device: 'h100-sxm', count: 8, used_bytes: 0 }],
    },
  },
];
