// SPDX-License-Identifier: Apache-2.0
// What a desktop or another program takes of one kind of GPU already, among the expert settings and on "What can my GPU run?".
import type { HardwareRow } from '../../core/wire';
import { memory, parseGiB } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { NumberRow } from './ExpertRows';

/**
 * What often runs on a card already, in GiB. Desktops: the most that public logs show (351 to 1,210 MiB on Linux, 298 to 3,047 MiB on Windows).
 * ComfyUI with SDXL: what its log says of the weights (4,897 MiB in Comfy-Org/ComfyUI#7046, 1,561 MiB of text encoders in
 * huggingface/diffusers#12123, 160 MiB of VAE) and the 0.8 GiB + 400 MiB that it keeps for a step (comfy/model_management.py,
 * minimum_inference_memory).
 */
const kOccupants = [
  { id: 'linux', gib: 1.2 },
  { id: 'windows', gib: 3 },
  { id: 'comfyui', gib: 7.7 },
] as const;

/** Sets a figure of one kind of GPU, or forgets it. */
export function useFigure(
  index: number,
): (name: 'used_bytes' | 'bandwidth_gb_s' | 'fp16_tflops', value?: number) => void {
  const { request, setHardware } = useStore();
  return (name, value) =>
    setHardware(
      request.value.hardware.map((row, at) => {
        const { [name]: _replaced, ...others } = row;
        return at !== index ? row : value ? { ...others, [name]: value } : others;
      }),
    );
}

export function UsedRow({ row, index, name }: { row: HardwareRow; index: number; name: string }) {
  const set = useFigure(index);
  const used = row.used_bytes ?? 0;
  return (
    <>
      <NumberRow
        label={t('expert.used', { device: name })}
        hint={t('expert.usedHint')}
        value={used > 0 ? used : undefined}
        shown={(bytes) => memory(bytes, 'gib')}
        parse={parseGiB}
        onValue={(bytes) => set('used_bytes', bytes)}
      />
      <div class="presets" role="group" aria-label={t('expert.add')}>
        {kOccupants.map(({ id, gib }) => (
          <button
            key={id}
            class="text-button"
            type="button"
            onClick={() => set('used_bytes', used + Math.floor(gib * 2 ** 30))}
          >
            {t(`expert.add.${id}`, { memory: `${gib}` })}
          </button>
        ))}
      </div>
    </>
  );
}
