// SPDX-License-Identifier: Apache-2.0
// The engine's own settings by its own flag names. Which there are, and their defaults, the core says.
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { CatalogueEngine, EngineOption, HardwareRow } from '../core/wire';
import { count, memory, parseCount, parseFraction, parseGiB } from '../format';
import { t, tCode } from '../i18n';
import { useStore } from '../store';
import { FieldMessage } from './Field';
import { Icon } from './Icon';
import { NumberField, unreadable } from './NumberField';
import { useDeviceNames } from './use-device-names';

/** Options that a link carries, so that a shared link restores everything. Some others have a field of their own in the form. */
const kOnLinks = new Set([
  'gpu_memory_utilization',
  'max_num_batched_tokens',
  'enforce_eager',
  'n_ubatch',
  'flash_attn',
]);

/** Flags that are not the option's name with dashes. */
const kFlags: Record<string, string> = { n_ubatch: '-ub', flash_attn: '-fa' };

interface ExpertRowProps {
  id: string;
  label: string;
  flag?: string;
  hint?: string;
  isChanged: boolean;
  onReset: () => void;
  children: ComponentChildren;
}

function ExpertRow({ id, label, flag, hint, isChanged, onReset, children }: ExpertRowProps) {
  return (
    <div class="expert-row">
      <label for={id}>
        {label}
        {flag && <code>{flag}</code>}
      </label>
      <div class="expert-value">
        {children}
        <button
          class="reset-dot"
          type="button"
          disabled={!isChanged}
          aria-label={t('expert.reset', { name: label })}
          onClick={onReset}
        >
          {isChanged && <Icon name="undo" />}
        </button>
      </div>
      {hint && <small>{hint}</small>}
    </div>
  );
}

function NumberRow({
  label,
  flag,
  hint,
  value,
  shown,
  parse,
  onValue,
}: {
  label: string;
  flag?: string;
  hint?: string;
  value: number | undefined;
  shown: (value: number) => string;
  parse: (text: string) => number | undefined;
  onValue: (value: number | undefined) => void;
}) {
  const id = useId();
  const [unread, setUnread] = useState<string | undefined>(undefined);
  return (
    <>
      <ExpertRow
        id={id}
        label={label}
        {...(flag ? { flag } : {})}
        {...(hint ? { hint } : {})}
        isChanged={value !== undefined}
        onReset={() => onValue(undefined)}
      >
        <NumberField
          id={id}
          label={label}
          value={value === undefined ? '' : shown(value)}
          placeholder={t('expert.default')}
          parse={parse}
          onValue={onValue}
          onEmpty={() => onValue(undefined)}
          onUnreadable={setUnread}
          invalid={unread !== undefined}
        />
      </ExpertRow>
      {unread !== undefined && <FieldMessage id={`${id}-unread`} text={unreadable(unread)} />}
    </>
  );
}

function OptionRow({ option }: { option: EngineOption }) {
  const id = useId();
  const { request, setOption } = useStore();
  const value = request.value.engine.options?.[option.name];
  const label = tCode('option', option.name);
  const flag = kFlags[option.name] ?? `--${option.name.replaceAll('_', '-')}`;
  if (option.name === 'flash_attn') return <SwitchRow option={option} label={label} flag={flag} />;
  const hint = t('expert.defaultIs', { value: tCode('optionDefault', option.default) });
  if (option.type === 'flag')
    return (
      <ExpertRow
        id={id}
        label={label}
        flag={flag}
        hint={hint}
        isChanged={value !== undefined}
        onReset={() => setOption(option.name, undefined)}
      >
        <input
          id={id}
          type="checkbox"
          checked={value === true}
          onChange={(event) => setOption(option.name, event.currentTarget.checked || undefined)}
        />
      </ExpertRow>
    );
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

function CacheRow({ engine }: { engine: CatalogueEngine }) {
  const id = useId();
  const { request, setCacheType } = useStore();
  const chosen = request.value.kv_cache.k;
  if (engine.kv_types.length === 0) return null;
  return (
    <ExpertRow id={id} label={t('expert.cacheType')} isChanged={chosen !== 'auto'} onReset={() => setCacheType('auto')}>
      <select id={id} value={chosen} onChange={(event) => setCacheType(event.currentTarget.value)}>
        {['auto', ...engine.kv_types].map((type) => (
          <option key={type} value={type}>
            {type}
          </option>
        ))}
      </select>
    </ExpertRow>
  );
}

function TensorRow() {
  const { request, setParallel } = useStore();
  const devices = request.value.hardware.reduce((sum, row) => sum + row.count, 0);
  return (
    <NumberRow
      label={t('expert.tensor')}
      flag="--tensor-parallel-size"
      hint={t('expert.defaultIs', { value: count(devices) })}
      value={request.value.parallel?.tensor}
      shown={count}
      parse={parseCount}
      onValue={(tensor) => setParallel(tensor === undefined ? undefined : { tensor })}
    />
  );
}

function LayersRow() {
  const { request, answer, setGpuLayers } = useStore();
  const all = answer.value.engine.all_gpu_layers;
  return (
    <NumberRow
      label={t('expert.gpuLayers')}
      flag="-ngl"
      hint={t('expert.defaultIs', { value: all ? t('expert.allLayers', { count: all }) : t('expert.allDefault') })}
      value={request.value.offload?.gpu_layers}
      shown={count}
      parse={parseCount}
      onValue={setGpuLayers}
    />
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
        value={typeof value === 'string' ? value : 'auto'}
        onChange={(event) =>
          setOption(option.name, event.currentTarget.value === 'auto' ? undefined : event.currentTarget.value)
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

function UsedRow({ row, index, name }: { row: HardwareRow; index: number; name: string }) {
  const { request, setHardware } = useStore();
  const used = row.used_bytes ?? 0;
  const set = (bytes: number): void =>
    setHardware(request.value.hardware.map((old, at) => (at === index ? { ...old, used_bytes: bytes } : old)));
  return (
    <NumberRow
      label={t('expert.used', { device: name })}
      hint={t('expert.usedHint')}
      value={used > 0 ? used : undefined}
      shown={(bytes) => memory(bytes, 'gib')}
      parse={parseGiB}
      onValue={(bytes) => set(bytes ?? 0)}
    />
  );
}

/** All settings of the chosen engine; loaded when the drawer is first opened. */
export function ExpertBody() {
  const { request, catalogue } = useStore();
  const deviceNames = useDeviceNames();
  const { engine: choice, hardware } = request.value;
  const engine = catalogue.value?.engines.find(({ name }) => name === choice.name);
  if (!engine) return <p class="hint">{t('expert.loading')}</p>;
  const has = (name: string): boolean => engine.options.some((option) => option.name === name);
  return (
    <>
      <VersionRow engine={engine} />
      {has('gpu_memory_utilization') && <TensorRow />}
      {has('n_gpu_layers') && <LayersRow />}
      {engine.options
        .filter(({ name }) => kOnLinks.has(name))
        .map((option) => (
          <OptionRow key={option.name} option={option} />
        ))}
      <CacheRow engine={engine} />
      {hardware.map((row, index) => (
        <UsedRow key={index} row={row} index={index} name={deviceNames.get(row.device ?? '') ?? t('device.own')} />
      ))}
    </>
  );
}
