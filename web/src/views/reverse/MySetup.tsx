// SPDX-License-Identifier: Apache-2.0
// The machine, the engine that runs on it, and what will do.
import { useState } from 'preact/hooks';
import type { HardwareRow } from '../../core/wire';
import { count, memory, parseGiB } from '../../format';
import { t } from '../../i18n';
import { kEngines, kSmallest, useMine } from '../../reverse/store';
import { useStore } from '../../store';
import { engineName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { GpuSearch } from './GpuSearch';
import { InUse } from './InUse';

const kTokens = [2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144];

export function Choose<T extends string | number>({
  id,
  label,
  value,
  choices,
  text,
  onChoose,
}: {
  id: string;
  label: string;
  value: T;
  choices: readonly T[];
  text: (choice: T) => string;
  onChoose: (choice: T) => void;
}) {
  const all = choices.includes(value) ? choices : [...choices, value];
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        class="wide-select"
        value={String(value)}
        onChange={(event) => {
          const chosen = all.find((choice) => String(choice) === event.currentTarget.value);
          if (chosen !== undefined) onChoose(chosen);
        }}
      >
        {all.map((choice) => (
          <option key={choice} value={String(choice)}>
            {text(choice)}
          </option>
        ))}
      </select>
    </div>
  );
}

function Engine() {
  const { request, take } = useStore();
  const { replaced, usualFormat } = useMine();
  const { engine, hardware, host, workload, running } = request.value;
  return (
    <fieldset class="field">
      <legend>{t('field.engine')}</legend>
      <div class="segments">
        {kEngines.map((name) => (
          <label key={name} class="segment">
            <input
              type="radio"
              name="engine"
              checked={engine.name === name}
              onChange={() => {
                replaced.value = '';
                take({
                  engine: { name, options: {} },
                  weights: { format: usualFormat(name) },
                  hardware,
                  workload,
                  ...(host && { host }),
                  ...(running && { running }),
                });
              }}
            />
            {engineName(name)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function Gpus({ row, index }: { row: HardwareRow; index: number }) {
  const { request, catalogue, setHardware, unit } = useStore();
  const known = catalogue.value?.devices.find(({ id }) => id === row.device);
  const own =
    row.memory_bytes === undefined
      ? row.device
      : t('device.byMemory', { memory: memory(row.memory_bytes, unit.value) });
  const name = known?.name ?? own ?? '';
  const change = (part: Partial<HardwareRow>): void =>
    setHardware(request.value.hardware.map((old, at) => (at === index ? { ...old, ...part } : old)));
  return (
    <>
      <div class="my-gpu">
        <b>{name}</b>
        <div class="stepper" role="group" aria-label={`${name}: ${t('field.gpuCount')}`}>
          <button
            type="button"
            aria-label={t('field.oneFewer')}
            disabled={row.count <= 1}
            onClick={() => change({ count: row.count - 1 })}
          >
            −
          </button>
          <output>{count(row.count)}</output>
          <button type="button" aria-label={t('field.oneMore')} onClick={() => change({ count: row.count + 1 })}>
            +
          </button>
        </div>
        {request.value.hardware.length > 1 && (
          <button
            class="text-button"
            type="button"
            aria-label={`${name}: ${t('field.removeGpus')}`}
            onClick={() => setHardware(request.value.hardware.filter((_, at) => at !== index))}
          >
            {t('reverse.remove')}
          </button>
        )}
      </div>
      {known && known.raised_limit_bytes > 0 && (
        <label class="raised">
          <input
            type="checkbox"
            checked={row.raised_limit === true}
            onChange={(event) => change({ raised_limit: event.currentTarget.checked })}
          />
          <span>
            {t('device.raised', { memory: memory(known.raised_limit_bytes, unit.value) })}
            {row.raised_limit && <code>{known.raise_command}</code>}
          </span>
        </label>
      )}
    </>
  );
}

/** What lies on the host has to have room there; vLLM keeps a model on the GPUs. */
function HostMemory() {
  const { request, setHost } = useStore();
  const bytes = request.value.host?.memory_bytes;
  return (
    <div class="field-head">
      <label for="host-memory">{t('field.hostMemory')}</label>
      <input
        id="host-memory"
        class="number-input"
        inputmode="decimal"
        autocomplete="off"
        placeholder={t('field.notGiven')}
        value={bytes === undefined ? '' : count(bytes / 2 ** 30)}
        onChange={({ currentTarget: field }) => {
          const given = parseGiB(field.value);
          setHost({ memory_bytes: given });
          if (given === undefined) field.value = '';
        }}
      />
    </div>
  );
}

export function MySetup() {
  const { request, setContext } = useStore();
  const { smallest, forget } = useMine();
  const [isMore, setMore] = useState(false);
  const { engine, hardware, workload } = request.value;
  return (
    <form class="setup open mine" aria-label={t('reverse.mine')} onSubmit={(event) => event.preventDefault()}>
      <h2>{t('reverse.mine')}</h2>
      <div class="setup-fields">
        {hardware.map((row, index) => (
          <Gpus key={index} row={row} index={index} />
        ))}
        {isMore ? (
          <GpuSearch label={t('reverse.more')} onMore={() => setMore(false)} />
        ) : (
          <>
            <GpuSearch label={t('reverse.change')} />
            <button class="text-button" type="button" onClick={() => setMore(true)}>
              {t('field.addGpus')}
            </button>
          </>
        )}
        <InUse />
        {engine.name === 'llama.cpp' && <HostMemory />}
        <Engine />
        <Choose
          id="least-context"
          label={t('reverse.tokens')}
          value={workload.context_tokens}
          choices={kTokens}
          text={(tokens) => t('field.tokens', { count: count(tokens) })}
          onChoose={setContext}
        />
        {engine.name === 'llama.cpp' && (
          <Choose
            id="smallest"
            label={t('reverse.smallest')}
            value={smallest.value}
            choices={kSmallest}
            text={weightsName}
            onChoose={(format) => (smallest.value = format)}
          />
        )}
        <p class="hint">
          {t('reverse.remembered')}{' '}
          <button class="text-button" type="button" onClick={forget}>
            {t('reverse.forget')}
          </button>
        </p>
      </div>
    </form>
  );
}
