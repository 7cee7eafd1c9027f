/** The chart: heatmap, overlay, projection zone, price axis, profile, strip and time axis on one camera. */

import { Heatmap } from "../gl/heatmap";
import { MIN_LOTS } from "../lib/bubbles";
import { Camera } from "../lib/camera";
import { etClock, etTime } from "../lib/clock";
import { lutGradient, palette } from "../lib/colour";
import { el, fitCanvas, setHidden, setText } from "../lib/dom";
import { EasedRange, type Scale, rangeOf } from "../lib/scale";
import { onTheme } from "../lib/theme";
import type { Model } from "../stream/model";
import {
  type Cell, drawBubbles, drawCrosshair, drawFirings, drawGaps, drawGrid, drawNow, drawQuotes, timeMarks,
} from "./drawHistory";
import { drawPriceAxis, drawProfile, drawProjection, drawQuoteLeads } from "./drawSides";
import { COLUMNS, INK } from "./ink";
import { LabelLayer } from "./labels";
import type { Layer } from "./layers";
import { drawStrip, stripSource } from "./strip";
import { Tooltip } from "./tooltip";

const STRIP_HEIGHT = 68;
const RANGE_EVERY_MS = 300;
const SAMPLES = 12_000;
/** Below this height rows start at 8 px instead of 10. */
const SHORT_PLOT = 520;

export class Plot {
  readonly root: HTMLElement;
  /** The map itself: pointer and keyboard go here. */
  readonly field: HTMLElement;
  /** Notices and cards are put here, over the history. */
  readonly overlay = el("div", { class: "plot-overlay" });
  readonly camera = new Camera();
  readonly scale: Scale = { diverging: true, log: true, x0: 1.5, lo: -1, hi: 1 };
  cell: Cell | null = null;
  paused = false;
  readonly #model: Model;
  readonly #gl = el("canvas", { class: "gl" });
  readonly #ink = el("canvas", { class: "ink" });
  readonly #stripInk = el("canvas");
  readonly #labels = new LabelLayer("map-labels");
  readonly #stripLabels = new LabelLayer("strip-labels");
  readonly #timeLabels = new LabelLayer("time-labels");
  readonly #chip = el("span", { class: "strip-chip num", hidden: true });
  readonly #stripName = el("div", { class: "strip-name" }, el("b"), el("span"));
  readonly #zoneHead: HTMLElement;
  readonly #key: HTMLElement;
  readonly #tooltip = new Tooltip();
  readonly #heatmap: Heatmap;
  readonly #range = new EasedRange();
  readonly #samples = new Float32Array(SAMPLES);
  #layer: Layer;
  #rangeAt = 0;
  #lastFrame = 0;
  #lastSeq = -1;
  #sized = false;

  constructor(model: Model, layer: Layer, key: HTMLElement, onRestored: () => void) {
    this.#model = model;
    this.#layer = layer;
    this.#key = key;
    const ramp = el("div", { class: "ramp" });
    const paint = (): void => {
      ramp.style.background = lutGradient(palette().diverging);
    };
    paint();
    onTheme(paint);
    const ends = el("div", { class: "ends num" }, el("span", {}, "−1"), el("span", {}, "0"), el("span", {}, "+1"));
    this.#zoneHead = el("div", { class: "zone-head" }, el("span", {}, "Projected flow score"), ramp, ends);
    this.field = el(
      "div",
      {
        class: "field", tabindex: 0, role: "application",
        "aria-label": "Price and time map. Arrows move the crosshair, F follows, Space pauses, plus and minus zoom.",
      },
      this.#gl, this.#ink, this.#labels.root, this.#zoneHead, key, this.overlay, this.#tooltip.root,
    );
    const strip = el("div", { class: "strip" }, this.#stripInk, this.#stripLabels.root, this.#stripName, this.#chip);
    this.root = el("div", { class: "plot" }, this.field, strip, el("div", { class: "time-axis" }, this.#timeLabels.root));
    this.#heatmap = new Heatmap(this.#gl, onRestored);
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

  /** A bin was written to a slot of the ring. */
  added(slot: number, seq: number): void {
    if (seq <= this.#lastSeq) this.#heatmap.touchAll();
    else this.#heatmap.touch(slot);
    this.#lastSeq = seq;
  }

  /** Another capture: forget ranges and place. */
  reset(): void {
    this.#range.reset();
    this.#rangeAt = 0;
    this.#lastSeq = -1;
    this.cell = null;
    this.camera.reset();
  }

  /** Width of the projection zone. */
  get zoneWidth(): number {
    return (this.#model.config?.projection_horizons_ms.length ?? 4) * COLUMNS.horizon;
  }

  /** Draw everything; true while something still moves by itself. */
  render(now: number): boolean {
    const model = this.#model;
    const { camera } = this;
    const dt = Math.min(250, Math.max(0, now - this.#lastFrame));
    this.#lastFrame = now;
    const width = this.field.clientWidth;
    const height = this.field.clientHeight;
    const history = Math.max(80, width - this.zoneWidth - COLUMNS.axis - COLUMNS.profile);
    this.field.style.setProperty("--history", `${history}px`);
    this.root.style.setProperty("--history", `${history}px`);
    camera.resize(history, height);
    if (!this.#sized && height > 80) {
      camera.pxPerTick = height < SHORT_PLOT ? 8 : 10;
      this.#sized = true;
    }
    let moving = false;
    if (model.ring && model.ring.last >= 0) {
      moving = camera.track(model.ring.last, model.spotTick, dt);
      this.#heatmap.show(model.ring, this.#layer.field);
    }
    moving = this.#updateRange(now, dt) || moving;
    this.#heatmap.draw(camera, this.scale, window.devicePixelRatio || 1);
    this.#drawOverlay(width, height, history);
    this.#drawStripAndTime(width, history);
    this.#tooltip.render(this.cell, camera, model, this.#layer);
    return moving;
  }

  #updateRange(now: number, dt: number): boolean {
    const ring = this.#model.ring;
    const layer = this.#layer;
    if (ring && ring.last >= 0 && now - this.#rangeAt > RANGE_EVERY_MS) {
      const n = ring.sample(layer.field, this.camera.seqSpan, this.camera.tickSpan, this.#samples);
      if (n > 0) {
        this.#range.aim(rangeOf(this.#samples, n, layer.clip));
        this.#rangeAt = now;
      }
    }
    const moving = this.#range.step(dt);
    this.scale.lo = this.#range.lo;
    this.scale.hi = this.#range.hi;
    this.scale.x0 = layer.x0 ?? Math.max(1e-9, this.#range.hi / 8);
    return moving;
  }

  #drawOverlay(width: number, height: number, history: number): void {
    const model = this.#model;
    const { camera } = this;
    const ink = fitCanvas(this.#ink, width, height);
    this.#labels.begin();
    ink.save();
    ink.beginPath();
    ink.rect(0, 0, history, height);
    ink.clip();
    drawGrid(ink, camera, model);
    drawGaps(ink, camera, model, this.#labels);
    drawQuotes(ink, camera, model);
    drawFirings(ink, camera, model);
    const least = drawBubbles(ink, camera, model);
    ink.restore();
    drawProjection(ink, camera, model, history);
    drawNow(ink, camera, model, this.paused);
    const axis = history + this.zoneWidth;
    drawQuoteLeads(ink, camera, model, history, axis);
    drawPriceAxis(ink, camera, model, axis, this.#labels, this.cell?.tick ?? null);
    const profile = drawProfile(ink, camera, model, axis + COLUMNS.axis);
    if (this.cell) drawCrosshair(ink, camera, this.cell, axis);
    this.#labels.end();
    this.#timeLabels.begin();
    if (profile.max > 0) {
      this.#timeLabels.put("0", axis + COLUMNS.axis + 4, 11, "start third");
      this.#timeLabels.put(profile.text, width - 10, 11, "end third");
    }
    setHidden(this.#zoneHead, model.projections.length === 0);
    const nearKey = this.cell !== null && camera.yOf(this.cell.tick) > height - 70 && camera.xOf(this.cell.seq) < 430;
    setText(this.#key.lastElementChild as Element, least > MIN_LOTS ? `lots, from ${least}` : "lots");
    this.#key.classList.toggle("away", nearKey || model.ring === null);
  }

  #drawStripAndTime(width: number, history: number): void {
    const model = this.#model;
    const { camera } = this;
    const ink = fitCanvas(this.#stripInk, width, STRIP_HEIGHT);
    this.#stripLabels.begin();
    ink.save();
    ink.beginPath();
    ink.rect(0, 0, history, STRIP_HEIGHT);
    ink.clip();
    drawStrip(ink, camera, model, STRIP_HEIGHT, this.#stripLabels, this.#chip);
    if (this.cell) {
      ink.fillStyle = INK.crosshair;
      ink.fillRect(Math.round(camera.xOf(this.cell.seq + 0.5)), 0, 1, STRIP_HEIGHT);
    }
    ink.restore();
    this.#stripLabels.end();
    const source = stripSource(model);
    const [name, rule] = this.#stripName.children;
    setText(name, source ? (model.config?.serving?.signal ? `${source.name} signal` : "State-model score") : "");
    setText(rule, source?.threshold ? `fires at ±${source.threshold.toFixed(2)}` : source ? "no threshold" : "");

    const labels = this.#timeLabels;
    labels.put("ET", 8, 11, "start third");
    const crossX = this.cell ? camera.xOf(this.cell.seq + 0.5) : null;
    for (const { x, ms } of timeMarks(camera, model, 90)) {
      if (x < 44 || x > history - 66) continue;
      if (crossX === null || Math.abs(x - crossX) > 76) labels.put(etTime(ms), x, 11, "middle third");
    }
    if (this.cell && crossX !== null) labels.put(etClock(model.timeOf(this.cell.seq + 1)), crossX, 11, "middle tag cross");
    if (camera.follow && model.ring && model.ring.last >= 0) labels.put("now", history - 5, 11, "end now");
    model.config?.projection_horizons_ms.forEach((ms, i) => {
      labels.put(`+${ms}`, history + (i + 0.5) * COLUMNS.horizon, 11, "middle third");
    });
    if (model.config) labels.put("ms ahead", history + this.zoneWidth + 6, 11, "start third");
    labels.end();
  }
}
