/** What one cell holds, beside the crosshair and away from the quotes. */

import type { Camera } from "../lib/camera";
import { etClock } from "../lib/clock";
import { el, setHidden, setText } from "../lib/dom";
import { DASH, adaptive, count, fixed, signed } from "../lib/format";
import { ladderOf } from "../lib/ladder";
import { type Box, placeBeside } from "../lib/place";
import type { Model } from "../stream/model";
import type { Cell } from "./drawMarks";
import { type Layer, PV } from "./layers";
import { type ShownCell, shownCell, shownValue } from "./shown";

const WIDTH = 172;
/** Distance of the places at which quotes are looked for under the tooltip. */
const SAMPLE_PX = 6;
const ROWS: readonly { label: string; field: string; unit: string; signed?: boolean }[] = [
  { label: "Pressure", field: "pressure_variant", unit: "lots/s" },
  { label: "Vacuum", field: "vacuum_variant", unit: "lots/s" },
  { label: "P − V", field: PV, unit: "lots/s", signed: true },
  { label: "Add", field: "v_add", unit: "lots/s" },
  { label: "Pull", field: "v_pull", unit: "lots/s" },
  { label: "Fill", field: "v_fill", unit: "lots/s" },
];

interface Line {
  root: HTMLElement;
  label: HTMLElement;
  value: HTMLElement;
  unit: HTMLElement;
}

export class Tooltip {
  readonly root: HTMLElement;
  readonly #price = el("b");
  readonly #k = el("b");
  readonly #when = el("p", { class: "third" });
  readonly #lines: Line[] = [];
  #used = 0;

  constructor() {
    const list = el("div", { class: "tooltip-rows" });
    for (let i = 0; i < ROWS.length + 4; i += 1) {
      const line = { root: el("div"), label: el("span"), value: el("span", { class: "num" }), unit: el("span") };
      line.root.append(line.label, line.value, line.unit);
      list.append(line.root);
      this.#lines.push(line);
    }
    const head = el("header", {}, this.#price, this.#k);
    this.root = el("div", { class: "tooltip", role: "status", hidden: true }, head, this.#when, list);
  }

  #line(label: string, value: string, unit: string, tone = ""): void {
    const line = this.#lines[this.#used];
    if (!line) return;
    this.#used += 1;
    setText(line.label, label);
    setText(line.value, value);
    setText(line.unit, unit);
    line.value.className = `num ${tone}`;
    line.root.classList.toggle("alone", value === "");
    setHidden(line.root, false);
  }

  render(cell: Cell | null, camera: Camera, model: Model, layer: Layer, dpr: number): void {
    const { ring, bins } = model;
    setHidden(this.root, !cell || !ring);
    if (!cell || !ring || !bins) return;
    const shown = shownCell(model, camera, layer.field, cell.seq, dpr);
    const slot = bins.slotOf(cell.seq);
    const spot = slot >= 0 && bins.valid[slot] ? bins.spotTick[slot] : null;
    setText(this.#price, fixed(model.priceOf(cell.tick), model.decimals));
    setText(this.#k, spot === null ? "" : `k ${signed(cell.tick - spot, 0)}`);
    const outside = cell.seq < 0 || cell.seq >= model.session.nBins;
    setText(this.#when, outside ? "outside the capture" : this.#whenText(model, cell, shown));
    this.#used = 0;
    if (!outside) {
      if (shown.bins > 1 && shown.from > bins.last) this.#line("Not yet", "", "");
      else if (shown.bins > 1) this.#pooled(model, shown, layer, cell.tick);
      else if (slot < 0) this.#line(cell.seq > bins.last ? "Not yet" : "No bin here", "", "");
      else if (spot === null) this.#line("Book invalid", "", "");
      else if (Number.isNaN(ring.at(PV, cell.seq, cell.tick))) this.#line(`Over ${ring.radius} ticks from spot`, "", "");
      else this.#single(model, layer, cell);
    }
    for (let i = this.#used; i < this.#lines.length; i += 1) setHidden(this.#lines[i].root, true);
    this.#place(cell, camera, model, spot);
  }

  #whenText(model: Model, cell: Cell, shown: ShownCell): string {
    if (Number.isNaN(model.origin)) return "";
    if (shown.bins === 1) return `${etClock(model.timeOf(cell.seq + 1))} ET · bin ${count(cell.seq)}`;
    return `${etClock(model.timeOf(shown.from))} ET · ${count(shown.bins)} bins`;
  }

  #value(layer: Layer, value: number): string {
    if (Number.isNaN(value)) return DASH;
    if (!layer.unit) return signed(value, 2);
    return adaptive(value, layer.clip.diverging);
  }

  /** Several bins share the pixel: the one value that the colour stands for. */
  #pooled(model: Model, shown: ShownCell, layer: Layer, tick: number): void {
    const value = shownValue(model, shown, layer.field, tick);
    const tone = layer.clip.diverging && Math.abs(value) >= 0.005 ? (value > 0 ? "plus" : "minus") : "";
    this.#line(layer.label, this.#value(layer, value), layer.unit, tone);
    this.#line("largest of these bins", "", "");
  }

  #single(model: Model, layer: Layer, cell: Cell): void {
    const { ring } = model;
    if (!ring) return;
    const read = (field: string): number => ring.at(field, cell.seq, cell.tick);
    for (const row of ROWS) {
      const value = read(row.field);
      const tone = !row.signed || Math.abs(value) < 0.05 ? "" : value > 0 ? "plus" : "minus";
      this.#line(row.label, row.signed ? signed(value, 1) : fixed(value, 1), row.unit, tone);
    }
    const bid = read("bid_depth");
    const ask = read("ask_depth");
    const side = bid > 0 ? "Bid depth" : ask > 0 ? "Ask depth" : "Depth";
    this.#line(side, fixed(bid + ask, 0), "lots");
    this.#line("to the quote", fixed(this.#total(model, cell), 0), "lots");
    if (!ROWS.some((row) => row.field === layer.field) && layer.field !== "rest_depth") {
      this.#line(layer.label, this.#value(layer, read(layer.field)), layer.unit);
    }
  }

  /** Lots between the cell and the quote of its side, both included. */
  #total(model: Model, { seq, tick }: Cell): number {
    const { ring, bins } = model;
    const bid = ring?.column("bid_depth", seq);
    const ask = ring?.column("ask_depth", seq);
    const slot = bins?.validSlot(seq) ?? -1;
    if (!bins || !bid || !ask || slot < 0) return Number.NaN;
    const ladder = ladderOf(bid, ask, bins.spotTick[slot]);
    const row = tick - ladder.lowest;
    return tick >= bins.askTick[slot] ? ladder.askTotal[row] : tick <= bins.bidTick[slot] ? ladder.bidTotal[row] : 0;
  }

  #place(cell: Cell, camera: Camera, model: Model, spot: number | null): void {
    const height = this.root.offsetHeight || 180;
    const point = { x: camera.xOf(cell.seq + 0.5), y: camera.yOf(cell.tick) };
    const above = spot !== null ? cell.tick >= spot : point.y > camera.height / 2;
    const { left, top } = placeBeside(point, { width: WIDTH, height }, camera, above, (box) => quotesUnder(box, camera, model));
    this.root.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}

/** Share of a box's width in which the quotes run under it. */
export function quotesUnder(box: Box, camera: Camera, model: Pick<Model, "bins">): number {
  const { bins } = model;
  if (!bins) return 0;
  let covered = 0;
  for (let x = box.left; x < box.right; x += SAMPLE_PX) {
    const slot = bins.validSlot(camera.seqAt(x));
    if (slot < 0) continue;
    const ask = camera.yOf(bins.askTick[slot] + 0.5);
    const bid = camera.yOf(bins.bidTick[slot] - 0.5);
    if (bid > box.top && ask < box.bottom) covered += 1;
  }
  return (covered * SAMPLE_PX) / Math.max(1, box.right - box.left);
}
