import { describe, expect, it } from "vitest";
import { LUT_SIZE, STOPS, hexToRgb, lutColour, oklabToRgb, palette, rgbToOklab } from "../src/lib/colour";

const lightness = (lut: Uint8Array, i: number): number => rgbToOklab([lut[4 * i], lut[4 * i + 1], lut[4 * i + 2]])[0];

describe("OKLab", () => {
  it("goes there and back", () => {
    for (const hex of [...STOPS.dark.diverging, ...STOPS.light.sequential, "#FFFFFF", "#000000"]) expect(oklabToRgb(rgbToOklab(hexToRgb(hex)))).toEqual(hexToRgb(hex));
  });

  it("knows white", () => {
    const [L, a, b] = rgbToOklab([255, 255, 255]);
    expect(L).toBeCloseTo(1, 4);
    expect(Math.hypot(a, b)).toBeLessThan(1e-3);
  });
});

describe.each(["dark", "light"] as const)("palettes, %s", (theme) => {
  const { diverging, sequential } = palette(theme);
  const stops = STOPS[theme];
  const sign = theme === "dark" ? 1 : -1;

  it("start and end at their stops", () => {
    expect(diverging.length).toBe(4 * LUT_SIZE);
    expect(lutColour(diverging, 0)).toBe(`rgb(${hexToRgb(stops.diverging[0]).join(",")})`);
    expect(lutColour(diverging, 1)).toBe(`rgb(${hexToRgb(stops.diverging[10]).join(",")})`);
    expect(lutColour(sequential, 0)).toBe(`rgb(${hexToRgb(stops.ground).join(",")})`);
  });

  it("have zero on the chart ground", () => {
    const middle = 4 * Math.floor(LUT_SIZE / 2);
    hexToRgb(stops.ground).forEach((c, i) => expect(Math.abs(diverging[middle + i] - c)).toBeLessThanOrEqual(2));
  });

  it("leave the ground in lightness throughout when sequential", () => {
    for (let i = 8; i < LUT_SIZE; i += 8) {
      expect(sign * (lightness(sequential, i) - lightness(sequential, i - 8))).toBeGreaterThan(-0.004);
    }
  });

  it("are as light for minus as for plus", () => {
    for (let i = 0; i < LUT_SIZE / 2; i += 16) {
      expect(Math.abs(lightness(diverging, i) - lightness(diverging, LUT_SIZE - 1 - i))).toBeLessThan(0.04);
    }
  });
});
