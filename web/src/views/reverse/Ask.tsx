// SPDX-License-Identifier: Apache-2.0
// "Which GPU do you have?": what many have in one tap, all others by name, and what the browser says if it is asked.
import { useState } from 'preact/hooks';
import type { CatalogueDevice } from '../../core/wire';
import { t } from '../../i18n';
import { useMine } from '../../reverse/store';
import { useStore } from '../../store';
import { GpuSearch } from './GpuSearch';

const kCommon: [name: string, device: string, count: number][] = [
  ['RTX 3060 12 GB', 'rtx-3060-12gb', 1],
  ['RTX 4060 Ti 16 GB', 'rtx-4060-ti-16gb', 1],
  ['RTX 3090', 'rtx-3090', 1],
  ['2 × RTX 3090', 'rtx-3090', 2],
  ['RTX 4090', 'rtx-4090', 1],
  ['RTX 5090', 'rtx-5090', 1],
  ['RX 7900 XTX', 'rx-7900-xtx', 1],
  ['M4 Max 64 GB', 'apple-m4-max-64gb', 1],
  ['Strix Halo 128 GB', 'ryzen-ai-max-395-128gb', 1],
];
const kMostGuesses = 6;

interface Guess {
  name: string;
  devices: CatalogueDevice[];
}

function Guessed({ guess }: { guess: Guess }) {
  const { have } = useMine();
  const { name, devices } = guess;
  return (
    <div class="guess" role="status">
      <p class="hint">
        {name === ''
          ? t('reverse.noGuess')
          : t(devices.length > 0 ? 'reverse.guessed' : 'reverse.guessUnknown', { name })}
      </p>
      <div class="machines">
        {devices.map((device) => (
          <button
            key={device.id}
            class="machine"
            type="button"
            onClick={() => have([{ device: device.id, count: 1, used_bytes: 0 }])}
          >
            {device.name}
          </button>
        ))}
      </div>
    </div>
  );
}

export function Ask() {
  const store = useStore();
  const { have } = useMine();
  const [guess, setGuess] = useState<Guess>();
  async function ask(): Promise<void> {
    const [{ browserGpu, gpuQueries }, { deviceSearch }] = await Promise.all([
      import('../../reverse/guess'),
      import('../../devices/search'),
    ]);
    const name = await browserGpu();
    const find = deviceSearch(store.catalogue.value?.devices ?? []);
    const found = gpuQueries(name)
      .map(find)
      .find((devices) => devices.length > 0);
    setGuess({ name, devices: (found ?? []).slice(0, kMostGuesses) });
  }
  return (
    <form class="setup open mine" aria-label={t('reverse.ask')} onSubmit={(event) => event.preventDefault()}>
      <h2>{t('reverse.ask')}</h2>
      <div class="setup-fields">
        <div class="machines">
          {kCommon.map(([name, device, count]) => (
            <button key={name} class="machine" type="button" onClick={() => have([{ device, count, used_bytes: 0 }])}>
              {name}
            </button>
          ))}
        </div>
        <GpuSearch label={t('reverse.other')} />
        <div class="field">
          <button class="text-button" type="button" onClick={() => void store.bring(ask())}>
            {t('reverse.guess')}
          </button>
          {guess ? <Guessed guess={guess} /> : <p class="hint">{t('reverse.guessNote')}</p>}
        </div>
      </div>
    </form>
  );
}
