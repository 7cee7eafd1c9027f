/** Price axis and, beside it, the ladder of resting depth with its numerals and running totals. */

import type { Camera } from "../lib/camera";
import { count, fixed } from "../lib/format";
import { type Ladder, ladderOf, ladderReach, writtenRows } from "../lib/ladder";
import type { Model } from "../stream/model";
import { PRICE_PX, priceMarks } from "./drawGround";
import { COLUMNS, INK } from "./ink";
import type { LabelLayer } from "./labels";

type Ink = CanvasRenderingContext2D;

/** Height of a numeral in the ladder. */
const NUMERAL_PX = 9.5;
/** Room of the totals at top and bottom, where no numeral stands. */
const EDGE_PX = 24;
/** Room the numerals take at the right of the ladder. */
const NUMERAL_ROOM = 30;

/** A short mark per tick, a longer one and a label per step, tags for spot and crosshair. */
export function drawPriceAxis(
  ink: Ink, camera: Camera, model: Model, x: number, labels: LabelLayer, crosshairTick: number | null,
): void {
  ink.fillStyle = INK.panel;
  ink.fillRect(x, 0, COLUMNS.axis + COLUMNS.profile, camera.height);
  ink.fillStyle = INK.line;
  ink.fillRect(x, 0, 1, camera.height);
  if (!model.config || !camera.placed) return;
  const price = (tick: number): string => fixed(model.priceOf(tick), model.decimals);
  const [low, high] = camera.tickSpan;
  ink.fillStyle = INK.strong;
  if (camera.pxPerTick >= 6) {
    for (let tick = low; tick <= high; tick += 1) ink.fillRect(x, Math.round(camera.yOf(tick)), 2, 1);
  }
  const spot = model.spotTick;
  const inside = (y: number): number => Math.min(camera.height - 10, Math.max(10, y));
  const spotY = spot === null ? Number.NaN : inside(camera.yOf(spot));
  for (const tick of priceMarks(camera, model, PRICE_PX)) {
    const y = camera.yOf(tick);
    ink.fillStyle = INK.third;
    ink.fillRect(x, Math.round(y), 5, 1);
    if (Math.abs(spotY - y) < 18 || (crosshairTick !== null && Math.abs(camera.yOf(crosshairTick) - y) < 18)) continue;
    if (y > 8 && y < camera.height - 8) labels.put(price(tick), x + 10, y, "price");
  }
  if (spot !== null) {
    // Out of view, the tag stays at the edge and points to where the market is.
    const y = camera.yOf(spot);
    const way = y < 0 ? "above" : y > camera.height ? "below" : "";
    labels.put(price(spot), x + 3, spotY, `tag spot ${way}`);
  }
  if (crosshairTick !== null) labels.put(price(crosshairTick), x + 3, camera.yOf(crosshairTick), "tag cross");
}

/** Ladder of the latest bin; null while there is none. */
export function ladderNow(model: Model): Ladder | null {
  const { ring } = model;
  const bid = ring?.column("bid_depth", model.last);
  const ask = ring?.column("ask_depth", model.last);
  const spot = model.spotTick;
  return bid && ask && spot !== null ? ladderOf(bid, ask, spot) : null;
}

/**
 * Bars by tick, the running total from each quote outwards as a line, and the totals at the edges of the view. Returns
 * the lots of the widest bar, 0 without a ladder.
 */
export function drawProfile(ink: Ink, camera: Camera, model: Model, x: number, labels: LabelLayer, numerals: boolean): number {
  ink.fillStyle = INK.line;
  ink.fillRect(x, 0, 1, camera.height);
  const ladder = ladderNow(model);
  const { bins } = model;
  if (!ladder || !bins) return 0;
  const slot = bins.slotOf(bins.last);
  const [low, high] = camera.tickSpan;
  const from = Math.max(0, low - ladder.lowest);
  const to = Math.min(ladder.bid.length - 1, high - ladder.lowest);
  if (to < from) return 0;
  const reach = ladderReach(ladder, low, high);
  const room = COLUMNS.profile - 6 - (numerals ? NUMERAL_ROOM : 6);
  const height = Math.max(1, camera.pxPerTick - 1);
  const yOf = (row: number): number => camera.yOf(ladder.lowest + row);
  const bar = (row: number, lots: number, best: boolean, strong: string, dim: string, edge: string): void => {
    if (lots <= 0) return;
    const width = Math.max(2, (lots / reach.level) * room);
    ink.fillStyle = best ? strong : dim;
    ink.fillRect(x + 3, yOf(row) - height / 2, width, height);
    if (best) return;
    ink.fillStyle = edge;
    ink.fillRect(x + 3 + width - 1.5, yOf(row) - height / 2, 1.5, height);
  };
  for (let row = from; row <= to; row += 1) {
    const tick = ladder.lowest + row;
    bar(row, ladder.ask[row], tick === bins.askTick[slot], INK.minusText, INK.askBar, INK.minus);
    bar(row, ladder.bid[row], tick === bins.bidTick[slot], INK.plusText, INK.bidBar, INK.plus);
  }
  const total = (totals: Float64Array, colour: string): void => {
    ink.beginPath();
    let open = false;
    for (let row = from; row <= to; row += 1) {
      if (totals[row] <= 0) {
        open = false;
        continue;
      }
      const at = x + 3 + (totals[row] / reach.total) * room;
      if (open) ink.lineTo(at, yOf(row) + camera.pxPerTick / 2);
      else ink.moveTo(at, yOf(row) + camera.pxPerTick / 2);
      ink.lineTo(at, yOf(row) - camera.pxPerTick / 2);
      open = true;
    }
    ink.strokeStyle = colour;
    ink.lineWidth = 1;
    ink.globalAlpha = 0.8;
    ink.stroke();
    ink.globalAlpha = 1;
  };
  if (numerals) {
    for (const row of writtenRows(ladder, low, high, camera.pxPerTick, NUMERAL_PX)) {
      const y = yOf(row);
      if (y < EDGE_PX || y > camera.height - EDGE_PX) continue;
      const tick = ladder.lowest + row;
      const best = tick === bins.askTick[slot] || tick === bins.bidTick[slot];
      labels.put(count(ladder.bid[row] + ladder.ask[row]), x + COLUMNS.profile - 4, y, best ? "lots best" : "lots");
    }
  }
  total(ladder.askTotal, INK.ask);
  total(ladder.bidTotal, INK.bid);
  const right = x + COLUMNS.profile - 4;
  if (ladder.askTotal[to] > 0) labels.put(`Σ ${count(ladder.askTotal[to])}`, right, 11, "lots sum minus");
  if (ladder.bidTotal[from] > 0) labels.put(`Σ ${count(ladder.bidTotal[from])}`, right, camera.height - 11, "lots sum plus");
  return reach.level;
}
