// SPDX-License-Identifier: Apache-2.0
// Models that run on the same devices already: what they take is not free for this one.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { RunningJob } from '../../core/wire';
import { count, parseCount } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { Icon } from '../Icon';
import { engineName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { Combobox } from './Combobox';
import { NumberRow } from './ExpertRows';
import { choiceOf } from './ModelField';

const kMostRunning = 8;
const kFirst = 'Qwen/Qwen3-8B';
const kTokens = 8192;

interface JobProps {
  job: RunningJob;
  index: number;
  onJob: (job: RunningJob) => void;
  onRemove: () => void;
}

function Job({ job, index, onJob, onRemove }: JobProps) {
  const { catalogue } = useStore();
  const { models = [], engines = [] } = catalogue.value ?? {};
  const choices = useMemo(() => models.map(choiceOf), [models]);
  const engine = engines.find(({ name }) => name === job.engine.name);
  const name = models.find(({ id }) => id === job.model.id)?.name ?? job.model.id ?? '';
  const id = `running-${index}`;
  const changeWorkload = (part: Partial<RunningJob['workload']>): void =>
    onJob({ ...job, workload: { ...job.workload, ...part } });
  return (
    <fieldset class="running">
      <legend>{t('expert.runningNumber', { number: index + 1 })}</legend>
      <Combobox
        id={id}
        label={t('field.model')}
        value={name}
        choices={choices}
        onChoose={(choice) => onJob({ ...job, model: { id: choice.id } })}
      />
      <div class="running-choices">
        <select
          aria-label={t('field.engine')}
          value={job.engine.name}
          onChange={({ currentTarget: { value } }) => {
            const chosen = engines.find((one) => one.name === value);
            const weights = { format: chosen?.usual_format ?? 'checkpoint' };
            // Nothing else stays: other settings of a link are of the engine before.
            onJob({ model: job.model, engine: { name: value }, weights, workload: job.workload });
          }}
        >
          {engines.map((one) => (
            <option key={one.name} value={one.name}>
              {engineName(one.name)}
            </option>
          ))}
        </select>
        <select
          aria-label={t('field.weights')}
          value={job.weights.format}
          onChange={({ currentTarget: { value } }) => onJob({ ...job, weights: { format: value } })}
        >
          {(engine?.weights_formats ?? [job.weights.format]).map((format) => (
            <option key={format} value={format}>
              {weightsName(format)}
            </option>
          ))}
        </select>
        <button
          class="button icon-only"
          type="button"
          aria-label={t('expert.stopRunning', { model: name })}
          onClick={onRemove}
        >
          <Icon name="close" />
        </button>
      </div>
      <NumberRow
        label={t('field.context')}
        value={job.workload.context_tokens}
        shown={count}
        parse={parseCount}
        onValue={(tokens) => changeWorkload({ context_tokens: tokens ?? kTokens })}
      />
      <NumberRow
        label={t('field.sequences')}
        value={job.workload.sequences}
        shown={count}
        parse={parseCount}
        onValue={(sequences) => changeWorkload({ sequences: sequences ?? 1 })}
      />
    </fieldset>
  );
}

export function RunningRows() {
  const { request, setRunning } = useStore();
  const running = request.value.running ?? [];
  const keys = useRef<number[]>([]); // each row keeps its own, with what is half typed in it, when one before it goes
  const given = useRef(0);
  while (keys.current.length < running.length) keys.current.push((given.current += 1));
  const add = useRef<HTMLButtonElement>(null);
  const [removals, setRemovals] = useState(0);
  useEffect(() => {
    if (removals > 0) add.current?.focus(); // the button that was pressed is gone
  }, [removals]);
  function remove(index: number): void {
    keys.current.splice(index, 1);
    setRunning(running.filter((_, at) => at !== index));
    setRemovals(removals + 1);
  }
  const first: RunningJob = {
    model: { id: kFirst },
    weights: { format: 'gguf:Q4_K_M' },
    engine: { name: 'llama.cpp' },
    workload: { context_tokens: kTokens, sequences: 1 },
  };
  return (
    <>
      {running.map((job, index) => (
        <Job
          key={keys.current[index]}
          job={job}
          index={index}
          onJob={(changed) => setRunning(running.map((old, at) => (at === index ? changed : old)))}
          onRemove={() => remove(index)}
        />
      ))}
      {running.length < kMostRunning && (
        <button class="text-button" type="button" ref={add} onClick={() => setRunning([...running, first])}>
          {t('expert.addRunning')}
        </button>
      )}
    </>
  );
}
