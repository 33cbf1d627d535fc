// SPDX-License-Identifier: Apache-2.0
// "The same job on other devices": opened by who wants it, then counted for the present settings.
import type { ComponentType } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { joinSides } from '../compare/address';
import { merge } from '../advice/merge';
import { stepTo } from '../advice/show';
import type {
  ElsewhereRow,
  Json,
  ModelChoice,
  Parallel,
  PricedMachine,
  Request,
  Verdict,
  VerdictClass,
} from '../core/wire';
import { deviceTexts } from '../devices/texts';
import { machineName, priceText, type Price } from '../devices/machines';
import { count, memory, type Unit } from '../format';
import { addMessages, currentLocale, t } from '../i18n';
import { hashOf, isCarried } from '../link';
import { sayNotice } from '../notices';
import { linkTo } from '../site';
import { bringMachines } from '../speed/ask';
import { useStore } from '../store';
import { VerdictChip } from '../verdict/VerdictChip';
import { Icon } from '../views/Icon';
import { layoutText } from '../views/layout-text';
import { Rich } from '../views/Rich';
import { useDeviceNames } from '../views/use-device-names';
import { bestOf, holds, lookElsewhere, type By, type Progress } from './rows';
import '../../styles/elsewhere.css';

const kSettled = 300; // ms without a change
const kFirstRows = 12;
const kMoreRows = 24;

interface Asked {
  by: By;
  request: Request;
  progress: Progress;
}

/** The rows for the settings in sight; of earlier ones until the first slice is there. */
function useRows(by: By, isOpen: boolean): Asked | 'failed' | undefined {
  const { coreState, request, isBehind, bringDevices } = useStore();
  const [asked, setAsked] = useState<Asked | 'failed'>();
  const state = coreState.value;
  const wanted = request.value;
  const isReady = isOpen && !isBehind.value && state.status === 'ready';
  useEffect(() => {
    if (!isReady) return undefined;
    let isOver = false;
    const timer = setTimeout(() => {
      const look = async (): Promise<void> => {
        const machines = await bringMachines();
        await state.core.bringEngines();
        await bringDevices(state.core);
        const tell = (progress: Progress): void => setAsked({ by, request: wanted, progress });
        await lookElsewhere(state.core, wanted, by, machines, tell, () => isOver);
      };
      look().catch(() => isOver || setAsked('failed'));
    }, kSettled);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isReady, wanted, by]);
  return asked;
}

function outcomeText(
  { need_bytes: need, limit_bytes: limit, free_bytes: free, reason, ...verdict }: Verdict,
  unit: Unit,
): string {
  if (reason) return sayNotice(reason);
  if (need === null || limit === null || free === null) return '';
  return free >= 0
    ? t('elsewhere.free', { free: memory(free, unit), limit: memory(limit, unit) })
    : t('elsewhere.short', { short: memory(verdict.shortfall_bytes, unit), need: memory(need, unit) });
}

const isPriced = (machine: PricedMachine): machine is PricedMachine & Price => machine.per_hour !== null;

/** The cheapest machine with enough of them, in the reader's currency where there is one. */
function costText({ machine, fewest }: ElsewhereRow): string {
  if (machine) return isPriced(machine) ? priceText(machine) : '';
  const priced = (fewest?.machines ?? []).filter(isPriced);
  const own = currentLocale() === 'zh-CN' ? 'CNY' : 'USD';
  const best = priced.find(({ currency }) => currency === own) ?? priced[0];
  if (!best || !fewest) return '';
  const name = machineName(best);
  const isLarger = best.count > fewest.count; // it is rented as a whole
  return priceText(best, isLarger ? t('machine.whole', { machine: name, all: count(best.count) }) : name);
}

interface RowProps {
  row: ElsewhereRow;
  name: string;
  detail: string;
  unit: Unit;
  /** Of earlier settings: nothing can be done with it. */
  isStale: boolean;
  onUse: () => void;
  /** Not for a model that no link can hold. */
  onCompare: (() => void) | undefined;
}

function Row({ row, name, detail, unit, isStale, onUse, onCompare }: RowProps) {
  const { verdict } = bestOf(row);
  return (
    <tr data-verdict={verdict.class}>
      <th scope="row">
        {name}
        {detail && <small>{detail}</small>}
      </th>
      <td>
        <VerdictChip verdict={verdict.class} />
        <small>
          <Rich text={outcomeText(verdict, unit)} />
        </small>
        <small>{costText(row)}</small>
      </td>
      <td>
        <div class="elsewhere-ways">
          <button
            class="button small"
            type="button"
            disabled={isStale}
            aria-label={t('elsewhere.useThis', { device: name })}
            onClick={onUse}
          >
            {t('elsewhere.use')}
          </button>
          {onCompare && (
            <button
              class="text-button"
              type="button"
              disabled={isStale}
              aria-label={t('elsewhere.compareThis', { device: name })}
              onClick={onCompare}
            >
              {t('elsewhere.compare')}
            </button>
          )}
        </div>
      </td>
    </tr>
  );
}

/** A device with how many of it, or a machine with what is in it. */
function useNames(): (row: ElsewhereRow) => [name: string, detail: string] {
  const deviceNames = useDeviceNames();
  const nameOf = (device: string): string => deviceNames.get(device) ?? device;
  const many = (device: string, number: number): string =>
    number === 1 ? nameOf(device) : `${number} × ${nameOf(device)}`;
  return (row) => {
    const { machine, gpus } = row;
    if (machine)
      return [machineName(machine), (gpus ?? []).map(({ device, count }) => many(device, count)).join(' + ')];
    // The engine's own layout goes without saying.
    const { count: number, patch } = bestOf(row);
    const layout = patch['parallel'] as Parallel | null | undefined;
    return [many(row.device ?? '', number), layout ? layoutText(layout) : ''];
  };
}

/** What the devices of a row are called in full: "MIG" is in no short name. */
function useFullNames(): (row: ElsewhereRow) => string[] {
  const devices = useStore().catalogue.value?.devices;
  const nameOf = useMemo(() => new Map((devices ?? []).map(({ id, name }) => [id, name])), [devices]);
  return ({ device = '', gpus }) =>
    [device, ...(gpus ?? []).map((gpu) => gpu.device)].map((id) => nameOf.get(id) ?? id);
}

/** Verdicts that there are, in the order of the rows, with how many rows have each. */
function countVerdicts(rows: ElsewhereRow[]): [kind: VerdictClass, count: number][] {
  const counts = new Map<VerdictClass, number>();
  for (const row of rows) {
    const kind = bestOf(row).verdict.class;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts];
}

/** Whether a link can hold the model; it has to be packed to know. */
function useIsCarried(model: ModelChoice): boolean {
  const [carried, setCarried] = useState<ModelChoice>();
  useEffect(() => {
    let isOver = false;
    void isCarried(model).then((is) => isOver || setCarried(is ? model : undefined));
    return () => {
      isOver = true;
    };
  }, [model]);
  return carried === model;
}

function Found({ asked, isStale }: { asked: Asked; isStale: boolean }) {
  const store = useStore();
  const [filter, setFilter] = useState('');
  const [chosen, setKind] = useState('');
  const [most, setMost] = useState(kFirstRows);
  const names = useNames();
  const fullNames = useFullNames();
  const isComparable = useIsCarried(asked.request.model);
  const { rows, done, all } = asked.progress;
  const kinds = countVerdicts(rows);
  const kind = kinds.some(([one]) => one === chosen) ? chosen : ''; // other settings may have none
  const wanted = filter.trim().toLowerCase();
  const named = rows.map((row) => ({ row, name: names(row) }));
  const isFound = ({ row, name }: (typeof named)[number]): boolean =>
    (kind === '' || bestOf(row).verdict.class === kind) &&
    [...name, ...fullNames(row)].join(' ').toLowerCase().includes(wanted);
  const found = named.filter(isFound);
  const requestOf = (row: ElsewhereRow): Request =>
    merge(asked.request as unknown as Json, bestOf(row).patch) as unknown as Request;

  async function compare(row: ElsewhereRow): Promise<void> {
    const state = store.coreState.value;
    if (state.status !== 'ready') return;
    const view = store.view.value;
    const here = await hashOf(state.core, { request: asked.request, view, kept: [] });
    const there = await hashOf(state.core, { request: requestOf(row), view: {}, kept: [] }, { complete: true });
    location.href = `${linkTo('calculator', 'compare')}#${joinSides([here, there])}`;
  }
  return (
    <>
      <p class="note" role="status">
        {done < all
          ? t('elsewhere.counting', { done, all })
          : t('elsewhere.found', { fit: rows.filter(holds).length, all })}
      </p>
      <label class="elsewhere-filter">
        <span>{t('elsewhere.filter')}</span>
        <input type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      </label>
      <label class="elsewhere-filter">
        <span>{t('elsewhere.show')}</span>
        <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="">{t('elsewhere.all', { count: rows.length })}</option>
          {kinds.map(([one, number]) => (
            <option key={one} value={one}>
              {t('elsewhere.class', { kind: t(`class.${one}`), count: number })}
            </option>
          ))}
        </select>
      </label>
      {found.length === 0 && done === all ? (
        <p class="note">{t('elsewhere.none')}</p>
      ) : (
        <table class="table list">
          <thead>
            <tr>
              <th scope="col">{t('elsewhere.what')}</th>
              <th scope="col">{t('elsewhere.outcome')}</th>
              <th scope="col">
                <span class="visually-hidden">{t('elsewhere.use')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {found.slice(0, most).map(({ row, name: [name, detail] }) => (
              <Row
                key={row.device ?? row.machine?.machine}
                row={row}
                name={name}
                detail={detail}
                unit={store.unit.value}
                isStale={isStale}
                onUse={() => stepTo(store, requestOf(row))}
                onCompare={isComparable ? () => void compare(row) : undefined}
              />
            ))}
          </tbody>
        </table>
      )}
      {found.length > most && (
        <button class="button small" type="button" onClick={() => setMost(most + kMoreRows)}>
          {t('elsewhere.more', { count: Math.min(kMoreRows, found.length - most) })}
        </button>
      )}
    </>
  );
}

function Elsewhere() {
  const { isBehind, request } = useStore();
  const [isOpen, setOpen] = useState(false);
  const [by, setBy] = useState<By>('devices');
  const asked = useRows(by, isOpen);
  const latest = asked !== 'failed' && asked?.by === by ? asked : undefined;
  const isStale = isBehind.value || (latest !== undefined && latest.request !== request.value);
  return (
    <details
      class="card fold elsewhere"
      data-stale={isStale || undefined}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <Icon name="down" />
        <h2>{t('elsewhere.title')}</h2>
      </summary>
      <div class="card-body">
        <fieldset class="segments">
          <legend class="visually-hidden">{t('elsewhere.by')}</legend>
          {(['devices', 'machines'] as const).map((name) => (
            <label key={name} class="segment">
              <input type="radio" name="elsewhere" checked={by === name} onChange={() => setBy(name)} />
              {t(`elsewhere.${name}`)}
            </label>
          ))}
        </fieldset>
        <p class="note">{t(`elsewhere.rule.${by}`)}</p>
        {asked === 'failed' ? (
          <p class="note">{t('elsewhere.failed')}</p>
        ) : latest ? (
          <Found key={by} asked={latest} isStale={isStale} />
        ) : (
          <p class="note">{t('speed.loading')}</p>
        )}
      </div>
    </details>
  );
}

/** The card, once its words are there. */
export const elsewhereCard: Promise<ComponentType> = Promise.all([
  addMessages({
    en: () => import('../../messages/elsewhere.en.json'),
    'zh-CN': () => import('../../messages/elsewhere.zh-CN.json'),
  }),
  deviceTexts(),
]).then(() => Elsewhere);
