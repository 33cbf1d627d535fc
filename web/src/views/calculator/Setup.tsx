// SPDX-License-Identifier: Apache-2.0
// The form: what is asked. Every change is counted at once.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { stepTo } from '../../advice/show';
import { count, tokensShort } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { CountSlider } from './CountSlider';
import { Expert } from './Expert';
import { Group } from '../Field';
import { HardwareField } from './HardwareField';
import { Machines } from './Machines';
import { ModelField } from './ModelField';
import { marksOf, octaveStops } from '../stops';
import { useDeviceNames } from '../use-device-names';
import { engineName, machineName, modelName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { WeightsField } from './WeightsField';

const kMostSequencesOnSlider = 1024;
const kShortContext = 8192; // models up to here get finer stops
const kEnginesBeforeTheCatalogue = [
  ...['vllm', 'sglang', 'tensorrt-llm', 'lmdeploy', 'tgi', 'llama.cpp', 'ollama', 'lm-studio', 'transformers', 'mlx'],
  ...['exllamav2', 'exllamav3', 'mlc-llm', 'web-llm', 'article'],
];

function ContextField() {
  const { request, answer, setContext } = useStore();
  const most = answer.value.model.max_context_tokens;
  const least = most > kShortContext ? 2048 : 256;
  const stops = octaveStops(Math.min(least, most), most, 8, 64);
  return (
    <CountSlider
      field="context"
      label={t('field.context')}
      numberLabel={t('field.contextNumber')}
      value={request.value.workload.context_tokens}
      stops={stops}
      marks={marksOf(Math.min(least, most), most)}
      markText={tokensShort}
      valueText={(value) => t('field.tokens', { count: count(value) })}
      onValue={setContext}
    />
  );
}

function SequencesField() {
  const { request, setSequences } = useStore();
  const stops = octaveStops(1, kMostSequencesOnSlider, 4, 1);
  return (
    <CountSlider
      field="sequences"
      label={t('field.sequences')}
      numberLabel={t('field.sequencesNumber')}
      value={request.value.workload.sequences}
      stops={stops}
      marks={marksOf(1, kMostSequencesOnSlider)}
      markText={count}
      valueText={(value) => t('field.requests', { count: value })}
      onValue={setSequences}
    />
  );
}

function EngineField() {
  const { request, catalogue, setEngine } = useStore();
  const engines = catalogue.value?.engines.map(({ name }) => name) ?? kEnginesBeforeTheCatalogue;
  return (
    <Group label={t('field.engine')} class="segments rows" field="engine">
      {engines.map((name) => (
        <label key={name} class="segment">
          <input
            type="radio"
            name="engine"
            checked={request.value.engine.name === name}
            onChange={() => setEngine({ name, options: {} })}
          />
          {engineName(name)}
        </label>
      ))}
    </Group>
  );
}

/** The setup in a line of chips, for phones. */
function Summary() {
  const { answer, request } = useStore();
  const deviceNames = useDeviceNames();
  const { workload, weights, engine } = request.value;
  const format = answer.value.weights_formats.find((choice) => choice.format === weights.format);
  const chips = [
    modelName(answer.value),
    weightsName(format ? format.resolved : weights.format),
    `${tokensShort(workload.context_tokens)} × ${count(workload.sequences)}`,
    machineName(answer.value, deviceNames),
    engineName(engine.name),
  ];
  return (
    <ul class="setup-summary" aria-label={t('setup.summary')}>
      {chips.map((chip) => (
        <li key={chip}>{chip}</li>
      ))}
    </ul>
  );
}

/** `heading` stands in place of the usual one. */
export function Setup({ heading }: { heading?: ComponentChildren }) {
  const store = useStore();
  const [isOpen, setOpen] = useState(false);
  return (
    <form
      id="setup"
      class={isOpen ? 'setup open' : 'setup'}
      aria-label={t('setup.title')}
      onSubmit={(event) => event.preventDefault()}
    >
      <div class="setup-head">
        {heading ?? <h2>{t('setup.title')}</h2>}
        <button class="text-button on-phone" type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? t('setup.done') : t('setup.edit')}
        </button>
        <button
          class="text-button reset"
          type="button"
          onClick={() => {
            stepTo(store, store.first.request);
            store.reset();
          }}
        >
          {t('setup.reset')}
        </button>
      </div>
      <Summary />
      <div class="setup-fields">
        <Machines />
        <ModelField />
        <WeightsField />
        <ContextField />
        <SequencesField />
        <HardwareField />
        <EngineField />
        <Expert />
      </div>
    </form>
  );
}
