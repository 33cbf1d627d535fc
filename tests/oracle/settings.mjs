// SPDX-License-Identifier: Apache-2.0
// The settings that are recorded of llama.cpp, in its own names. Each row: {flavour, gpus, options}, with `fit` where the engine chooses itself.

const contexts = (values, rest = {}) => values.map((n_ctx) => ({ n_ctx, ...rest }));

/** What every architecture's graph is recorded at: on the processor, on one device, on two, and in part. */
const everyGraph = [
  { flash_attn: 'on', n_ctx: 4096 },
  { flash_attn: 'off', n_ctx: 4096 },
  { flash_attn: 'on', n_ctx: 32768 },
  { flash_attn: 'on', n_ctx: 8192, n_ubatch: 128 },
  { flash_attn: 'on', n_ctx: 8192, n_ubatch: 2048 },
  { flash_attn: 'on', n_ctx: 16384, n_seq_max: 4 },
  { flash_attn: 'on', n_ctx: 16384, n_seq_max: 4, kv_unified: true },
  { flash_attn: 'on', n_ctx: 16384, type_k: 'q8_0', type_v: 'q8_0' },
];

const onTwo = [
  { flash_attn: 'on', n_ctx: 8192 },
  { flash_attn: 'off', n_ctx: 4096 },
];

/** Half and a few of the layers, attention on the host, operations on the host. */
const inPart = (layers) => [
  { flash_attn: 'on', n_ctx: 8192, n_gpu_layers: Math.ceil(layers / 2) },
  { flash_attn: 'on', n_ctx: 8192, n_gpu_layers: 0 },
  { flash_attn: 'on', n_ctx: 8192, offload_kqv: false },
];

const row = (flavour, gpus) => (options) => ({ flavour, gpus, options });

export function settingsOfEvery(layers, hasExperts) {
  return [
    ...everyGraph.map(row('cpu', 0)),
    ...everyGraph.map(row('cuda', 1)),
    ...onTwo.map(row('cuda', 2)),
    ...inPart(layers).map(row('cuda', 1)),
    ...(hasExperts ? [{ flash_attn: 'on', n_ctx: 8192, n_cpu_moe: Math.ceil(layers / 2) }].map(row('cuda', 1)) : []),
  ];
}

/** Placement and sizes in depth, for a few models of unlike kinds. */
export function settingsInDepth(layers, hasExperts, largest) {
  const on = { flash_attn: 'on' };
  const lengths = [256, 1000, 2048, 5000, 12288, 24576, 65536, 131072, 262144].filter((n) => n <= largest);
  const single = [
    ...contexts(lengths, on),
    ...contexts(
      lengths.filter((n) => n <= 65536),
      { flash_attn: 'off' },
    ),
    ...[64, 256, 1024, 4096].map((n_ubatch) => ({ ...on, n_ctx: 16384, n_ubatch, n_batch: Math.max(2048, n_ubatch) })),
    ...[2, 8, 16].flatMap((n_seq_max) =>
      [false, true].map((kv_unified) => ({ ...on, n_ctx: 16384, n_seq_max, kv_unified })),
    ),
    ...[
      ['q4_0', 'q4_0'],
      ['q8_0', 'f16'],
      ['f16', 'q8_0'],
      ['q8_0', 'q4_0'],
      ['bf16', 'bf16'],
      ['f32', 'f32'],
      ['q5_1', 'q5_1'],
    ].map(([type_k, type_v]) => ({ ...on, n_ctx: 16384, type_k, type_v })),
    { flash_attn: 'off', n_ctx: 16384, type_k: 'q8_0' },
    { flash_attn: 'off', n_ctx: 16384, type_k: 'q8_0', type_v: 'q8_0' },
    { ...on, n_ctx: 16384, swa_full: true },
    { ...on, n_ctx: 16384, n_outputs: 1 },
    { ...on, n_ctx: 16384, n_seq_max: 4, n_outputs: 4 },
    { n_ctx: 8192 },
  ];
  const part = [1, 2, Math.ceil(layers / 4), Math.ceil((3 * layers) / 4), layers, layers + 1].map((n_gpu_layers) => ({
    ...on,
    n_ctx: 16384,
    n_gpu_layers,
  }));
  const half = Math.ceil(layers / 2);
  const placed = [
    ...part,
    { flash_attn: 'off', n_ctx: 4096, n_gpu_layers: half },
    { ...on, n_ctx: 16384, n_gpu_layers: half, op_offload: false },
    { ...on, n_ctx: 16384, n_gpu_layers: half, offload_kqv: false },
    { ...on, n_ctx: 16384, n_gpu_layers: half, n_ubatch: 2048 },
    { ...on, n_ctx: 16384, n_gpu_layers: half, type_k: 'q8_0', type_v: 'q8_0' },
    { ...on, n_ctx: 16384, n_gpu_layers: 0, op_offload: false },
    { flash_attn: 'off', n_ctx: 8192, offload_kqv: false },
    { ...on, n_ctx: 16384, override_tensor: ['blk\\.[0-9]\\.ffn_.*'] },
    { ...on, n_ctx: 16384, override_tensor: ['token_embd'] },
    { ...on, n_ctx: 16384, override_tensor: ['output\\.weight'] },
  ];
  const experts = !hasExperts
    ? []
    : [1, Math.ceil(layers / 4), Math.ceil((3 * layers) / 4), layers].flatMap((n_cpu_moe) => [
        { ...on, n_ctx: 16384, n_cpu_moe },
        { ...on, n_ctx: 16384, n_cpu_moe, n_ubatch: 2048 },
        { ...on, n_ctx: 16384, n_cpu_moe, op_offload: false },
      ]);
  const several = [
    { ...on, n_ctx: 32768 },
    { ...on, n_ctx: 16384, n_seq_max: 4 },
    { ...on, n_ctx: 16384, n_ubatch: 2048 },
    { ...on, n_ctx: 16384, type_k: 'q8_0', type_v: 'q8_0' },
    { ...on, n_ctx: 16384, n_gpu_layers: half },
    { ...on, n_ctx: 16384, offload_kqv: false },
    { ...on, n_ctx: 16384, op_offload: false },
    { ...on, n_ctx: 16384, n_outputs: 1 },
    { ...on, n_ctx: 16384, split_mode: 'none' },
    { ...on, n_ctx: 16384, split_mode: 'row' },
    ...(hasExperts ? [{ ...on, n_ctx: 16384, n_cpu_moe: half }] : []),
  ];
  const shares = [
    [1, 3],
    [3, 1],
    [24, 16],
    [1, 0],
  ].map((tensor_split) => ({ ...on, n_ctx: 16384, tensor_split }));
  const ofFour = [
    [1, 1, 1, 3],
    [24, 24, 12, 8],
    [0, 1, 1, 1],
  ].map((tensor_split) => ({ ...on, n_ctx: 16384, tensor_split }));
  return [
    ...single.map(row('cpu', 0)),
    ...single.map(row('cuda', 1)),
    ...[...placed, ...experts].map(row('cuda', 1)),
    ...[...several, ...shares].map(row('cuda', 2)),
    ...[...several, ...ofFour].map(row('cuda', 4)),
  ];
}

/** The model with its layers of multi-token prediction, and the context that drafts with them. */
export function settingsOfMtp() {
  const main = [{ flash_attn: 'on', n_ctx: 8192 }];
  const draft = [
    { flash_attn: 'on', n_ctx: 8192 },
    { flash_attn: 'off', n_ctx: 8192 },
    { flash_attn: 'on', n_ctx: 65536 },
    { flash_attn: 'on', n_ctx: 16384, n_seq_max: 4, kv_unified: true },
    { flash_attn: 'on', n_ctx: 16384, n_ubatch: 128 },
    { flash_attn: 'on', n_ctx: 16384, type_k: 'q8_0', type_v: 'q8_0' },
  ];
  return [
    ...main.map((options) => row('cuda', 1)({ ...options, mtp: true })),
    ...draft.map((options) => row('cuda', 1)({ ...options, mtp: true, mtp_context: true })),
    row('cpu', 0)({ ...draft[0], mtp: true, mtp_context: true }),
    // States to go back to, as a server that drafts asks for them; and one result for each sequence and draft.
    row('cuda', 1)({ ...draft[0], mtp: true, n_rs_seq: 3 }),
    row('cuda', 1)({ ...draft[3], mtp: true, n_rs_seq: 3, n_outputs: 16 }),
    row('cuda', 1)({ ...draft[4], mtp: true, n_rs_seq: 3, n_outputs: 4 }),
    row('cpu', 0)({ ...draft[3], mtp: true, n_rs_seq: 3, n_outputs: 16 }),
  ];
}

/** Embedding models as a server of embeddings runs them: outputs are vectors, and a prompt is one batch. */
export const settingsOfEmbedding = [512, 2048].flatMap((n_ubatch) => [
  row('cuda', 1)({ embeddings: true, n_ctx: 4096, n_ubatch }),
  row('cpu', 0)({ embeddings: true, n_ctx: 4096, n_ubatch }),
]);

/** Free memory at which the automatic fit has to cut more and more, down to nothing: shares of the whole plan on each device. */
export function settingsOfFit(whole) {
  const fit = (shares, options = {}, rest = {}) => ({
    flavour: 'cuda',
    gpus: shares.length,
    options: { n_ctx: 0, ...options },
    fit: {
      memory_bytes: shares.map((share) => Math.ceil((share * whole) / 1e6) * 1e6),
      margin_bytes: 1 << 30,
      n_ctx_min: 4096,
      ...rest,
    },
  });
  return [
    ...[1.5, 1.05, 0.95, 0.8, 0.6, 0.4, 0.2, 0.08].map((share) => fit([share])),
    fit([0.8], { n_ctx: 8192 }),
    fit([0.5], { n_ctx: 8192 }),
    fit([0.7], { n_seq_max: 4, kv_unified: true }),
    fit([0.7], { type_k: 'q8_0', type_v: 'q8_0', flash_attn: 'on' }),
    ...[
      [0.6, 0.6],
      [0.5, 0.3],
      [0.3, 0.5],
      [0.3, 0.3],
      [0.15, 0.1],
    ].map((shares) => fit(shares)),
    fit([0.3, 0.3, 0.2, 0.2]),
    fit([0.2, 0.1, 0.1, 0.05]),
    fit([0.7], {}, { margin_bytes: 1 << 28, n_ctx_min: 2048 }),
  ];
}

/** Every model, so that its weights and cache are held against the engine's. */
export const settingsOfModel = [row('cuda', 1)({ flash_attn: 'on', n_ctx: 4096 })];

/** Models that draft for others: of one family, and of unlike kinds. */
export const draftPairs = [
  ['Qwen/Qwen3-32B', 'Qwen/Qwen3-0.6B'],
  ['Qwen/Qwen3-30B-A3B', 'Qwen/Qwen3-1.7B'],
  ['meta-llama/Llama-3.1-8B-Instruct', 'meta-llama/Llama-3.2-1B-Instruct'],
];

/** A context and the one that drafts for it. `more`: what the second alone has; the rest it takes over (common_base_params_to_speculative). */
function withDraft(flavour, gpus, options, more = {}) {
  const { n_gpu_layers, ...inherited } = options;
  const { n_seq_max = 1 } = options;
  return { flavour, gpus, options, draftOptions: { ...inherited, n_outputs: n_seq_max, ...more } };
}

export function settingsOfDraft() {
  const on = { flash_attn: 'on', n_ctx: 8192 };
  return [
    withDraft('cpu', 0, on),
    withDraft('cuda', 1, on),
    withDraft('cuda', 1, { ...on, n_ctx: 32768 }),
    withDraft('cuda', 1, { ...on, n_seq_max: 4, kv_unified: true }),
    withDraft('cuda', 1, { ...on, n_ubatch: 128 }),
    withDraft('cuda', 1, on, { type_k: 'q8_0', type_v: 'q8_0' }),
    withDraft('cuda', 1, on, { n_gpu_layers: 0 }),
    withDraft('cuda', 1, on, { n_gpu_layers: 10 }),
    withDraft('cuda', 2, on),
    withDraft('cuda', 2, { ...on, tensor_split: [3, 1] }),
    withDraft('cuda', 4, on),
  ];
}

/** The automatic fit of a model and the one that drafts together. */
export const settingsOfDraftFit = (whole) =>
  settingsOfFit(whole)
    .filter(({ options }) => options.type_k === undefined)
    .map((setting) => ({
      ...setting,
      draftOptions: { n_outputs: setting.options.n_seq_max ?? 1, ...inherited(setting.options) },
    }));

/** What the second context takes over of the first, but for its length, which follows. */
function inherited({ n_seq_max, kv_unified }) {
  return { ...(n_seq_max && { n_seq_max }), ...(kv_unified && { kv_unified }) };
}
