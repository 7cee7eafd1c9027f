/** What a colour means now: title, unit, how the range is clipped, and the values along the ramp. */

import { lutGradient, palette } from "../lib/colour";
import { el, setStyle, setText } from "../lib/dom";
import { digitsFor, fixed, signed } from "../lib/format";
import { type Scale, valueAt } from "../lib/scale";
import { type Layer, clipCaption } from "./layers";

const STOPS = [0, 0.25, 0.5, 0.75, 1];

/** Values along the ramp as they are printed; what is nothing beside the far end is 0. */
export function legendTexts(scale: Scale): string[] {
  return STOPS.map((t, i) => {
    const exact = scale.diverging && i === 2 ? 0 : valueAt(t, scale);
    const value = Math.abs(exact) < Math.abs(scale.hi) / 1000 ? 0 : exact;
    const digits = digitsFor(value, Math.abs(value) < 1 ? 2 : 1);
    return scale.diverging ? signed(value, digits) : fixed(value, digits);
  });
}

export class Legend {
  readonly root: HTMLElement;
  readonly #title = el("b");
  readonly #caption = el("span", { class: "third" });
  readonly #ramp = el("div", { class: "ramp" });
  readonly #labels = STOPS.map(() => el("span", { class: "num" }));

  constructor() {
    const text = el("div", { class: "legend-text" }, this.#title, this.#caption);
    const scale = el("div", { class: "legend-scale" }, this.#ramp, el("div", { class: "legend-ticks" }, ...this.#labels));
    this.root = el("div", { class: "legend" }, text, scale);
  }

  render(layer: Layer, scale: Scale): void {
    setText(this.#title, layer.unit ? `${layer.title}, ${layer.unit}` : layer.title);
    setText(this.#caption, clipCaption(layer));
    setStyle(this.#ramp, "background", lutGradient(scale.diverging ? palette().diverging : palette().sequential));
    const texts = legendTexts(scale);
    STOPS.forEach((t, i) => {
      const label = this.#labels[i];
      setStyle(label, "left", `${t * 100}%`);
      const quarter = i === 1 || i === 3;
      label.hidden = quarter && !scale.diverging;
      setText(label, texts[i]);
    });
  }
}
