// SPDX-License-Identifier: Apache-2.0
// How a server spreads a model over GPUs, by its own flags.
import { useId } from 'preact/hooks';
import type { Parallel } from '../../core/wire';
import { count, parseCount } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { ExpertRow, NumberRow } from './ExpertRows';

type Axis = 'nodes' | 'tensor' | 'pipeline' | 'data';

/** Flags of the ways to spread that each server has, machines by the first word of what starts them; the others of SGLang and TensorRT-LLM are among their own options. */
const kFlags: Record<string, Partial<Record<Axis | 'expert', string>>> = {
  vllm: {
    nodes: '--nnodes',
    tensor: '--tensor-parallel-size',
    pipeline: '--pipeline-parallel-size',
    data: '--data-parallel-size',
    expert: '--enable-expert-parallel',
  },
  sglang: { nodes: '--nnodes', tensor: '--tp-size', pipeline: '--pp-size' },
  'tensorrt-llm': { nodes: 'mpirun', tensor: '--tp_size', pipeline: '--pp_size' },
  lmdeploy: { nodes: '--nnodes', tensor: '--tp' },
  tgi: { tensor: '--num-shard' },
  'mlc-llm': { tensor: 'tensor_parallel_shards' },
};

const kAxes: Axis[] = ['nodes', 'tensor', 'pipeline', 'data'];

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
  // What the core counted where nothing was asked; what another number would leave over where something was.
  const counted = answer.value.request.parallel ?? {};
  const usual = {
    nodes: 1,
    tensor: Math.max(1, Math.floor(devices / ((counted.pipeline ?? 1) * (parallel.data ?? 1)))),
    pipeline: parallel.pipeline ? 1 : (counted.pipeline ?? 1),
    data: 1,
  };
  const hintOf = (axis: Axis): string =>
    axis === 'nodes'
      ? t('expert.nodesHint', { count: count(Math.floor(devices / (parallel.nodes ?? 1))) })
      : t('expert.defaultIs', { value: count(usual[axis]) });
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
              hint={hintOf(axis)}
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
