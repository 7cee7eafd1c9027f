/** Right panel, upper half: state-model score with its trace, derivatives, intensities, dominant state. */

import { Size, el, fitCanvas, setClass, setHidden, setText } from "../lib/dom";
import { DASH, age, fixed, signed } from "../lib/format";
import type { Model } from "../stream/model";
import { INK } from "../view/ink";
import { ShareBar, SignedBar } from "./gauge";

const TRACE_S = 60;
const STATES: readonly { code: number; name: string; cell: string }[] = [
  { code: -2, name: "Bear vacuum", cell: "vac" },
  { code: -1, name: "Bear pressure", cell: "press" },
  { code: 0, name: "Mixed", cell: "mixed" },
  { code: 1, name: "Bull pressure", cell: "press" },
  { code: 2, name: "Bull vacuum", cell: "vac" },
];

export function stateName(code: number): string {
  return STATES.find((state) => state.code === code)?.name ?? DASH;
}

/** Tone of a signed number: text class for plus, minus or neither. */
export function tone(value: number, dead = 0.005): string {
  if (!Number.isFinite(value) || Math.abs(value) < dead) return "";
  return value > 0 ? "plus" : "minus";
}

export class StatePanel {
  readonly root: HTMLElement;
  readonly #status = el("span", { class: "third" });
  readonly #score = el("output", { class: "key num", "aria-label": "State-model score" }, DASH);
  readonly #base = el("span", { class: "num second" });
  readonly #bar = new SignedBar();
  readonly #trace = el("canvas", { class: "trace" });
  readonly #traceSize = new Size(this.#trace);
  readonly #rows = ["d1", "d2", "d3"].map((name) => ({
    name,
    value: el("span", { class: "num" }),
    z: el("span", { class: "num" }),
    bar: new SignedBar("small"),
  }));
  readonly #dominant = el("h2");
  readonly #since = el("span", { class: "third" });
  readonly #intensities = [
    { label: "Bull", key: "bull", bar: new ShareBar("plus"), value: el("span", { class: "num" }) },
    { label: "Mixed", key: "mixed", bar: new ShareBar("mixed"), value: el("span", { class: "num" }) },
    { label: "Bear", key: "bear", bar: new ShareBar("minus"), value: el("span", { class: "num" }) },
  ] as const;
  readonly #cells = STATES.map(({ cell, code }) =>
    el("span", { class: `state ${code > 0 ? "bull" : code < 0 ? "bear" : "mid"}` }, cell),
  );

  constructor() {
    const table = el("div", { class: "derivatives" });
    table.append(
      el("span", { class: "third" }, "Derivative"), el("span", { class: "third end" }, "value"),
      el("span", { class: "third end" }, "z"), el("span"),
    );
    for (const row of this.#rows) table.append(el("span", { class: "second" }, row.name), row.value, row.z, row.bar.root);
    const bars = el("div", { class: "intensities" });
    for (const { label, bar, value } of this.#intensities) bars.append(el("span", { class: "second" }, label), bar.root, value);
    this.root = el(
      "div",
      { class: "panel-group" },
      el(
        "section",
        { "aria-label": "State model" },
        el("header", {}, el("h2", {}, "State model"), this.#status),
        el("div", { class: "key-row" }, this.#score, this.#base),
        this.#bar.root,
        el("div", { class: "ends num third" }, el("span", {}, "−1"), el("span", {}, "0"), el("span", {}, "+1")),
        this.#trace,
        el("div", { class: "ends third captions" }, el("span", {}, `${TRACE_S} s ago`), el("span", {}, "now")),
      ),
      el("section", { "aria-label": "Derivatives" }, table),
      el(
        "section",
        { "aria-label": "Dominant state" },
        el("header", {}, this.#dominant, this.#since),
        bars,
        el("div", { class: "states", role: "img" }, ...this.#cells),
        el("div", { class: "ends third captions" }, el("span", {}, "bear"), el("span", {}, "bull")),
      ),
    );
  }

  render(model: Model): void {
    const { update, config } = model;
    const ready = update?.state_model_ready ?? false;
    const valid = update?.book_valid ?? false;
    const needed = config?.warmup.state_model.needed ?? 0;
    const name = update?.state_model_name ?? config?.state_model.name ?? "";
    const standing = !update ? "" : !valid ? "book invalid" : ready ? "ready" : `${update.state_model_sample_count} of ${needed}`;
    const status = [name, standing].filter(Boolean).join(" · ");
    setText(this.#status, status);
    this.#status.title = status;
    const score = update && ready && valid ? update.state_model_score : Number.NaN;
    setText(this.#score, Math.abs(score) < 0.005 ? "0.00" : signed(score, 2));
    this.#score.className = `key num ${tone(score)}`;
    setText(this.#base, `base ${update && valid ? signed(update.state_model_base, 2) : DASH}`);
    this.#bar.set(score);
    this.#drawTrace(model);

    const d = update && valid ? [update.state_model_d1, update.state_model_d2, update.state_model_d3] : [];
    const z = update && ready && valid ? [update.state_model_z1, update.state_model_z2, update.state_model_z3] : [];
    this.#rows.forEach((row, i) => {
      setText(row.value, signed(d[i] ?? Number.NaN, 1));
      setText(row.z, signed(z[i] ?? Number.NaN, 2));
      row.bar.set(z[i] ?? Number.NaN, 4);
    });

    const code = update && valid ? update.state_model_dominant_state5_code : Number.NaN;
    setText(this.#dominant, Number.isNaN(code) ? "State" : stateName(code));
    setText(this.#since, this.#sinceText(model, code));
    const shares = update && valid
      ? { bull: update.state_model_bull_intensity, mixed: update.state_model_mixed_intensity, bear: update.state_model_bear_intensity }
      : null;
    for (const { key, bar, value } of this.#intensities) {
      bar.set(shares?.[key] ?? 0);
      setText(value, fixed(shares?.[key] ?? Number.NaN, 2));
    }
    STATES.forEach((state, i) => setClass(this.#cells[i], "on", state.code === code));
  }

  /** The market rests in "mixed" most of the time: then the last state that was not says more. */
  #sinceText(model: Model, code: number): string {
    if (code !== 0 || !model.lastState) return "dominant state";
    const seconds = ((model.last - model.lastState.seq) * model.binMs) / 1000;
    return `${stateName(model.lastState.code).toLowerCase()} ${age(seconds)} ago`;
  }

  #drawTrace(model: Model): void {
    const { width, height } = this.#traceSize;
    if (width === 0 || height === 0) return;
    const ink = fitCanvas(this.#trace, width, height);
    const middle = Math.round(height / 2);
    const { bins } = model;
    if (bins && bins.last >= 0) {
      const shown = Math.max(1, Math.round((TRACE_S * 1000) / model.binMs));
      const perPx = width / shown;
      for (let seq = Math.max(bins.first, bins.last - shown + 1); seq <= bins.last; seq += 1) {
        const slot = bins.validSlot(seq);
        if (slot < 0 || !bins.ready[slot]) continue;
        const value = bins.score[slot];
        if (Math.abs(value) < 0.005) continue;
        const tall = Math.max(1, Math.abs(value) * (middle - 2));
        ink.fillStyle = value > 0 ? INK.plus : INK.minus;
        const x = width - (bins.last - seq + 1) * perPx;
        ink.fillRect(x, value > 0 ? middle - tall : middle, Math.max(1, perPx), tall);
      }
    }
    ink.fillStyle = INK.third;
    ink.globalAlpha = 0.5;
    ink.fillRect(0, middle, width, 1);
    setHidden(this.#trace, false);
  }
}
