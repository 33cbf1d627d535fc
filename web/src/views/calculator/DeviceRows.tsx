// SPDX-License-Identifier: Apache-2.0
// What the devices and the host have beside the model: memory in use, and how fast those are that the catalogue does not know.
import type { HardwareRow } from '../../core/wire';
import { parseFraction } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { useDeviceNames } from '../use-device-names';
import { NumberRow } from './ExpertRows';
import { UsedRow, useFigure } from './UsedRow';

const decimal = (value: number): string => String(value);

/** What the catalogue knows of its own: how fast a GPU is that was given by its memory. */
function RatesRows({ row, index }: { row: HardwareRow; index: number }) {
  const set = useFigure(index);
  const { bandwidth_gb_s: bandwidth, fp16_tflops: tflops } = row;
  return (
    <>
      <NumberRow
        label={t('expert.ownBandwidth')}
        hint={t('expert.ownBandwidthHint')}
        value={bandwidth}
        shown={decimal}
        parse={parseFraction}
        onValue={(value) => set('bandwidth_gb_s', value)}
      />
      <NumberRow
        label={t('expert.ownTflops')}
        hint={t('expert.ownTflopsHint')}
        value={tflops}
        shown={decimal}
        parse={parseFraction}
        onValue={(value) => set('fp16_tflops', value)}
      />
    </>
  );
}

/** For the speed of what lies in system memory, where the engine puts something. */
function HostBandwidthRow() {
  const { request, answer, setHost } = useStore();
  const { host } = request.value;
  if (answer.value.host.class === undefined && !host) return null;
  return (
    <NumberRow
      label={t('expert.hostBandwidth')}
      hint={t('expert.hostBandwidthHint')}
      value={host?.bandwidth_gb_s}
      shown={decimal}
      parse={parseFraction}
      onValue={(value) => setHost({ bandwidth_gb_s: value })}
    />
  );
}

export function DeviceRows() {
  const { hardware } = useStore().request.value;
  const names = useDeviceNames();
  return (
    <>
      {hardware.map((row, index) => (
        <UsedRow key={index} row={row} index={index} name={names.get(row.device ?? '') ?? t('device.own')} />
      ))}
      {hardware.map(
        (row, index) => row.memory_bytes !== undefined && <RatesRows key={index} row={row} index={index} />,
      )}
      <HostBandwidthRow />
    </>
  );
}
