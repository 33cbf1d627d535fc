// SPDX-License-Identifier: Apache-2.0
// What a desktop, another program or another model takes of the machine already. Models are added in the calculator; a link brings them here.
import { useEffect, useState } from 'preact/hooks';
import { expertTexts } from '../calculator/expert-texts';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { UsedRow } from '../calculator/UsedRow';
import { Icon } from '../Icon';
import { useDeviceNames } from '../use-device-names';

function Running() {
  const { request, catalogue, setRunning } = useStore();
  const { running = [] } = request.value;
  return running.map(({ model: { id = '' } }, index) => {
    const model = catalogue.value?.models.find((one) => one.id === id)?.name ?? id;
    return (
      <div key={index} class="my-gpu">
        <span>{t('expert.alsoRuns', { model })}</span>
        <button
          class="text-button"
          type="button"
          aria-label={t('expert.stopRunning', { model })}
          onClick={() => setRunning(running.filter((_, at) => at !== index))}
        >
          {t('reverse.remove')}
        </button>
      </div>
    );
  });
}

export function InUse() {
  const { request, bring } = useStore();
  const { hardware, running } = request.value;
  const names = useDeviceNames();
  const [hasTexts, setHasTexts] = useState(false);
  useEffect(() => void bring(expertTexts()).then(() => setHasTexts(true)), []);
  // What a link brought is in sight.
  const [isGiven] = useState(() => running !== undefined || hardware.some((row) => row.used_bytes));
  if (!hasTexts) return null;
  return (
    <details class="expert" open={isGiven}>
      <summary>
        <Icon name="down" />
        {t('expert.inUse')}
      </summary>
      <div class="expert-body">
        {hardware.map((row, index) => (
          <UsedRow key={index} row={row} index={index} name={names.get(row.device ?? '') ?? t('device.own')} />
        ))}
        <Running />
      </div>
    </details>
  );
}
