// SPDX-License-Identifier: Apache-2.0
// How a server spreads a model over GPUs, by its own flags.
import { useId } from 'preact/hooks';
import type { Parallel } from '../../core/wire';
import { count, parseCount } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { ExpertRow, NumberRow } from './ExpertRows';

type Axis = 'tensor' | 'pipeline' | 'data';

/** Flags of the ways to spread that each server has; the others of SGLang and TensorRT-LLM are among their own options. */
const kFlags: Record<string, Partial<Record<Axis | 'expert', string>>> = {
  vllm: {
    tensor: '--tensor-parallel-size',
    pipeline: '--pipeline-parallel-size',
    data: '--data-parallel-size',
    expert: '--enable-expert-parallel',
  },
  sglang: { tensor: '--tp-size', pipeline: '--pp-size' },
  'tensorrt-llm': { tensor: '--tp_size', pipeline: '--pp_size' },
  lmdeploy: { tensor: '--tp' },
  tgi: { tensor: '--num-shard' },
  'mlc-llm': { tensor: 'tensor_parallel_shards' },
};

const kAxes: Axis[] = ['tensor', 'pipeline', 'data'];

function ExpertParallelRow({ flag, onChange }: { flag: string; onChange: (expert: boolean) => void }) {
  const id = useId();
  const isOn = useStore().request.value.parallel?.expert ?? false;
  return (
    <ExpertRow id={id} label={t('expert.expert')} flag={flag} isChanged={isOn} onReset={() => onChange(false)}>
      <input id={id} type="checkbox" checked={isOn} onChange={(event) => onChange(event.currentTarget.checked)} />
    </ExpertRow>
  );
}

export function LayoutRows() {
  const { request, answer, setParallel } = useStore();
  const { engine, hardware, parallel = {} } = request.value;
  const flags = kFlags[engine.name] ?? {};
  const devices = hardware.reduce((sum, row) => sum + row.count, 0);
  const change = (part: { [axis in keyof Parallel]: Parallel[axis] | undefined }): void => {
    const given = Object.entries({ ...parallel, ...part }).filter(
      ([, value]) => value !== undefined && value !== false,
    );
    setParallel(given.length > 0 ? (Object.fromEntries(given) as Parallel) : undefined);
  };
  const usual = {
    tensor: Math.max(1, Math.floor(devices / ((parallel.pipeline ?? 1) * (parallel.data ?? 1)))),
    pipeline: 1,
    data: 1,
  };
  return (
    <>
      {kAxes.map((axis) => {
        const flag = flags[axis];
        return (
          flag && (
            <NumberRow
              key={axis}
              label={t(`expert.${axis}`)}
              flag={flag}
              hint={t('expert.defaultIs', { value: count(usual[axis]) })}
              value={parallel[axis]}
              shown={count}
              parse={parseCount}
              onValue={(ranks) => change({ [axis]: ranks })}
            />
          )
        );
      })}
      {flags.expert && answer.value.model.n_experts > 0 && (
        <ExpertParallelRow flag={flags.expert} onChange={(expert) => change({ expert })} />
      )}
    </>
  );
}
