// SPDX-License-Identifier: Apache-2.0
// Files of models that are as large as they say without being anywhere: real headers, and zeros behind them.
const kLayers = 126;
const kWidth = 16384;
const kForward = 53248;
const kKeysAndValues = 1024; // 8 heads of 128
const kVocabulary = 128256;

/** Of each name its rows and columns, as PyTorch has them. Sizes of Llama 3.1 405B. */
function* tensorsOf405B(): Generator<[name: string, layer: number | undefined, ...shape: number[]]> {
  yield ['embed', undefined, kVocabulary, kWidth];
  yield ['norm', undefined, kWidth];
  yield ['head', undefined, kVocabulary, kWidth];
  for (let layer = 0; layer < kLayers; layer += 1) {
    yield ['input_norm', layer, kWidth];
    yield ['post_norm', layer, kWidth];
    yield ['q', layer, kWidth, kWidth];
    yield ['k', layer, kKeysAndValues, kWidth];
    yield ['v', layer, kKeysAndValues, kWidth];
    yield ['o', layer, kWidth, kWidth];
    yield ['gate', layer, kForward, kWidth];
    yield ['up', layer, kForward, kWidth];
    yield ['down', layer, kWidth, kForward];
  }
}

/** As published: 405,853,388,800 parameters. */
export const k405BParameters = [...tensorsOf405B()].reduce(
  (sum, [, , ...shape]) => sum + shape.reduce((elements, size) => elements * size, 1),
  0,
);

export interface VirtualFile {
  size: number;
  read(offset: number, bytes: number): Uint8Array;
}

const withZeros = (header: Uint8Array, size: number): VirtualFile => ({
  size,
  read(offset, bytes) {
    const part = new Uint8Array(Math.max(0, Math.min(bytes, size - offset)));
    part.set(header.slice(offset, offset + part.length));
    return part;
  },
});

// --- GGUF -------------------------------------------------------------------------------------------------------------

const kGgufNames: Record<string, string> = {
  embed: 'token_embd',
  norm: 'output_norm',
  head: 'output',
  input_norm: 'attn_norm',
  post_norm: 'ffn_norm',
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  o: 'attn_output',
  gate: 'ffn_gate',
  up: 'ffn_up',
  down: 'ffn_down',
};
const kAlignment = 32;
const aligned = (bytes: number): number => Math.ceil(bytes / kAlignment) * kAlignment;

const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
const u64 = (value: number): Uint8Array => new Uint8Array(new BigUint64Array([BigInt(value)]).buffer);
const text = (value: string): Uint8Array[] => [u64(value.length), new TextEncoder().encode(value)];
const [kUint32, kString, kArray] = [4, 8, 9];

/** Llama 3.1 405B in Q8_0, 431 GB, with all its tokens. */
export function gguf405B(): VirtualFile & { headerBytes: number } {
  const numbers = {
    block_count: kLayers,
    context_length: 131072,
    embedding_length: kWidth,
    feed_forward_length: kForward,
    'attention.head_count': 128,
    'attention.head_count_kv': 8,
    'rope.dimension_count': 128,
    vocab_size: kVocabulary,
  };
  const tokens = Array.from({ length: kVocabulary }, (_, index) => text(`token${index}`)).flat();
  const values = [
    [...text('general.architecture'), u32(kString), ...text('llama')],
    [...text('general.file_type'), u32(kUint32), u32(7)], // MOSTLY_Q8_0
    ...Object.entries(numbers).map(([key, value]) => [...text(`llama.${key}`), u32(kUint32), u32(value)]),
    [...text('tokenizer.ggml.tokens'), u32(kArray), u32(kString), u64(kVocabulary), ...tokens],
  ];
  const tensors: Uint8Array[][] = [];
  let dataBytes = 0;
  for (const [name, layer, ...shape] of tensorsOf405B()) {
    const elements = shape.reduce((product, size) => product * size, 1);
    const isMatrix = shape.length > 1;
    const prefix = layer === undefined ? '' : `blk.${layer}.`;
    const innermostFirst = [...shape].reverse();
    const [kF32, kQ8] = [0, 8];
    tensors.push([
      ...text(`${prefix}${kGgufNames[name]}.weight`),
      u32(shape.length),
      ...innermostFirst.map(u64),
      u32(isMatrix ? kQ8 : kF32),
      u64(dataBytes),
    ]);
    dataBytes += aligned(isMatrix ? (elements / 32) * 34 : elements * 4);
  }
  const magic = new TextEncoder().encode('GGUF');
  const header = Buffer.concat([
    magic,
    u32(3),
    u64(tensors.length),
    u64(values.length),
    ...values.flat(),
    ...tensors.flat(),
  ]);
  const headerBytes = aligned(header.length);
  return { ...withZeros(header, headerBytes + dataBytes), headerBytes };
}

// --- safetensors ------------------------------------------------------------------------------------------------------

const kPublishedNames: Record<string, string> = {
  embed: 'model.embed_tokens',
  norm: 'model.norm',
  head: 'lm_head',
  input_norm: 'input_layernorm',
  post_norm: 'post_attention_layernorm',
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  o: 'self_attn.o_proj',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
};
const publishedName = (name: string, layer: number | undefined): string =>
  `${layer === undefined ? '' : `model.layers.${layer}.`}${kPublishedNames[name]}.weight`;

export const shardName = (part: number, parts: number): string =>
  `model-${String(part).padStart(5, '0')}-of-${String(parts).padStart(5, '0')}.safetensors`;

/** config.json, the index and `parts` shards of Llama 3.1 405B in BF16, 812 GB in all. */
export function checkpoint405B(parts: number): Map<string, VirtualFile> {
  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: kWidth,
    intermediate_size: kForward,
    num_hidden_layers: kLayers,
    num_attention_heads: 128,
    num_key_value_heads: 8,
    vocab_size: kVocabulary,
    max_position_embeddings: 131072,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  };
  const all = [...tensorsOf405B()];
  const each = Math.ceil(all.length / parts);
  const weightMap: Record<string, string> = {};
  const files = new Map<string, VirtualFile>();
  for (let part = 1; part <= parts; part += 1) {
    const shard = shardName(part, parts);
    const tensors: Record<string, object> = {};
    let end = 0;
    for (const [name, layer, ...shape] of all.slice((part - 1) * each, part * each)) {
      const begin = end;
      end += 2 * shape.reduce((product, size) => product * size, 1);
      weightMap[publishedName(name, layer)] = shard;
      tensors[publishedName(name, layer)] = { dtype: 'BF16', shape, data_offsets: [begin, end] };
    }
    const json = new TextEncoder().encode(JSON.stringify(tensors));
    files.set(shard, withZeros(Buffer.concat([u64(json.length), json]), 8 + json.length + end));
  }
  const asText = (value: object): VirtualFile => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    return withZeros(bytes, bytes.length);
  };
  files.set('config.json', asText(config));
  files.set(
    'model.safetensors.index.json',
    asText({ metadata: { total_size: 2 * k405BParameters }, weight_map: weightMap }),
  );
  return files;
}

/** A whole file of an architecture that nobody knows, with one small matrix. */
export function strangeGguf(): Uint8Array {
  const embedding = [...text('token_embd.weight'), u32(2), u64(64), u64(4), u32(0), u64(0)];
  const parts = [
    new TextEncoder().encode('GGUF'),
    ...[u32(3), u64(1), u64(1)],
    ...[...text('general.architecture'), u32(kString), ...text('foo_bar')],
    ...embedding,
  ];
  const headerBytes = parts.reduce((sum, { length }) => sum + length, 0);
  const file = new Uint8Array(aligned(headerBytes) + 64 * 4 * 4);
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
