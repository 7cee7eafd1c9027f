import { describe, expect, it } from "vitest";
import { DIVERGING, DIVERGING_LUT, GROUND, LUT_SIZE, SEQUENTIAL_LUT, hexToRgb, lutColour, oklabToRgb, rgbToOklab } from "../src/lib/colour";

const lightness = (lut: Uint8Array, i: number): number => rgbToOklab([lut[4 * i], lut[4 * i + 1], lut[4 * i + 2]])[0];

describe("OKLab", () => {
  it("goes there and back", () => {
    for (const hex of [...DIVERGING, "#FFFFFF", "#000000"]) expect(oklabToRgb(rgbToOklab(hexToRgb(hex)))).toEqual(hexToRgb(hex));
  });

  it("knows white", () => {
    const [L, a, b] = rgbToOklab([255, 255, 255]);
    expect(L).toBeCloseTo(1, 4);
    expect(Math.hypot(a, b)).toBeLessThan(1e-3);
  });
});

describe("palettes", () => {
  it("start and end at their stops", () => {
    expect(DIVERGING_LUT.length).toBe(4 * LUT_SIZE);
    expect(lutColour(DIVERGING_LUT, 0)).toBe(`rgb(${hexToRgb(DIVERGING[0]).join(",")})`);
    expect(lutColour(DIVERGING_LUT, 1)).toBe(`rgb(${hexToRgb(DIVERGING[10]).join(",")})`);
    expect(lutColour(SEQUENTIAL_LUT, 0)).toBe(`rgb(${hexToRgb(GROUND).join(",")})`);
  });

  it("have zero on the chart ground", () => {
    const middle = 4 * Math.floor(LUT_SIZE / 2);
    hexToRgb(GROUND).forEach((c, i) => expect(Math.abs(DIVERGING_LUT[middle + i] - c)).toBeLessThanOrEqual(2));
  });

  it("rise in lightness throughout when sequential", () => {
    for (let i = 8; i < LUT_SIZE; i += 8) expect(lightness(SEQUENTIAL_LUT, i)).toBeGreaterThan(lightness(SEQUENTIAL_LUT, i - 8) - 0.004);
  });

  it("are as light for minus as for plus", () => {
    for (let i = 0; i < LUT_SIZE / 2; i += 16) {
      expect(Math.abs(lightness(DIVERGING_LUT, i) - lightness(DIVERGING_LUT, LUT_SIZE - 1 - i))).toBeLessThan(0.04);
    }
  });
});
