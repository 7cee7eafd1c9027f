/** Row above the map: layers, all fields, follow, legend, lin and log. */

import { el, setClass, setHidden } from "../lib/dom";
import type { Scale } from "../lib/scale";
import { Legend } from "./legend";
import { FIELD_LAYERS, type Layer, MAIN_LAYERS } from "./layers";

export interface ToolHandlers {
  onLayer(layer: Layer): void;
  onLog(log: boolean): void;
  onFollow(): void;
}

export class Tools {
  readonly root: HTMLElement;
  readonly #legend = new Legend();
  readonly #buttons: HTMLButtonElement[];
  readonly #menu: HTMLSelectElement;
  readonly #follow: HTMLButtonElement;
  readonly #lin: HTMLButtonElement;
  readonly #log: HTMLButtonElement;

  constructor(handlers: ToolHandlers) {
    this.#buttons = MAIN_LAYERS.map((layer, i) =>
      el("button", { type: "button", title: `${layer.title} (${i + 1})`, onclick: () => handlers.onLayer(layer) }, layer.label),
    );
    const options = FIELD_LAYERS.map((layer) => el("option", { value: layer.id, title: layer.title }, layer.label));
    this.#menu = el(
      "select",
      {
        "aria-label": "All fields",
        onchange: () => {
          const layer = FIELD_LAYERS.find((entry) => entry.id === this.#menu.value);
          if (layer) handlers.onLayer(layer);
          this.#menu.blur();
        },
      },
      el("option", { value: "", disabled: true, hidden: true }, "All fields"), ...options,
    );
    this.#follow = el(
      "button",
      { type: "button", class: "button follow", title: "Keep now in view (F, double click)", onclick: () => handlers.onFollow() },
      "Follow",
    );
    this.#lin = el("button", { type: "button", onclick: () => handlers.onLog(false) }, "Lin");
    this.#log = el("button", { type: "button", title: "asinh scale (L)", onclick: () => handlers.onLog(true) }, "Log");
    this.root = el(
      "div", { class: "tools", role: "toolbar", "aria-label": "Map" },
      el("div", { class: "segments", role: "group", "aria-label": "Layer" }, ...this.#buttons),
      el("div", { class: "menu" }, this.#menu), this.#follow, el("div", { class: "spacer" }), this.#legend.root,
      el("div", { class: "segments", role: "group", "aria-label": "Scale" }, this.#lin, this.#log),
    );
  }

  render(layer: Layer, scale: Scale, following: boolean, hasMap: boolean): void {
    MAIN_LAYERS.forEach((entry, i) => this.#press(this.#buttons[i], entry === layer));
    const isField = FIELD_LAYERS.includes(layer);
    const wanted = isField ? layer.id : "";
    if (this.#menu.value !== wanted) this.#menu.value = wanted;
    setClass(this.#menu, "on", isField);
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

/** Key of the strokes on the map; it steps aside when the crosshair comes near. */
export function strokeKey(): HTMLElement {
  const entry = (mark: string, text: string): HTMLElement =>
    el("span", { class: "key-entry" }, el("i", { class: `key-mark ${mark}` }), text);
  const size = (lots: number, r: number): HTMLElement => {
    const ring = el("i", { class: "key-ring" });
    ring.style.width = ring.style.height = `${2 * r}px`;
    return el("span", { class: "key-entry num" }, ring, String(lots));
  };
  return el(
    "div", { class: "stroke-key" },
    entry("ask", "ask"), entry("bid", "bid"), entry("spot", "spot"), entry("bought", "bought"), entry("sold", "sold"),
    size(3, 3.3), size(10, 6), size(36, 11.4), el("span", { class: "third" }, "lots"),
  );
}
