// SPDX-License-Identifier: Apache-2.0
// The search of the catalogue, on its models and on names of others as their publishers write them.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { CatalogueSearch, words } from '../../web/src/search/catalogue';

interface Row {
  id: string;
  slug: string;
  name: string;
  kind: string;
  aliases: string[];
  released?: string | null;
}

const kAnswer = execFileSync('build/native/weighbridge', {
  input: '{"method":"catalogue"}',
  encoding: 'utf8',
  maxBuffer: 1 << 24,
});
const kCatalogue = (JSON.parse(kAnswer) as { result: { models: Row[] } }).result.models;
const kOthers = `01-ai/Yi-1.5-34B-Chat allenai/OLMo-2-1124-7B-Instruct baidu/ERNIE-4.5-300B-A47B-PT
  codellama/CodeLlama-34b-Instruct-hf databricks/dbrx-instruct deepseek-ai/DeepSeek-V2-Lite
  deepseek-ai/DeepSeek-Coder-V2-Instruct deepseek-ai/DeepSeek-V3.1 deepseek-ai/DeepSeek-R1-Distill-Llama-70B
  deepseek-ai/DeepSeek-R1-Distill-Llama-8B deepseek-ai/DeepSeek-R1-0528-Qwen3-8B google/gemma-2-27b-it google/gemma-3-27b-it
  google/gemma-3-12b-it google/gemma-3-4b-it google/gemma-3n-E4B-it ibm-granite/granite-3.3-8b-instruct internlm/internlm3-8b-instruct
  meta-llama/Llama-2-7b-hf meta-llama/Llama-3.1-8B-Instruct meta-llama/Llama-3.1-70B-Instruct meta-llama/Llama-3.1-405B-Instruct
  meta-llama/Llama-3.2-1B meta-llama/Llama-3.3-70B-Instruct meta-llama/Llama-4-Scout-17B-16E-Instruct microsoft/phi-4
  microsoft/Phi-3.5-mini-instruct microsoft/Phi-4-mini-instruct MiniMaxAI/MiniMax-M2 mistralai/Mistral-7B-Instruct-v0.3
  mistralai/Mistral-Small-24B-Instruct-2501 mistralai/Mixtral-8x7B-Instruct-v0.1 mistralai/Mixtral-8x22B-Instruct-v0.1
  moonshotai/Kimi-K2-Instruct nvidia/Llama-3_3-Nemotron-Super-49B-v1 openai/gpt-oss-20b openai/gpt-oss-120b Qwen/Qwen2.5-7B-Instruct
  Qwen/Qwen2.5-Coder-32B-Instruct Qwen/Qwen2.5-VL-7B-Instruct Qwen/QwQ-32B Qwen/Qwen3-0.6B Qwen/Qwen3-8B Qwen/Qwen3-14B Qwen/Qwen3-32B
  Qwen/Qwen3-30B-A3B Qwen/Qwen3-235B-A22B Qwen/Qwen3-Coder-480B-A35B-Instruct Qwen/Qwen3-VL-8B-Instruct Qwen/Qwen3-Next-80B-A3B-Instruct
  tencent/Hunyuan-A13B-Instruct tiiuae/falcon-40b TinyLlama/TinyLlama-1.1B-Chat-v1.0 zai-org/GLM-4.5 zai-org/GLM-4.5-Air zai-org/GLM-4.6`
  .split(/\s+/)
  .map((id): Row => {
    const name = id.slice(id.indexOf('/') + 1);
    return {
      id,
      name,
      slug: name.toLowerCase(),
      kind: /Distill|R1-0528-Q/.test(name) ? 'distillation' : 'original',
      aliases: [],
    };
  });
const kRows = [...kCatalogue, ...kOthers.filter(({ id }) => !kCatalogue.some((known) => known.id === id))];
const search = new CatalogueSearch(kRows);
const find = (text: string): string[] => search.find(text).map(({ id }) => id);

describe('words', () => {
  it.each([
    ['Qwen3-8B', ['qwen', '3', '8b']],
    ['gemma3 27', ['gemma', '3', '27']],
    ['mixtral8x7', ['mixtral', '8x7']],
    ['DeepSeek-R1', ['deepseek', 'r1']],
    ['Llama-3.1-8B', ['llama', '3.1', '8b']],
    ['Qwen3-30B-A3B', ['qwen', '3', '30b', 'a3b']],
    ['Llama-3_3-Nemotron', ['llama', '3', '3', 'nemotron']],
    ['通义千问 8B', ['通义千问', '8b']],
    ['  !? ', []],
  ])('%s', (text, expected) => expect(words(text)).toEqual(expected));
});

describe('the first that is found for', () => {
  it.each([
    ['r1 70b', 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B'],
    ['70b r1', 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B'],
    ['r1', 'deepseek-ai/DeepSeek-R1'],
    ['deepseek r1', 'deepseek-ai/DeepSeek-R1'],
    ['deepseekr1', 'deepseek-ai/DeepSeek-R1'],
    ['deep seek v3', 'deepseek-ai/DeepSeek-V3'],
    ['depseek v3', 'deepseek-ai/DeepSeek-V3'],
    ['qwen 3 8b', 'Qwen/Qwen3-8B'],
    ['qwen3-8b', 'Qwen/Qwen3-8B'],
    ['qwen3 30b', 'Qwen/Qwen3-30B-A3B'],
    ['qwen coder 480', 'Qwen/Qwen3-Coder-480B-A35B-Instruct'],
    ['lama 3.1 8b', 'meta-llama/Llama-3.1-8B'],
    ['llama3.1 405b', 'meta-llama/Llama-3.1-405B'],
    ['mixtral8x7', 'mistralai/Mixtral-8x7B-Instruct-v0.1'],
    ['mixtrall 8x22', 'mistralai/Mixtral-8x22B-Instruct-v0.1'],
    ['gemma3 27', 'google/gemma-3-27b-it'],
    ['gema 3 27b', 'google/gemma-3-27b-it'],
    ['gptoss 120', 'openai/gpt-oss-120b'],
    ['phi4', 'microsoft/phi-4'],
    ['kimi k2', 'moonshotai/Kimi-K2-Instruct'],
    ['scout', 'meta-llama/Llama-4-Scout-17B-16E-Instruct'],
    ['nemotron 49', 'nvidia/Llama-3_3-Nemotron-Super-49B-v1'],
    ['Qwen/Qwen3-8B', 'Qwen/Qwen3-8B'],
    ['llama 3.3 70b gguf', 'meta-llama/Llama-3.3-70B-Instruct'],
    ['r1 q4_k_m', 'deepseek-ai/DeepSeek-R1'],
    ['glm air', 'zai-org/GLM-4.5-Air'],
    ['千问3 8b', 'Qwen/Qwen3-8B'],
    ['智谱 4.6', 'zai-org/GLM-4.6'],
    ['THUDM/chatglm3', 'THUDM/chatglm3-6b'],
    ['CohereLabs command r plus', 'CohereForAI/c4ai-command-r-plus'],
  ])('%s is %s', (text, id) => expect(find(text)[0]).toBe(id));
});

describe('a search', () => {
  it('finds what is inside a word', () => {
    expect(find('seek')[0]).toMatch(/deepseek/i); // Seed-OSS is a typing error away
    expect(find('seek').length).toBeGreaterThan(3);
    expect(find('stral').some((id) => id.includes('Mistral'))).toBe(true);
  });
  it('finds by the owner of today and of earlier', () => {
    expect(find('thudm').every((id) => /^(zai-org|THUDM)\//.test(id))).toBe(true);
    expect(find('zai-org').length).toBe(find('THUDM').length);
    expect(find('cohereforai').every((id) => /^(CohereLabs|CohereForAI)\//.test(id))).toBe(true);
  });
  it('takes numbers as they are typed', () => expect(find('qwen 999b')).toEqual([]));
  it('finds nothing for what is not there', () => {
    for (const text of ['gpt-9-ultra', 'xyzzy', '?', 'acme/foo-7b'])
      expect({ text, found: find(text) }).toEqual({ text, found: [] });
  });
  it('finds each model by its id and by its name', () => {
    const lost = kRows.filter(({ id, name }) => !find(id).includes(id) || !find(name).includes(id));
    expect(lost.map(({ id }) => id)).toEqual([]);
  });
});
