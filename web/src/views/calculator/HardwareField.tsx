// SPDX-License-Identifier: Apache-2.0
import type { ComponentType } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { CatalogueDevice, HardwareRow } from '../../core/wire';
import type { DevicePicker } from '../../devices/picker';
import { count, memory, parseCount, parseGiB } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { Combobox, type Choice } from './Combobox';
import { FieldMessage, FieldMessages, messageId, useFieldNotices } from '../Field';
import { Icon } from '../Icon';
import { NumberField, unreadable } from '../NumberField';

/** Until the list of all devices is there. */
const choiceOf = ({ id, name, slug }: CatalogueDevice): Choice => ({ id, label: name, keywords: slug });

interface RowProps {
  row: HardwareRow;
  index: number;
  picker: DevicePicker | undefined;
  bringPicker: () => void;
  onRow: (row: HardwareRow) => void;
  onRemove?: () => void;
}

function Row({ row, index, picker, bringPicker, onRow, onRemove }: RowProps) {
  const { catalogue, answer } = useStore();
  const [unread, setUnread] = useState<string | undefined>(undefined);
  const notices = useFieldNotices('hardware');
  const devices = catalogue.value?.devices;
  const choices = useMemo(() => (devices ?? []).map(choiceOf), [devices]);
  const known = devices?.find(({ id }) => id === row.device);
  const shown =
    known?.short_name ?? answer.value.devices.find(({ device }) => device === row.device)?.device_name ?? row.device;
  const own = row.memory_bytes === undefined ? '' : t('device.byMemory', { memory: memory(row.memory_bytes, 'gib') });
  const id = index === 0 ? 'gpu' : `gpu-${index}`;

  function choose(choice: Choice): void {
    if (picker?.takeMachine(choice.id)) return;
    const bytes = picker?.memoryOf(choice.id);
    const rest = { count: row.count, ...(row.used_bytes && { used_bytes: row.used_bytes }) };
    onRow(bytes ? { ...rest, memory_bytes: bytes } : { ...rest, device: choice.id });
  }
  const step = (by: number): void => onRow({ ...row, count: Math.max(1, row.count + by) });
  return (
    <>
      <div class={`hardware-row${onRemove ? ' removable' : ''}`}>
        <Combobox
          id={id}
          label={index === 0 ? t('field.gpus') : t('field.otherGpus')}
          value={shown ?? own}
          choices={choices}
          search={picker}
          onOpen={bringPicker}
          describedBy={messageId('hardware')}
          invalid={notices.length > 0}
          onChoose={choose}
        />
        <div class="stepper" role="group" aria-label={t('field.gpuCount')}>
          <button type="button" aria-label={t('field.oneFewer')} disabled={row.count <= 1} onClick={() => step(-1)}>
            −
          </button>
          <NumberField
            id={`${id}-count`}
            class="stepper-input"
            label={t('field.gpuCount')}
            value={count(row.count)}
            parse={parseCount}
            onValue={(value) => onRow({ ...row, count: value })}
            onUnreadable={setUnread}
            invalid={unread !== undefined}
          />
          <button type="button" aria-label={t('field.oneMore')} onClick={() => step(1)}>
            +
          </button>
        </div>
        {onRemove && (
          <button class="button icon-only" type="button" aria-label={t('field.removeGpus')} onClick={onRemove}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {unread !== undefined && <FieldMessage id={`${id}-unread`} text={unreadable(unread)} />}
      {known && known.raised_limit_bytes > 0 && <RaisedLimit row={row} device={known} onRow={onRow} />}
    </>
  );
}

/** A Mac lets its GPU take a share of the memory, which its owner can raise. */
function RaisedLimit({
  row,
  device,
  onRow,
}: {
  row: HardwareRow;
  device: CatalogueDevice;
  onRow: (row: HardwareRow) => void;
}) {
  const { unit } = useStore();
  const isRaised = row.raised_limit === true;
  const { raised_limit: _limit, ...usual } = row;
  return (
    <label class="raised">
      <input
        type="checkbox"
        checked={isRaised}
        onChange={() => onRow(isRaised ? usual : { ...row, raised_limit: true })}
      />
      <span>
        {t('device.raised', { memory: memory(device.raised_limit_bytes, unit.value) })}
        {isRaised && <code>{device.raise_command}</code>}
      </span>
    </label>
  );
}

/** Engines that load part of a model into system memory need to know how much there is; others do not ask. */
function HostMemory() {
  const { request, answer, setHost } = useStore();
  const [unread, setUnread] = useState<string | undefined>(undefined);
  const bytes = request.value.host?.memory_bytes;
  if (answer.value.host.class === undefined && bytes === undefined) return null;
  return (
    <>
      <div class="field-head">
        <label for="host-memory">{t('field.hostMemory')}</label>
        <NumberField
          id="host-memory"
          label={t('field.hostMemory')}
          value={bytes === undefined ? '' : memory(bytes, 'gib')}
          placeholder={t('field.notGiven')}
          parse={parseGiB}
          onValue={(given) => setHost({ memory_bytes: given })}
          onEmpty={() => setHost({ memory_bytes: undefined })}
          onUnreadable={setUnread}
          invalid={unread !== undefined}
        />
      </div>
      {unread !== undefined && <FieldMessage id="host-memory-unread" text={unreadable(unread)} />}
    </>
  );
}

/** What is known of the GPUs and the machine, when someone asks. */
function About() {
  const { bring } = useStore();
  const [Facts, setFacts] = useState<ComponentType>();
  return (
    <details
      class="device-facts"
      onToggle={() => void bring(import('../../devices/Facts')).then((module) => setFacts(() => module?.default))}
    >
      <summary>{t('device.about')}</summary>
      {Facts && <Facts />}
    </details>
  );
}

export function HardwareField() {
  const store = useStore();
  const { request, answer, setHardware } = store;
  const [picker, setPicker] = useState<DevicePicker>();
  const rows = request.value.hardware;
  const bringPicker = (): void => {
    if (!picker)
      void store.bring(import('../../devices/picker').then((module) => module.devicePicker(store))).then(setPicker);
  };
  const hasHost = answer.value.host.class !== undefined; // an engine that also runs without any GPU
  const replace = (index: number, row: HardwareRow): void =>
    setHardware(rows.map((old, at) => (at === index ? row : old)));
  return (
    <div class="field">
      <label for="gpu">{t('field.gpus')}</label>
      {rows.length === 0 && <p class="hint">{t('field.noGpus')}</p>}
      {rows.map((row, index) => (
        <Row
          key={index}
          row={row}
          index={index}
          picker={picker}
          bringPicker={bringPicker}
          onRow={(changed) => replace(index, changed)}
          onRemove={rows.length > 1 || hasHost ? () => setHardware(rows.filter((_, at) => at !== index)) : undefined}
        />
      ))}
      <button
        class="text-button"
        type="button"
        onClick={() => setHardware([...rows, { device: 'rtx-4090', count: 1, used_bytes: 0 }])}
      >
        {rows.length === 0 ? t('field.firstGpu') : t('field.addGpus')}
      </button>
      <HostMemory />
      {picker && <picker.Chosen />}
      {rows.length > 0 && <About />}
      <FieldMessages field="hardware" />
    </div>
  );
}
