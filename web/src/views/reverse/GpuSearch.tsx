// SPDX-License-Identifier: Apache-2.0
// Any GPU, machine or amount of memory by what it is called. A list of buttons: this page has no other field that opens.
import { useState } from 'preact/hooks';
import type { DevicePicker } from '../../devices/picker';
import { t } from '../../i18n';
import { useMine } from '../../reverse/store';
import { useStore } from '../../store';

const kMostFound = 8;

interface GpuSearchProps {
  label: string;
  /** Beside what there is already, instead of in its place. */
  onMore?: () => void;
}

export function GpuSearch({ label, onMore }: GpuSearchProps) {
  const store = useStore();
  const { have } = useMine();
  const [picker, setPicker] = useState<DevicePicker>();
  const [text, setText] = useState('');
  const bringPicker = (): void => {
    if (!picker)
      void store.bring(import('../../devices/picker').then((module) => module.devicePicker(store))).then(setPicker);
  };
  function choose(id: string): void {
    setText('');
    const { request } = store;
    if (picker?.takeMachine(id)) return have(request.value.hardware, request.value.host);
    const bytes = picker?.memoryOf(id);
    const row = bytes ? { memory_bytes: bytes, count: 1 } : { device: id, count: 1, used_bytes: 0 };
    if (!onMore) return have([row]);
    store.setHardware([...request.value.hardware, row]);
    onMore();
  }
  const found = text.trim() ? picker?.find(text).slice(0, kMostFound) : undefined;
  return (
    <div class="field">
      <label for="gpu">{label}</label>
      <input
        id="gpu"
        class="gpu-search"
        type="search"
        autocomplete="off"
        placeholder={t('reverse.example')}
        value={text}
        onFocus={bringPicker}
        onInput={(event) => {
          bringPicker();
          setText(event.currentTarget.value);
        }}
      />
      {found && (
        <ul class="gpu-found">
          {found.map(({ id, label: name, detail }) => (
            <li key={id}>
              <button type="button" onClick={() => choose(id)}>
                {name}
                {detail && <small>{detail}</small>}
              </button>
            </li>
          ))}
          {found.length === 0 && <li class="hint">{picker?.nothing(text)}</li>}
        </ul>
      )}
    </div>
  );
}
