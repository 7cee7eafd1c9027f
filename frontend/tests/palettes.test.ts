import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hexToRgb, palette, rgbToOklab } from "../src/lib/colour";
import { PALETTES, nextPalette } from "../src/lib/palettes";
import { position } from "../src/lib/scale";
import { layerById } from "../src/view/layers";
import { SIGHT, apart, contrast, seen } from "./sight";

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
const token = (theme: string, name: string): string =>
  new RegExp(`--${name}: ([^;]+);`).exec(css.split(`:root[data-theme="${theme}"] {`)[1])?.[1] ?? "";
const lightness = (hex: string): number => rgbToOklab(hexToRgb(hex))[0];

const CASES = PALETTES.flatMap((choice) => (["dark", "light"] as const).map((theme) => ({ choice, theme, name: `${choice.name}, ${theme}` })));

describe.each(CASES)("palette $name", ({ choice, theme }) => {
  const { diverging, sequential, tokens, ground } = choice.themes[theme];

  it("keeps plus and minus apart for colour-blind eyes from the third step out", () => {
    for (const sight of Object.keys(SIGHT) as (keyof typeof SIGHT)[]) {
      for (const step of [3, 4, 5]) {
        expect(apart(seen(diverging[5 - step], sight), seen(diverging[5 + step], sight)), `${sight}, step ${step}`).toBeGreaterThanOrEqual(18);
      }
    }
  });

  it("is as light for minus as for plus, and leaves the ground throughout", () => {
    const sign = theme === "dark" ? 1 : -1;
    for (let step = 1; step <= 5; step += 1) {
      expect(Math.abs(lightness(diverging[5 - step]) - lightness(diverging[5 + step]))).toBeLessThan(0.04);
    }
    for (let i = 1; i < sequential.length; i += 1) expect(sign * (lightness(sequential[i]) - lightness(sequential[i - 1]))).toBeGreaterThan(0.02);
    expect([diverging[5], sequential[0]]).toEqual([ground, ground]);
  });

  it("brings text of its pair that can be read", () => {
    const pair = (name: string): string => tokens[`--${name}`] ?? token(theme, name);
    for (const surface of ["frame", "ground", "panel", "raised", "zone"]) {
      for (const sign of ["plus", "minus"]) {
        expect(contrast(pair(`${sign}-text`), token(theme, surface)), `${sign} on ${surface}`).toBeGreaterThanOrEqual(4.5);
      }
    }
    for (const sign of ["plus", "minus"]) {
      expect(contrast(pair(`on-${sign}`), pair(sign)), `text on ${sign}`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(pair(sign), token(theme, "panel")), `${sign} bars`).toBeGreaterThanOrEqual(3);
    }
  });

  it("tells 17 from 30 lots where a book holds up to 117", () => {
    const depth = layerById("depth");
    const scale = { diverging: false, log: true, x0: depth.x0 ?? 1, lo: 17, hi: 117 };
    const lut = palette(theme, choice).sequential;
    const colour = (lots: number) => {
      const at = 4 * Math.round(511 * position(lots, scale));
      return rgbToOklab([lut[at], lut[at + 1], lut[at + 2]]);
    };
    expect(apart(colour(17), colour(30))).toBeGreaterThan(12);
  });
});

describe("choice of palettes", () => {
  it("goes round", () => {
    expect(PALETTES.map(({ id }) => nextPalette(id).id)).toEqual([...PALETTES.slice(1), PALETTES[0]].map(({ id }) => id));
    expect(nextPalette("unknown").id).toBe(PALETTES[0].id);
  });
});
