/** What a colour means now: title, unit, how the range is clipped, and the values along the ramp. */

import { lutGradient, palette } from "../lib/colour";
import { Size, el, setHidden, setStyle, setText } from "../lib/dom";
import { digitsFor, fixed, signed } from "../lib/format";
import { type Scale, valueAt } from "../lib/scale";
import { type Layer, clipCaption } from "./layers";

const STOPS = [0, 0.25, 0.5, 0.75, 1];

/** Values from ten thousand on in thousands or millions. */
function short(value: number, print: (value: number) => string): string {
  const size = Math.abs(value);
  return size >= 1e7 ? `${print(value / 1e6)}M` : size >= 1e4 ? `${print(value / 1e3)}k` : print(value);
}

/** Values along the ramp as they are printed; what is nothing beside the far end is 0. */
export function legendTexts(scale: Scale): string[] {
  return STOPS.map((t, i) => {
    const exact = scale.diverging && i === 2 ? 0 : valueAt(t, scale);
    const value = Math.abs(exact) < Math.abs(scale.hi) / 1000 ? 0 : exact;
    const digits = digitsFor(value, Math.abs(value) < 1 ? 2 : 1);
    return short(value, (part) => (scale.diverging ? signed(part, digits) : fixed(part, digits)));
  });
}

/** Width of a digit of the ticks, and the least gap between two of them. */
const DIGIT_PX = 6.2;
const GAP_PX = 5;

/** Whether the values at a quarter and three quarters fit between those at the ends and in the middle. */
export function fitQuarters(texts: readonly string[], width: number): boolean {
  const [low, quarter, middle, upper, high] = texts.map((text) => text.length * DIGIT_PX);
  const step = width / 4;
  const clear = (end: number, inner: number): boolean => end + inner / 2 + GAP_PX <= step && (inner + middle) / 2 + GAP_PX <= step;
  return clear(low, quarter) && clear(high, upper);
}

export class Legend {
  readonly root: HTMLElement;
  readonly #title = el("b");
  readonly #caption = el("span", { class: "third" });
  readonly #ramp = el("div", { class: "ramp" });
  readonly #labels = STOPS.map(() => el("span", { class: "num" }));

  readonly #size = new Size(this.#ramp);

  constructor() {
    const text = el("div", { class: "legend-text" }, this.#title, this.#caption);
    const scale = el("div", { class: "legend-scale" }, this.#ramp, el("div", { class: "legend-ticks" }, ...this.#labels));
    this.root = el("div", { class: "legend" }, text, scale);
  }

  render(layer: Layer, scale: Scale): void {
    this.root.title = `${layer.title}; ${clipCaption(layer)}`;
    setText(this.#title, layer.unit ? `${layer.title}, ${layer.unit}` : layer.title);
    setText(this.#caption, clipCaption(layer));
    setStyle(this.#ramp, "background", lutGradient(scale.diverging ? palette().diverging : palette().sequential));
    const texts = legendTexts(scale);
    const quarters = fitQuarters(texts, this.#size.width);
    STOPS.forEach((t, i) => {
      const label = this.#labels[i];
      setStyle(label, "left", `${t * 100}%`);
      const quarter = i === 1 || i === 3;
      setHidden(label, quarter && !(scale.diverging && quarters));
      setText(label, texts[i]);
    });
  }
}
