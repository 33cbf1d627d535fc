// SPDX-License-Identifier: Apache-2.0
/**
 * What often runs on a card already, in GiB. Desktops: the most that public logs show (351 to 1,210 MiB on Linux, 298 to 3,047 MiB on Windows).
 * ComfyUI with SDXL: what its log says of the weights (4,897 MiB in Comfy-Org/ComfyUI#7046, 1,561 MiB of text encoders in
 * huggingface/diffusers#12123, 160 MiB of VAE) and the 0.8 GiB + 400 MiB that it keeps for a step (comfy/model_management.py,
 * minimum_inference_memory).
 */
export const kOccupants = [
  { id: 'linux', gib: 1.2 },
  { id: 'windows', gib: 3 },
  { id: 'comfyui', gib: 7.7 },
] as const;
