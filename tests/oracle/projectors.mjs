// SPDX-License-Identifier: Apache-2.0
// The image encoders of catalogue models as llama.cpp's converter writes them (mmproj, 16 bit), their data a hole: ggml-org/llama.cpp v0.5.0
// conversion/{gemma,qwenvl,qwen3vl,llava,llama4,internvl}.py, tools/mtmd/clip.cpp (keys and tensors that loading asks for). Made from the model's
// config.json alone, so that the weights are a second opinion on ours.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const kAlignment = 32;
const kF32 = 0;
const kF16 = 1;

const u32 = (n) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
};
const u64 = (n) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(n));
  return bytes;
};
const text = (string) => Buffer.concat([u64(Buffer.byteLength(string)), Buffer.from(string)]);
const f32 = (n) => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(n);
  return bytes;
};

/** A value of the header by its kind: [type, bytes]. */
const kValues = {
  boolean: (value) => [7, Buffer.from([value ? 1 : 0])],
  string: (value) => [8, text(value)],
  number: (value) => (Number.isInteger(value) ? [4, u32(value)] : [6, f32(value)]),
  object: (list) => [9, Buffer.concat([u32(6), u64(list.length), ...list.map(f32)])], // of floats
};

/** Of the tensors that are no vectors, what the converter keeps in 32 bits in every encoder (conversion/base.py, V_ENC_EMBD_POS). */
const kPositions = 'v.position_embd.weight';

/** Writes `tensors` {name: [dimensions, innermost first]} under `values`. Vectors are f32; so is what `floats` names. */
export function writeProjector(path, { values, tensors, floats = [] }) {
  const header = [];
  for (const [key, value] of Object.entries(values)) {
    const [type, bytes] = kValues[typeof value](value);
    header.push(text(key), u32(type), bytes);
  }
  let offset = 0;
  for (const [name, shape] of Object.entries(tensors)) {
    const type = shape.length === 1 || name === kPositions || floats.includes(name) ? kF32 : kF16;
    header.push(text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset));
    const bytes = shape.reduce((all, n) => all * n, type === kF32 ? 4 : 2);
    offset += Math.ceil(bytes / kAlignment) * kAlignment;
  }
  const start = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(Object.keys(tensors).length),
    u64(Object.keys(values).length),
    ...header,
  ]);
  const begins = Math.ceil(start.length / kAlignment) * kAlignment;
  const file = openSync(path, 'w');
  writeSync(file, start);
  ftruncateSync(file, begins + offset);
  closeSync(file);
}

/** What every encoder has. */
function commonValues(vit, projector, more) {
  return {
    'general.architecture': 'clip',
    'clip.has_vision_encoder': true,
    'clip.projector_type': projector,
    'clip.vision.image_size': vit.image,
    'clip.vision.patch_size': vit.patch,
    'clip.vision.embedding_length': vit.width,
    'clip.vision.feed_forward_length': vit.ffn,
    'clip.vision.block_count': vit.layers,
    'clip.vision.attention.head_count': vit.heads,
    'clip.vision.attention.layer_norm_epsilon': 1.5e-6,
    'clip.vision.projection_dim': vit.out,
    'clip.vision.image_mean': [0.5, 0.5, 0.5],
    'clip.vision.image_std': [0.5, 0.5, 0.5],
    ...more,
  };
}

/** `put(name, columns, rows, bias)` and `norm(name, size, bias)` into a new list. */
function list() {
  const tensors = {};
  return {
    tensors,
    put(name, columns, rows, bias = false) {
      tensors[`${name}.weight`] = [columns, rows];
      if (bias) tensors[`${name}.bias`] = [rows];
    },
    norm(name, size, bias = false) {
      tensors[`${name}.weight`] = [size];
      if (bias) tensors[`${name}.bias`] = [size];
    },
  };
}

/** The blocks of a transformer. `joined`: queries, keys and values are one matrix; `gated`: its feed-forward block has a gate. */
function addBlocks({ put, norm }, vit, { bias = false, normBias = bias, joined = false, gated = false } = {}) {
  const inner = vit.head ? vit.head * vit.heads : vit.width;
  for (let layer = 0; layer < vit.layers; ++layer) {
    const at = `v.blk.${layer}.`;
    norm(`${at}ln1`, vit.width, normBias);
    norm(`${at}ln2`, vit.width, normBias);
    if (joined) put(`${at}attn_qkv`, vit.width, 3 * inner, bias);
    else for (const part of 'qkv') put(`${at}attn_${part}`, vit.width, inner, bias);
    put(`${at}attn_out`, inner, vit.width, bias);
    put(`${at}ffn_up`, vit.width, vit.ffn, bias);
    if (gated) put(`${at}ffn_gate`, vit.width, vit.ffn, bias);
    put(`${at}ffn_down`, vit.ffn, vit.width, bias);
  }
}

/** The sizes of an encoder, by the names that most configs have; `own`: what one calls otherwise, or leaves out. */
const sizesOf = (v, own) => ({
  width: v.hidden_size,
  ffn: v.intermediate_size,
  layers: v.num_hidden_layers,
  heads: v.num_attention_heads,
  patch: v.patch_size,
  image: v.image_size,
  ...own,
});

const convolution = (vit) => [vit.patch, vit.patch, 3, vit.width];

function gemma3(config) {
  const v = config.vision_config;
  const vit = sizesOf(v, { out: config.text_config.hidden_size });
  const all = list();
  addBlocks(all, vit, { bias: true });
  all.norm('v.post_ln', vit.width, true);
  all.tensors['v.patch_embd.weight'] = convolution(vit);
  all.tensors['v.patch_embd.bias'] = [vit.width];
  all.tensors['v.position_embd.weight'] = [vit.width, (vit.image / vit.patch) ** 2];
  all.tensors['mm.input_projection.weight'] = [vit.out, vit.width];
  all.tensors['mm.soft_emb_norm.weight'] = [vit.width];
  return {
    values: commonValues(vit, 'gemma3', { 'clip.use_gelu': true }),
    tensors: all.tensors,
    floats: ['v.patch_embd.weight'],
  };
}

function gemma4(config) {
  const v = config.vision_config;
  const vit = sizesOf(v, {
    head: v.head_dim,
    patch: v.patch_size ?? 16,
    image: 224,
    out: config.text_config.hidden_size,
  });
  const all = list();
  addBlocks(all, vit, { gated: true });
  for (let layer = 0; layer < vit.layers; ++layer) {
    for (const name of ['attn_post_norm', 'ffn_post_norm']) all.norm(`v.blk.${layer}.${name}`, vit.width);
    for (const name of ['attn_q_norm', 'attn_k_norm']) all.norm(`v.blk.${layer}.${name}`, vit.head);
  }
  all.tensors['v.patch_embd.weight'] = convolution(vit);
  all.tensors['v.position_embd.weight'] = [vit.width, v.position_embedding_size ?? 10240, 2];
  if (v.standardize) for (const name of ['v.std_bias', 'v.std_scale']) all.tensors[name] = [vit.width];
  all.tensors['mm.input_projection.weight'] = [vit.width, vit.out];
  return {
    values: commonValues(vit, 'gemma4v', { 'clip.vision.attention.head_dim': vit.head }),
    tensors: all.tensors,
  };
}

const qwenSizes = (v, image) =>
  sizesOf(v, {
    layers: v.depth,
    heads: v.num_heads,
    image,
    merge: v.spatial_merge_size,
    out: v.out_hidden_size,
  });

/** The two frames of Qwen's encoders have a convolution each. */
function addFrames({ tensors }, vit) {
  tensors['v.patch_embd.weight'] = convolution(vit);
  tensors['v.patch_embd.weight.1'] = convolution(vit);
}

function addMerger({ put }, vit) {
  const merged = vit.width * vit.merge ** 2;
  put('mm.0', merged, merged, true);
  put('mm.2', merged, vit.out, true);
}

function qwen25(config) {
  const v = config.vision_config;
  const vit = qwenSizes(v, 560);
  const all = list();
  addBlocks(all, vit, { bias: true, normBias: false, gated: true });
  addFrames(all, vit);
  all.norm('v.post_ln', vit.width);
  addMerger(all, vit);
  const windows = { 'clip.use_silu': true, 'clip.vision.n_wa_pattern': (v.fullatt_block_indexes ?? [7])[0] + 1 };
  return { values: commonValues(vit, 'qwen2.5vl_merger', windows), tensors: all.tensors };
}

function qwen3(config) {
  const v = config.vision_config;
  const positions = v.num_position_embeddings;
  const vit = qwenSizes(v, Math.floor(Math.sqrt(positions)) * v.patch_size);
  const all = list();
  addBlocks(all, vit, { bias: true, joined: true });
  addFrames(all, vit);
  all.tensors['v.patch_embd.bias'] = [vit.width];
  all.tensors['v.position_embd.weight'] = [vit.width, positions];
  all.norm('v.post_ln', vit.width, true);
  addMerger(all, vit);
  const merged = vit.width * vit.merge ** 2;
  const stacked = v.deepstack_visual_indexes ?? (config.model_type.startsWith('qwen3_vl') ? [8, 16, 24] : []);
  for (const layer of stacked) {
    all.norm(`v.deepstack.${layer}.norm`, merged, true);
    all.put(`v.deepstack.${layer}.fc1`, merged, merged, true);
    all.put(`v.deepstack.${layer}.fc2`, merged, vit.out, true);
  }
  return {
    values: commonValues(vit, 'qwen3vl_merger', { 'clip.use_gelu': true }),
    tensors: all.tensors,
  };
}

function pixtral(config) {
  const v = config.vision_config;
  const merge = config.spatial_merge_size ?? (config.model_type === 'mistral3' ? 2 : 1);
  const vit = sizesOf(v, {
    width: v.hidden_size ?? 1024,
    ffn: v.intermediate_size ?? 4096,
    layers: v.num_hidden_layers ?? 24,
    heads: v.num_attention_heads ?? 16,
    patch: v.patch_size ?? 16,
    image: v.image_size ?? 1024,
    out: config.text_config.hidden_size,
  });
  const bias = config.multimodal_projector_bias ?? true;
  const all = list();
  addBlocks(all, vit, { gated: true });
  all.norm('v.pre_ln', vit.width);
  all.tensors['v.patch_embd.weight'] = convolution(vit);
  all.put('mm.1', vit.width, vit.out, bias);
  all.put('mm.2', vit.out, vit.out, bias);
  all.tensors['v.token_embd.img_break'] = [vit.out];
  if (merge > 1) {
    all.norm('mm.input_norm', vit.width);
    all.put('mm.patch_merger', vit.width * merge ** 2, vit.width);
  }
  const more = { 'clip.use_silu': true, 'clip.vision.spatial_merge_size': merge };
  return { values: commonValues(vit, 'pixtral', more), tensors: all.tensors };
}

function llama4(config) {
  const v = config.vision_config;
  const vit = sizesOf(v, {
    ffn: v.intermediate_size ?? 5632,
    layers: v.num_hidden_layers ?? 34,
    heads: v.num_attention_heads ?? 16,
    patch: v.patch_size ?? 14,
    out: config.text_config.hidden_size,
  });
  const shuffle = Math.round(1 / (v.pixel_shuffle_ratio ?? 0.5));
  const adapter = v.projector_input_dim ?? 4096;
  const all = list();
  addBlocks(all, vit, { bias: true });
  all.norm('v.pre_ln', vit.width, true);
  all.norm('v.post_ln', vit.width, true);
  all.tensors['v.class_embd'] = [vit.width];
  all.tensors['v.patch_embd.weight'] = [vit.patch ** 2 * 3, vit.width];
  all.tensors['v.position_embd.weight'] = [vit.width, (vit.image / vit.patch) ** 2 + 1];
  all.put('mm.model.mlp.1', vit.width * shuffle ** 2, adapter);
  all.put('mm.model.mlp.2', adapter, v.projector_output_dim ?? 4096);
  all.put('mm.model.fc', v.vision_output_dim, vit.out);
  const more = { 'clip.use_gelu': true, 'clip.vision.projector.scale_factor': shuffle };
  return { values: commonValues(vit, 'llama4', more), tensors: all.tensors };
}

function internvl(config) {
  const v = config.vision_config;
  const vit = sizesOf(v, {
    patch: [v.patch_size].flat()[0],
    image: [v.image_size].flat()[0],
    out: (config.llm_config ?? config.text_config).hidden_size,
  });
  const shuffle = Math.round(1 / (config.downsample_ratio ?? 0.5));
  const all = list();
  addBlocks(all, vit, { bias: true });
  for (let layer = 0; layer < vit.layers; ++layer)
    for (const name of ['ls1', 'ls2']) all.norm(`v.blk.${layer}.${name}`, vit.width);
  all.tensors['v.class_embd'] = [vit.width];
  all.tensors['v.patch_embd.weight'] = convolution(vit);
  all.tensors['v.patch_embd.bias'] = [vit.width];
  all.tensors['v.position_embd.weight'] = [vit.width, (vit.image / vit.patch) ** 2 + 1];
  all.norm('mm.model.mlp.0', vit.width * shuffle ** 2, true);
  all.put('mm.model.mlp.1', vit.width * shuffle ** 2, vit.out, true);
  all.put('mm.model.mlp.3', vit.out, vit.out, true);
  const more = { 'clip.use_gelu': true, 'clip.vision.projector.scale_factor': shuffle };
  return {
    values: commonValues(vit, 'internvl', more),
    tensors: all.tensors,
  };
}

/** What writes the encoder of a config, by its model_type. */
const kWriters = {
  gemma3,
  gemma4,
  qwen2_5_vl: qwen25,
  qwen3_vl: qwen3,
  qwen3_vl_moe: qwen3,
  qwen3_5: qwen3,
  qwen3_5_moe: qwen3,
  mistral3: pixtral,
  llama4,
  internvl,
  internvl_chat: internvl,
  llava: (config) => (config.vision_config.model_type === 'pixtral' ? pixtral(config) : undefined),
};

/** The encoder of a model of the catalogue, or nothing if we do not know how its file is written. */
export function projectorOf(config) {
  const projector = config.vision_config && kWriters[config.model_type]?.(config);
  // Catalogue rows leave out what their class has as default: without sizes there is nothing to write.
  const isKnown = projector && Object.values(projector.values).every((value) => value !== undefined);
  return isKnown ? projector : undefined;
}
