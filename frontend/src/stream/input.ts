/** Pointer on the map. */

import type { Plot } from "../view/plot";
import { COLUMNS } from "../view/ink";
import type { Model } from "./model";

export interface PointerHandlers {
  changed(): void;
  follow(): void;
}

const DRAG_SLACK = 3;
const WHEEL = 0.0016;
/** A wheel that speaks in lines or pages, in pixels. */
const LINE_PX = 16;
const CHROME = ".card, .notice, .warming, .corner, .popover";

export function listenPointer(plot: Plot, model: Model, handlers: PointerHandlers): void {
  const { field, camera } = plot;
  let drag: { x: number; y: number; moved: boolean } | null = null;
  const place = (event: MouseEvent): [number, number] => {
    const box = field.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const onChrome = (event: Event): boolean => (event.target as Element).closest(CHROME) !== null;

  field.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || onChrome(event)) return;
    const [x, y] = place(event);
    drag = { x, y, moved: false };
    field.setPointerCapture(event.pointerId);
  });
  field.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (drag) {
      const dx = x - drag.x;
      const dy = y - drag.y;
      if (!drag.moved && Math.hypot(dx, dy) < DRAG_SLACK) return;
      drag = { x, y, moved: true };
      camera.pan(dx, dy);
      field.classList.add("dragging");
    }
    if (model.last >= 0 && !onChrome(event)) plot.pointer = { x, y };
    else plot.clearCell();
    handlers.changed();
  });
  const drop = (): void => {
    drag = null;
    field.classList.remove("dragging");
  };
  field.addEventListener("pointerup", drop);
  field.addEventListener("pointercancel", drop);
  field.addEventListener("pointerleave", () => {
    if (drag) return;
    plot.clearCell();
    handlers.changed();
  });
  field.addEventListener("dblclick", (event) => {
    if (!onChrome(event)) handlers.follow();
  });
  const zoom = (event: WheelEvent, price: boolean): void => {
    event.preventDefault();
    const [x, y] = place(event);
    const moved = (event.deltaY || event.deltaX) * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE_PX);
    const factor = Math.exp(-moved * WHEEL);
    const onAxis = x > camera.width + plot.zoneWidth && x < camera.width + plot.zoneWidth + COLUMNS.axis;
    if (price && (event.shiftKey || onAxis)) camera.zoomPrice(factor, y);
    else {
      camera.zoomTime(factor, x);
      if (price && event.ctrlKey) camera.zoomPrice(factor, y);
    }
    handlers.changed();
  };
  field.addEventListener("wheel", (event) => onChrome(event) || zoom(event, true), { passive: false });
  plot.below.addEventListener("wheel", (event) => zoom(event, false), { passive: false });
}

/** Move the crosshair by bins and ticks, from now when there is none; `step` asks for one more bin and may refuse. */
export function moveCell(plot: Plot, model: Model, seqs: number, ticks: number, step: () => boolean): void {
  const { ring, bins } = model;
  if (!ring || !bins || bins.last < 0 || !plot.camera.placed) return;
  plot.pointer = null;
  const from = plot.cell ?? { seq: bins.last + (seqs < 0 ? 1 : 0), tick: model.spotTick ?? Math.round(plot.camera.center) };
  if (seqs > 0 && from.seq >= bins.last && step()) {
    plot.cell = { seq: bins.last + 1, tick: from.tick };
    return;
  }
  const seq = Math.min(bins.last, Math.max(bins.first, from.seq + seqs));
  plot.cell = { seq, tick: from.tick + ticks };
  const [first, last] = plot.camera.seqSpan;
  const out = seq < first ? first - seq : seq > last ? last - seq : 0;
  if (out !== 0) plot.camera.pan(out * plot.camera.pxPerBin, 0);
}
