/** Popover of the Fields button: every field by kind. Arrows move in it, Enter chooses, all other keys stay the page's. */

import { el, setClass, setHidden, setText } from "../lib/dom";
import { hint } from "../stream/keys";
import { FIELD_GROUPS, FIELD_LAYERS, type Layer } from "./layers";

export class FieldsMenu {
  readonly button: HTMLButtonElement;
  readonly root: HTMLElement;
  readonly #choices: { layer: Layer; node: HTMLButtonElement }[] = [];
  /** Takes the keyboard when the menu closes, so that it is the map's again. */
  readonly #leave: () => void;
  #layer: Layer | null = null;

  constructor(onLayer: (layer: Layer) => void, leave: () => void) {
    this.#leave = leave;
    const groups = FIELD_GROUPS.map(({ name, layers }) => {
      const nodes = layers.map((layer) => {
        const node = el(
          "button",
          { type: "button", role: "menuitemradio", title: layer.title, tabindex: -1, onclick: () => { onLayer(layer); this.toggle(false); } },
          layer.label,
        );
        this.#choices.push({ layer, node });
        return node;
      });
      return el("div", { role: "group", "aria-label": name, class: "field-group" }, el("span", { class: "third" }, name), ...nodes);
    });
    this.root = el("div", { class: "popover fields", role: "menu", "aria-label": "All fields", hidden: true }, ...groups);
    this.button = el(
      "button",
      {
        type: "button", class: "button quiet menu", title: hint("fields"), "aria-haspopup": "menu", "aria-expanded": "false",
        onclick: () => this.toggle(),
      },
      "Fields",
    );
    this.root.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", (event) => {
      const target = event.target as Node;
      if (this.open && !this.root.contains(target) && !this.button.contains(target)) this.toggle(false);
    });
  }

  get open(): boolean {
    return !this.root.hidden;
  }

  toggle(open = !this.open): void {
    if (open === this.open) return;
    setHidden(this.root, !open);
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) {
      this.#leave();
      return;
    }
    this.#focus(Math.max(0, this.#choices.findIndex(({ layer }) => layer === this.#layer)));
  }

  #focus(at: number): void {
    const n = this.#choices.length;
    this.#choices[((at % n) + n) % n].node.focus();
  }

  #key(event: KeyboardEvent): void {
    const at = this.#choices.findIndex(({ node }) => node === document.activeElement);
    const kind = (i: number): number => FIELD_GROUPS.findIndex(({ layers }) => layers.includes(this.#choices[i]?.layer));
    const sizes = FIELD_GROUPS.map(({ layers }) => layers.length);
    const firstOf = (group: number): number => sizes.slice(0, (group + sizes.length) % sizes.length).reduce((sum, n) => sum + n, 0);
    const moves: Record<string, () => number> = {
      ArrowDown: () => at + 1, ArrowUp: () => at - 1, ArrowRight: () => firstOf(kind(at) + 1), ArrowLeft: () => firstOf(kind(at) - 1),
      Home: () => 0, End: () => this.#choices.length - 1,
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    this.#focus(move());
  }

  /** Show which layer is on. */
  render(layer: Layer): void {
    if (layer === this.#layer) return;
    this.#layer = layer;
    const isField = FIELD_LAYERS.includes(layer);
    setText(this.button, isField ? layer.label : "Fields");
    setClass(this.button, "on", isField);
    for (const { layer: own, node } of this.#choices) node.setAttribute("aria-checked", String(own === layer));
  }
}
