import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { STOPS } from "../src/lib/colour";
import { nextChoice, themeOf } from "../src/lib/theme";
import { SIGHT, apart, contrast, seen } from "./sight";

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");

/** Colour tokens of one theme's block. */
function tokens(theme: "dark" | "light"): Record<string, string> {
  const block = css.split(`:root[data-theme="${theme}"] {`)[1].split("}")[0];
  return Object.fromEntries([...block.matchAll(/--([\w-]+): ([^;]+);/g)].map(([, name, value]) => [name, value]));
}

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
