/** How colours look: contrast of text, and simulated colour-blind sight. */

import { hexToRgb, rgbToOklab, type Triple } from "../src/lib/colour";

const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const gamma = (c: number): number => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

/** Contrast of WCAG 2: 1 to 21. */
export function contrast(a: string, b: string): number {
  const [high, low] = [a, b]
    .map((hex) => hexToRgb(hex).map((c) => linear(c / 255)))
    .map(([r, g, bl]) => 0.2126 * r + 0.7152 * g + 0.0722 * bl)
    .sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** Machado, Oliveira & Fernandes (2009), full severity, on linear sRGB. */
export const SIGHT = {
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

export function seen(hex: string, sight: keyof typeof SIGHT): Triple {
  const rgb = hexToRgb(hex).map((c) => linear(c / 255));
  const simulated = SIGHT[sight].map((row) => row.reduce((sum, weight, i) => sum + weight * rgb[i], 0));
  return rgbToOklab(simulated.map((c) => 255 * gamma(Math.min(1, Math.max(0, c)))) as Triple);
}

export const apart = (a: Triple, b: Triple): number => 100 * Math.hypot(...a.map((value, i) => value - b[i]));
