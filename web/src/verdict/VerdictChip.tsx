// SPDX-License-Identifier: Apache-2.0
import type { VerdictClass } from '../core/wire';
import { t } from '../i18n';
import { Icon } from '../views/Icon';
import { kTones } from './tone';

const kIcons = { ok: 'check', warn: 'tight', bad: 'cross', plain: 'unknown' } as const;

export function VerdictChip({ verdict }: { verdict: VerdictClass }) {
  const tone = kTones[verdict];
  return (
    <span class={`verdict-chip ${tone}`}>
      <Icon name={kIcons[tone]} />
      {t(`class.${verdict}`)}
    </span>
  );
}
