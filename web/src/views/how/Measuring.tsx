// SPDX-License-Identifier: Apache-2.0
// The article's advice on monitoring, with what each command should show for the case; and its four closing steps through the product.
import type { ComponentChildren } from 'preact';
import { count, decimalMemory, largeUnits, kNoBreakSpace } from '../../format';
import type { Observed } from '../../how/figures';
import { useHow } from '../../how/store';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { VerdictChip } from '../../verdict/VerdictChip';
import { InPageLink } from '../InPageLink';
import type { Part } from '../parts';
import { engineName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { CalculatorLink, Section, Text, useMachine } from './parts';
import { Whose } from './Whose';

interface Reading {
  command: string;
  note: string;
  expected: string;
}

const kMonitor = 'nvidia-smi --query-gpu=memory.used,memory.total --format=csv';
const mib = (bytes: number): string => `${count(bytes / 2 ** 20)}${kNoBreakSpace}MiB`;
const gib = (bytes: number | null): string => (bytes === null ? '' : `${largeUnits(bytes, 'gib')}${kNoBreakSpace}GiB`);
const bytesOf = ({ parts }: Observed, part: Part): number => parts.find((other) => other.part === part)?.bytes ?? 0;

/** vllm/v1/worker/gpu_model_runner.py and vllm/v1/core/kv_cache_utils.py log these at start; /metrics is its server's. */
const vllmReadings = (observed: Observed): Reading[] => [
  {
    command: 'Model loading took … GiB',
    note: t('how.reading.weights'),
    expected: gib(bytesOf(observed, 'weights')),
  },
  { command: 'Available KV cache memory: … GiB', note: t('how.reading.pool'), expected: gib(observed.poolBytes) },
  {
    command: 'GPU KV cache size: … tokens',
    note: t('how.reading.tokens'),
    expected: count(observed.cacheTokens ?? 0),
  },
  {
    command: `Maximum concurrency for ${count(observed.tokens)} tokens per request: …x`,
    note: t('how.reading.concurrency'),
    expected: `${(observed.concurrency ?? 0).toFixed(2)}x`,
  },
  { command: 'curl -s localhost:8000/metrics | grep cache_usage_perc', note: t('how.reading.metrics'), expected: '' },
];

/** llama.cpp logs the buffers of each device at start. */
const llamaReadings = (observed: Observed): Reading[] => [
  { command: 'model buffer size = … MiB', note: t('how.reading.weights'), expected: mib(bytesOf(observed, 'weights')) },
  { command: 'KV buffer size = … MiB', note: t('how.reading.cache'), expected: mib(bytesOf(observed, 'kv')) },
  { command: 'compute buffer size = … MiB', note: t('how.reading.compute'), expected: mib(bytesOf(observed, 'act')) },
];

const kReadings: Record<string, (observed: Observed) => Reading[]> = {
  vllm: vllmReadings,
  'llama.cpp': llamaReadings,
};

/** What to type, and what our count expects it to say. nvidia-smi prints MiB. */
function useReadings(observed: Observed): Reading[] {
  const { catalogue } = useStore();
  const vendor = catalogue.value?.devices.find(({ id }) => id === observed.device)?.vendor ?? 'NVIDIA';
  return [
    ...(vendor === 'NVIDIA'
      ? [{ command: kMonitor, note: t('how.reading.smi'), expected: mib(observed.observed) }]
      : []),
    ...(kReadings[observed.engine]?.(observed) ?? []),
    { command: 'torch.cuda.max_memory_allocated()', note: t('how.reading.torch'), expected: '' },
  ];
}

function Readings({ observed }: { observed: Observed }) {
  const readings = useReadings(observed);
  const values = {
    observed: decimalMemory(observed.observed),
    need: decimalMemory(observed.total),
    limit: decimalMemory(observed.limit),
    engine: engineName(observed.engine),
  };
  return (
    <>
      <table class="table readings stacked">
        <thead>
          <tr>
            <th scope="col">{t('how.measuring.command')}</th>
            <th scope="col" class="number">
              {t('how.measuring.expected')}
            </th>
          </tr>
        </thead>
        <tbody>
          {readings.map(({ command, note, expected }) => (
            <tr key={note}>
              <th scope="row">
                <code>{command}</code>
                <small>{note}</small>
              </th>
              <td class="number">{expected || '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {observed.poolBytes !== null && <Text id="how.measuring.reserved" values={values} />}
    </>
  );
}

export function Measuring() {
  const { figures, setupObserved, whose } = useHow();
  const observed = whose.value === 'case' ? figures.value.observed : setupObserved.value;
  return (
    <Section id="measuring" live>
      <Text id="how.measuring.lead" />
      <Whose name="measuring-whose" />
      {observed ? <Readings observed={observed} /> : <Text id="how.whose.waiting" />}
      <Text id="how.measuring.profiler" />
    </Section>
  );
}

function Step({
  id,
  children,
}: {
  id: 'baseline' | 'quantization' | 'hardware' | 'monitoring';
  children: ComponentChildren;
}) {
  return (
    <li>
      <h3>{t(`how.step.${id}`)}</h3>
      <Text id={`how.step.${id}Text`} />
      {children}
    </li>
  );
}

function Formats() {
  const { formats } = useHow().figures.value;
  return (
    <p class="links">
      {formats.map(({ format, weights, hash }) => (
        <CalculatorLink key={format} hash={hash}>
          {weightsName(format)}: {decimalMemory(weights)}
        </CalculatorLink>
      ))}
    </p>
  );
}

function Cards() {
  const machine = useMachine();
  const { cards } = useHow().figures.value;
  return (
    <ul class="cards">
      {cards.map((setup) => (
        <li key={setup.device} data-card={setup.device}>
          <CalculatorLink hash={setup.hash}>{machine(setup)}</CalculatorLink>
          <VerdictChip verdict={setup.class} />
          <small>
            {t('how.step.cardFacts', {
              need: decimalMemory(setup.total),
              card: decimalMemory(setup.capacity),
              most: count(setup.maxSequences ?? 0),
            })}
          </small>
        </li>
      ))}
    </ul>
  );
}

export function Steps() {
  const { engine } = useHow().figures.value;
  return (
    <Section id="steps" live>
      <Text id="how.steps.lead" />
      <ol class="steps">
        <Step id="baseline">
          <p class="links">
            <CalculatorLink hash={engine.hash}>{t('how.open.engine', { engine: engineName('vllm') })}</CalculatorLink>
            <InPageLink to="measuring">{t('how.step.readIt')}</InPageLink>
          </p>
        </Step>
        <Step id="quantization">
          <Formats />
        </Step>
        <Step id="hardware">
          <Cards />
        </Step>
        <Step id="monitoring">
          <p class="links">
            <InPageLink to="measuring">{t('how.step.readIt')}</InPageLink>
          </p>
        </Step>
      </ol>
    </Section>
  );
}
