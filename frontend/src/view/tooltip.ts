/** What one cell holds, beside the crosshair and away from the quotes. */

import type { Camera } from "../lib/camera";
import { etClock } from "../lib/clock";
import { el, setHidden, setText } from "../lib/dom";
import { DASH, adaptive, count, fixed, signed } from "../lib/format";
import type { Model } from "../stream/model";
import type { Cell } from "./drawHistory";
import { type Layer, PV } from "./layers";

const WIDTH = 172;
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

  constructor() {
    const list = el("div", { class: "tooltip-rows" });
    for (let i = 0; i < ROWS.length + 2; i += 1) {
      const line = { root: el("div"), label: el("span"), value: el("span", { class: "num" }), unit: el("span") };
      line.root.append(line.label, line.value, line.unit);
      list.append(line.root);
      this.#lines.push(line);
    }
    const head = el("header", {}, this.#price, this.#k);
    this.root = el("div", { class: "tooltip", role: "status", hidden: true }, head, this.#when, list);
  }

  #line(i: number, label: string, value: string, unit: string, tone = ""): void {
    const line = this.#lines[i];
    setText(line.label, label);
    setText(line.value, value);
    setText(line.unit, unit);
    line.value.className = `num ${tone}`;
    setHidden(line.root, false);
  }

  render(cell: Cell | null, camera: Camera, model: Model, layer: Layer): void {
    const ring = model.ring;
    setHidden(this.root, !cell || !ring);
    if (!cell || !ring) return;
    const slot = ring.slotOf(cell.seq);
    const spot = slot >= 0 && ring.valid[slot] ? ring.spotTick[slot] : null;
    setText(this.#price, fixed(model.priceOf(cell.tick), model.decimals));
    setText(this.#k, spot === null ? "" : `k ${signed(cell.tick - spot, 0)}`);
    const at = Number.isNaN(model.origin) ? "" : `${etClock(model.timeOf(cell.seq + 1))} ET · `;
    const outside = cell.seq < 0 || cell.seq >= model.session.nBins;
    setText(this.#when, outside ? "outside the capture" : `${at}bin ${count(cell.seq)}`);

    let used = 0;
    const read = (field: string): number => ring.at(field, cell.seq, cell.tick);
    if (outside) used = 0;
    else if (slot < 0) this.#line(used++, cell.seq > ring.last ? "Not yet" : "No bin here", "", "");
    else if (spot === null) this.#line(used++, "Book invalid", "", "");
    else if (Number.isNaN(read(PV))) this.#line(used++, `More than ${ring.radius} ticks from spot`, "", "");
    else {
      for (const row of ROWS) {
        const value = read(row.field);
        const tone = !row.signed || Math.abs(value) < 0.05 ? "" : value > 0 ? "plus" : "minus";
        this.#line(used++, row.label, row.signed ? signed(value, 1) : fixed(value, 1), row.unit, tone);
      }
      const bid = read("bid_depth");
      const ask = read("ask_depth");
      const side = bid > 0 ? "Bid depth" : ask > 0 ? "Ask depth" : "Depth";
      this.#line(used++, side, fixed(bid + ask, 0), "lots");
      if (!ROWS.some((row) => row.field === layer.field) && layer.field !== "rest_depth") {
        const value = read(layer.field);
        const text = Number.isNaN(value) ? DASH : layer.unit ? adaptive(value, true) : signed(value, 2);
        this.#line(used++, layer.label, text, layer.unit);
      }
    }
    for (let i = used; i < this.#lines.length; i += 1) setHidden(this.#lines[i].root, true);
    this.#place(cell, camera, spot);
  }

  #place(cell: Cell, camera: Camera, spot: number | null): void {
    const height = this.root.offsetHeight || 180;
    const x = camera.xOf(cell.seq + 0.5);
    const y = camera.yOf(cell.tick);
    const left = x + 16 + WIDTH > camera.width ? x - 16 - WIDTH : x + 16;
    const above = spot !== null ? cell.tick >= spot : y > camera.height / 2;
    const wanted = above ? y - height + 4 : y + 12;
    const top = Math.min(camera.height - height - 6, Math.max(6, wanted));
    this.root.style.transform = `translate(${Math.round(Math.max(6, left))}px, ${Math.round(top)}px)`;
  }
}
