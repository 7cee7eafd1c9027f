/** Right of now: projected scores by horizon, the price axis with its tags, the depth profile. */

import type { Camera } from "../lib/camera";
import { lutColour, palette } from "../lib/colour";
import { count, fixed } from "../lib/format";
import type { Model } from "../stream/model";
import { LABEL_PX, priceMarks } from "./drawHistory";
import { COLUMNS, INK } from "./ink";
import type { LabelLayer } from "./labels";

type Ink = CanvasRenderingContext2D;

const ALPHA = [0.92, 0.66, 0.46, 0.3];
/** A projection that ran into its bound says a direction, not a size: it is drawn at this share of its strength. */
const CLIPPED_SHARE = 0.42;
const CLIPPED_AT = 0.995;

/** One band per horizon. A cell is as tall as the horizons agree: where they scatter it shrinks to a third. */
export function drawProjection(ink: Ink, camera: Camera, model: Model, x: number): void {
  const { projections, spotTick } = model;
  const width = projections.length * COLUMNS.horizon;
  ink.fillStyle = INK.zone;
  ink.fillRect(x, 0, width, camera.height);
  ink.fillStyle = INK.strong;
  ink.fillRect(x, 0, 1, camera.height);
  if (spotTick === null || projections.length === 0) return;
  const { diverging } = palette();
  const radius = (projections[0].length - 1) / 2;
  const [low, high] = camera.tickSpan;
  for (let tick = Math.max(low, spotTick - radius); tick <= Math.min(high, spotTick + radius); tick += 1) {
    const row = tick - spotTick + radius;
    let least = 1;
    let most = -1;
    for (const scores of projections) {
      least = Math.min(least, scores[row]);
      most = Math.max(most, scores[row]);
    }
    if (Math.max(Math.abs(least), Math.abs(most)) < 0.02) continue;
    const agreement = 1 - (2 / 3) * Math.min(1, (most - least) / 2);
    const full = Math.max(1, camera.pxPerTick - 1);
    const height = Math.max(1, full * agreement);
    const top = camera.yOf(tick) - height / 2;
    projections.forEach((scores, horizon) => {
      const score = scores[row];
      const clipped = Math.abs(score) >= CLIPPED_AT ? CLIPPED_SHARE : 1;
      const alpha = (ALPHA[horizon] ?? ALPHA[ALPHA.length - 1]) * clipped;
      ink.fillStyle = lutColour(diverging, (score + 1) / 2, alpha);
      ink.fillRect(x + horizon * COLUMNS.horizon + 1.5, top, COLUMNS.horizon - 2, height);
    });
  }
}

/** Quotes carried on as thin lines to the axis. */
export function drawQuoteLeads(ink: Ink, camera: Camera, model: Model, from: number, to: number): void {
  const ring = model.ring;
  const slot = ring ? ring.slotOf(ring.last) : -1;
  if (!ring || slot < 0 || !ring.valid[slot]) return;
  for (const [tick, colour] of [[ring.askTick[slot], INK.ask], [ring.bidTick[slot], INK.bid]] as const) {
    ink.globalAlpha = 0.5;
    ink.fillStyle = colour;
    ink.fillRect(from, Math.round(camera.yOf(tick) - 0.5), to - from, 1);
  }
  ink.globalAlpha = 1;
}

/** Price axis: a short mark per tick, a longer one and a label per step, tags for spot and crosshair. */
export function drawPriceAxis(
  ink: Ink, camera: Camera, model: Model, x: number, labels: LabelLayer, crosshairTick: number | null,
): void {
  ink.fillStyle = INK.panel;
  ink.fillRect(x, 0, COLUMNS.axis + COLUMNS.profile, camera.height);
  ink.fillStyle = INK.line;
  ink.fillRect(x, 0, 1, camera.height);
  if (!model.config) return;
  const price = (tick: number): string => fixed(model.priceOf(tick), model.decimals);
  const [low, high] = camera.tickSpan;
  ink.fillStyle = INK.strong;
  if (camera.pxPerTick >= 6) {
    for (let tick = low; tick <= high; tick += 1) ink.fillRect(x, Math.round(camera.yOf(tick)), 2, 1);
  }
  const spot = model.spotTick;
  const tagged = [spot, crosshairTick].filter((tick): tick is number => tick !== null);
  for (const tick of priceMarks(camera, model, LABEL_PX)) {
    const y = camera.yOf(tick);
    ink.fillStyle = INK.third;
    ink.fillRect(x, Math.round(y), 5, 1);
    if (tagged.some((other) => Math.abs(camera.yOf(other) - y) < 18)) continue;
    if (y > 8 && y < camera.height - 8) labels.put(price(tick), x + 10, y, "price");
  }
  if (spot !== null) labels.put(price(spot), x + 3, camera.yOf(spot), "tag spot");
  if (crosshairTick !== null) labels.put(price(crosshairTick), x + 3, camera.yOf(crosshairTick), "tag cross");
}

/** Resting depth of the latest bin by tick; what it says at its widest. */
export function drawProfile(ink: Ink, camera: Camera, model: Model, x: number): { max: number; text: string } {
  const ring = model.ring;
  const slot = ring ? ring.slotOf(ring.last) : -1;
  ink.fillStyle = INK.line;
  ink.fillRect(x, 0, 1, camera.height);
  if (!ring || slot < 0 || !ring.valid[slot]) return { max: 0, text: "" };
  const bid = ring.field("bid_depth");
  const ask = ring.field("ask_depth");
  if (!bid || !ask) return { max: 0, text: "" };
  const [low, high] = camera.tickSpan;
  const base = slot * ring.rows;
  const spot = ring.spotTick[slot];
  const from = Math.max(0, low - spot + ring.radius);
  const to = Math.min(ring.rows - 1, high - spot + ring.radius);
  let max = 1;
  for (let row = from; row <= to; row += 1) max = Math.max(max, bid[base + row], ask[base + row]);
  const height = Math.max(1, camera.pxPerTick - 1);
  const room = COLUMNS.profile - 14;
  for (let row = from; row <= to; row += 1) {
    const tick = spot + row - ring.radius;
    const top = camera.yOf(tick) - height / 2;
    const bar = (lots: number, best: boolean, strong: string, dim: string, edge: string): void => {
      if (lots <= 0) return;
      const width = Math.max(2, (lots / max) * room);
      ink.fillStyle = best ? strong : dim;
      ink.fillRect(x + 4, top, width, height);
      if (best) return;
      ink.fillStyle = edge;
      ink.fillRect(x + 4 + width - 1.5, top, 1.5, height);
    };
    bar(ask[base + row], tick === ring.askTick[slot], INK.minusText, INK.askBar, INK.minus);
    bar(bid[base + row], tick === ring.bidTick[slot], INK.plusText, INK.bidBar, INK.plus);
  }
  return { max, text: `${count(max)} lots` };
}
