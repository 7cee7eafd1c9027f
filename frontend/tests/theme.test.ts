import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { STOPS, hexToRgb, rgbToOklab, type Triple } from "../src/lib/colour";
import { nextChoice, themeOf } from "../src/lib/theme";

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");

/** Colour tokens of one theme's block. */
function tokens(theme: "dark" | "light"): Record<string, string> {
  const block = css.split(`:root[data-theme="${theme}"] {`)[1].split("}")[0];
  return Object.fromEntries([...block.matchAll(/--([\w-]+): ([^;]+);/g)].map(([, name, value]) => [name, value]));
}

const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const gamma = (c: number): number => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

/** Contrast of WCAG 2: 1 to 21. */
function contrast(a: string, b: string): number {
  const [high, low] = [a, b]
    .map((hex) => hexToRgb(hex).map((c) => linear(c / 255)))
    .map(([r, g, bl]) => 0.2126 * r + 0.7152 * g + 0.0722 * bl)
    .sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** Machado, Oliveira & Fernandes (2009), full severity, on linear sRGB. */
const SIGHT = {
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

function seen(hex: string, sight: keyof typeof SIGHT): Triple {
  const rgb = hexToRgb(hex).map((c) => linear(c / 255));
  const simulated = SIGHT[sight].map((row) => row.reduce((sum, weight, i) => sum + weight * rgb[i], 0));
  return rgbToOklab(simulated.map((c) => 255 * gamma(Math.min(1, Math.max(0, c)))) as Triple);
}

const apart = (a: Triple, b: Triple): number => 100 * Math.hypot(...a.map((value, i) => value - b[i]));

describe.each(["dark", "light"] as const)("the %s theme", (theme) => {
  const set = tokens(theme);

  it("names the same tokens as the other", () => {
    expect(Object.keys(set)).toEqual(Object.keys(tokens(theme === "dark" ? "light" : "dark")));
  });

  it("has text that can be read on every surface it stands on", () => {
    const everywhere = ["frame", "ground", "zone", "panel", "raised"];
    for (const ink of ["ink", "second", "third", "plus-text", "minus-text", "warn", "error"]) {
      for (const surface of everywhere) expect(contrast(set[ink], set[surface]), `${ink} on ${surface}`).toBeGreaterThanOrEqual(4.5);
    }
    for (const ink of ["ink", "second"]) expect(contrast(set[ink], set.hover), `${ink} on hover`).toBeGreaterThanOrEqual(4.5);
    for (const sign of ["plus", "minus"]) {
      expect(contrast(set[`on-${sign}`], set[sign]), `text on ${sign}`).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(set.frame, set.ink), "the main button").toBeGreaterThanOrEqual(4.5);
  });

  it("has marks and focus rings that stand out from their ground", () => {
    for (const mark of ["plus", "minus", "focus", "third"]) {
      for (const surface of ["ground", "panel"]) expect(contrast(set[mark], set[surface]), `${mark} on ${surface}`).toBeGreaterThanOrEqual(3);
    }
  });

  it("grounds its palettes on its chart", () => {
    expect(STOPS[theme].ground.toLowerCase()).toBe(set.ground);
  });

  it("keeps plus and minus apart for colour-blind eyes from the third step out", () => {
    const { diverging } = STOPS[theme];
    for (const sight of Object.keys(SIGHT) as (keyof typeof SIGHT)[]) {
      for (const step of [3, 4, 5]) {
        expect(apart(seen(diverging[5 - step], sight), seen(diverging[5 + step], sight)), `${sight}, step ${step}`).toBeGreaterThanOrEqual(18);
      }
    }
  });
});

describe("the choice of a theme", () => {
  it("goes round, and follows the system only where it was chosen to", () => {
    expect(["dark", "light", "system"].map((choice) => nextChoice(choice as "dark"))).toEqual(["light", "system", "dark"]);
    expect([themeOf("dark", true), themeOf("light", false), themeOf("system", true), themeOf("system", false)]).toEqual(["dark", "light", "light", "dark"]);
  });
});
