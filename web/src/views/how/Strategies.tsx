// SPDX-License-Identifier: Apache-2.0
// The article's strategies: what each saves for the case, or for the reader's own setup, and what is not counted yet.
import { count, decimalMemory, kMinus } from '../../format';
import type { Saving } from '../../how/savings';
import { useHow } from '../../how/store';
import { t } from '../../i18n';
import { sayNotice } from '../../notices';
import { useStore } from '../../store';
import { Rich } from '../Rich';
import { engineName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { Section, Text } from './parts';
import { Whose } from './Whose';

const kFourBits: (string | number)[] = ['int4', 'gguf:Q4_K_M'];
const kNotCounted = ['zero', 'sparsity', 'fragmentation', 'tensorrt', 'memory'] as const;

/** The change in words: "INT8 weights instead of FP16". */
function nameOf({ id, from, to }: Saving): string {
  if (id === 'format') return t('how.saving.format', { from: weightsName(String(from)), to: weightsName(String(to)) });
  if (id === 'sibling') return t('how.saving.sibling', { from, to });
  if (id === 'cache') return t('how.saving.cache', { to: String(to).toUpperCase() });
  return t(`how.saving.${id}`, { from: count(Number(from)), to: count(Number(to)), one: Number(to) });
}

/** A change that costs memory is a saving below zero. */
function Saved({ bytes, reason }: { bytes: number | null; reason?: string | undefined }) {
  if (bytes === null) return <span class="muted">{reason ?? t('how.strategies.noRule')}</span>;
  const sign = bytes < 0 ? '+' : bytes > 0 ? kMinus : '';
  return <b>{sign + decimalMemory(Math.abs(bytes))}</b>;
}

function SavingRow({ saving }: { saving: Saving }) {
  const isRefused = saving.engine === null && saving.reason;
  return (
    <tr data-saving={`${saving.id}-${saving.to}`}>
      <th scope="row">
        {nameOf(saving)}
        <small>
          <Rich text={t(kFourBits.includes(saving.to) ? 'how.saving.int4Note' : `how.saving.${saving.id}Note`)} />
        </small>
        {isRefused && saving.reason && (
          <small>
            <Rich text={sayNotice(saving.reason)} />
          </small>
        )}
      </th>
      <td class="number">
        <Saved bytes={saving.article} />
      </td>
      <td class="number">
        <Saved bytes={saving.engine} reason={t('how.strategies.doesNotRun')} />
      </td>
    </tr>
  );
}

function Savings({ rows, engine }: { rows: Saving[]; engine: string }) {
  return (
    <table class="table savings stacked">
      <thead>
        <tr>
          <th scope="col">{t('how.strategies.strategy')}</th>
          <th scope="col" class="number">
            {t('how.theArticle')}
          </th>
          <th scope="col" class="number">
            {engine}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((saving) => (
          <SavingRow key={`${saving.id}-${saving.to}`} saving={saving} />
        ))}
      </tbody>
    </table>
  );
}

export function Strategies() {
  const { figures, setupSavings, whose } = useHow();
  const { answer } = useStore();
  const isCase = whose.value === 'case';
  const rows = isCase ? figures.value.savings : setupSavings.value;
  return (
    <Section id="strategies" live>
      <Text id="how.strategies.lead" />
      <Whose name="strategies-whose" />
      {rows ? (
        <Savings rows={rows} engine={engineName(isCase ? 'vllm' : answer.value.engine.name)} />
      ) : (
        <Text id="how.whose.waiting" />
      )}
      <Text id="how.strategies.units" />
      <h3>{t('how.strategies.notCounted')}</h3>
      <ul>
        {kNotCounted.map((line) => (
          <li key={line}>
            <Rich text={t(`how.notCounted.${line}`)} />
          </li>
        ))}
      </ul>
    </Section>
  );
}
