// SPDX-License-Identifier: Apache-2.0
// What requests hold less than at full length, of servers that give out their cache in pages.
import { count, parseCount } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { NumberRow } from './ExpertRows';

const kPaged = ['vllm', 'sglang', 'tensorrt-llm', 'lmdeploy', 'tgi', 'mlc-llm', 'exllamav2', 'exllamav3'];

export function PagingRows() {
  const { request, setPaging } = useStore();
  const { engine, workload } = request.value;
  if (!kPaged.includes(engine.name)) return null;
  return (
    <>
      <NumberRow
        label={t('expert.average')}
        hint={t('expert.averageHint')}
        value={workload.average_tokens}
        shown={count}
        parse={parseCount}
        onValue={(average_tokens) => setPaging({ average_tokens })}
      />
      <NumberRow
        label={t('expert.prefix')}
        hint={t('expert.prefixHint')}
        value={workload.shared_prefix_tokens}
        shown={count}
        parse={parseCount}
        onValue={(shared_prefix_tokens) => setPaging({ shared_prefix_tokens })}
      />
    </>
  );
}
