/** Chart text as DOM over canvas, so that digits stay tabular; a pool of spans that are moved, not made. */

import { el } from "../lib/dom";

export class LabelLayer {
  readonly root: HTMLElement;
  #pool: HTMLSpanElement[] = [];
  #used = 0;

  constructor(className: string) {
    this.root = el("div", { class: `labels ${className}`, "aria-hidden": "true" });
  }

  begin(): void {
    this.#used = 0;
  }

  /** Text with its anchor at x, y (CSS pixels); the class decides how it is aligned to the anchor. */
  put(text: string, x: number, y: number, className = ""): HTMLSpanElement {
    let span = this.#pool[this.#used];
    if (!span) {
      span = el("span");
      this.#pool.push(span);
      this.root.append(span);
    }
    this.#used += 1;
    if (span.textContent !== text) span.textContent = text;
    const wanted = `label ${className}`;
    if (span.className !== wanted) span.className = wanted;
    const place = `translate(${Math.round(x * 2) / 2}px, ${Math.round(y * 2) / 2}px)`;
    if (span.style.transform !== place) span.style.transform = place;
    if (span.hidden) span.hidden = false;
    return span;
  }

  end(): void {
    for (let i = this.#used; i < this.#pool.length; i += 1) if (!this.#pool[i].hidden) this.#pool[i].hidden = true;
  }
}
