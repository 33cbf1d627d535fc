// SPDX-License-Identifier: Apache-2.0
// The JSON that crosses the boundary to the core. Names stay as the wire has them (snake_case); memory is always in bytes. What only the full
// core answers is in wire-full.ts.
import type { AdviceList, ElsewhereRow, Receipts, Speed } from './wire-full';

export type * from './wire-full';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Something to tell a person: what, where, and the values of the sentence, so that it can be said in any language. */
export interface Notice {
  code: string;
  where: string;
  message: string;
  values: { key: string; value: string; expected: string };
}

export type Reply<T> = { ok: true; result: T; warnings: Notice[] } | { ok: false; error: Notice; warnings: Notice[] };

/**
 * One of the catalogue by its id, or one that was read: `spec` is what the reader made of it, `config` what a link can carry, `hub` the path of
 * its page on Hugging Face. With `hub` alone, a link named a model that has to be read before it can be counted.
 */
export interface ModelChoice {
  id?: string;
  hub?: string;
  name?: string;
  config?: { [key: string]: Json };
  spec?: Json;
}

export interface HardwareRow {
  device?: string;
  memory_bytes?: number;
  /** Of a device that is known by its memory: for its speed. */
  bandwidth_gb_s?: number;
  fp16_tflops?: number;
  count: number;
  used_bytes?: number;
  raised_limit?: boolean;
}

export interface EngineChoice {
  name: string;
  version?: string;
  options?: { [option: string]: number | string | boolean };
}

export interface Parallel {
  tensor?: number;
  pipeline?: number;
  data?: number;
  expert?: boolean;
  /** Machines that the GPUs are in, as many in each. */
  nodes?: number;
}

export interface Workload {
  context_tokens: number;
  sequences: number;
  /** Of a request, where its cache is given out in pages; left out: all are full. */
  average_tokens?: number;
  /** That all requests begin with. */
  shared_prefix_tokens?: number;
}

/** A model that runs on the same devices already. */
export interface RunningJob {
  model: ModelChoice;
  weights: { format: string };
  engine: EngineChoice;
  workload: Workload;
}

/** Params of `estimate`, and the whole state of the page apart from how it looks. */
export interface Request {
  model: ModelChoice;
  weights: { format: string };
  kv_cache: { k: string; v: string };
  engine: EngineChoice;
  workload: Workload;
  hardware: HardwareRow[];
  host?: { memory_bytes?: number; used_bytes?: number; bandwidth_gb_s?: number };
  parallel?: Parallel;
  offload?: { gpu_layers?: number; cpu_moe_layers?: number };
  running?: RunningJob[];
}

/** The same where the weights are to be found. */
export type SolveRequest = Omit<Request, 'weights' | 'kv_cache'>;

export interface ModelFacts {
  id: string;
  slug: string;
  name: string;
  architecture: string;
  parameters: { text: number; mtp: number; multimodal: number; total: number; stored: number };
  active_parameters: number;
  checkpoint_bytes: number;
  checkpoint_format: string;
  max_context_tokens: number;
  n_layers: number;
  hidden_size: number;
  n_experts: number;
  n_experts_used: number;
  attention: string;
}

export interface Factor {
  name: string;
  value: number;
  op: 'times' | 'divide' | 'cdiv' | 'plus' | 'minus';
}

export interface FormulaRow {
  label: string;
  factors: Factor[];
  bytes: number;
  chosen: boolean;
}

export interface Formula {
  combine: 'sum' | 'max';
  rows: FormulaRow[];
  keys: string[];
  note: string | null;
}

export interface Term {
  id: string;
  bytes: number;
  low_bytes: number;
  high_bytes: number;
  inside_limit: boolean;
  basis: 'exact' | 'modelled' | 'measured';
  records: number;
  formula?: Formula;
  source?: { text: string; url: string | null };
}

export interface DeviceAnswer {
  name: string;
  device: string;
  device_name: string;
  runtime_bytes: number;
  used_bytes: number;
  capacity_bytes: number;
  limit_bytes: number;
  total_bytes: number;
  low_bytes: number;
  high_bytes: number;
  need_inside_bytes: number;
  free_bytes: number;
  reserved_bytes: number;
  observed_bytes: number;
  /** What other models take of it. */
  running?: { id: string; name: string; engine: string; weights: string; bytes: number }[];
  terms: Term[];
}

/** System memory. Without `class` the engine's host memory is not counted. */
export interface HostAnswer {
  total_bytes: number;
  low_bytes?: number;
  high_bytes?: number;
  capacity_bytes?: number | null;
  class?: VerdictClass;
  terms: Term[];
}

export interface Group {
  first: number;
  count: number;
  device: string;
  device_index: number;
}

export type VerdictClass = 'fits' | 'tight' | 'offload' | 'no' | 'impossible' | 'unknown';

export interface Verdict {
  class: VerdictClass;
  device: number | null;
  need_bytes: number | null;
  low_bytes: number | null;
  high_bytes: number | null;
  limit_bytes: number | null;
  limit: 'card' | 'engine' | 'host' | null;
  free_bytes: number | null;
  shortfall_bytes: number;
  measured: boolean;
  nearest: {
    parallel?: Parallel & { tensor: number };
    context_tokens?: number;
    gpu_layers?: number;
    host_bytes?: number;
    weights?: { format: string };
    kv_cache?: { k: string };
    hardware?: HardwareRow[];
    sequences?: number;
    engine?: { version: string };
    /** One option of the engine, by its own name. */
    [option: string]: unknown;
  } | null;
  reason: Notice | null;
}

export interface FormatChoice {
  format: string;
  resolved: string;
  bytes: number;
  supported: boolean;
}

export interface Estimate {
  model: ModelFacts;
  engine: {
    name: string;
    version: string;
    kv_cache_tokens: number | null;
    kv_cache_pool_bytes: number | null;
    max_concurrency: number | null;
    gpu_layers?: number | null;
    all_gpu_layers?: number | null;
    /** Of the layers on the GPUs, those whose experts are in system memory; left out where there are none. */
    host_expert_layers?: number;
    default_context_tokens?: number;
    fit?: { changed: boolean; whole: boolean; flags: string };
    /** The engine with these settings, or with those of `fit`, as a line for a shell. */
    command?: string;
  };
  devices: DeviceAnswer[];
  groups: Group[];
  host: HostAnswer;
  verdict: Verdict;
  /** At the best estimate; `safe_…` also by the high bounds. */
  max_context_tokens: number | null;
  safe_context_tokens: number | null;
  max_sequences: number | null;
  safe_sequences: number | null;
  fewest_devices: number | null;
  /** Of a pipeline over them, where they hold it as one; within a stage, tensor parallel. */
  fewest_stages?: number;
  weights_formats: FormatChoice[];
  request: Request;
}

/** Result of `solve` that finds weights. */
export interface BestWeights {
  weights: { format: string; loaded: string; bytes: number };
  verdict: Verdict;
  /** Longest that surely holds; 0: none. */
  safe_context_tokens: number;
  trained_context_tokens: number;
  /** Of the engine, beyond those asked: a share of the memory that surely starts. */
  options: Record<string, number>;
  /** Of llama.cpp, where the others stay in system memory. */
  gpu_layers: number | null;
  all_gpu_layers: number | null;
  host_bytes: number | null;
}

export interface CatalogueModel {
  id: string;
  slug: string;
  name: string;
  summary: { parameters: number; n_experts: number; attention: string };
  kind: string;
  relation: string;
  released?: string | null;
  license?: string | null;
  aliases: string[];
  max_context_tokens: number;
  checkpoint_format: string;
}

export interface CatalogueDevice {
  id: string;
  slug: string;
  name: string;
  short_name: string;
  vendor: string;
  kind: string;
  aliases: string[];
  marketed_gb: number;
  driver_bytes: number;
  runtime_bytes: number;
  capacity_basis: 'measured' | 'estimated';
  raised_limit_bytes: number;
  raise_command: string;
}

export interface EngineOption {
  name: string;
  type: 'number' | 'integer' | 'text' | 'flag';
  default: string;
}

export interface CatalogueEngine {
  name: string;
  versions: string[];
  default_version: string;
  /** What people start from; a link that leaves them out means these. */
  usual_format: string;
  usual_sequences: number;
  weights_formats: string[];
  kv_types: string[];
  options: EngineOption[];
}

export interface Catalogue {
  data_version: string;
  models: CatalogueModel[];
  devices: CatalogueDevice[];
  engines: CatalogueEngine[];
}

export interface LinkView {
  unit?: 'gib' | 'gb';
  lang?: 'en' | 'zh';
  theme?: 'light' | 'dark';
}

/** Result of `share.decode`. */
export interface DecodedLink {
  request: Request;
  view: LinkView;
  kept: [string, string][];
  custom: string | null;
  shared: { data?: string; total_gib?: number } | null;
  notices: Notice[];
}

export interface Methods {
  estimate: { params: Request; result: Estimate };
  catalogue: { params: Record<string, never>; result: Catalogue };
  'catalogue.load': { params: { models: Json; devices: Json }; result: { models: number; devices: number } };
  advise: { params: Request & { relatives?: ModelChoice[] }; result: AdviceList };
  /** Over several machines `command` is for the first, and `others` are for each further one, where the first does not start them. */
  launch: { params: Request; result: { command: string | null; others?: string[] } };
  solve: { params: { find: 'weights'; request: SolveRequest; smallest?: string }; result: BestWeights };
  /** `machines` are rows of build/catalogue/machines.json. */
  speed: { params: { request: Request; machines?: Json; host_bandwidth_gb_s?: number }; result: Speed };
  receipts: { params: Request; result: Receipts };
  /** `machines` are rows of build/catalogue/machines.json: for prices, or, by machines, what is looked through. */
  compare_devices: {
    params: { request: Request; by: 'devices' | 'machines'; machines?: Json; offset?: number; limit?: number };
    result: { total: number; offset: number; rows: ElsewhereRow[] };
  };
  'share.encode': {
    params: {
      request: Request;
      view?: LinkView;
      kept?: [string, string][];
      custom?: string;
      complete?: boolean;
      shared?: { data: string; total_gib: number };
    };
    result: { hash: string };
  };
  'share.decode': { params: { hash: string }; result: DecodedLink };
}
