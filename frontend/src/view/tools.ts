/** Row above the map: layers, all fields, follow, view, legend, lin and log. */

import { MIN_LOTS, bubbleRadius } from "../lib/bubbles";
import { el, setHidden, setStyle, setText } from "../lib/dom";
import type { Scale } from "../lib/scale";
import { type CommandId, hint } from "../stream/keys";
import { FieldsMenu } from "./fieldsMenu";
import { Legend } from "./legend";
import { type Layer, MAIN_LAYERS } from "./layers";

export interface ToolHandlers {
  onLayer(layer: Layer): void;
  onLog(log: boolean): void;
  onFollow(): void;
  /** A menu was closed: the keyboard is the map's again. */
  onLeave(): void;
}

export class Tools {
  readonly root: HTMLElement;
  readonly #legend = new Legend();
  readonly #buttons: HTMLButtonElement[];
  readonly fields: FieldsMenu;
  readonly #follow: HTMLButtonElement;
  readonly #lin: HTMLButtonElement;
  readonly #log: HTMLButtonElement;

  constructor(handlers: ToolHandlers, viewButton: HTMLElement) {
    this.#buttons = MAIN_LAYERS.map((layer, i) =>
      el("button", { type: "button", title: hint(`layer${i + 1}` as CommandId, layer.title), onclick: () => handlers.onLayer(layer) }, layer.label),
    );
    this.fields = new FieldsMenu((layer) => handlers.onLayer(layer), () => handlers.onLeave());
    this.#follow = el("button", { type: "button", class: "button follow", title: hint("follow"), onclick: () => handlers.onFollow() }, "Follow");
    this.#lin = el("button", { type: "button", title: hint("log", "Colours in proportion to the value"), onclick: () => handlers.onLog(false) }, "Lin");
    this.#log = el("button", { type: "button", title: hint("log", "asinh scale: small values get more of the colours"), onclick: () => handlers.onLog(true) }, "Log");
    this.root = el(
      "div", { class: "tools", role: "toolbar", "aria-label": "Map" },
      el("div", { class: "segments", role: "group", "aria-label": "Layer" }, ...this.#buttons),
      this.fields.button, this.#follow, viewButton, el("div", { class: "spacer" }), this.#legend.root,
      el("div", { class: "segments", role: "group", "aria-label": "Scale" }, this.#lin, this.#log),
    );
  }

  render(layer: Layer, scale: Scale, following: boolean, hasMap: boolean): void {
    MAIN_LAYERS.forEach((entry, i) => this.#press(this.#buttons[i], entry === layer));
    this.fields.render(layer);
    this.#press(this.#follow, following);
    this.#press(this.#lin, !scale.log);
    this.#press(this.#log, scale.log);
    setHidden(this.#legend.root, !hasMap);
    this.#legend.render(layer, scale);
  }

  #press(button: HTMLButtonElement, on: boolean): void {
    const text = String(on);
    if (button.getAttribute("aria-pressed") !== text) button.setAttribute("aria-pressed", text);
  }
}

/** Key of the strokes on the map. */
export class StrokeKey {
  readonly root: HTMLElement;
  readonly #rings = [1, 4].map(() => ({ ring: el("i", { class: "key-ring" }), text: el("span", { class: "num" }) }));

  constructor() {
    const entry = (mark: string, text: string): HTMLElement =>
      el("span", { class: "key-entry" }, el("i", { class: `key-mark ${mark}` }), text);
    this.root = el(
      "div", { class: "stroke-key", "aria-label": "Key of the strokes" },
      entry("ask", "ask"), entry("bid", "bid"), entry("spot", "mid"), entry("bought", "bought"), entry("sold", "sold"),
      ...this.#rings.map(({ ring, text }) => el("span", { class: "key-entry" }, ring, text)),
    );
  }

  /** `least` lots is the smallest trade that is drawn. */
  render(least: number, shown: boolean): void {
    setHidden(this.root, !shown);
    this.#rings.forEach(({ ring, text }, i) => {
      const lots = least * (i === 0 ? 1 : 4);
      const size = 2 * bubbleRadius(lots);
      // Rings that would not fit the row are told in words alone.
      setHidden(ring, size > 18);
      setStyle(ring, "width", `${size}px`);
      setStyle(ring, "height", `${size}px`);
      setText(text, i === 0 ? (size > 18 || least > MIN_LOTS ? `from ${lots} lots` : `${lots}`) : size > 18 ? "" : `${lots} lots`);
    });
  }
}
