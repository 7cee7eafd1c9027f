/** Right panel, lower half: the promoted signal, its recent firings, what it was judged to be worth, stream health. */

import { etClock } from "../lib/clock";
import { el, setClass, setHidden, setText } from "../lib/dom";
import { DASH, age, count, fixed, signed } from "../lib/format";
import type { Model } from "../stream/model";
import { SignedBar } from "./gauge";
import { tone } from "./stateModel";

/** As many as a tall window has room for; styles/panel.css shows fewer on others. */
const FIRINGS = 24;
/** A firing is worth saying so for this long. */
const FRESH_S = 10;

function figure(record: Record<string, unknown> | null, name: string): number | null {
  const figures = record?.figures;
  const value = (figures && typeof figures === "object" ? (figures as Record<string, unknown>)[name] : undefined) ?? record?.[name];
  return typeof value === "number" ? value : null;
}

/** One honest sentence about a promoted spec's record. */
export function verdictNote(promoted: Record<string, unknown> | null): string {
  if (!promoted) return "";
  const holm = figure(promoted, "p_holm");
  const trials = figure(promoted, "n_trials");
  const over = trials === null ? "" : ` over ${count(trials)} trials`;
  if (holm !== null) {
    const word = holm < 0.05 ? "significant" : "not significant";
    return `On the data it was chosen on: ${word}, Holm p ${fixed(holm, 2)}${over}.`;
  }
  const p = figure(promoted, "p_value");
  if (p !== null) return `On the data it was chosen on: p ${fixed(p, 3)}, not corrected for the number of trials.`;
  return "Promoted without a p-value: read it as a candidate.";
}

export class SignalPanel {
  readonly root: HTMLElement;
  readonly #title = el("h2", {}, "Promoted signal");
  readonly #name = el("span", { class: "third" });
  readonly #value = el("output", { class: "key small num", "aria-label": "Signal value" }, DASH);
  readonly #tag = el("span", { class: "tag" });
  readonly #bar = new SignedBar();
  readonly #ends = ["−1", "", "", "+1"].map((text) => el("span", { class: "num" }, text));
  readonly #live: HTMLElement;
  readonly #none: HTMLElement;
  readonly #firings: HTMLElement;
  readonly #rows = Array.from({ length: FIRINGS }, () => {
    const parts = { arrow: el("span"), when: el("span", { class: "num second" }), value: el("span", { class: "num" }) };
    const more = { mid: el("span", { class: "num" }), since: el("span", { class: "num" }) };
    const root = el("div", { class: "firing" }, parts.arrow, parts.when, parts.value, more.mid, more.since);
    return { root, ...parts, ...more };
  });
  readonly #empty = el("p", { class: "third" });
  readonly #note = el("p", { class: "note second" });

  constructor() {
    const ends = el("div", { class: "marks third" }, ...this.#ends);
    this.#live = el("div", {}, el("div", { class: "key-row" }, this.#value, this.#tag), this.#bar.root, ends);
    const link = el("a", { href: "experiments.html" }, "Experiments");
    this.#none = el("p", { class: "third" }, "This stream has no signal. Choose a run in ", link, " and press “Stream this run”.");
    const head = el(
      "div", { class: "firing head third" },
      el("span"), el("span", {}, "ET"), el("span", {}, "value"), el("span", {}, "mid"), el("span", {}, "since"),
    );
    this.#firings = el(
      "section", { class: "firings", "aria-label": "Recent firings" },
      el("header", {}, el("h2", {}, "Recent firings"), el("span", { class: "third" }, "mid since, ticks")),
      head, el("div", { class: "firing-rows" }, ...this.#rows.map((row) => row.root)), this.#empty, this.#note,
    );
    this.root = el(
      "div", { class: "panel-group grow" },
      el("section", { "aria-label": "Signal" }, el("header", {}, this.#title, this.#name), this.#live, this.#none),
      this.#firings,
    );
  }

  render(model: Model): void {
    const { config, update } = model;
    const serving = config?.serving ?? null;
    const signal = serving?.signal ?? null;
    setText(this.#title, serving?.promoted || serving?.run_id ? "Promoted signal" : "Signal");
    setText(this.#name, signal?.name ?? "");
    this.#name.title = signal?.name ?? "";
    setHidden(this.#live, !signal);
    setHidden(this.#none, signal !== null || config === null);
    setHidden(this.#firings, !signal);
    if (!signal) return;

    const value = update?.signal?.value ?? Number.NaN;
    const threshold = update?.signal?.threshold ?? signal.threshold;
    const reach = Math.max(1, (threshold ?? 0) * 1.5, Math.abs(Number.isFinite(value) ? value : 0));
    setText(this.#value, Math.abs(value) < 0.005 ? "0.00" : signed(value, 2));
    this.#value.className = `key small num ${tone(value)}`;
    this.#bar.set(value, reach, threshold);
    setText(this.#ends[0], signed(-reach, reach > 1 ? 1 : 0));
    setText(this.#ends[3], signed(reach, reach > 1 ? 1 : 0));
    // Labels of close thresholds push each other apart instead of overlapping.
    const spread = threshold ? Math.max(11, (threshold / reach) * 50) : 0;
    setText(this.#ends[1], threshold ? signed(-threshold, 2) : "");
    setText(this.#ends[2], threshold ? signed(threshold, 2) : "");
    this.#ends[1].style.left = `${50 - spread}%`;
    this.#ends[2].style.left = `${50 + spread}%`;
    this.#renderTag(model, signal.cooldown_bins, threshold);
    this.#renderFirings(model);
    setText(this.#note, verdictNote(serving?.promoted ?? null));
    setHidden(this.#note, this.#note.textContent === "");
  }

  #renderTag(model: Model, cooldown: number, threshold: number | null): void {
    const last = model.firings.at(-1);
    const bins = last ? model.last - last.seq : Number.POSITIVE_INFINITY;
    const seconds = (bins * model.binMs) / 1000;
    let text = threshold === null ? "no threshold" : "";
    let up = 0;
    if (last && seconds <= FRESH_S) {
      text = `fired ${age(seconds)} ago`;
      up = last.direction;
    }
    if (last && bins < cooldown && seconds > 1) {
      text = `cooldown ${age(((cooldown - bins) * model.binMs) / 1000)}`;
      up = 0;
    }
    const behind = model.update?.signal?.behind ?? 0;
    if (behind > 0) {
      text = `catching up, ${count(behind)} bins behind`;
      up = 0;
    }
    setText(this.#tag, text);
    this.#tag.className = `tag ${up > 0 ? "fired-up" : up < 0 ? "fired-down" : ""}`;
    setHidden(this.#tag, text === "");
  }

  #renderFirings(model: Model): void {
    const recent = model.firings.slice(-FIRINGS).reverse();
    const mid = model.update?.book_valid ? model.update.mid_price : Number.NaN;
    const pinned = (model.update?.signal?.threshold ?? model.config?.serving?.signal?.threshold ?? null) !== null;
    setText(this.#empty, pinned ? "Nothing has fired yet." : "Without a threshold nothing fires.");
    setHidden(this.#empty, recent.length > 0);
    this.#rows.forEach((row, i) => {
      const firing = recent[i];
      setHidden(row.root, !firing);
      if (!firing) return;
      const up = firing.direction > 0;
      setText(row.arrow, up ? "▲" : "▼");
      row.arrow.className = up ? "plus" : "minus";
      row.arrow.setAttribute("aria-label", up ? "up" : "down");
      setText(row.when, etClock(firing.tsMs));
      setText(row.value, signed(firing.value, 2));
      setText(row.mid, fixed(firing.mid, model.decimals + 1));
      const since = ((mid - firing.mid) / model.tickSize) * firing.direction;
      setText(row.since, signed(since, 1));
      row.since.className = `num ${tone(since, 0.05)}`;
    });
  }
}

export class HealthPanel {
  readonly root: HTMLElement;
  readonly #rate = el("b", { class: "num" }, DASH);
  readonly #lag = el("b", { class: "num" }, DASH);
  readonly #dropped = el("b", { class: "num" }, DASH);

  constructor() {
    const cell = (label: string, value: HTMLElement): HTMLElement => el("div", {}, el("span", { class: "third" }, label), value);
    this.root = el(
      "footer", { class: "health", "aria-label": "Stream health" },
      cell("Bins/s", this.#rate), cell("Lag", this.#lag), cell("Dropped", this.#dropped),
    );
  }

  render(model: Model, now: number, live: boolean): void {
    const { health } = model;
    setText(this.#rate, live ? fixed(health.rate(now), 1) : DASH);
    const lag = health.lagMs;
    setText(this.#lag, !live || Number.isNaN(lag) ? DASH : lag < 10_000 ? `${count(lag)} ms` : age(lag / 1000));
    setClass(this.#lag, "warn", live && lag > 500);
    const dropped = health.dropped;
    setText(this.#dropped, model.config ? `${count(dropped)} ${dropped === 1 ? "bin" : "bins"}` : DASH);
    setClass(this.#dropped, "warn", dropped > 0);
  }
}
