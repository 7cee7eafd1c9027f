/** Head of both pages, and on the stream page: instrument, session, clock, mid, spread, book, what is replayed. */

import { etTenth, etTime, isoDate } from "../lib/clock";
import { el, setClass, setHidden, setText } from "../lib/dom";
import { DASH, age, fixed, ticks } from "../lib/format";
import type { Model } from "../stream/model";
import { themeButton } from "./themeButton";

function mark(): SVGSVGElement {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "brand-mark");
  svg.setAttribute("aria-hidden", "true");
  for (const [d, fill] of [["M1 1h14v7h-3L8 4 4 8H1z", "var(--minus)"], ["M1 8h3l4 4 4-4h3v7H1z", "var(--plus)"]]) {
    const path = document.createElementNS(ns, "path");
    path.setAttribute("d", d);
    path.style.fill = fill;
    svg.append(path);
  }
  return svg;
}

/** Brand and the two tabs; `page` is the current one. */
export function brandAndTabs(page: "stream" | "experiments"): HTMLElement[] {
  const tab = (name: string, href: string, current: boolean): HTMLElement =>
    el("a", { href, class: "tab", "aria-current": current ? "page" : undefined }, name);
  return [
    el("div", { class: "brand" }, mark(), el("span", {}, "Vacuum Pressure")),
    el(
      "nav", { class: "tabs", "aria-label": "Pages" },
      tab("Stream", "vacuum-pressure.html", page === "stream"),
      tab("Experiments", "experiments.html", page === "experiments"),
    ),
  ];
}

function fact(className = ""): { root: HTMLElement; label: HTMLElement; value: HTMLElement } {
  const label = el("span", { class: "third" });
  const value = el("b", { class: "num" });
  return { root: el("div", { class: `fact ${className}` }, label, value), label, value };
}

/** A book younger than this is not spoken of, and from here on its age is a warning. */
const BOOK_AGE_MS = { said: 5000, warn: 60_000 };

/** What is known of the book: valid or not, and how old at least once that matters. `lostMs`: since the connection went. */
export function bookText(valid: boolean, ageMs: number, lostMs: number): { text: string; warn: boolean; title: string } {
  if (!valid) return { text: "Invalid", warn: true, title: "One side has no quote, or bid and ask cross" };
  if (lostMs > 0) return { text: `Valid ${age(lostMs / 1000)} ago`, warn: true, title: "The connection is lost: this is the last book that came" };
  if (ageMs < BOOK_AGE_MS.said) return { text: "Valid", warn: false, title: "Both sides quote, bid below ask" };
  const title = "No record of the market has changed the book for at least this long";
  return { text: `Valid, ${age(ageMs / 1000)} old`, warn: ageMs >= BOOK_AGE_MS.warn, title };
}

export class TopBar {
  readonly root: HTMLElement;
  readonly #instrument = fact("ruled instrument");
  readonly #session = fact("ruled");
  readonly #time = el("span", { class: "num" }, "--:--:--");
  readonly #tenth = el("span", { class: "num third" });
  readonly #mid = fact("ruled");
  readonly #spread = fact();
  readonly #book = fact();
  readonly #source = fact("source");
  readonly #facts: HTMLElement[];

  constructor() {
    const clock = el(
      "div", { class: "clock ruled", role: "timer", "aria-label": "Exchange time" },
      this.#time, this.#tenth, el("span", { class: "zone third" }, "ET"),
    );
    setText(this.#mid.label, "Mid");
    setText(this.#spread.label, "Spread");
    setText(this.#book.label, "Book");
    this.#facts = [this.#instrument.root, this.#session.root, clock, this.#mid.root, this.#spread.root, this.#book.root];
    this.root = el("header", { class: "topbar" }, ...brandAndTabs("stream"), ...this.#facts, this.#source.root, themeButton());
  }

  /** `lostMs`: since the latest bin, where the connection is lost; else 0. */
  render(model: Model, lostMs: number): void {
    const { config, update } = model;
    for (const node of [...this.#facts, this.#source.root]) setHidden(node, config === null);
    if (!config) return;
    const { capture } = config;
    setText(this.#instrument.label, `${config.product_type}, tick ${config.tick_size}`);
    setText(this.#instrument.value, config.symbol);
    const hours = (time: string): string => time.replace(/^(\d\d:\d\d):00$/, "$1");
    setText(this.#session.label, `${hours(capture.start_time)}–${hours(capture.end_time)} ET`);
    setText(this.#session.value, isoDate(capture.dt));
    const known = Number.isFinite(model.tsMs);
    setText(this.#time, known ? etTime(model.tsMs) : "--:--:--");
    setText(this.#tenth, known ? etTenth(model.tsMs) : "");
    const valid = update?.book_valid ?? false;
    setText(this.#mid.value, update && valid ? fixed(update.mid_price, model.decimals + 1) : DASH);
    const { bins } = model;
    const slot = bins?.validSlot(bins.last) ?? -1;
    setText(this.#spread.value, bins && slot >= 0 ? ticks(bins.askTick[slot] - bins.bidTick[slot]) : DASH);
    const book = bookText(valid, model.bookAgeMs, lostMs);
    setText(this.#book.value, update ? book.text : DASH);
    this.#book.root.title = update ? book.title : "";
    setClass(this.#book.value, "dot", update !== null);
    setClass(this.#book.value, "warn", update !== null && book.warn);
    const from = config.source === "dataset" ? "Replay from dataset" : "Replay through the engine";
    setText(this.#source.label, `${from}, ${config.cell_width_ms} ms bins`);
    const name = config.serving?.name ?? config.dataset_id ?? config.symbol;
    setText(this.#source.value, name);
    this.#source.root.title = name;
    this.#instrument.root.title = name; // a narrow page has no room for the source
  }
}
