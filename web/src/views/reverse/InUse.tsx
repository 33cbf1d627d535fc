// SPDX-License-Identifier: Apache-2.0
// What a desktop, another program or another model takes of the machine already. Models are added in the calculator; a link brings them here.
import { useEffect, useState } from 'preact/hooks';
import type { HardwareRow } from '../../core/wire';
import { expertTexts } from '../calculator/expert-texts';
import { memory, parseGiB } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { kOccupants } from '../calculator/occupants';
import { Icon } from '../Icon';
import { useDeviceNames } from '../use-device-names';

function Used({ row: { used_bytes: used = 0, ...row }, index }: { row: HardwareRow; index: number }) {
  const { request, setHardware } = useStore();
  const device = useDeviceNames().get(row.device ?? '') ?? t('device.own');
  const set = (bytes: number): void =>
    setHardware(
      request.value.hardware.map((old, at) =>
        at === index ? { ...row, ...(bytes > 0 && { used_bytes: bytes }) } : old,
      ),
    );
  return (
    <div class="expert-row">
      <label for={`used-${index}`}>{t('expert.used', { device })}</label>
      <div class="expert-value">
        <input
          id={`used-${index}`}
          class="number-input"
          inputmode="decimal"
          autocomplete="off"
          value={used > 0 ? memory(used, 'gib') : ''}
          onChange={({ currentTarget: field }) => {
            const given = parseGiB(field.value) ?? 0;
            set(given);
            if (given === 0) field.value = '';
          }}
        />
      </div>
      <small>{t('expert.usedHint')}</small>
      <div class="presets" role="group" aria-label={t('expert.add')}>
        {kOccupants.map(({ id, gib }) => (
          <button key={id} class="text-button" type="button" onClick={() => set(used + Math.floor(gib * 2 ** 30))}>
            {t(`expert.add.${id}`, { memory: `${gib}` })}
          </button>
        ))}
      </div>
    </div>
  );
}

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
          <Used key={index} row={row} index={index} />
        ))}
        <Running />
      </div>
    </details>
  );
}
