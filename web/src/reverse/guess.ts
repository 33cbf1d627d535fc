// SPDX-License-Identifier: Apache-2.0
// What the browser calls its GPU. Asked for only when a person presses the button: nothing else of the page needs to know.

/** "ANGLE (NVIDIA, NVIDIA GeForce RTX 3090 (0x00002204) Direct3D11 vs_5_0 ps_5_0, D3D11)" -> "NVIDIA GeForce RTX 3090"; empty if it names none. */
export function gpuName(renderer: string): string {
  const inner = /^ANGLE \([^,]+, (.+)\)$/.exec(renderer.trim())?.[1] ?? renderer;
  const name = inner
    .replace(/^ANGLE Metal Renderer:/, '')
    .replace(/,\s*(or similar|Unspecified|OpenGL|D3D|Vulkan|Version).*$/i, '')
    .replace(/\s+(Direct3D|OpenGL|Vulkan|D3D)\w*( .*)?$/i, '')
    .replace(/\([^)]*\)/g, ' ')
    .replace(/\/(PCIe|SSE2).*$/i, '')
    .replace(/\b(Graphics|GPU|Series|Mobile|Corporation|Inc\.?)\b/gi, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return /swiftshader|llvmpipe|softpipe|basic render|^webkit$|^mozilla$/i.test(name) ? '' : name;
}

/** Texts to look for a device by, the fullest first: words at the front are the vendor's, and a model number may be all that is known. */
export function gpuQueries(name: string): string[] {
  const words = name.split(' ').filter((word) => !/^(nvidia|geforce|amd|intel|radeon|mesa|laptop)$/i.test(word));
  const isLaptop = /laptop/i.test(name);
  const short = words.join(' ');
  return [...new Set([...(isLaptop ? [`${short} laptop`] : []), name, short])].filter((text) => /\w/.test(text));
}

interface AdapterInfo {
  description?: string;
  device?: string;
}
interface WebGpu {
  requestAdapter(): Promise<{ info?: AdapterInfo } | null>;
}

async function webGpuName(): Promise<string> {
  const { gpu } = navigator as Navigator & { gpu?: WebGpu };
  const info = (await gpu?.requestAdapter().catch(() => null))?.info;
  return info?.description || info?.device || '';
}

function webGlName(): string {
  const context = document.createElement('canvas').getContext('webgl');
  const names = context?.getExtension('WEBGL_debug_renderer_info');
  const renderer = names
    ? context?.getParameter(names.UNMASKED_RENDERER_WEBGL)
    : context?.getParameter(context.RENDERER);
  return String(renderer ?? '');
}

/** The name that the browser gives, or nothing. */
export const browserGpu = async (): Promise<string> => gpuName(webGlName()) || gpuName(await webGpuName());
