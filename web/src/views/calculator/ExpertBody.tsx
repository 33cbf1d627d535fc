// SPDX-License-Identifier: Apache-2.0
// The engine's own settings by its own flag names. Which there are, and their defaults, the core says.
import { useEffect, useId, useState } from 'preact/hooks';
import type { CatalogueEngine, EngineOption, Json } from '../../core/wire';
import { count, parseCount, parseFraction } from '../../format';
import { engineTexts } from '../../engine-texts';
import { expertTexts } from './expert-texts';
import { t, tCode } from '../../i18n';
import { choiceOf } from '../../reader/choice';
import { theReader } from '../../reader/start';
import { readTexts } from '../../reader/take';
import { useStore } from '../../store';
import { CommandRow } from './CommandRow';
import { DeviceRows } from './DeviceRows';
import { ExpertRow, NumberRow } from './ExpertRows';
import { LayoutRows } from './LayoutRows';
import { PagingRows } from './PagingRows';
import { RunningRows } from './RunningRows';

/** Its words come with it, and those of every engine's options, whichever is chosen. */
export const expertBodyTexts = Promise.all([expertTexts(), engineTexts()]);

/** Options that have a field of their own in the form, and those that nobody sets by hand; so have those that follow the workload. */
const kElsewhere = new Set([
  ...['n_ctx', 'n_seq_max', 'n_gpu_layers', 'n_outputs', 'type_k', 'type_v'],
  ...['num_ctx', 'num_parallel', 'num_gpu', 'kv_cache_type', 'context_length', 'kv_cache_dtype', 'block_size'],
]);
const isElsewhere = ({ name, default: usual }: EngineOption): boolean =>
  usual.startsWith('workload.') || kElsewhere.has(name);

/** Flags that are not the option's name with dashes. */
const kFlags: Record<string, string> = {
  n_batch: '-b',
  n_ubatch: '-ub',
  flash_attn: '-fa',
  offload_kqv: '--no-kv-offload',
  op_offload: '--no-op-offload',
  mmap: '--no-mmap',
  split_mode: '-sm',
  tensor_split: '-ts',
  main_gpu: '-mg',
  override_tensor: '-ot',
  mtp: '--spec-type draft-mtp',
  n_rs_seq: '--spec-draft-n-max',
  draft_model: '-md',
  n_gpu_layers_draft: '-ngld',
  type_k_draft: '-ctkd',
  type_v_draft: '-ctvd',
  pooling_type: '--pooling',
  lora_bytes: '--lora',
  flash_attention: 'OLLAMA_FLASH_ATTENTION',
  sched_spread: 'OLLAMA_SCHED_SPREAD',
  gpu_overhead: 'OLLAMA_GPU_OVERHEAD',
  speculative_method: '--speculative-config',
  num_speculative_tokens: '--speculative-config',
  flashinfer_sampler: 'VLLM_USE_FLASHINFER_SAMPLER',
  attention: 'ATTENTION',
};

/** Engines whose settings are fields, not flags of a command line. */
const kFields = new Set(['ollama', 'lm-studio', 'transformers', 'exllamav2', 'exllamav3', 'mlc-llm', 'web-llm']);

const kChoices: Record<string, string[]> = {
  split_mode: ['layer', 'none', 'row', 'tensor'],
  pooling_type: ['none', 'mean', 'cls', 'last'],
  attn_implementation: ['sdpa', 'flash_attention_2', 'eager'],
  cache_implementation: ['dynamic', 'static', 'offloaded', 'quantized'],
  speculative_method: ['none', 'mtp', 'eagle', 'eagle3', 'ngram', 'draft_model'],
  device_map: ['auto', 'balanced_low_0', 'sequential'],
  mode: ['auto', 'local', 'interactive', 'server'],
  attention: ['auto', 'flashinfer', 'flashdecoding', 'paged'],
};
const kExamples: Record<string, string> = {
  tensor_split: '3,1',
  override_tensor: 'blk\\.(1|2)\\.ffn_.*_exps=CPU',
  draft_model: 'qwen3-0.6b',
  draft_weights: 'q8_0',
};

/** What the engine is given with the file and not by a flag. */
const kWithoutFlag = new Set(['draft_weights', 'offline_inference']);

function flagOf(engine: string, option: string): string {
  const isEnvironment = kFlags[option]?.startsWith('OLLAMA_') ?? false;
  if (engine === 'vllm' && option === 'draft_model') return '--speculative-config';
  if (kFields.has(engine)) return engine === 'ollama' && isEnvironment ? (kFlags[option] ?? option) : option;
  return kFlags[option] ?? `--${option.replaceAll('_', '-')}`;
}

const isObject = (value: Json | undefined): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function OptionRow({ option }: { option: EngineOption }) {
  const id = useId();
  const { request, setOption } = useStore();
  const value = request.value.engine.options?.[option.name];
  const label = tCode('option', option.name);
  const flag = kWithoutFlag.has(option.name) ? '' : flagOf(request.value.engine.name, option.name);
  const hint = t('expert.defaultIs', { value: tCode('optionDefault', option.default) });
  const row = { id, label, flag, isChanged: value !== undefined, onReset: () => setOption(option.name, undefined) };
  if (option.name === 'flash_attn' || (option.type === 'flag' && option.default === 'auto'))
    return <SwitchRow option={option} label={label} flag={flag} />;
  if (option.type === 'flag') {
    const usual = option.default === 'true';
    return (
      <ExpertRow {...row} hint={hint}>
        <input
          id={id}
          type="checkbox"
          checked={typeof value === 'boolean' ? value : usual}
          onChange={({ currentTarget: { checked } }) => setOption(option.name, checked === usual ? undefined : checked)}
        />
      </ExpertRow>
    );
  }
  const choices = kChoices[option.name];
  if (choices)
    return (
      <ExpertRow {...row} hint={hint}>
        <select
          id={id}
          value={String(value ?? choices[0])}
          onChange={({ currentTarget }) =>
            setOption(option.name, currentTarget.value === choices[0] ? undefined : currentTarget.value)
          }
        >
          {choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      </ExpertRow>
    );
  if (option.type === 'text') {
    const example = kExamples[option.name];
    return (
      <ExpertRow {...row} hint={example ? t('expert.listHint', { example }) : hint}>
        <input
          id={id}
          class="number-input"
          type="text"
          autocomplete="off"
          spellcheck={false}
          value={typeof value === 'string' ? value : ''}
          placeholder={t('expert.default')}
          onChange={({ currentTarget }) => setOption(option.name, currentTarget.value.trim() || undefined)}
        />
      </ExpertRow>
    );
  }
  const isFraction = option.type === 'number';
  return (
    <NumberRow
      label={label}
      flag={flag}
      hint={hint}
      value={typeof value === 'number' ? value : undefined}
      shown={isFraction ? String : count}
      parse={isFraction ? parseFraction : parseCount}
      onValue={(number) => setOption(option.name, number)}
    />
  );
}

function VersionRow({ engine }: { engine: CatalogueEngine }) {
  const id = useId();
  const { request, setEngine } = useStore();
  const chosen = request.value.engine.version;
  const { version: _version, ...newest } = request.value.engine;
  if (engine.versions.length < 2) return null;
  return (
    <ExpertRow id={id} label={t('expert.version')} isChanged={chosen !== undefined} onReset={() => setEngine(newest)}>
      <select
        id={id}
        value={chosen ?? engine.default_version}
        onChange={(event) => {
          const version = event.currentTarget.value;
          setEngine(version === engine.default_version ? newest : { ...newest, version });
        }}
      >
        {[...engine.versions].reverse().map((version) => (
          <option key={version} value={version}>
            {version}
          </option>
        ))}
      </select>
    </ExpertRow>
  );
}

function CacheTypeRow({
  label,
  types,
  value,
  onValue,
}: {
  label: string;
  types: string[];
  value: string;
  onValue: (type: string) => void;
}) {
  const id = useId();
  return (
    <ExpertRow id={id} label={label} isChanged={value !== 'auto'} onReset={() => onValue('auto')}>
      <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
        {['auto', ...types].map((type) => (
          <option key={type} value={type}>
            {type}
          </option>
        ))}
      </select>
    </ExpertRow>
  );
}

/** Of keys and values, apart where the engine has a setting for each. */
function CacheRows({ engine }: { engine: CatalogueEngine }) {
  const { request, setCacheType } = useStore();
  const { k, v } = request.value.kv_cache;
  const types = engine.kv_types;
  if (types.length === 0) return null;
  if (!engine.options.some(({ name }) => name === 'type_v'))
    return <CacheTypeRow label={t('expert.cacheType')} types={types} value={k} onValue={setCacheType} />;
  return (
    <>
      <CacheTypeRow label={t('expert.keyType')} types={types} value={k} onValue={(type) => setCacheType(type, v)} />
      <CacheTypeRow label={t('expert.valueType')} types={types} value={v} onValue={(type) => setCacheType(k, type)} />
    </>
  );
}

function LayersRow({ flag }: { flag: string }) {
  const { request, answer, setOffload } = useStore();
  const all = answer.value.engine.all_gpu_layers;
  return (
    <NumberRow
      label={t('expert.gpuLayers')}
      flag={flag}
      hint={t('expert.defaultIs', { value: all ? t('expert.allLayers', { count: all }) : t('expert.allDefault') })}
      value={request.value.offload?.gpu_layers}
      shown={count}
      parse={parseCount}
      onValue={(gpu_layers) => setOffload({ gpu_layers })}
    />
  );
}

function ExpertLayersRow() {
  const { request, answer, setOffload } = useStore();
  if (answer.value.model.n_experts === 0) return null;
  return (
    <NumberRow
      label={t('expert.expertsOnHost')}
      flag="--n-cpu-moe"
      value={request.value.offload?.cpu_moe_layers}
      shown={count}
      parse={parseCount}
      onValue={(cpu_moe_layers) => setOffload({ cpu_moe_layers })}
    />
  );
}

/** What the engine's automatic fit comes to, in its own flags. */
function FitRow() {
  const fit = useStore().answer.value.engine.fit;
  if (!fit) return null;
  return (
    <div class="expert-row">
      <span>{t('expert.fitFlags')}</span>
      <code class="expert-flags">{fit.flags}</code>
    </div>
  );
}

/** The context that the engine takes on this machine when none is asked for. */
function ContextDefaultRow({ engine }: { engine: string }) {
  const { request, answer, setContext } = useStore();
  const tokens = answer.value.engine.default_context_tokens;
  if (!tokens || tokens === request.value.workload.context_tokens) return null;
  return (
    <div class="expert-row">
      <span>{t('expert.contextDefault')}</span>
      <button class="button small" type="button" onClick={() => setContext(tokens)}>
        {t('expert.use', { count: count(tokens) })}
      </button>
      <small>{t('expert.contextDefaultHint', { engine: tCode('engine', engine), count: count(tokens) })}</small>
    </div>
  );
}

/** On, off, or left to the engine. */
function SwitchRow({ option, label, flag }: { option: EngineOption; label: string; flag: string }) {
  const id = useId();
  const { request, setOption } = useStore();
  const value = request.value.engine.options?.[option.name];
  return (
    <ExpertRow
      id={id}
      label={label}
      flag={flag}
      isChanged={value !== undefined}
      onReset={() => setOption(option.name, undefined)}
    >
      <select
        id={id}
        value={value === undefined ? 'auto' : value === true || value === 'on' ? 'on' : 'off'}
        onChange={({ currentTarget: { value: chosen } }) =>
          setOption(option.name, chosen === 'auto' ? undefined : option.type === 'flag' ? chosen === 'on' : chosen)
        }
      >
        {(['auto', 'on', 'off'] as const).map((choice) => (
          <option key={choice} value={choice}>
            {t(`switch.${choice}`)}
          </option>
        ))}
      </select>
    </ExpertRow>
  );
}

/** Where a config keeps the keys of its language model. */
const kTextKeys = ['text_config', 'llm_config', 'language_config'];
const kKvHeads = 'num_key_value_heads';

/** What config.json may leave out of a model that was read, and the cache hangs on. */
function KvHeadsRow() {
  const store = useStore();
  const { config, ...model } = store.request.value.model;
  const [hasTexts, setHasTexts] = useState(false);
  useEffect(() => void readTexts.then(() => setHasTexts(true)), []);
  if (!config || !hasTexts) return null;
  const inner = kTextKeys.find((key) => isObject(config[key]));
  const keys = inner === undefined ? config : (config[inner] as { [key: string]: Json });
  const { [kKvHeads]: heads, ...others } = keys;
  if (typeof keys['num_attention_heads'] !== 'number') return null;
  const isAssumed = store.warnings.value.some(({ values }) => values.key === kKvHeads);
  async function count(value: number | undefined): Promise<void> {
    const changed = value === undefined ? others : { ...others, [kKvHeads]: value };
    const whole = inner === undefined ? changed : { ...config, [inner]: changed };
    const reply = await (await theReader()).call('read_config', { config: whole });
    if (!reply.ok) store.fileNotice.value = reply.error;
    else {
      const { spec: _old, ...named } = model;
      const choice = { ...named, ...choiceOf(reply.result) };
      store.chooseModel(choice, reply.result.model.max_context_tokens, reply.warnings, true);
    }
  }
  return (
    <NumberRow
      label={t('read.kvHeads')}
      flag={kKvHeads}
      {...(isAssumed && { hint: t('read.kvHeadsHint', { value: keys['num_attention_heads'] }) })}
      value={typeof heads === 'number' ? heads : undefined}
      shown={String}
      parse={parseCount}
      onValue={(value) => void store.bring(count(value))}
    />
  );
}

/** All settings of the chosen engine; loaded when the drawer is first opened. */
export function ExpertBody() {
  const { request, catalogue } = useStore();
  const { engine: choice, hardware } = request.value;
  const engine = catalogue.value?.engines.find(({ name }) => name === choice.name);
  if (!engine) return <p class="hint">{t('expert.loading')}</p>;
  const has = (name: string): boolean => engine.options.some((option) => option.name === name);
  return (
    <>
      <VersionRow engine={engine} />
      <LayoutRows />
      <PagingRows />
      <ContextDefaultRow engine={engine.name} />
      {has('n_gpu_layers') && <LayersRow flag="-ngl" />}
      {has('num_gpu') && <LayersRow flag="num_gpu" />}
      {has('n_gpu_layers') && <ExpertLayersRow />}
      <FitRow />
      <CommandRow />
      {engine.options
        .filter((option) => !isElsewhere(option))
        .map((option) => (
          <OptionRow key={option.name} option={option} />
        ))}
      <CacheRows engine={engine} />
      <KvHeadsRow />
      <DeviceRows />
      {hardware.length > 0 && <RunningRows />}
    </>
  );
}
