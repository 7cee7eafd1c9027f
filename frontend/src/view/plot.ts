/** The chart: heatmap, overlay, projection zone, price axis, ladder, strip and time axis on one camera. */

import { Heatmap } from "../gl/heatmap";
import { MIN_LOTS } from "../lib/bubbles";
import { Camera } from "../lib/camera";
import { etClock, etTime } from "../lib/clock";
import { el, fitCanvas, setHidden } from "../lib/dom";
import { count } from "../lib/format";
import type { Prefs } from "../lib/prefs";
import { sample } from "../lib/ring";
import { EasedRange, type Scale, rangeOf } from "../lib/scale";
import type { Model } from "../stream/model";
import { drawPriceAxis, drawProfile } from "./drawAxis";
import { TIME_PX, drawGaps, drawGrid, drawOutside, timeMarks } from "./drawGround";
import { type Cell, drawBubbles, drawCrosshair, drawFirings, drawNow } from "./drawMarks";
import { drawProjection, drawQuoteLeads } from "./drawProjection";
import { drawQuotes } from "./drawQuotes";
import type { Motion } from "./frames";
import { COLUMNS } from "./ink";
import { LabelLayer } from "./labels";
import type { Layer } from "./layers";
import { Pen } from "./pen";
import { shownCell } from "./shown";
import { Strip } from "./strip";
import { Tooltip } from "./tooltip";
import { ZoneHead } from "./zoneHead";

const RANGE_EVERY_MS = 300;
const SAMPLES = 12_000;
/** Width of the crosshair's tag on the time axis. */
const TAG_PX = 76;
/** Below this height rows start at 8 px instead of 10. */
const SHORT_PLOT = 520;

export class Plot {
  readonly root: HTMLElement;
  /** The map itself: pointer and keyboard go here. */
  readonly field: HTMLElement;
  /** Strip and time axis. */
  readonly below: HTMLElement;
  /** Notices and cards are put here, over the history. */
  readonly overlay = el("div", { class: "plot-overlay" });
  readonly camera = new Camera();
  readonly scale: Scale = { diverging: true, log: true, x0: 1.5, lo: -1, hi: 1 };
  /** Cell under the crosshair; while `pointer` is set, the one that lies under it. */
  cell: Cell | null = null;
  pointer: { x: number; y: number } | null = null;
  paused = false;
  /** Least lots of a trade that was drawn. */
  leastLots = MIN_LOTS;
  readonly #model: Model;
  readonly #prefs: Prefs;
  readonly #gl = el("canvas", { class: "gl" });
  readonly #ink = el("canvas", { class: "ink" });
  readonly #labels = new LabelLayer("map-labels");
  readonly #timeLabels = new LabelLayer("time-labels");
  readonly #strip = new Strip();
  readonly #zoneHead = new ZoneHead();
  readonly #tooltip = new Tooltip();
  readonly #heatmap: Heatmap;
  readonly #range = new EasedRange();
  readonly #samples = new Float32Array(SAMPLES);
  #layer: Layer;
  #rangeAt = 0;
  #lastFrame = 0;
  #sized = false;

  constructor(model: Model, layer: Layer, prefs: Prefs, onChange: () => void) {
    this.#model = model;
    this.#layer = layer;
    this.#prefs = prefs;
    this.field = el(
      "div",
      {
        class: "field", tabindex: 0, role: "application",
        "aria-label": "Price and time map. Arrows move the crosshair, F follows, Space pauses, plus and minus zoom, question mark lists all keys.",
      },
      el("div", { class: "map" }, this.#gl), this.#ink, this.#labels.root, this.#zoneHead.root, this.overlay, this.#tooltip.root,
    );
    this.below = el("div", { class: "below" }, this.#strip.root, el("div", { class: "time-axis" }, this.#timeLabels.root));
    this.root = el("div", { class: "plot" }, this.field, this.below);
    this.#heatmap = new Heatmap(this.#gl, onChange);
    this.setLayer(layer, layer.log);
  }

  get layer(): Layer {
    return this.#layer;
  }

  setLayer(layer: Layer, log: boolean): void {
    if (layer !== this.#layer) this.#range.reset();
    this.#layer = layer;
    this.scale.diverging = layer.clip.diverging;
    this.scale.log = log;
    this.#rangeAt = 0;
  }

  /** A bin was written to a slot of the ring and a column of the coarse map. */
  added(slot: number, column: number, rewound: boolean): void {
    if (rewound) this.#heatmap.touchAll();
    else this.#heatmap.touch(slot, column);
  }

  /** Another capture: forget ranges and place. */
  reset(): void {
    this.#range.reset();
    this.#rangeAt = 0;
    this.clearCell();
    this.camera.reset();
    this.camera.nBins = this.#model.session.nBins;
  }

  /** Width of the projection zone. */
  get zoneWidth(): number {
    if (!this.#prefs.show.projection) return 0;
    return (this.#model.config?.projection_horizons_ms.length ?? 4) * COLUMNS.horizon;
  }

  /** Cell at a place of the field, null outside the history. */
  cellAt(x: number, y: number): Cell | null {
    const { camera } = this;
    if (!camera.placed || x < 0 || x >= camera.width || y < 0 || y >= camera.height) return null;
    return { seq: camera.seqAt(x), tick: camera.tickAt(y) };
  }

  /** Put the crosshair away. */
  clearCell(): void {
    this.cell = this.pointer = null;
  }

  /** Whether the browser took the graphics context away. */
  get lost(): boolean {
    return this.#heatmap.lost;
  }

  /** Columns sent to the graphics card so far. */
  get uploaded(): number {
    return this.#heatmap.uploaded;
  }

  /** Draw everything; what still moves by itself. */
  render(now: number): Motion {
    const model = this.#model;
    const { camera } = this;
    const dpr = window.devicePixelRatio || 1;
    const dt = Math.min(250, Math.max(0, now - this.#lastFrame));
    this.#lastFrame = now;
    const width = this.field.clientWidth;
    const height = this.field.clientHeight;
    const history = Math.max(80, width - this.zoneWidth - COLUMNS.axis - COLUMNS.profile);
    this.root.style.setProperty("--history", `${history}px`);
    this.root.style.setProperty("--zone-width", `${this.zoneWidth}px`);
    camera.resize(history, height);
    if (!this.#sized && height > 80) {
      camera.pxPerTick = height < SHORT_PLOT ? 8 : 10;
      this.#sized = true;
    }
    let moving = false;
    if (model.ring && model.coarse && model.last >= 0) {
      moving = camera.track(model.last, model.spotTick, dt);
      this.#heatmap.show(model.ring, model.coarse, this.#layer.field);
    }
    if (this.pointer) this.cell = this.cellAt(this.pointer.x, this.pointer.y);
    const drifting = this.#updateRange(now, dt, dpr);
    this.#heatmap.draw(camera, this.scale, dpr);
    const widest = this.#drawOverlay(width, height, history, dpr);
    this.#strip.render(camera, model, this.#prefs.strip, width, history + this.zoneWidth, this.cell);
    this.#drawTime(width, history, widest);
    this.#tooltip.render(this.cell, camera, model, this.#layer, dpr);
    return moving ? "moving" : drifting ? "drifting" : "still";
  }

  /** Aim the colours at what the map shows. */
  #updateRange(now: number, dt: number, dpr: number): boolean {
    const { ring, coarse } = this.#model;
    const { clip, field, x0 } = this.#layer;
    const { camera } = this;
    if (ring && coarse && ring.last >= 0 && now - this.#rangeAt > RANGE_EVERY_MS) {
      const [from, to] = camera.seqSpan;
      const cell = shownCell(this.#model, camera, field, Math.max(from, coarse.first * coarse.group), dpr);
      const span: [number, number] = cell.far ? [coarse.columnOf(from), coarse.columnOf(to)] : [from, to];
      const pooled = cell.far ? cell.bins / coarse.group : cell.bins;
      const n = sample(cell.far ? coarse : ring, field, span, camera.tickSpan, this.#samples, pooled);
      if (n > 0) {
        this.#range.aim(rangeOf(this.#samples, n, clip));
        this.#rangeAt = now;
      }
    }
    const moving = this.#range.step(dt);
    this.scale.lo = this.#range.lo;
    this.scale.hi = this.#range.hi;
    this.scale.x0 = x0 ?? Math.max(1e-9, this.#range.hi / 8);
    return moving;
  }

  /** Strokes, marks and the columns at the right; lots of the ladder's widest bar. */
  #drawOverlay(width: number, height: number, history: number, dpr: number): number {
    const model = this.#model;
    const { camera } = this;
    const { show } = this.#prefs;
    const ink = fitCanvas(this.#ink, width, height);
    this.#labels.begin();
    ink.save();
    ink.beginPath();
    ink.rect(0, 0, history, height);
    ink.clip();
    drawOutside(ink, camera, model);
    drawGrid(ink, camera, model);
    drawGaps(ink, camera, model, this.#labels);
    if (show.quotes) drawQuotes(ink, camera, model, new Pen(dpr));
    if (show.trades) this.leastLots = drawBubbles(ink, camera, model);
    if (show.firings) drawFirings(ink, camera, model);
    ink.restore();
    if (show.projection) drawProjection(ink, camera, model, history, this.scale.diverging);
    drawNow(ink, camera, model, this.paused);
    const axis = history + this.zoneWidth;
    drawQuoteLeads(ink, camera, model, axis);
    drawPriceAxis(ink, camera, model, axis, this.#labels, this.cell?.tick ?? null);
    const widest = drawProfile(ink, camera, model, axis + COLUMNS.axis, this.#labels, show.numerals);
    if (this.cell) drawCrosshair(ink, camera, this.cell, axis);
    this.#labels.end();
    this.#zoneHead.render(model, this.scale.diverging, show.projection);
    setHidden(this.#zoneHead.root, !show.projection || model.projections.length === 0);
    return widest;
  }

  #drawTime(width: number, history: number, widest: number): void {
    const model = this.#model;
    const { camera } = this;
    const axis = history + this.zoneWidth;
    const labels = this.#timeLabels;
    labels.begin();
    labels.put("ET", 8, 11, "start third");
    const crossX = this.cell ? camera.xOf(this.cell.seq + 0.5) : null;
    const nowX = camera.follow && model.last >= 0 ? camera.xOf(model.last + 1) : null;
    for (const { x, ms } of timeMarks(camera, model, TIME_PX)) {
      if (x < 58 || x > history - 30 || (nowX !== null && Math.abs(x - nowX) < 66)) continue;
      if (crossX === null || Math.abs(x - crossX) > 76) labels.put(etTime(ms), x, 11, "middle third");
    }
    if (this.cell && crossX !== null) {
      const inside = Math.min(history - TAG_PX / 2, Math.max(TAG_PX / 2, crossX));
      labels.put(etClock(model.timeOf(this.cell.seq + 1)), inside, 11, "middle tag cross");
    }
    if (nowX !== null) labels.put("now", nowX - 5, 11, "end now");
    if (this.zoneWidth > 0) {
      model.config?.projection_horizons_ms.forEach((ms, i) => {
        labels.put(`+${ms}`, history + (i + 0.5) * COLUMNS.horizon, 11, "middle third");
      });
      if (model.config) labels.put("ms ahead", axis + 6, 11, "start third");
    }
    if (widest > 0) {
      labels.put("0", axis + COLUMNS.axis + 4, 11, "start third");
      labels.put(`${count(widest)} lots`, width - 10, 11, "end third");
    }
    labels.end();
  }
}
