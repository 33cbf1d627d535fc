// SPDX-License-Identifier: Apache-2.0
// The models that the machine runs, each with its best weights format and longest context; they arrive while they are counted.
import { useState } from 'preact/hooks';
import type { BestWeights } from '../../core/wire';
import { count, memory, parameters, type Unit } from '../../format';
import { sentences, t, tCode, translated } from '../../i18n';
import { sayNotice } from '../../notices';
import { kKinds, kLicences, kShown, kSizes, type Filters as Wanted, type Row } from '../../reverse/rows';
import { useMine } from '../../reverse/store';
import { linkTo } from '../../site';
import { useStore } from '../../store';
import { VerdictChip } from '../../verdict/VerdictChip';
import { Rich } from '../Rich';
import { engineName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { Choose } from './MySetup';

const kFirstRows = 60;

export function Filters() {
  const { filters } = useMine();
  const change = (part: Partial<Wanted>): void => {
    filters.value = { ...filters.value, ...part };
  };
  const { kind, licence, size, shown } = filters.value;
  return (
    <div class="filters" role="group" aria-label={t('reverse.filters')}>
      <Choose
        id="kind"
        label={t('reverse.kind')}
        value={kind}
        choices={kKinds}
        text={(choice) => t(`reverse.kind.${choice}`)}
        onChoose={(choice) => change({ kind: choice })}
      />
      <Choose
        id="size"
        label={t('reverse.size')}
        value={size}
        choices={kSizes}
        text={(choice) => t(`reverse.size.${choice}`)}
        onChoose={(choice) => change({ size: choice })}
      />
      <Choose
        id="licence"
        label={t('reverse.licence')}
        value={licence}
        choices={kLicences}
        text={(choice) => t(`reverse.licence.${choice}`)}
        onChoose={(choice) => change({ licence: choice })}
      />
      <Choose
        id="shown"
        label={t('reverse.shown')}
        value={shown}
        choices={kShown}
        text={(choice) => t(`reverse.shown.${choice}`)}
        onChoose={(choice) => change({ shown: choice })}
      />
    </div>
  );
}

/** The setting that it takes, where the engine's default does not surely start. */
function setting({ options }: BestWeights): string {
  const [[name, value] = []] = Object.entries(options);
  return name === undefined || value === undefined ? '' : t('reverse.with', { name, value });
}

/** What the machine has to do for it, or lacks. */
function outcome(row: Row, unit: Unit): string {
  const { best, problem } = row;
  if (problem) return sayNotice(problem);
  if (!best) return '';
  const { verdict } = best;
  if (verdict.reason) return sayNotice(verdict.reason);
  if (row.class === 'offload')
    return t('reverse.shares', {
      layers: best.gpu_layers ?? 0,
      all: best.all_gpu_layers ?? 0,
      host: memory(best.host_bytes ?? 0, unit),
    });
  if (verdict.need_bytes === null || verdict.limit_bytes === null) return '';
  const figures = {
    need: memory(verdict.need_bytes, unit),
    high: memory(verdict.high_bytes ?? 0, unit),
    limit: memory(verdict.limit_bytes, unit),
    short: memory(verdict.shortfall_bytes, unit),
  };
  if (row.class === 'no') return t('reverse.lacks', figures);
  if (row.class === 'tight') return t('reverse.mayNeed', figures);
  return sentences(t('reverse.needs', figures), setting(best));
}

function Context({ best }: { best: BestWeights }) {
  const { safe_context_tokens: safe, trained_context_tokens: trained } = best;
  if (safe === 0) return <>{'\u2013'}</>;
  return (
    <>
      {count(safe)}
      <small>{safe >= trained ? t('reverse.allTrained') : t('reverse.ofTrained', { trained: count(trained) })}</small>
    </>
  );
}

function ModelRow({ row, unit }: { row: Row; unit: Unit }) {
  const { model, best, hash } = row;
  const format = best ? (best.weights.format === 'checkpoint' ? best.weights.loaded : best.weights.format) : '';
  return (
    <tr data-verdict={row.class}>
      <th scope="row">
        {hash ? <a href={`${linkTo('reverse', 'calculator')}#${hash}`}>{model.name}</a> : model.name}
        <small>
          {[parameters(model.summary.parameters), model.license ?? '', tCode('kind', model.kind)]
            .filter(Boolean)
            .join(' · ')}
        </small>
      </th>
      <td>
        <VerdictChip verdict={row.class} />
        <small>
          <Rich text={outcome(row, unit)} />
        </small>
      </td>
      <td>
        {best && best.weights.bytes > 0 && (
          <>
            {weightsName(format)}
            <small>{memory(best.weights.bytes, unit)}</small>
          </>
        )}
      </td>
      <td class="number">{best && <Context best={best} />}</td>
    </tr>
  );
}

/** The list is for two engines only. */
function InPlace() {
  const { request } = useStore();
  const { replaced } = useMine();
  const counted = request.value.engine.name;
  const engine = replaced.value || counted;
  if (engine === counted) return null;
  const text = translated('engine.inPlace', { engine: engineName(engine), counted: engineName(counted) });
  return text === undefined ? null : <p class="note">{text}</p>; // its words come with those of the rows
}

/** How far it is, for those who do not see the rows come. */
function Progress() {
  const { counts, isDone } = useMine();
  const { solved, running, models } = counts.value;
  return (
    <p class="progress" role="status">
      {isDone.value ? t('reverse.found', { running, models }) : t('reverse.counting', { solved, models })}
    </p>
  );
}

export function Rows() {
  const { unit } = useStore();
  const { rows, refusal, isDone } = useMine();
  const [most, setMost] = useState(kFirstRows);
  const list = rows.value;
  return (
    <section class="card found" aria-busy={!isDone.value}>
      <header>
        <h2>{t('reverse.list')}</h2>
        <Progress />
      </header>
      <div class="card-body">
        <InPlace />
        <Filters />
        {list.length > 0 && (
          <table class="table list">
            <thead>
              <tr>
                <th scope="col">{t('reverse.model')}</th>
                <th scope="col">{t('reverse.verdict')}</th>
                <th scope="col">{t('reverse.format')}</th>
                <th scope="col" class="number">
                  {t('reverse.context')}
                </th>
              </tr>
            </thead>
            <tbody>
              {list.slice(0, most).map((row) => (
                <ModelRow key={row.id} row={row} unit={unit.value} />
              ))}
            </tbody>
          </table>
        )}
        {list.length === 0 && isDone.value && (
          <p class="note">{refusal.value ? <Rich text={sayNotice(refusal.value)} /> : t('reverse.nothing')}</p>
        )}
        {list.length > most && (
          <button class="button small" type="button" onClick={() => setMost(list.length)}>
            {t('reverse.showMore', { count: list.length - most })}
          </button>
        )}
      </div>
    </section>
  );
}
