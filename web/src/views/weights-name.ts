// SPDX-License-Identifier: Apache-2.0
import { t } from '../i18n';

const kNames: Record<string, string> = {
  'fp8-block': 'FP8 (128 × 128)',
  nf4: 'NF4 (bitsandbytes)',
  'bnb-int8': 'INT8 (bitsandbytes)',
};

/** A weights format of the wire as people call it: Q4_K_M, BF16, AWQ 4-bit. */
export function weightsName(format: string): string {
  if (format === 'checkpoint') return t('format.file');
  if (format.startsWith('gguf:')) return format.slice('gguf:'.length);
  if (/^q\d|^exl\d-/.test(format)) return format.replace(/^exl(\d)-/, 'EXL$1 ');
  const [, method, bits] = /^(awq|gptq|mlx)-(?:int)?(\d)(?:bit)?$/.exec(format) ?? [];
  return method ? `${method.toUpperCase()} ${bits}-bit` : (kNames[format] ?? format.toUpperCase());
}
