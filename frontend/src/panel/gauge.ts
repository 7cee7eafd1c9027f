/** Bars around zero and one, drawn with plain elements. */

import { el, setHidden, setStyle } from "../lib/dom";

/** A bar from the middle to a value in -1..1 (of `reach`), with marks at ±threshold. */
export class SignedBar {
  readonly root: HTMLElement;
  readonly #bar = el("i");
  readonly #marks = [el("u"), el("u")];

  constructor(className = "") {
    this.root = el("div", { class: `signed-bar ${className}` }, this.#bar, ...this.#marks);
    this.set(Number.NaN);
  }

  set(value: number, reach = 1, threshold: number | null = null): void {
    const share = Number.isFinite(value) ? Math.max(-1, Math.min(1, value / reach)) : 0;
    setStyle(this.#bar, "left", `${share < 0 ? 50 + share * 50 : 50}%`);
    setStyle(this.#bar, "width", `${Math.abs(share) * 50}%`);
    this.#bar.className = share < 0 ? "minus" : "plus";
    this.#marks.forEach((mark, i) => {
      setHidden(mark, !threshold);
      if (threshold) setStyle(mark, "left", `${50 + (i === 0 ? -50 : 50) * Math.min(1, threshold / reach)}%`);
    });
  }
}

/** A bar from 0 to 1. */
export class ShareBar {
  readonly root: HTMLElement;
  readonly #bar: HTMLElement;

  constructor(tone: string) {
    this.#bar = el("i", { class: tone });
    this.root = el("div", { class: "share-bar" }, this.#bar);
  }

  set(share: number): void {
    setStyle(this.#bar, "width", `${Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0)) * 100}%`);
  }
}
