/** Palettes: evenly spaced sRGB stops, interpolated in OKLab, as 512-entry RGBA lookup tables. */

import { PALETTES, type PaletteChoice, type Stops, shownPalette } from "./palettes";
import { type Theme, shownTheme } from "./theme";

export const LUT_SIZE = 512;

/** Stops of the palette that is shown until another is chosen. */
export const STOPS: Record<Theme, Stops> = PALETTES[0].themes;

export type Triple = [number, number, number];

const toLinear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const toGamma = (c: number): number => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

/** "#RRGGBB" to 0..255. */
export function hexToRgb(hex: string): Triple {
  const n = Number.parseInt(hex.slice(1), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

/** sRGB 0..255 to OKLab. */
export function rgbToOklab([r8, g8, b8]: Triple): Triple {
  const r = toLinear(r8 / 255);
  const g = toLinear(g8 / 255);
  const b = toLinear(b8 / 255);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** OKLab to sRGB 0..255, clipped to the gamut. */
export function oklabToRgb([L, a, b]: Triple): Triple {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channel = (c: number): number => Math.round(255 * toGamma(Math.min(1, Math.max(0, c))));
  return [
    channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** Lookup table (LUT_SIZE × RGBA bytes) through the stops. */
export function buildLut(stops: readonly string[]): Uint8Array {
  const labs = stops.map((hex) => rgbToOklab(hexToRgb(hex)));
  const lut = new Uint8Array(LUT_SIZE * 4);
  for (let i = 0; i < LUT_SIZE; i += 1) {
    const at = (i / (LUT_SIZE - 1)) * (labs.length - 1);
    const left = Math.min(labs.length - 2, Math.floor(at));
    const f = at - left;
    const mix = labs[left].map((v, c) => v + (labs[left + 1][c] - v) * f) as Triple;
    lut.set([...oklabToRgb(mix), 255], i * 4);
  }
  return lut;
}

/** Tables of one theme; the same objects every time. */
export interface Palette {
  ground: Triple;
  diverging: Uint8Array;
  sequential: Uint8Array;
}

const built = new Map<Stops, Palette>();

/** Tables of a theme and palette, of those on screen unless told. */
export function palette(theme: Theme = shownTheme(), choice: PaletteChoice = shownPalette()): Palette {
  const stops = choice.themes[theme];
  let found = built.get(stops);
  if (!found) {
    const { ground, diverging, sequential } = stops;
    found = { ground: hexToRgb(ground), diverging: buildLut(diverging), sequential: buildLut(sequential) };
    built.set(stops, found);
  }
  return found;
}

/** CSS colour at t in 0..1 of a table. */
export function lutColour(lut: Uint8Array, t: number, alpha = 1): string {
  const i = 4 * Math.round(Math.min(1, Math.max(0, t)) * (LUT_SIZE - 1));
  return alpha >= 1 ? `rgb(${lut[i]},${lut[i + 1]},${lut[i + 2]})` : `rgba(${lut[i]},${lut[i + 1]},${lut[i + 2]},${alpha})`;
}

/** CSS gradient of a table, for legends. */
export function lutGradient(lut: Uint8Array, stops = 24): string {
  const parts = Array.from({ length: stops + 1 }, (_, i) => lutColour(lut, i / stops));
  return `linear-gradient(90deg, ${parts.join(", ")})`;
}
