/** Over the projection zone: what its cells mean, and what the projections have been worth on this stream so far. */

import { lutGradient, palette } from "../lib/colour";
import { el, setClass, setHidden, setStyle, setText } from "../lib/dom";
import { count, signed } from "../lib/format";
import type { Skill } from "../lib/skill";
import type { Model } from "../stream/model";

/** Cells to compare before a verdict. */
const ENOUGH = 5000;

/** One honest line about a skill; empty while too little was compared. */
export function skillText({ n, skill }: Skill): { text: string; worse: boolean } {
  if (n < ENOUGH || Number.isNaN(skill)) return { text: "", worse: false };
  if (skill < 0) return { text: "worse than guessing 0", worse: true };
  return { text: skill < 0.05 ? "about as good as 0" : "better than guessing 0", worse: false };
}

export class ZoneHead {
  readonly root: HTMLElement;
  readonly #ramp = el("div", { class: "ramp" });
  readonly #ends = ["−1", "0", "+1"].map((text) => el("span", {}, text));
  readonly #figure = el("b", { class: "num" });
  readonly #verdict = el("span");
  readonly #note: HTMLElement;

  constructor() {
    this.#note = el("p", { class: "skill" }, el("span", {}, "Skill ", this.#figure), this.#verdict);
    this.root = el(
      "div", { class: "zone-head" },
      el("span", {}, "Projected flow score"), this.#ramp, el("div", { class: "ends num" }, ...this.#ends), this.#note,
    );
  }

  render(model: Model, coloured: boolean, shown: boolean): void {
    if (!shown) return;
    setHidden(this.#ramp, !coloured);
    setStyle(this.#ramp, "background", coloured ? lutGradient(palette().diverging) : "none");
    const { overall, horizons } = model.skill;
    const { text, worse } = skillText(overall);
    setHidden(this.#note, text === "");
    setText(this.#figure, signed(overall.skill, 2));
    setText(this.#verdict, text);
    setClass(this.#note, "warn", worse);
    const ms = model.config?.projection_horizons_ms ?? [];
    const each = horizons.map(({ skill }, i) => `${ms[i]} ms: ${signed(skill, 2)}`).join(", ");
    this.root.title =
      "Where the last bins point, not a forecast. A cell is as tall as the horizons agree, dim where it ran into ±1. " +
      `Skill against always guessing 0, over ${count(overall.n)} cells of this stream: ${each}.`;
  }
}
