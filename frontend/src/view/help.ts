/** The list of keys, opened by `?`. */

import { el, setHidden } from "../lib/dom";
import { COMMANDS, keyName } from "../stream/keys";

export class Help {
  readonly root: HTMLElement;
  readonly #close: HTMLButtonElement;
  #before: Element | null = null;

  constructor() {
    const groups = [...new Set(COMMANDS.map(({ group }) => group))];
    const lists = groups.map((group) =>
      el(
        "section", {}, el("h3", {}, group),
        el("dl", {}, ...COMMANDS.filter((entry) => entry.group === group).flatMap(({ keys, text }) => [
          el("dt", {}, ...keys.map((key) => el("kbd", {}, keyName(key)))), el("dd", {}, text),
        ])),
      ),
    );
    this.#close = el("button", { type: "button", class: "button", title: "Close (Esc)", onclick: () => this.toggle(false) }, "Close");
    this.root = el(
      "div", { class: "help", role: "dialog", "aria-label": "Keys", hidden: true },
      el("header", {}, el("h2", {}, "Keys"), this.#close), el("div", { class: "help-groups" }, ...lists),
      el(
        "p", { class: "third" },
        "Drag moves the map, the wheel zooms time about the pointer, Shift and wheel zoom price, Ctrl and wheel both. " +
          "Yellow hatching: bins the service dropped. Red hatching: no valid book. Nothing is drawn across a gap.",
      ),
    );
  }

  get open(): boolean {
    return !this.root.hidden;
  }

  toggle(open = !this.open): void {
    setHidden(this.root, !open);
    if (open) {
      this.#before = document.activeElement;
      this.#close.focus();
    } else if (this.#before instanceof HTMLElement) this.#before.focus();
  }
}
