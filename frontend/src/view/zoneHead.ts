/** Over the projection zone: what its cells mean, and what the projections have been worth on this stream so far. */

import { lutGradient, palette } from "../lib/colour";
import { el, setClass, setHidden, setStyle, setText } from "../lib/dom";
import { DASH, count, signed } from "../lib/format";
import { ENOUGH_BINS, type SkillInterval } from "../lib/skill";
import type { Model } from "../stream/model";

/** What can honestly be said of a skill: too early, or which side of 0 its 95 % interval lies on. */
export function skillText({ bins, low, high }: SkillInterval): { figure: string; text: string; worse: boolean } {
  if (bins < ENOUGH_BINS) return { figure: "too early", text: `${count(bins)} of ${ENOUGH_BINS} bins`, worse: false };
  if (Number.isNaN(low)) return { figure: DASH, text: "nothing came to compare", worse: false };
  const digits = Math.max(Math.abs(low), Math.abs(high)) < 10 ? 2 : 0;
  const figure = `${signed(low, digits)} to ${signed(high, digits)}`;
  if (high < 0) return { figure, text: "worse than guessing 0", worse: true };
  return { figure, text: low > 0 ? "better than guessing 0" : "not told apart from 0", worse: false };
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
    const { figure, text, worse } = skillText(overall);
    setText(this.#figure, figure);
    setText(this.#verdict, text);
    setClass(this.#note, "warn", worse);
    const ms = model.config?.projection_horizons_ms ?? [];
    const each = horizons.map(({ skill }, i) => `${ms[i]} ms: ${signed(skill, 2)}`).join(", ");
    this.root.title =
      "Where the last bins point, not a forecast. A cell is as tall as the horizons agree, dim where it ran into ±1. " +
      `Skill against always guessing 0, with its 95 % interval over blocks of bins; so far ${signed(overall.skill, 2)} ` +
      `over ${count(overall.bins)} bins of this stream (${each}).`;
  }
}
