// SPDX-License-Identifier: Apache-2.0
// The drawer of the engine's own settings. Most people never open it, so what is inside comes when it is opened.
import type { ComponentType } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { FieldMessages } from '../Field';
import { Icon } from '../Icon';

export function Expert() {
  const { request } = useStore();
  const [Body, setBody] = useState<ComponentType | null>(null);
  const { engine, hardware, host, kv_cache, parallel, offload, workload, running } = request.value;
  const changed =
    Object.keys(engine.options ?? {}).length +
    [
      engine.version !== undefined,
      kv_cache.k !== 'auto',
      parallel !== undefined,
      offload !== undefined,
      workload.average_tokens !== undefined,
      workload.shared_prefix_tokens !== undefined,
      running !== undefined,
      host?.bandwidth_gb_s !== undefined,
    ].filter(Boolean).length +
    hardware.flatMap((row) => [row.used_bytes, row.bandwidth_gb_s, row.fp16_tflops]).filter(Boolean).length;
  const bring = (): void =>
    void import('./ExpertBody').then(async ({ ExpertBody, expertBodyTexts }) => {
      await expertBodyTexts;
      setBody(() => ExpertBody);
    });
  return (
    <details class="expert" onToggle={(event) => event.currentTarget.open && !Body && bring()}>
      <summary>
        <Icon name="down" />
        {t('expert.title')}
        <span class="muted">{changed === 0 ? t('expert.allDefault') : t('expert.changed', { count: changed })}</span>
      </summary>
      <div class="expert-body">{Body ? <Body /> : <p class="hint">{t('expert.loading')}</p>}</div>
      <FieldMessages field="expert" />
    </details>
  );
}
