// SPDX-License-Identifier: Apache-2.0
// What requests hold less than at full length, of servers that give out their cache in pages.
import { count, parseCount } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { NumberRow } from './ExpertRows';

const kPaged = ['vllm', 'sglang', 'tensorrt-llm', 'lmdeploy', 'tgi', 'mlc-llm', 'exllamav2', 'exllamav3'];

const kRows = [
  ['average_tokens', 'expert.average', 'expert.averageHint'],
  ['shared_prefix_tokens', 'expert.prefix', 'expert.prefixHint'],
] as const;

export function PagingRows() {
  const { request, setPaging } = useStore();
  const { engine, workload } = request.value;
  if (!kPaged.includes(engine.name)) return null;
  return (
    <>
      {kRows.map(([key, label, hint]) => (
        <NumberRow
          key={key}
          label={t(label)}
          hint={t(hint)}
          value={workload[key]}
          shown={count}
          parse={parseCount}
          onValue={(tokens) => setPaging({ [key]: tokens })}
        />
      ))}
    </>
  );
}
